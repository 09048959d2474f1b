"""How long upstreams rest, and when a credential is set aside: by a clock that the test moves."""

from types import SimpleNamespace

import pytest

from routing.dialects.base import Meaning, UpstreamFault
from routing.health import Alarm, Health, Standing, mark_credential


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def health(clock):
    return Health(clock)


def make_route(slug="one", model="m", credential=b"sealed", variable=""):
    upstream = SimpleNamespace(slug=slug, credential=credential, credential_env=variable)
    return SimpleNamespace(upstream=upstream, upstream_model=model)


def fail(health, meaning, route=None, **fields):
    route = route or make_route()
    health.note_fault(route, UpstreamFault.of(meaning, **fields), began_at=health.clock())


def rests(health, clock, times, meaning, **fields):
    """Return how long each of so many failures made the upstream rest, each behind the rest before."""
    found = []
    for _ in range(times):
        fail(health, meaning, **fields)
        began = clock.now
        while health.reason_against(make_route()):
            clock.now += 0.5
        found.append(clock.now - began)
    return found


def test_an_ordinary_failure_rests_at_the_third_and_up_to_a_minute(health, clock):
    expected = [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert rests(health, clock, 10, Meaning.SERVER_ERROR) == expected


def test_what_the_operator_must_mend_rests_at_once_and_up_to_ten_minutes(health, clock):
    assert rests(health, clock, 4, Meaning.NO_BALANCE) == [300, 600, 600, 600]
    assert rests(Health(clock), clock, 1, Meaning.BAD_CREDENTIAL) == [30]


def test_a_rate_limit_rests_at_once(health, clock):
    assert rests(health, clock, 6, Meaning.RATE_LIMITED) == [2, 4, 8, 16, 32, 60]


@pytest.mark.parametrize(("asked", "rest"), [(20, 20), (300, 300), (3600, 600)])
def test_retry_after_is_obeyed_within_ten_minutes(health, clock, asked, rest):
    assert rests(health, clock, 1, Meaning.SERVER_ERROR, retry_after=asked) == [rest]


def test_what_is_left_of_a_rest_is_the_longer_of_a_routes_and_its_upstreams(health, clock):
    assert health.rest_left(make_route()) == 0
    fail(health, Meaning.MODEL_UNKNOWN)
    fail(health, Meaning.NO_BALANCE)
    clock.now += 10
    assert health.rest_left(make_route()) == 290
    assert health.rest_left(make_route("two")) == 0
    clock.now += 300
    assert health.rest_left(make_route()) == 0


def test_one_success_makes_it_healthy(health, clock):
    rests(health, clock, 5, Meaning.SERVER_ERROR)
    health.note_success(make_route(), began_at=clock())
    assert rests(health, clock, 3, Meaning.SERVER_ERROR) == [0, 0, 1]


def test_a_success_that_began_before_the_failure_says_nothing(health, clock):
    began_at = clock()
    clock.now += 1
    fail(health, Meaning.NO_BALANCE)
    health.note_success(make_route(), began_at=began_at)
    assert health.reason_against(make_route()) == "cooldown"


def test_calls_that_ran_when_the_first_failed_do_not_lengthen_the_rest(health, clock):
    began_at = clock()
    clock.now += 1
    for _ in range(20):
        fault = UpstreamFault.of(Meaning.NO_BALANCE)
        health.note_fault(make_route(), fault, began_at=began_at)
    clock.now += 301
    assert health.reason_against(make_route()) == ""
    assert health.take_alarms() == [Alarm("one", "no_balance")]


@pytest.mark.parametrize("meaning", [Meaning.CONTENT_FILTER, Meaning.INVALID_REQUEST, Meaning.CONTEXT_TOO_LONG])
def test_a_fault_of_the_client_says_nothing_about_the_upstream(health, meaning):
    for _ in range(5):
        fail(health, meaning)
    assert health.reason_against(make_route()) == ""
    assert health.take_changes() == {}


def test_an_unknown_model_rests_its_route_alone(health, clock):
    fail(health, Meaning.MODEL_UNKNOWN)
    assert health.reason_against(make_route()) == "cooldown"
    assert health.reason_against(make_route(model="another")) == ""
    assert health.take_alarms() == [Alarm("one", "model_unknown")]
    clock.now += 61
    assert health.reason_against(make_route()) == ""


def test_a_routes_rest_grows_and_ends_like_an_upstreams(health, clock):
    assert rests(health, clock, 5, Meaning.MODEL_UNKNOWN) == [60, 120, 240, 480, 600]
    health.note_success(make_route(), began_at=clock())
    assert rests(health, clock, 1, Meaning.MODEL_UNKNOWN) == [60]


def test_calls_that_ran_when_the_model_was_first_unknown_do_not_lengthen_its_rest(health, clock):
    began_at = clock()
    for _ in range(20):
        clock.now += 0.01
        health.note_fault(make_route(), UpstreamFault.of(Meaning.MODEL_UNKNOWN), began_at=began_at)
    clock.now += 60
    assert health.reason_against(make_route()) == ""
    assert health.take_alarms() == [Alarm("one", "model_unknown")]


def test_others_are_told_of_a_routes_rest(health, clock):
    fail(health, Meaning.MODEL_UNKNOWN)
    told = health.take_changes()
    assert set(told) == {("one", "m")}
    other = Health(clock)
    other.take_over(("one", "m"), told["one", "m"])
    assert [other.reason_against(make_route(model=model)) for model in ("m", "another")] == ["cooldown", ""]


def test_an_alarm_without_a_rest_is_raised_once_a_minute(health, clock):
    for _ in range(120):
        fail(health, Meaning.WRONG_ADDRESS)
        clock.now += 1
    assert health.take_alarms() == [Alarm("one", "wrong_address")] * 2


def refuse_twice(health, clock, route):
    for _ in range(2):
        fail(health, Meaning.BAD_CREDENTIAL, route)
        clock.now += 601


def test_a_credential_refused_twice_is_set_aside_until_it_changes(health, clock):
    refuse_twice(health, clock, make_route())
    assert health.reason_against(make_route()) == "credential_set_aside"
    assert health.take_alarms()[-1] == Alarm("one", "credential_refused", is_set_aside=True)
    assert health.reason_against(make_route(credential=b"new")) == ""
    assert health.take_changes() == {("one", ""): Standing()}


def test_a_new_value_of_its_variable_is_a_new_credential(health, clock, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "old")
    route = make_route(credential=None, variable="SOME_API_KEY")
    refuse_twice(health, clock, route)
    assert health.reason_against(route) == "credential_set_aside"
    monkeypatch.setenv("SOME_API_KEY", "new")
    assert health.reason_against(route) == ""


def test_a_mark_does_not_hold_the_credential():
    assert "sealed" not in mark_credential(make_route().upstream)
    assert mark_credential(make_route(credential=None).upstream) == ""


def test_a_success_between_two_refusals_keeps_the_credential(health, clock):
    fail(health, Meaning.BAD_CREDENTIAL)
    clock.now += 31
    health.note_success(make_route(), began_at=clock())
    fail(health, Meaning.BAD_CREDENTIAL)
    clock.now += 31
    assert health.reason_against(make_route()) == ""


def test_what_others_say_is_believed_unless_there_is_something_newer(health, clock):
    health.take_over(("one", ""), Standing(failures=1, reason="no_balance", rest_seconds=10))
    assert health.reason_against(make_route()) == "cooldown"
    health.take_over(("one", ""), Standing())
    assert health.reason_against(make_route()) == ""
    fail(health, Meaning.NO_BALANCE)
    health.take_over(("one", ""), Standing())
    assert health.reason_against(make_route()) == "cooldown"


def test_only_what_others_must_know_is_told(health, clock):
    fail(health, Meaning.SERVER_ERROR)
    health.note_success(make_route(), began_at=clock())
    assert health.take_changes() == {}
    fail(health, Meaning.RATE_LIMITED)
    clock.now += 0.5
    assert health.take_changes()["one", ""].rest_seconds == 1.5
    health.note_success(make_route(), began_at=clock())
    assert health.take_changes() == {("one", ""): Standing()}
