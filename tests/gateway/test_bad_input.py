"""What is not a chat request gets one clear error in OpenAI's shape, and costs nothing."""

import gzip
import json

import pytest

from tests.gateway.callers import HI


def assert_refused(reply, param=None, code="invalid_request", status=400):
    assert reply.status == status
    assert reply.error["code"] == code
    assert reply.error["param"] == param
    assert reply.error["message"]
    assert reply.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("body", [b"", b"not json", b'{"model": ', b"\xff\xfe", b'{"model": "a\xed\xa0\x80"}', b"NaN"])
def test_a_body_that_is_not_json_is_refused(caller, body):
    reply = caller.post(body)
    assert_refused(reply)
    assert "not JSON" in reply.error["message"]


@pytest.mark.parametrize("body", ["[]", '"text"', "1", "null"])
def test_a_body_that_is_not_an_object_is_refused(caller, body):
    assert_refused(caller.post(body))


@pytest.mark.parametrize("text", [r"\ud800", r"\udfff", r"\ud83d x"])
def test_lone_surrogates_are_refused_in_texts_and_names(caller, text):
    assert_refused(caller.post(f'{{"model": "deepseek", "messages": [{{"role": "user", "content": "{text}"}}]}}'))
    assert_refused(caller.post(f'{{"model": "{text}", "messages": [{{"role": "user", "content": "Hi"}}]}}'))


def test_a_nul_in_a_text_reaches_the_provider(caller, add_route, upstream):
    add_route("ok")
    messages = [{"role": "user", "content": "a\0b"}]
    assert caller.chat(messages=messages, user="a\0b").status == 200
    assert upstream.requests[0].body["messages"] == messages


@pytest.mark.parametrize("stream", [True, False])
def test_a_nul_is_kept_for_an_idempotency_key_and_comes_again(caller, add_route, upstream, stream):
    add_route("echo")
    messages = [{"role": "user", "content": "a\0b"}]
    first, second = [caller.chat({"idempotency-key": "nul"}, messages=messages, stream=stream) for _ in range(2)]
    assert first.content == second.content == "a\0b"
    assert second.headers["x-smartoken-replayed"] == "true"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("behaviour", ["echo-400", "echo-tool"])
def test_a_nul_that_a_provider_says_again_harms_no_record(caller, add_route, behaviour):
    add_route(behaviour, dialect="deepseek")
    tools = [{"type": "function", "function": {"name": "f"}}]
    reply = caller.chat(messages=[{"role": "user", "content": "\0 and words of its own"}], tools=tools)
    assert reply.record.count_source
    assert "\0" not in json.dumps(reply.record.attempts)


def test_a_nul_in_a_model_name_is_an_unknown_model(caller):
    assert_refused(caller.chat(model="deep\0seek"), "model", "model_not_found", 404)


@pytest.mark.parametrize("messages", [None, [], {}, "Hi", 1])
def test_messages_must_be_a_list_with_something_in_it(caller, messages):
    assert_refused(caller.chat(messages=messages), "messages")


def test_there_are_not_more_messages_than_any_context_takes(caller):
    assert_refused(caller.chat(messages=[HI[0]] * 20_001), "messages")


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("Hi", "messages[0]"),
        (None, "messages[0]"),
        ({"content": "Hi"}, "messages[0].role"),
        ({"role": 1, "content": "Hi"}, "messages[0].role"),
        ({"role": "user", "content": 5}, "messages[0].content"),
        ({"role": "user", "content": {"text": "Hi"}}, "messages[0].content"),
    ],
)
def test_a_message_of_the_wrong_form_is_named(caller, message, param):
    assert_refused(caller.chat(messages=[message]), param)


@pytest.mark.parametrize("model", [None, "", 5, ["deepseek"], {}])
def test_the_model_must_be_a_text(caller, model):
    assert_refused(caller.chat(model=model), "model")


WRONG = {
    "stream": ["yes", 1, {}],
    "stream_options": [True, "include_usage", []],
    "tools": [{}, "weather", 1],
    "temperature": ["hot", [], True],
    "top_p": ["most", {}],
    "frequency_penalty": ["1"],
    "presence_penalty": [[]],
    "seed": ["7", 1.5, True],
    "stop": [5, {}, True],
    "logprobs": ["true", 1],
    "top_logprobs": ["3", True],
    "response_format": ["json_object", []],
    "parallel_tool_calls": ["no"],
    "logit_bias": [[], "x"],
    "reasoning_effort": [3, {}],
    "max_tokens": [0, -1, 1.5, "100", True, 2**40, 10**30],
    "max_completion_tokens": [0, -1, "100", []],
    "n": [0, -1, 9, 1.5, "2", True, []],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_parameter_of_the_wrong_type_is_named(caller, name, value):
    assert_refused(caller.chat(**{name: value}), name)


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_parameter_that_is_null_is_as_good_as_none(caller, add_route, name):
    add_route("ok")
    assert caller.chat(**{name: None}).status == 200


@pytest.mark.parametrize(
    ("name", "value", "param"),
    [
        ("web_search_options", {}, "web_search_options"),
        ("enable_search", True, "enable_search"),
        ("search_options", {"forced_search": True}, "search_options"),
        ("web_search", {"enable": True}, "web_search"),
        ("enable_enhancement", 1, "enable_enhancement"),
        ("plugins", [{"id": "web"}], "plugins"),
        ("models", ["dearer"], "models"),
        ("best_of", 8, "best_of"),
        ("audio", {"voice": "a", "format": "wav"}, "audio"),
        ("modalities", ["text", "audio"], "modalities"),
        ("service_tier", "priority", "service_tier"),
        ("service_tier", {}, "service_tier"),
        ("tools", [{"type": "web_search"}], "tools[0]"),
        ("tools", [{"type": "function", "function": {"name": "f"}}, "x"], "tools[1]"),
    ],
)
def test_what_costs_beyond_tokens_is_refused(caller, name, value, param):
    assert_refused(caller.chat(**{name: value}), param, "unsupported_parameter")


@pytest.mark.parametrize(("name", "new"), [("functions", "tools"), ("function_call", "tool_choice")])
def test_an_old_form_that_providers_pass_over_is_refused(caller, name, new):
    reply = caller.chat(**{name: [{"name": "f"}]})
    assert_refused(reply, name, "unsupported_parameter")
    assert f"send `{new}`" in reply.error["message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("enable_search", False),
        ("web_search", {"enable": False}),
        ("plugins", []),
        ("best_of", 1),
        ("models", None),
        ("modalities", ["text"]),
    ],
)
def test_what_could_cost_beyond_tokens_but_is_off_passes(caller, add_route, name, value):
    add_route("ok")
    assert caller.chat(**{name: value}).status == 200


def test_more_tokens_than_the_model_can_answer_are_refused(caller, add_route):
    add_route("ok", family="internlm")
    assert_refused(caller.chat(model="internlm3", max_tokens=8193), "max_tokens")


def test_a_body_nested_too_deeply_is_refused_and_holds_nothing(caller, add_route, wallet):
    add_route("ok")
    nested = "[" * 400 + "]" * 400
    reply = caller.post(f'{{"model": "deepseek", "messages": [{{"role": "user", "content": {nested}}}]}}')
    assert_refused(reply)
    assert wallet.row.held_nanos == 0


def test_odd_but_harmless_messages_pass(caller, add_route):
    add_route("ok")
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "tool_call_id": "1", "content": ""},
        {"role": "user", "content": []},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}], "name": "Ann"},
    ]
    assert caller.chat(messages=messages).status == 200


def test_a_body_announced_too_large_is_refused_unread(caller):
    reply = caller.post(b"x" * (33 * 2**20))
    assert_refused(reply, code="request_too_large", status=413)
    assert reply.headers.get("connection") != "close"


def test_a_chunked_body_too_large_is_refused(caller):
    reply = caller.post(b"x" * 2**20 for _ in range(34))
    assert_refused(reply, code="request_too_large", status=413)


def test_a_chunked_body_is_read(caller, add_route):
    add_route("ok")
    body = json.dumps({"model": "deepseek", "messages": HI}).encode()
    assert caller.post(bytes([byte]) for byte in body).status == 200


def test_a_body_without_a_content_type_is_read(caller, add_route):
    add_route("ok")
    body = json.dumps({"model": "deepseek", "messages": HI})
    assert caller.request("POST", "/v1/chat/completions", content=body).status == 200


def test_too_many_bytes_in_flight_are_refused_for_a_moment(caller, add_route, settings):
    add_route("ok")
    settings.BODIES_IN_FLIGHT_BYTES = 1000
    reply = caller.chat(messages=[{"role": "user", "content": "x" * 2000}])
    assert (reply.status, reply.error["code"]) == (503, "overloaded")
    assert reply.headers["x-should-retry"] == "true"
    assert caller.chat().status == 200


def test_a_body_that_does_not_come_in_time_is_given_up(caller, settings):
    settings.BODY_SECONDS = 0.1
    with caller.client.stream("POST", f"{caller.url}/v1/models", headers=caller.headers):  # warms the key's record
        pass
    reply = caller.post(slow_body())
    assert (reply.status, reply.error["code"]) == (408, "body_timeout")
    assert reply.headers["x-should-retry"] == "true"


def slow_body():
    import time

    yield b'{"model": '
    time.sleep(0.5)
    yield b'"deepseek"}'


def test_a_provider_that_refuses_the_request_says_why(caller, add_route):
    add_route("refuse-400")
    reply = caller.chat()
    assert_refused(reply)
    assert reply.error["message"].startswith("The model's provider refused this request")
    assert "refused with 400" not in reply.text  # its words are for the administrator


def test_a_context_that_is_too_long_has_its_own_code(caller, add_route):
    add_route("too-long")
    assert_refused(caller.chat(), code="context_length_exceeded")


def test_a_compressed_body_is_refused_with_the_reason(caller):
    reply = caller.post(gzip.compress(b"{}"), **{"content-encoding": "gzip"})
    assert (reply.status, reply.error["code"]) == (400, "invalid_request")
    assert "content-encoding" in reply.error["message"]


def test_a_limit_beyond_every_number_is_refused_by_name(caller):
    reply = caller.chat(max_tokens=10**20)
    assert (reply.status, reply.error["param"]) == (400, "max_tokens")
    assert "2147483647" in reply.error["message"]
