"""What a route can carry, and how a request is made to fit it."""

import json
import uuid

import pytest

from accounts import keys, people
from routing.models import Route, Upstream
from routing.runtime import get_runtime
from tests.gateway.callers import Caller
from tests.gateway.conftest import Wallet, in_force

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


@pytest.fixture
def speak(add_route):
    """Put a route into the pool whose upstream speaks this dialect."""

    def add(dialect, behaviour="ok", *, upstream=None, **fields):
        route = add_route(behaviour, **fields)
        Upstream.objects.filter(pk=route.upstream_id).update(dialect=dialect, **(upstream or {}))
        in_force()
        return route

    return add


@pytest.fixture
def make_stranger(gateway, http_client):
    """Make a client of another organization, with money."""

    def make():
        other = people.ensure_member(email=f"{uuid.uuid4().hex}@example.com")[0]
        Wallet(other).grant(5)
        _, secret = keys.create_key(organization=other.organization, created_by=other.user, name="other")
        return Caller(http_client, gateway.url, secret)

    return make


def test_a_schema_that_becomes_an_instruction_is_checked(caller, speak, upstream):
    speak("deepseek", "ok")
    reply = caller.chat(response_format=FORMAT)
    sent = upstream.requests[-1].body
    assert sent["response_format"] == {"type": "json_object"}
    assert '"city"' in sent["messages"][0]["content"]
    assert reply.headers["x-smartoken-json-schema"] == "invalid"  # the answer is plain text


def test_an_answer_that_keeps_to_the_schema_is_called_valid(caller, speak):
    speak("deepseek", "ok-json")
    reply = caller.chat(response_format=FORMAT)
    assert reply.headers["x-smartoken-json-schema"] == "valid"
    assert json.loads(reply.content) == {"city": "Wuhan"}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("asked", "is_bare"), [({"response_format": FORMAT}, True), ({}, False)])
def test_json_that_was_asked_for_comes_without_a_markdown_fence(caller, speak, stream, asked, is_bare):
    speak("minimax", "ok-fenced-json")
    reply = caller.chat(stream=stream, **asked)
    assert (reply.content == '{"city": "Wuhan"}') is is_bare
    told = "unchecked" if stream else "valid"
    assert reply.headers.get("x-smartoken-json-schema") == (told if is_bare else None)


def test_a_stream_is_not_checked_and_says_so(caller, speak):
    speak("deepseek", "ok-json")
    assert caller.chat(stream=True, response_format=FORMAT).headers["x-smartoken-json-schema"] == "unchecked"


def test_a_route_may_say_that_its_model_knows_no_schema(caller, speak, upstream):
    route = speak("doubao", "ok")
    assert "x-smartoken-json-schema" not in caller.chat(response_format=FORMAT).headers
    Route.objects.filter(pk=route.pk).update(json_schema=False)
    in_force()
    caller.chat(response_format=FORMAT)
    assert upstream.requests[-1].body["response_format"] == {"type": "json_object"}


def test_the_rules_of_an_upstreams_row_are_followed(caller, speak, upstream):
    speak("openai", upstream={"parameter_rules": {"temperature": {"clamp": [0, 1]}, "seed": "drop"}})
    reply = caller.chat(temperature=1.8, seed=7)
    assert upstream.requests[-1].body["temperature"] == 1
    assert "seed" not in upstream.requests[-1].body
    assert reply.headers["x-smartoken-dropped"] == "seed"


def test_a_parameter_that_one_provider_refuses_goes_to_another(caller, speak, wallet):
    speak("spark", priority=1)
    speak("openai", priority=2)
    reply = caller.chat(stop=["END"])
    assert reply.status == 200
    assert [attempt["reason"] for attempt in reply.record.attempts] == ["unsupported", ""]


def test_a_parameter_that_every_provider_refuses_is_named(caller, speak, wallet):
    speak("spark")
    reply = caller.chat(stop=["END"])
    assert (reply.status, reply.error["code"], reply.error["param"]) == (400, "unsupported_parameter", "stop")
    assert reply.headers["x-should-retry"] == "false"
    assert reply.record.charge_nanos == 0


@pytest.mark.parametrize(("words", "most"), [(1, 4096), (1000, 3400)])
def test_the_default_output_limit_leaves_room_in_a_small_context(caller, speak, upstream, words, most):
    speak("vllm", context_length=4096)
    reply = caller.chat(messages=[{"role": "user", "content": "word " * words}])
    sent = upstream.requests[-1].body["max_tokens"]
    assert 1024 <= sent < most
    assert reply.headers["x-smartoken-output-limit"] == str(sent)


def test_a_limit_of_the_clients_own_is_sent_as_it_is(caller, speak, upstream):
    speak("vllm", context_length=4096)
    caller.chat(max_tokens=4000)
    assert upstream.requests[-1].body["max_tokens"] == 4000


def test_a_limit_that_does_not_fit_beside_the_messages_is_named(caller, speak):
    speak("vllm", "too-long")
    error = caller.chat(max_completion_tokens=4000).error
    assert (error["code"], error["param"]) == ("context_length_exceeded", "max_completion_tokens")
    assert "together" in error["message"]


def tool_turn(call_id="call_1"):
    call = {"id": call_id, "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    return [
        {"role": "user", "content": "How is the weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call_id, "content": "sunny"},
    ]


@pytest.mark.parametrize("stream", [True, False])
def test_reasoning_that_a_client_lost_of_a_tool_turn_is_put_back(caller, speak, upstream, stream):
    speak("deepseek", "ok-thinking-tools")
    caller.chat(stream=stream, tools=TOOLS)
    caller.chat(messages=tool_turn(), tools=TOOLS)
    assert upstream.requests[-1].body["messages"][1]["reasoning_content"] == "I need the weather."


def test_reasoning_that_the_client_kept_stays(caller, speak, upstream):
    speak("deepseek", "ok-thinking-tools")
    caller.chat(tools=TOOLS)
    messages = tool_turn()
    messages[1]["reasoning_content"] = "My own."
    caller.chat(messages=messages, tools=TOOLS)
    assert upstream.requests[-1].body["messages"][1]["reasoning_content"] == "My own."


def test_it_is_put_back_only_where_the_provider_wants_it(caller, speak, upstream):
    speak("openai", "ok-thinking-tools")
    caller.chat(tools=TOOLS)
    caller.chat(messages=tool_turn(), tools=TOOLS)
    assert "reasoning_content" not in upstream.requests[-1].body["messages"][1]


def test_where_no_provider_wants_it_nothing_is_kept_or_looked_for(caller, speak, monkeypatch):
    monkeypatch.setattr(get_runtime(), "reasoning", None)
    speak("openai", "ok-thinking-tools")
    for stream in (True, False):
        assert caller.chat(stream=stream, messages=tool_turn(), tools=TOOLS).status == 200


def test_nobody_gets_the_reasoning_of_another_organization(caller, speak, upstream, make_stranger):
    speak("deepseek", "ok-thinking-tools")
    caller.chat(tools=TOOLS)
    make_stranger().chat(messages=tool_turn(), tools=TOOLS)
    assert "reasoning_content" not in upstream.requests[-1].body["messages"][1]
