"""Holds: what is set aside, and who is refused."""

from billing import proof
from billing.models import Hold, Limit
from billing.money import NANOS
from billing.requests import MIN_DEFAULT_OUTPUT, Admission, Refusal
from billing.settlements import Tokens
from billing.settles import settle_batch
from tests.billing.clocks import set_clock
from tests.billing.conftest import settle, wallet_of


def test_a_hold_covers_the_most_a_request_can_cost(make_key, admissions, ask) -> None:
    key = make_key(credit=1)
    [admission] = admissions.admit_batch([ask(key)])
    assert admission.amount == 1000 * 1000 + 1000 * 2000
    assert wallet_of(key).held_nanos == admission.amount
    assert Hold.objects.get().state == Hold.State.OPEN


def test_choices_multiply_the_output(make_key, admissions, ask) -> None:
    [admission] = admissions.admit_batch([ask(make_key(), choices=3)])
    assert admission.amount == 1000 * 1000 + 3 * 1000 * 2000


def test_an_empty_wallet_is_refused_for_good(make_key, admissions, ask) -> None:
    [refusal] = admissions.admit_batch([ask(make_key(credit=0))])
    assert isinstance(refusal, Refusal)
    assert (refusal.kind, refusal.is_passing) == ("wallet", False)
    assert not Hold.objects.exists()


def test_open_holds_in_the_way_are_passing(make_key, admissions, ask) -> None:
    key = make_key(credit=0.004)
    first, second = admissions.admit_batch([ask(key), ask(key)])
    assert isinstance(first, Admission)
    assert isinstance(second, Refusal)
    assert second.is_passing


def test_a_spent_day_refuses_and_says_when_it_resets(make_key, admissions, ask) -> None:
    key = make_key(daily_budget_nanos=1000)
    [refusal] = admissions.admit_batch([ask(key)])
    assert (refusal.kind, refusal.is_passing, refusal.limit) == ("key_day", False, 1000)
    assert refusal.resets_at is not None


def test_one_batch_can_not_overspend(make_key, admissions, ask) -> None:
    key = make_key(credit=0.01)
    decisions = admissions.admit_batch([ask(key) for _ in range(20)])
    held = sum(decision.amount for decision in decisions if isinstance(decision, Admission))
    assert held == wallet_of(key).held_nanos <= wallet_of(key).limit_nanos
    assert sum(isinstance(decision, Admission) for decision in decisions) == 3


def test_wallets_take_turns_in_a_batch(make_key, admissions, ask) -> None:
    busy, other = make_key(credit=1), make_key(credit=1)
    requests = [ask(busy) for _ in range(10)] + [ask(other)]
    decisions = admissions.admit_batch(requests)
    assert all(isinstance(decision, Admission) for decision in decisions)
    assert [decision.request.id for decision in decisions] == [request.id for request in requests]


def test_without_a_limit_the_default_is_held(make_key, admissions, ask) -> None:
    [admission] = admissions.admit_batch([ask(make_key(credit=10), output_limit=None)])
    assert admission.output_limit == 16_384


def test_the_default_takes_at_most_half_of_what_is_free(make_key, admissions, ask) -> None:
    key = make_key(credit=0.04)
    [admission] = admissions.admit_batch([ask(key, output_limit=None)])
    assert admission.amount <= 0.02 * NANOS
    assert admission.output_limit == (20_000_000 - 1_000_000) // 2000
    assert admission.is_lowered


def test_the_default_is_not_lowered_below_its_floor(make_key, admissions, ask) -> None:
    [admission] = admissions.admit_batch([ask(make_key(credit=0.006), output_limit=None)])
    assert admission.output_limit == MIN_DEFAULT_OUTPUT
    [refusal] = admissions.admit_batch([ask(make_key(credit=0.005), output_limit=None)])
    assert isinstance(refusal, Refusal)


def test_a_clients_own_limit_is_lowered_only_on_request(make_key, admissions, ask) -> None:
    key = make_key(credit=0.002)
    [refusal] = admissions.admit_batch([ask(key)])
    [admission] = admissions.admit_batch([ask(key, may_lower=True)])
    assert isinstance(refusal, Refusal)
    assert admission.output_limit == 500


def test_a_price_of_zero_is_legal(make_key, admissions, ask, price) -> None:
    key = make_key(credit=0)
    request = ask(key, output_limit=None)
    request.price = type(price)(price.id, (0, 0, 0))
    [admission] = admissions.admit_batch([request])
    assert (admission.amount, admission.output_limit) == (0, 16_384)


def test_a_wallet_below_zero_admits_nothing(make_key, admissions, ask, price) -> None:
    key = make_key(credit=1)
    Limit.objects.filter(pk=wallet_of(key).pk).update(spent_nanos=2 * NANOS)
    request = ask(key)
    request.price = type(price)(price.id, (0, 0, 0))
    [refusal] = admissions.admit_batch([request])
    assert isinstance(refusal, Refusal)


def test_a_replayed_batch_holds_once(make_key, admissions, ask) -> None:
    key = make_key(credit=0.004)
    requests = [ask(key), ask(key)]
    first = admissions.admit_batch(requests)
    again = admissions.admit_batch(requests, is_replay=True)
    assert [type(decision) for decision in again] == [type(decision) for decision in first]
    assert wallet_of(key).held_nanos == first[0].amount
    assert Hold.objects.count() == 1


def test_a_hold_found_again_behind_midnight_keeps_its_windows(make_key, admissions, ask, monkeypatch) -> None:
    """Its COMMIT was lost before midnight, and the batch is run again behind it."""
    key = make_key()
    request = ask(key)
    [first] = admissions.admit_batch([request])
    set_clock(monkeypatch, lambda: first.limits.day_ends_at)
    admissions.admit_batch([ask(key)])
    [again] = admissions.admit_batch([request], is_replay=True)
    assert again.limits == first.limits
    settle_batch([settle(again, Tokens(input=10, output=10))])
    assert Limit.objects.get(pk=first.limits.day_id).spent_nanos == 30_000
    assert proof.check_books_inside().differences == {}
