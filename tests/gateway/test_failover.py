"""Routes are tried until the first content; from then on there is no other."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from routing.models import Model, Route
from tests.gateway.callers import eventually, read_until
from tests.gateway.conftest import in_force
from tests.upstream import refused_port


def outcomes(record):
    return [(attempt["outcome"], attempt["reason"]) for attempt in record.attempts]


def answer_beside(caller, **body):
    """Ask in a thread beside the test; return how to wait for the reply."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(caller.chat, **body)
    pool.shutdown(wait=False)
    return lambda: future.result(30)


@pytest.mark.parametrize("stream", [True, False])
def test_first_refuses_second_breaks_third_answers(caller, add_route, wallet, stream):
    add_route(base_url=f"http://127.0.0.1:{refused_port()}", priority=1)
    add_route("break-before-content" if stream else "break-mid-stream", priority=2)
    add_route("ok", priority=3)
    reply = caller.chat(stream=stream)
    assert reply.content == "Hello from upstream"
    record = reply.record
    assert [attempt["outcome"] for attempt in record.attempts] == ["failed", "failed", "answered"]
    assert record.attempts[0]["reason"] == "connect"
    assert record.attempts[0]["was_sent"] is False
    assert record.attempts[1]["was_sent"] is True
    assert wallet.spent == record.charge_nanos == 10_500


BEFORE_CONTENT = {
    "refuse-500": "server_error",
    "refuse-401": "credential_refused",
    "refuse-402": "no_balance",
    "refuse-404": "model_unknown",
    "refuse-429": "rate_limited",
    "html-error": "server_error",
    "html-200": "not_json",
    "break-at-once": "disconnected",
    "empty-stream": "empty",
    "error-first": "server_error",
    "error-in-200": "server_error",
    "not-json": "not_json",
    "redirect": "redirect",
    "endless-line": "answer_too_large",
    "endless-silence": "no_content",
}


@pytest.mark.parametrize(("behaviour", "reason"), BEFORE_CONTENT.items())
def test_a_failure_before_content_leads_to_the_next_route(caller, add_route, behaviour, reason):
    add_route(behaviour, priority=1)
    add_route("ok", priority=2)
    reply = caller.chat(stream=True)
    assert reply.content == "Hello from upstream"
    assert outcomes(reply.record) == [("failed", reason), ("answered", "")]


@pytest.mark.parametrize("behaviour", ["error-in-200", "html-200", "no-choices", "refuse-503", "break-at-once"])
def test_a_whole_answer_that_is_none_leads_to_the_next_route(caller, add_route, behaviour):
    add_route(behaviour, priority=1)
    add_route("ok", priority=2)
    reply = caller.chat()
    assert reply.content == "Hello from upstream"
    assert [attempt["outcome"] for attempt in reply.record.attempts] == ["failed", "answered"]


@pytest.mark.parametrize("behaviour", ["refuse-400", "refuse-422", "too-long"])
def test_a_request_that_is_at_fault_itself_is_not_tried_elsewhere(caller, add_route, upstream, behaviour):
    add_route(behaviour, priority=1)
    add_route("ok", priority=2)
    reply = caller.chat(stream=True)
    assert reply.status == 400
    assert len(upstream.requests) == 1
    assert (reply.record.status, reply.record.charge_nanos) == ("failed", 0)


FINAL = {
    "refuse-500": (502, "upstream_error"),
    "refuse-401": (502, "upstream_error"),
    "refuse-429": (503, "overloaded"),
    "break-before-content": (502, "upstream_error"),
    "empty-stream": (502, "upstream_error"),
}


@pytest.mark.parametrize(("behaviour", "expected"), FINAL.items())
def test_when_no_route_answers_the_status_says_so(caller, add_route, wallet, behaviour, expected):
    add_route(behaviour)
    reply = caller.chat(stream=True)
    assert (reply.status, reply.error["code"]) == expected
    assert reply.headers["x-should-retry"] == "true"
    assert reply.headers["content-type"] == "application/json"
    assert (reply.record.ended_by, reply.record.charge_nanos) == ("upstream", 0)
    assert wallet.spent == 0


def test_a_providers_long_retry_after_is_not_passed_on(caller, add_route):
    add_route("resting")
    assert int(caller.chat().headers["retry-after"]) <= 60


@pytest.mark.parametrize("behaviour", ["break-mid-stream", "end-mid-stream", "error-in-stream"])
def test_a_break_behind_content_is_a_typed_error_and_no_failover(caller, add_route, upstream, wallet, behaviour):
    add_route(behaviour, priority=1)
    add_route("ok", priority=2)
    reply = caller.chat(stream=True)
    assert reply.status == 200
    assert (reply.error["code"], reply.error["status"]) == ("upstream_error", 502)
    assert reply.error["message"].startswith("The answer broke off")
    assert "[DONE]" not in reply.datas
    assert len(upstream.requests) == 1
    record = reply.record
    assert (record.status, record.ended_by, record.count_source) == ("failed", "upstream", "estimate")
    assert record.charge_nanos == wallet.spent > 0


def test_what_a_provider_counts_without_a_word_is_not_charged_but_stays_for_the_operator(caller, add_route, wallet):
    add_route("counted-then-broken")
    record = caller.chat(stream=True).record
    assert (record.status, record.input_tokens, record.charge_nanos) == ("failed", 0, 0)
    assert (record.attempts[0]["input_tokens"], record.attempts[0]["output_tokens"]) == (12, 3)
    assert wallet.spent == 0


def test_a_connection_that_breaks_behind_the_last_word_breaks_nothing(caller, add_route, wallet):
    add_route("break-after-finish")
    reply = caller.chat(stream=True)
    assert (reply.content, reply.is_done) == ("Hello from upstream", True)
    assert (reply.record.status, wallet.spent) == ("completed", 10_500)


def test_a_body_that_ends_before_one_of_its_choices_was_cut(caller, add_route):
    add_route("one-choice-cut")
    reply = caller.chat(stream=True, n=2)
    assert reply.error["code"] == "upstream_error"
    assert outcomes(reply.record) == [("failed", "cut")]


def test_every_route_of_a_level_comes_before_the_next_level(caller, add_route, upstream):
    first = [add_route("refuse-500", priority=1).upstream.slug for _ in range(3)]
    second = add_route("ok", priority=2).upstream.slug
    record = caller.chat().record
    tried = [attempt["route"].split(" · ")[1] for attempt in record.attempts]
    assert sorted(tried[:3]) == sorted(first)
    assert tried[3] == second


def test_weights_share_the_traffic_of_a_level(caller, add_route):
    heavy, light = add_route("ok", weight=300), add_route("ok", weight=100)
    spare = add_route("ok", weight=0)
    answered = Counter(caller.chat().record.upstream for _ in range(40))
    assert answered[heavy.upstream.slug] > answered[light.upstream.slug] > 0
    assert answered[spare.upstream.slug] == 0


def test_a_route_without_weight_serves_when_the_others_fail(caller, add_route):
    add_route("refuse-500", weight=100)
    spare = add_route("ok", weight=0)
    assert caller.chat().record.upstream == spare.upstream.slug


def test_an_upstream_that_fails_again_and_again_rests(caller, add_route, upstream):
    failing = add_route("refuse-500", priority=1)
    add_route("ok", priority=2)
    for _ in range(3):
        caller.chat()
    record = caller.chat().record
    assert record.attempts[0]["outcome"] == "skipped"
    assert record.attempts[0]["reason"] == "cooldown"
    assert failing.upstream.slug in record.attempts[0]["route"]


def test_when_all_routes_rest_the_answer_is_503(caller, add_route):
    add_route("refuse-429")
    assert caller.chat().status == 503
    reply = caller.chat()
    assert (reply.status, reply.error["code"]) == (503, "no_healthy_route")
    assert reply.headers["x-should-retry"] == "true"


def test_a_client_is_told_to_come_back_when_the_first_rest_ends(caller, add_route):
    for behaviour in ("refuse-402", "refuse-429"):
        add_route(behaviour)
    caller.chat()
    reply = caller.chat()
    assert reply.error["code"] == "no_healthy_route"
    assert 1 <= int(reply.headers["retry-after"]) <= 2


@pytest.mark.parametrize("behaviour", ["refuse-402", "resting"])
def test_a_client_does_not_wait_for_a_long_rest(caller, add_route, behaviour):
    add_route(behaviour)
    caller.chat()
    reply = caller.chat()
    assert (reply.status, reply.error["code"]) == (503, "no_healthy_route")
    assert (reply.headers["x-should-retry"], "retry-after" in reply.headers) == ("false", False)
    assert "none will be within a minute" in reply.error["message"]


def test_a_route_that_lacks_something_is_skipped_with_its_reason(caller, add_route):
    add_route("ok", priority=1, tools=False)
    able = add_route("ok", priority=2)
    tools = [{"type": "function", "function": {"name": "f"}}]
    record = caller.chat(tools=tools).record
    assert outcomes(record) == [("skipped", "no_tools"), ("answered", "")]
    assert record.upstream == able.upstream.slug


@pytest.mark.parametrize("kind", ["image_url", "video_url"])
def test_a_request_that_no_route_can_carry_says_what_is_lacking(caller, add_route, kind):
    add_route("ok", images=False)
    image = {"type": kind, kind: {"url": "https://example.com/a"}}
    reply = caller.chat(messages=[{"role": "user", "content": [image]}])
    assert (reply.status, reply.error["code"]) == (400, "invalid_request")
    assert (reply.error["message"], reply.error["param"]) == (
        "No route of deepseek on this site takes images.",
        "messages",
    )


def test_a_resting_route_beside_one_that_misfits_may_be_back_soon(caller, add_route):
    add_route("resting", priority=1)
    add_route("ok", priority=2, images=False)
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    messages = [{"role": "user", "content": [image]}]
    caller.chat(messages=messages)
    reply = caller.chat(messages=messages)
    assert (reply.status, reply.error["code"]) == (503, "no_healthy_route")


LONG = [{"role": "user", "content": "word " * 1000}]


def test_a_route_whose_context_is_too_short_is_passed_over_for_a_wider_one(caller, add_route):
    add_route("ok", priority=1, context_length=500)
    wide = add_route("ok", priority=2)
    assert outcomes(caller.chat().record) == [("answered", "")]
    record = caller.chat(messages=LONG).record
    assert outcomes(record) == [("skipped", "context_too_long"), ("answered", "")]
    assert record.upstream == wide.upstream.slug


def test_whether_the_widest_route_takes_a_long_request_its_provider_says(caller, add_route):
    add_route("ok", context_length=500)
    assert caller.chat(messages=LONG).status == 200


def test_the_default_limit_is_no_more_than_the_route_can_answer(caller, add_route, upstream):
    add_route("ok", max_output_tokens=300)
    reply = caller.chat()
    assert upstream.requests[0].body["max_tokens"] == 300
    assert reply.headers["x-smartoken-output-limit"] == "300"


def test_a_long_text_leaves_room_for_a_default_answer(caller, add_route, upstream):
    add_route("ok", family="baichuan")
    text = "word " * (Model.objects.get(family__slug="baichuan").context_length)
    caller.chat(model="baichuan", messages=[{"role": "user", "content": text}])
    assert upstream.requests[0].body["max_tokens"] >= 2048


def test_the_demo_serves_only_an_empty_pool(caller, add_route):
    first = caller.chat()
    assert (first.status, first.record.demo) == (200, True)
    add_route("refuse-500")
    reply = caller.chat()
    assert reply.status == 502
    assert [attempt["route"].split(" · ")[0] for attempt in reply.record.attempts] != ["demo"]
    Route.objects.all().delete()
    in_force()
    assert caller.chat().record.demo


def test_a_switched_off_route_is_not_replaced_by_the_demo(caller, unserved):
    assert caller.chat(model=unserved).status == 404


def test_a_silent_upstream_is_given_up_for_the_next(caller, add_route, settings):
    settings.FIRST_BYTE_SECONDS = 0.2
    add_route("silent", family="zhinao", priority=1)
    add_route("ok", family="zhinao", priority=2)
    reply = caller.chat(model="zhinao", stream=True)
    assert reply.content == "Hello from upstream"
    assert outcomes(reply.record) == [("failed", "first_byte"), ("answered", "")]


@pytest.mark.parametrize(("family", "stream"), [("deepseek", True), ("zhinao", False)])
def test_a_silent_upstream_that_may_be_at_work_is_not_replaced(
    caller, add_route, upstream, settings, wallet, family, stream
):
    settings.FIRST_BYTE_THINKING_SECONDS = 0.2
    add_route("silent", family=family, priority=1)
    add_route("ok", family=family, priority=2)
    reply = caller.chat(model=family, stream=stream)
    assert (reply.status, reply.error["code"]) == (504, "upstream_timeout")
    assert outcomes(reply.record) == [("failed", "first_byte")]
    assert (len(upstream.requests), wallet.spent) == (1, 0)


def test_a_whole_answer_that_has_begun_may_take_its_time(caller, add_route, upstream, settings):
    settings.FIRST_BYTE_THINKING_SECONDS = settings.IDLE_SECONDS = 0.2
    add_route("late-body")
    asking = answer_beside(caller)
    eventually(lambda: upstream.requests)
    assert not upstream.requests[0].closed.wait(0.6)
    upstream.open_gate()
    assert asking().content == "Hello from upstream"


def test_a_silent_upstream_alone_is_a_timeout(caller, add_route, settings, upstream):
    settings.FIRST_BYTE_THINKING_SECONDS = settings.FIRST_BYTE_SECONDS = 0.2
    add_route("slow")
    reply = caller.chat(stream=True)
    assert (reply.status, reply.error["code"]) == (504, "upstream_timeout")
    assert upstream.requests[0].closed.wait(5)


def test_silence_in_mid_answer_ends_with_a_typed_error(caller, add_route, settings, wallet):
    settings.IDLE_SECONDS = 0.2
    add_route("held")
    reply = caller.chat(stream=True)
    assert reply.error["code"] == "upstream_timeout"
    record = reply.record
    assert (record.status, record.ended_by, record.http_status) == ("failed", "upstream", 504)
    assert outcomes(record) == [("failed", "idle")]
    assert record.charge_nanos == wallet.spent > 0


def test_an_upstream_that_falls_silent_again_and_again_rests(caller, add_route, settings):
    settings.IDLE_SECONDS = 0.1
    add_route("held", priority=1)
    add_route("ok", priority=2)
    for _ in range(3):
        caller.chat(stream=True)
    assert outcomes(caller.chat(stream=True).record) == [("skipped", "cooldown"), ("answered", "")]


def test_an_answer_without_end_is_cut(caller, add_route, settings, wallet, upstream):
    settings.ANSWER_SECONDS = 0.5
    add_route("paced")
    reply = caller.chat(stream=True)
    assert reply.error["code"] == "upstream_timeout"
    assert reply.record.ended_by == "limit"
    assert upstream.requests[0].closed.wait(5)


def test_an_address_inside_the_site_is_refused_unless_allowed(caller, add_route, settings, upstream):
    add_route("ok")
    settings.ALLOW_PRIVATE_UPSTREAMS = False
    reply = caller.chat()
    assert reply.status == 502
    assert reply.record.attempts[0]["reason"] == "address_not_allowed"
    assert upstream.requests == []


def test_a_host_name_that_leads_inside_is_refused_too(caller, add_route, settings, upstream):
    add_route("ok", base_url=upstream.address.replace("127.0.0.1", "localhost"))
    settings.ALLOW_PRIVATE_UPSTREAMS = False
    assert caller.chat().status == 502
    assert upstream.requests == []


def test_a_missing_credential_is_not_sent_as_none(caller, add_route, upstream):
    from routing.models import Upstream

    route = add_route("ok")
    Upstream.objects.filter(pk=route.upstream_id).update(credential_env="NOT_SET_ANYWHERE")
    in_force()
    reply = caller.chat()
    assert reply.status == 502
    assert reply.record.attempts[0]["reason"] == "credential_missing"
    assert upstream.requests == []


# --- keeping a silent stream alive ---------------------------------------------


@pytest.fixture
def quick_comments(monkeypatch):
    from routing import patience

    monkeypatch.setattr(patience, "COMMENT_SECONDS", 0.1)


@pytest.mark.parametrize("behaviour", ["silent", "slow", "busy"])
def test_a_silent_stream_is_kept_alive_by_comments(caller, add_route, upstream, quick_comments, behaviour):
    add_route(behaviour)
    with caller.streaming() as response:
        lines = response.iter_lines()
        read_until(lines, ": keep-alive")
        upstream.open_gate()
        rest = read_until(lines, "[DONE]")
    assert all(line == "" or line.startswith(("data: ", ": keep-alive")) for line in rest)


def test_failover_still_works_behind_a_comment(caller, add_route, upstream, quick_comments, settings):
    settings.FIRST_BYTE_SECONDS = 0.5
    add_route("silent", family="zhinao", priority=1)
    add_route("ok", family="zhinao", priority=2)
    reply = caller.chat(model="zhinao", stream=True)
    assert ": keep-alive\n" in reply.text
    assert reply.content == "Hello from upstream"
    assert reply.is_done


def test_a_failure_behind_a_comment_is_a_typed_error_with_its_status(caller, add_route, quick_comments, settings):
    settings.FIRST_BYTE_THINKING_SECONDS = 0.5
    add_route("silent")
    reply = caller.chat(stream=True)
    assert reply.status == 200
    assert (reply.error["code"], reply.error["status"]) == ("upstream_timeout", 504)
    assert "[DONE]" not in reply.datas


def test_a_whole_answer_never_begins_with_a_comment(caller, add_route, upstream, quick_comments):
    add_route("held")
    asking = answer_beside(caller)
    eventually(lambda: upstream.requests)
    assert not upstream.requests[0].done.wait(0.5)
    upstream.open_gate()
    assert asking().text.startswith("{")
