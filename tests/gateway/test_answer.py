"""A chat completion that is not streamed, and what is sent upstream for it."""

import json

import pytest


def test_the_answer_is_the_providers_under_our_names(caller, add_route):
    add_route("ok")
    reply = caller.chat()
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json["object"] == "chat.completion"
    assert reply.json["model"] == "deepseek"
    assert reply.json["id"].startswith("chatcmpl-")
    assert reply.content == "Hello from upstream"


def test_usage_tells_details_cost_and_currency(caller, add_route):
    add_route("ok-cached")
    usage = caller.chat().usage
    assert usage["prompt_tokens_details"]["cached_tokens"] == 4
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 0
    assert (usage["cost"], usage["currency"], usage["tracked"]) == (0.0000105, "USD", True)


def test_the_charge_is_what_the_counts_cost(caller, add_route, wallet):
    add_route("ok")
    record = caller.chat().record
    assert record.charge_nanos == 12 * 500 + 3 * 1500
    assert (record.input_tokens, record.output_tokens, record.count_source) == (12, 3, "provider")
    assert wallet.spent == record.charge_nanos


def test_the_record_tells_who_answered(caller, add_route):
    route = add_route("ok")
    record = caller.chat({"x-request-id": "mine-1", "x-stainless-retry-count": "1"}).record
    assert record.upstream == route.upstream.slug
    assert (record.upstream_model, record.provider_request_id) == ("ok", "upstream-1")
    assert (record.client_request_id, record.sdk_retry) == ("mine-1", 1)
    assert [attempt["outcome"] for attempt in record.attempts] == ["answered"]


@pytest.mark.parametrize(
    ("headers", "body", "tag"),
    [
        ({"x-smartoken-tag": "shop"}, {}, "shop"),
        ({}, {"metadata": {"tag": "检索"}}, "检索"),
        ({"x-smartoken-tag": "shop"}, {"metadata": {"tag": "search"}}, "shop"),
        ({}, {"metadata": {"tag": 7, "user": "u"}}, ""),
    ],
)
def test_a_request_may_have_a_tag(caller, add_route, headers, body, tag):
    add_route("ok")
    assert caller.chat(headers, **body).record.tag == tag


@pytest.mark.parametrize(
    ("headers", "body", "param"),
    [
        ({"x-smartoken-tag": "a" * 65}, {}, "x-smartoken-tag"),
        ({}, {"metadata": {"tag": "a\nb"}}, "metadata.tag"),
    ],
)
def test_what_can_be_no_tag_is_refused(caller, add_route, headers, body, param):
    add_route("ok")
    error = caller.chat(headers, **body).error
    assert (error["code"], error["param"]) == ("invalid_request", param)
    assert "64 printable characters" in error["message"]


def test_tool_calls_and_reasoning_are_passed_on(caller, add_route):
    route = add_route("ok-tools")
    message = caller.chat().json["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["name"] == "weather"
    route.delete()
    add_route("ok-reasoning")
    assert caller.chat().json["choices"][0]["message"]["reasoning_content"] == "Hm."


def test_parameters_are_passed_on_as_they_are(caller, add_route, upstream):
    add_route("ok")
    asked = {"temperature": 0.2, "seed": 7, "response_format": {"type": "json_object"}, "thinking": {"type": "enabled"}}
    caller.chat(**asked, stop=["x"])
    sent = upstream.requests[0].body
    assert {name: sent[name] for name in asked} == asked
    assert sent["stop"] == ["x"]
    assert sent["model"] == "ok"


def test_the_limit_that_was_held_is_sent_and_told(caller, add_route, upstream):
    add_route("ok")
    reply = caller.chat()
    assert upstream.requests[0].body["max_tokens"] == 32_768
    assert reply.headers["x-smartoken-output-limit"] == "32768"
    assert reply.record.output_limit == 32_768


def test_a_clients_own_limit_is_kept_and_not_repeated(caller, add_route, upstream):
    add_route("ok")
    reply = caller.chat(max_completion_tokens=77)
    assert upstream.requests[0].body["max_tokens"] == 77
    assert "max_completion_tokens" not in upstream.requests[0].body
    assert "x-smartoken-output-limit" not in reply.headers


def test_without_a_limit_half_of_a_small_wallet_is_held(make_caller, member, add_route, upstream):
    from tests.gateway.conftest import Wallet

    Wallet(member).grant(0.02)
    add_route("ok")
    limit = int(make_caller().chat().headers["x-smartoken-output-limit"])
    assert 2048 <= limit < 32_768
    assert upstream.requests[0].body["max_tokens"] == limit


def test_a_limit_is_lowered_only_for_a_client_that_asks(make_caller, member, add_route):
    from tests.gateway.conftest import Wallet

    Wallet(member).grant(0.01)
    add_route("ok")
    caller = make_caller()
    assert caller.chat(max_tokens=100_000).status == 402
    reply = caller.chat({"x-smartoken-lower-limit": "1"}, max_tokens=100_000)
    assert reply.status == 200
    assert int(reply.headers["x-smartoken-output-limit"]) < 10_000


def test_parameters_without_meaning_are_dropped_and_named(caller, add_route, upstream):
    add_route("ok")
    reply = caller.chat(user="u", metadata={"a": "b"}, store=True, service_tier="auto", prompt_cache_key="k")
    assert reply.headers["x-smartoken-dropped"] == "metadata, prompt_cache_key, service_tier, store, user"
    assert not {"user", "metadata", "store", "service_tier"} & upstream.requests[0].body.keys()


def test_our_key_and_the_clients_headers_never_reach_the_provider(caller, add_route, upstream):
    add_route("ok")
    caller.chat({"cookie": "session=1", "x-api-key": "other"})
    sent = upstream.requests[0].headers
    assert caller.secret not in json.dumps(sent)
    assert not {"cookie", "x-api-key", "authorization"} & sent.keys()
    assert sent["accept-encoding"] == "identity"


def test_a_credential_is_sent_as_bearer(caller, add_route, upstream, monkeypatch):
    from routing.models import Upstream
    from tests.gateway.conftest import in_force

    route = add_route("ok")
    monkeypatch.setenv("SECRET_OF_TEST", "sk-upstream")
    Upstream.objects.filter(pk=route.upstream_id).update(credential_env="SECRET_OF_TEST")
    in_force()
    assert caller.chat().status == 200
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-upstream"


@pytest.mark.parametrize("name", ["deepseek", "DeepSeek"])
def test_a_model_is_found_in_any_case(caller, add_route, name):
    add_route("ok")
    assert caller.chat(model=name).json["model"] == "deepseek"


def test_an_alias_leads_to_the_model(caller, add_route):
    add_route("ok")
    assert caller.chat(model="deepseek-chat").json["model"] == "deepseek"


def test_a_body_with_twenty_megabytes_of_image_arrives_whole(caller, add_route, upstream):
    add_route("ok")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0K" * 2_500_000}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}]
    reply = caller.chat(messages=messages)
    assert reply.status == 200
    assert upstream.requests[0].body["messages"] == messages
    assert reply.record.input_estimate < 10_000
