"""The `openai` package of npm, as people use it."""

import json

import pytest

from accounts import keys
from tests.sdk.conftest import HERE, finish

TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]

pytestmark = pytest.mark.sdk


@pytest.fixture
def call(node, gateway):
    """Make one call; return what journey.mjs printed."""
    source = (HERE / "journey.mjs").read_text()

    def make(what, secret, model="deepseek", retries=2, **fields):
        environment = {"BASE_URL": f"{gateway.url}/v1", "KEY": secret, "MAX_RETRIES": str(retries)}
        process = node(source, what, model, json.dumps(fields), **environment)
        return json.loads(finish(process))

    return make


@pytest.fixture
def secret(make_key, wallet):
    return make_key()[1]


def test_chat(call, secret, add_route):
    add_route("ok")
    answer = call("chat", secret)["value"]
    assert answer["choices"][0]["message"]["content"] == "Hello from upstream"
    assert answer["usage"]["cost"] == 0.0000105


def test_a_loop_over_the_first_choice_of_each_chunk(call, secret, add_route):
    add_route("ok")
    chunks = call("stream", secret)["value"]
    assert "".join(chunk["delta"].get("content") or "" for chunk in chunks) == "Hello from upstream"
    assert chunks[-1]["usage"]["completion_tokens"] == 3


def test_tools_are_passed_through(call, secret, add_route, upstream):
    add_route("ok-tools")
    message = call("chat", secret, tools=TOOLS)["value"]["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["name"] == "weather"
    assert upstream.requests[0].body["tools"] == TOOLS


def test_models_are_listed(call, secret):
    assert len(call("models", secret)["value"]) == 17


def test_a_wrong_key_is_an_authentication_error(call, gateway):
    told = call("chat", str(keys.generate_secret()))
    assert (told["error"]["class"], told["requests"]) == ("AuthenticationError", 1)


def test_an_empty_wallet_is_402_and_one_request(call, make_key, member, add_route):
    add_route("ok")
    told = call("stream", make_key()[1])
    assert (told["error"]["status"], told["error"]["code"]) == (402, "insufficient_quota")
    assert told["requests"] == 1


def test_a_spent_budget_is_402_and_one_request(call, make_key, wallet, add_route):
    add_route("ok")
    told = call("chat", make_key(monthly_budget_nanos=1)[1])
    assert (told["error"]["status"], told["error"]["code"]) == (402, "budget_exceeded")
    assert told["requests"] == 1


def test_an_unknown_model_is_not_found(call, secret):
    told = call("chat", secret, "gpt-4o")
    assert (told["error"]["class"], told["requests"]) == ("NotFoundError", 1)


def test_a_rate_limit_is_a_rate_limit_error(call, make_key, wallet, add_route):
    add_route("ok")
    secret = make_key(requests_per_minute=1)[1]
    assert "value" in call("chat", secret)
    told = call("chat", secret, retries=0)
    assert (told["error"]["class"], told["error"]["code"]) == ("RateLimitError", "rate_limit_exceeded")


def test_an_error_in_mid_stream_is_an_api_error_with_its_code(call, secret, add_route):
    add_route("break-mid-stream")
    assert call("stream", secret)["error"]["code"] == "upstream_error"
