"""Refused requests: counted by the minute, and the last hundred of a key kept."""

import uuid

from accounts.models import APIKey
from billing.models import RefusalCount, RefusedRequest
from billing.refusals import LATEST_KEPT, MAX_LATEST, RefusalCounter, write_refused


def refuse(counter: RefusalCounter, key, times: int, code: str = "budget_exceeded") -> None:
    for number in range(times):
        counter.add(key, code, request=uuid.uuid4(), param="model", reason=f"reason {number}")


def test_each_is_counted_and_kept(make_key):
    counter, key = RefusalCounter(), make_key()
    refuse(counter, key, 3)
    write_refused(counter.take())
    refuse(counter, key, 2)
    write_refused(counter.take())
    assert sum(RefusalCount.objects.values_list("requests", flat=True)) == 5
    assert [row.reason for row in RefusedRequest.objects.order_by("pk")] == [
        *("reason 0", "reason 1", "reason 2"),
        *("reason 0", "reason 1"),
    ]


def test_nothing_is_taken_twice(make_key):
    counter = RefusalCounter()
    refuse(counter, make_key(), 1)
    assert counter.take()
    assert counter.take() is None


def test_the_last_hundred_of_each_key_stay(make_key):
    counter, first, second = RefusalCounter(), make_key(), make_key()
    for number in range(3):
        refuse(counter, first, 60, code=f"code-{number}")
        refuse(counter, second, 10)
        write_refused(counter.take())
    kept = RefusedRequest.objects.filter(key=first.id).order_by("-pk")
    assert [row.code for row in kept] == ["code-2"] * 60 + ["code-1"] * 40
    assert RefusedRequest.objects.filter(key=second.id).count() == 30


def test_a_flood_is_counted_whole_and_kept_in_part(make_key):
    counter, key = RefusalCounter(), make_key()
    refuse(counter, key, 5000)
    taken = counter.take()
    assert (sum(taken.counts.values()), len(taken.latest)) == (5000, LATEST_KEPT)
    assert taken.latest[0].reason == "reason 4999"


def test_many_keys_together_are_bounded(make_key):
    counter, key = RefusalCounter(), make_key()
    stored = APIKey.objects.get(pk=key.id)
    for number in range(30):
        other = APIKey.objects.create(
            organization=stored.organization, created_by=stored.created_by, name=str(number), prefix="x"
        )
        refuse(counter, type("Key", (), {"id": other.pk, "organization_id": key.organization_id}), 100)
    assert len(counter.take().latest) == MAX_LATEST
