"""The `openai` package of Python, as people use it."""

import openai
import pytest

from accounts import keys

HI = [{"role": "user", "content": "Hi"}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]


class Client:
    """An OpenAI client with its default retries, that counts what it sends."""

    def __init__(self, url, secret):
        self.requests = 0
        http_client = openai.DefaultHttpxClient(trust_env=False, event_hooks={"request": [self._count]})
        self.openai = openai.OpenAI(base_url=f"{url}/v1", api_key=secret, http_client=http_client)

    def _count(self, request):
        self.requests += 1

    def chat(self, model="deepseek", **fields):
        return self.openai.chat.completions.create(model=model, messages=HI, **fields)


@pytest.fixture
def connect(gateway):
    """Make a client with this secret; all are closed at the end."""
    made = []

    def make(secret):
        made.append(Client(gateway.url, secret))
        return made[-1]

    yield make
    for client in made:
        client.openai.close()


@pytest.fixture
def client(connect, make_key, wallet):
    return connect(make_key()[1])


def test_chat(client, add_route):
    add_route("ok")
    answer = client.chat()
    assert answer.choices[0].message.content == "Hello from upstream"
    assert answer.model == "deepseek"
    assert answer.usage.total_tokens == 15
    assert answer.usage.model_extra["cost"] == 0.0000105
    assert answer._request_id


def test_a_loop_over_the_first_choice_of_each_chunk(client, add_route):
    add_route("ok")
    words = [chunk.choices[0].delta.content or "" for chunk in client.chat(stream=True)]
    assert "".join(words) == "Hello from upstream"


def test_the_last_chunk_has_the_usage(client, add_route):
    add_route("ok")
    chunks = list(client.chat(stream=True))
    assert chunks[-1].usage.completion_tokens == 3
    chunks = list(client.chat(stream=True, stream_options={"include_usage": True}))
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens) == ([], 3)


def test_tools_are_passed_through(client, add_route, upstream):
    add_route("ok-tools")
    message = client.chat(tools=TOOLS, tool_choice="auto").choices[0].message
    assert message.tool_calls[0].function.arguments == '{"city": "Wuhan"}'
    assert upstream.requests[0].body["tools"] == TOOLS
    pieces = [chunk.choices[0].delta.tool_calls for chunk in client.chat(tools=TOOLS, stream=True)]
    assert "".join(piece[0].function.arguments for piece in pieces if piece) == '{"city": "Wuhan"}'


def test_models_are_listed_and_shown(client):
    listed = [model.id for model in client.openai.models.list()]
    assert len(listed) == 17
    assert client.openai.models.retrieve("kimi").owned_by == "Moonshot AI"


@pytest.mark.parametrize("secret", ["sk-wrong", str(keys.generate_secret())], ids=["typo", "unknown"])
def test_a_wrong_key_is_an_authentication_error(connect, gateway, secret):
    client = connect(secret)
    with pytest.raises(openai.AuthenticationError) as caught:
        client.chat()
    assert (caught.value.code, client.requests) == ("invalid_api_key", 1)


@pytest.mark.parametrize("stream", [True, False])
def test_an_empty_wallet_is_402_and_one_request(connect, make_key, member, add_route, stream):
    add_route("ok")
    client = connect(make_key()[1])
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat(stream=stream)
    assert (caught.value.status_code, caught.value.code) == (402, "insufficient_quota")
    assert client.requests == 1


def test_a_spent_budget_is_402_and_one_request(connect, make_key, wallet, add_route):
    add_route("ok")
    client = connect(make_key(daily_budget_nanos=1)[1])
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat()
    assert (caught.value.status_code, caught.value.code) == (402, "budget_exceeded")
    assert caught.value.body["limit_source"] == "key_day"
    assert client.requests == 1


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat(model="gpt-4o")
    assert (caught.value.code, client.requests) == ("model_not_found", 1)


def test_a_rate_limit_is_a_rate_limit_error(connect, make_key, wallet, add_route):
    add_route("ok")
    client = connect(make_key(requests_per_minute=1)[1])
    client.openai = client.openai.with_options(max_retries=0)
    client.chat()
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat()
    assert caught.value.code == "rate_limit_exceeded"


def test_a_providers_failure_is_tried_again(connect, make_key, wallet, add_route):
    add_route("refuse-500")
    client = connect(make_key()[1])
    with pytest.raises(openai.InternalServerError):
        client.chat()
    assert client.requests == 3


def test_an_error_in_mid_stream_is_an_api_error_with_its_code(client, add_route):
    add_route("break-mid-stream")
    with pytest.raises(openai.APIError) as caught:
        list(client.chat(stream=True))
    assert caught.value.code == "upstream_error"


def test_a_bad_parameter_is_a_bad_request(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat(temperature="hot")
    assert caught.value.param == "temperature"


CLAIM = {"Idempotency-Key": "order-1"}


def test_an_idempotency_key_gives_the_same_answer_again(client, add_route, upstream, wallet):
    add_route("ok")
    first, second = [client.chat(extra_headers=CLAIM) for _ in range(2)]
    assert second.to_dict() == first.to_dict()
    assert second._request_id != first._request_id
    assert (len(upstream.requests), wallet.spent) == (1, 10_500)


def test_an_idempotency_key_gives_the_same_stream_again(client, add_route, upstream, wallet):
    add_route("ok")
    first, second = [list(client.chat(stream=True, extra_headers=CLAIM)) for _ in range(2)]
    assert [chunk.to_dict() for chunk in second] == [chunk.to_dict() for chunk in first]
    assert (len(upstream.requests), wallet.spent) == (1, 10_500)


def test_an_idempotency_key_with_another_body_is_final(client, add_route):
    add_route("ok")
    client.chat(extra_headers=CLAIM)
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        client.chat(temperature=0.1, extra_headers=CLAIM)
    assert (caught.value.code, client.requests) == ("idempotency_mismatch", 2)


def test_a_client_whose_time_ran_out_gets_its_answer_by_its_own_retry(client, add_route, upstream, wallet, monkeypatch):
    from routing import replays

    monkeypatch.setattr(replays, "RETRY_SECONDS", 1)
    add_route("held")
    answered = client.openai.with_options(timeout=0.3, max_retries=0)
    with pytest.raises(openai.APITimeoutError):
        answered.chat.completions.create(model="deepseek", messages=HI, extra_headers=CLAIM)
    with pytest.raises(openai.ConflictError):
        answered.chat.completions.create(model="deepseek", messages=HI, extra_headers=CLAIM)
    upstream.open_gate()
    answer = client.chat(extra_headers=CLAIM)
    assert answer.choices[0].message.content == "Hello from upstream"
    assert (len(upstream.requests), wallet.spent) == (1, 10_500)
