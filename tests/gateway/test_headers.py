"""Headers of every answer, CORS and preflight."""

import re
from decimal import Decimal

import pytest

from billing import budgets
from billing.money import NANOS

REQUEST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def test_every_answer_has_a_request_id_of_ours(caller, stranger):
    for reply in (caller.get("/v1/models"), stranger.get("/v1/models"), stranger.get("/v1/nothing")):
        assert REQUEST_ID.fullmatch(reply.request_id)


def test_a_clients_id_is_echoed_but_never_ours(caller):
    reply = caller.get("/v1/models", **{"x-request-id": "build-17"})
    assert reply.headers["x-client-request-id"] == "build-17"
    assert reply.request_id != "build-17"


def test_a_clients_id_with_odd_characters_is_left_out(caller):
    assert "x-client-request-id" not in caller.get("/v1/models", **{"x-request-id": "a b<script>"}).headers


def test_budgets_left_are_told_behind_the_charge(make_caller, wallet, add_route):
    add_route("ok")
    reply = make_caller(daily_budget_nanos=NANOS, monthly_budget_nanos=2 * NANOS).chat()
    assert reply.headers["x-smartoken-daily-left-usd"] == "0.9999895"
    assert reply.headers["x-smartoken-monthly-left-usd"] == "1.9999895"


def test_a_stream_tells_what_is_left_behind_its_hold(make_caller, wallet, add_route):
    add_route("ok")
    left = float(make_caller(daily_budget_nanos=NANOS).chat(stream=True).headers["x-smartoken-daily-left-usd"])
    assert 0.9 < left < 0.9999


def test_a_whole_answer_tells_what_is_spent_and_that_nothing_is_held(make_caller, wallet, add_route):
    add_route("ok")
    headers = make_caller(daily_budget_nanos=NANOS, monthly_budget_nanos=2 * NANOS).chat().headers
    assert {headers[f"x-smartoken-{period}-spent-usd"] for period in ("daily", "monthly")} == {"0.0000105"}
    assert {headers[f"x-smartoken-{period}-held-usd"] for period in ("daily", "monthly")} == {"0"}


def test_a_streams_headers_tell_its_own_hold(make_caller, wallet, add_route):
    add_route("ok")
    headers = make_caller(daily_budget_nanos=NANOS).chat(stream=True).headers
    spent, held, left = (Decimal(headers[f"x-smartoken-daily-{name}-usd"]) for name in ("spent", "held", "left"))
    assert (spent, spent + held + left) == (0, 1)
    assert held > 0


def test_when_budgets_begin_anew_is_told_as_the_key_shows_it(make_caller, wallet, add_route):
    add_route("ok")
    caller = make_caller(daily_budget_nanos=NANOS, monthly_budget_nanos=2 * NANOS)
    headers, shown = caller.chat().headers, caller.get("/v1/key").json
    assert headers["x-smartoken-daily-resets-at"] == shown["daily"]["resets_at"]
    assert headers["x-smartoken-monthly-resets-at"] == shown["monthly"]["resets_at"]


def test_refusals_and_failures_tell_the_budgets_too(make_caller, wallet, add_route):
    add_route("html-error")
    caller = make_caller(daily_budget_nanos=NANOS // 100)
    failed, refused = caller.chat(), caller.chat(max_tokens=8000)
    assert (failed.status, refused.status) == (502, 402)
    assert {reply.headers["x-smartoken-daily-left-usd"] for reply in (failed, refused)} == {"0.01"}


def test_a_budget_lowered_below_what_is_spent_has_nothing_left(make_key, caller, wallet, add_route):
    key, caller.secret = make_key(daily_budget_nanos=NANOS)
    add_route("ok")
    caller.chat()
    budgets.update_key(key=key, daily_budget_nanos=1)
    assert caller.chat().headers["x-smartoken-daily-left-usd"] == "0"
    assert caller.get("/v1/key").json["daily"]["left_usd"] == "0"


def test_a_key_without_budgets_tells_nothing_of_the_wallet(caller, add_route):
    add_route("ok")
    assert not [name for name in caller.chat().headers if "left" in name or "wallet" in name]


def test_rate_limit_headers_count_down(make_caller, wallet, add_route):
    add_route("ok")
    caller = make_caller(requests_per_minute=5)
    first, second = caller.chat(), caller.chat()
    assert first.headers["x-ratelimit-limit-requests"] == "5"
    assert first.headers["x-ratelimit-remaining-requests"] == "4"
    assert second.headers["x-ratelimit-remaining-requests"] == "3"
    assert re.fullmatch(r"\d+s|\dm\d+s", first.headers["x-ratelimit-reset-requests"])


def test_browsers_may_read_answers_and_errors(caller, stranger, add_route):
    add_route("ok")
    origin = {"origin": "https://app.example.com"}
    replies = [
        caller.chat(origin),
        caller.chat(origin, stream=True),
        caller.chat(origin, model="none"),
        stranger.chat(origin),
        stranger.get("/v1/x", **origin),
    ]
    for reply in replies:
        assert reply.headers["access-control-allow-origin"] == "*"
        assert "x-request-id" in reply.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in reply.headers
    assert "access-control-allow-origin" not in caller.chat().headers


def test_preflight_needs_no_key_and_allows_any_header(stranger):
    asked = {
        "origin": "https://app.example.com",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, x-stainless-lang",
    }
    reply = stranger.request("OPTIONS", "/v1/chat/completions", asked)
    assert reply.status == 204
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert "x-stainless-lang" in reply.headers["access-control-allow-headers"]


def test_answers_are_not_cached(caller):
    assert caller.get("/v1/models").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("stream", [True, False])
def test_the_demo_gives_as_many_choices_as_were_asked_for(caller, stream):
    one, three = (caller.chat(model="glm", stream=stream, max_tokens=5, n=n) for n in (1, 3))
    assert (one.usage["completion_tokens"], three.usage["completion_tokens"]) == (5, 15)
    answers = three.events if stream else [three.json]
    assert {choice["index"] for answer in answers for choice in answer["choices"]} == {0, 1, 2}


def test_the_demo_names_itself(caller, add_route):
    reply = caller.chat(stream=True)
    assert reply.headers["x-smartoken-demo"] == "true"
    assert "demo provider" in reply.content
    assert reply.record.demo
