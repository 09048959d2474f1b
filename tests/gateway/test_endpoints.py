"""The addresses of `/v1`: models, the key, and help where an address does not exist."""

from datetime import datetime

import pytest
from django.utils import timezone

from billing.money import NANOS


def test_models_lists_what_is_served_with_figures(caller, unserved):
    models = {model["id"]: model for model in caller.get("/v1/models").json["data"]}
    assert len(models) == 16
    assert unserved not in models
    deepseek = models["deepseek"]
    assert (deepseek["object"], deepseek["owned_by"]) == ("model", "DeepSeek")
    assert deepseek["context_length"] == 128_000
    assert deepseek["max_completion_tokens"] == 128_000
    assert deepseek["pricing"] | {"input_cache_read": "0"} == {
        "prompt": "0.0000005",
        "completion": "0.0000015",
        "input_cache_read": "0",
        "currency": "USD",
    }
    assert "tools" in deepseek["supported_parameters"]
    assert deepseek["architecture"]["output_modalities"] == ["text"]


def test_one_model_is_shown_by_its_id(caller):
    assert caller.get("/v1/models/kimi").json["id"] == "kimi"
    assert caller.get("/v1/models/Kimi/").json["id"] == "kimi"
    assert caller.get("/v1/models/none").error["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("deepseek-v3", "deepseek"),
        ("deepsek", "deepseek"),
        ("deepseek/deepseek-chat", "deepseek-chat"),
        ("DeepSeek/DeepSeek-Chat:free", "deepseek-chat"),
        ("moonshotai/kimi-k2-instruct", "kimi-k2"),
        ("KIMI-K3", "kimi"),
        ("internlm3-8b-instruct", "internlm3"),
        ("internlm-3", "internlm"),
        ("qwem-max", "qwen-max"),
    ],
)
def test_an_unknown_model_proposes_the_nearest(caller, name, meant):
    reply = caller.chat(model=name)
    assert (reply.status, reply.error["code"], reply.error["param"]) == (404, "model_not_found", "model")
    assert f'Did you mean "{meant}"?' in reply.error["message"]


@pytest.mark.parametrize("name", ["gpt-4o", "claude-sonnet-4", "gemini-pro", "x" * 500])
def test_a_name_that_is_like_none_is_led_to_the_list(caller, name):
    assert "GET /v1/models lists what there is." in caller.chat(model=name).error["message"]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("deepseek-chat", "deepseek"),
        ("deepseek-reasoner", "deepseek"),
        ("DeepSeek", "deepseek"),
        ("kimi-k2", "kimi"),
        ("KIMI-K2", "kimi"),
        ("internlm3-latest", "internlm3"),
        ("InternLM", "internlm3"),
        ("Qwen-Max", "qwen"),
    ],
)
def test_names_that_clients_have_in_their_code_lead_to_a_model(caller, name, model):
    assert caller.get(f"/v1/models/{name}").json["id"] == model


def test_an_alias_of_a_model_that_is_not_served_is_not_proposed(caller, unserved):
    assert 'mean "yi' not in caller.chat(model="yi-lage").error["message"]


def test_a_name_like_nothing_points_at_the_list(caller):
    assert "GET /v1/models" in caller.chat(model="zzzzzz" * 100).error["message"]


def test_a_model_that_is_not_served_says_so(caller, unserved):
    reply = caller.chat(model=unserved)
    assert (reply.status, reply.error["code"]) == (404, "model_not_served")
    assert reply.headers["x-should-retry"] == "false"


def test_the_key_shows_its_own_limits(make_caller, wallet, add_route):
    add_route("ok")
    caller = make_caller(daily_budget_nanos=NANOS, requests_per_minute=100, families=["deepseek"])
    assert caller.get("/v1/key").json["daily"]["spent_usd"] == "0"
    caller.chat()
    shown = caller.get("/v1/key").json
    assert shown["daily"] | {"resets_at": ""} == {
        "limit_usd": "1",
        "spent_usd": "0.0000105",
        "held_usd": "0",
        "left_usd": "0.9999895",
        "resets_at": "",
    }
    assert shown["daily"]["resets_at"]
    assert (shown["requests_per_minute"], shown["families"]) == (100, ["deepseek"])
    assert "wallet" not in shown


def test_an_unused_key_shows_its_budgets_and_when_they_begin_anew(make_caller, wallet):
    daily = make_caller(daily_budget_nanos=NANOS).get("/v1/key").json["daily"]
    assert (daily["spent_usd"], daily["left_usd"]) == ("0", "1")
    assert datetime.fromisoformat(daily["resets_at"]) > timezone.now()


def test_the_wallet_is_shown_to_a_key_that_may_see_it(make_key, caller, wallet):
    from accounts.models import APIKey

    key, caller.secret = make_key()
    APIKey.objects.filter(pk=key.pk).update(may_see_wallet=True)
    assert caller.get("/v1/key").json["wallet"] == {"available_usd": "10"}


@pytest.mark.parametrize(
    ("method", "path", "status", "hint"),
    [
        ("POST", "/v1/v1/chat/completions", 404, "/v1 twice"),
        ("GET", "/v1/v1/models", 404, "/v1 twice"),
        ("POST", "/chat/completions", 404, "The base URL must be"),
        ("POST", "/api/chat/completions", 404, "The base URL must be"),
        ("POST", "//v1/chat/completions", 404, "The base URL must be"),
        ("GET", "/v1/chat/completions", 405, "takes POST"),
        ("PUT", "/v1/chat/completions", 405, "takes POST"),
        ("HEAD", "/v1/chat/completions", 405, None),
        ("POST", "/v1/models", 405, "takes GET"),
        ("DELETE", "/v1/models/kimi", 404, "/v1/chat/completions"),
        ("POST", "/v1/responses", 404, "openai.chat(model)"),
        ("POST", "/v1/messages", 404, "/v1/chat/completions"),
        ("POST", "/v1/embeddings", 404, "chat models only"),
        ("POST", "/v1/completions", 404, "messages"),
        ("POST", "/v1/openai/chat/completions", 404, "/v1/chat/completions"),
        ("GET", "/v1/favicon.ico", 404, "/v1/models"),
        ("POST", "/v1/chat/completions/../../admin", 404, None),
    ],
)
def test_an_address_that_does_not_exist_says_what_to_use(stranger, method, path, status, hint):
    reply = stranger.request(method, path)
    assert reply.status == status
    assert reply.headers["content-type"] == "application/json"
    if hint:
        assert hint in reply.error["message"]
        assert reply.error["code"] in ("unknown_endpoint", "method_not_allowed")


def test_a_wrong_method_names_the_right_one(stranger):
    assert stranger.get("/v1/chat/completions").headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/v1", "/v1/"])
def test_the_root_says_what_this_is(stranger, path):
    assert stranger.get(path).json["name"] == "SmarToken"
    assert stranger.request("HEAD", path).status == 200


@pytest.mark.parametrize("path", ["/v1/models/", "/v1//models", "/v1/chat/completions/"])
def test_nothing_redirects(caller, path):
    method = "POST" if "chat" in path else "GET"
    assert caller.request(method, path, content=b"{}").status in (200, 400, 404)


def test_health_says_live_and_ready(stranger):
    assert stranger.get("/health/live").status == 200
    assert stranger.get("/health/ready").status == 200
