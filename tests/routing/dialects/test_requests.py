"""What becomes of a client's request in each dialect."""

import pytest

from routing import dialects
from routing.dialects.parameters import RuleError, check_rules
from routing.errors import GatewayError

HI = [{"role": "user", "content": "Hi"}]
TOOLS = [{"type": "function", "function": {"name": "f"}}]
NAMED = {"type": "function", "function": {"name": "f"}}


def build(name, model="m", output_limit=100, rules=None, **fields):
    body = {"model": "public", "messages": HI, **fields}
    return dialects.get(name).build(body, model=model, output_limit=output_limit, rules=rules)


@pytest.mark.parametrize("name", dialects.DIALECTS)
def test_the_held_limit_and_the_upstreams_model_are_sent(name):
    body = build(name, max_tokens=7, max_completion_tokens=8).body
    assert body["model"] == "m"
    assert [body.get(one) for one in ("max_tokens", "max_completion_tokens")].count(100) == 1
    assert 7 not in body.values()
    assert 8 not in body.values()


@pytest.mark.parametrize("name", dialects.DIALECTS)
def test_a_limit_by_another_name_does_not_go_past_the_held_one(name):
    built = build(name, "SenseNova-V6-5-Pro", max_new_tokens=10**6, max_output_tokens=10**6)
    assert 10**6 not in built.body.values()
    assert built.dropped == ["max_new_tokens", "max_output_tokens"]


@pytest.mark.parametrize(("model", "name"), [("SenseNova-V6-5-Pro", "max_new_tokens"), ("sensenova-6.8", "max_tokens")])
def test_sensenovas_platforms_bound_an_answer_by_two_names(model, name):
    body = build("sensenova", model).body
    assert {one for one in ("max_tokens", "max_new_tokens") if one in body} == {name}


@pytest.mark.parametrize("name", dialects.DIALECTS)
def test_the_clients_own_body_stays_as_it_was(name):
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "auto"}}]
    called = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    messages = [{"role": "developer", "content": "Be brief"}, *HI, {"role": "user", "content": picture}, called]
    body = {"model": "x", "messages": messages, "temperature": 1.7, "tools": [], "response_format": {"type": "text"}}
    before = repr(body)
    dialects.get(name).build(body, model="m", output_limit=1)
    assert repr(body) == before


@pytest.mark.parametrize("name", dialects.DIALECTS)
def test_what_cannot_change_the_meaning_is_dropped_and_named(name):
    built = build(name, user="u1", metadata={"a": "b"}, store=True, prompt_cache_key="k")
    assert not {"user", "metadata", "store", "prompt_cache_key"} & built.body.keys()
    assert built.dropped[:4] == ["metadata", "prompt_cache_key", "store", "user"]


@pytest.mark.parametrize("name", sorted(set(dialects.DIALECTS) - {"openai", "openrouter"}))
def test_the_developer_speaks_as_the_system(name):
    roles = [one["role"] for one in build(name, messages=[{"role": "developer", "content": "x"}, *HI]).body["messages"]]
    assert roles == ["system", "user"]


@pytest.mark.parametrize(
    ("name", "given", "sent"),
    [("glm", 1.7, 1), ("qwen", 2, 1.99), ("minimax", 0, 0.01), ("sensenova", 0, 0.01), ("deepseek", 1.7, 1.7)],
)
def test_temperatures_stay_in_the_providers_range(name, given, sent):
    assert build(name, temperature=given).body["temperature"] == sent


@pytest.mark.parametrize(("name", "model"), [("kimi", "kimi-k2.6"), ("ernie", "ernie-x1.1")])
def test_sampling_that_a_model_fixes_is_left_out(name, model):
    built = build(name, model, temperature=0.2, top_p=0.9)
    assert not {"temperature", "top_p"} & built.body.keys()
    assert built.dropped == ["temperature", "top_p"]


@pytest.mark.parametrize(
    ("name", "fields", "param"),
    [
        ("glm", {"tool_choice": "required"}, "tool_choice"),
        ("kimi", {"tool_choice": "required", "tools": TOOLS}, "tool_choice"),
        ("kimi", {"n": 2}, "n"),
        ("spark", {"stop": ["x"]}, "stop"),
        ("glm", {"top_logprobs": 3}, "top_logprobs"),
        ("pangu", {"num_beams": 4}, "num_beams"),
        ("pangu", {"logprobs": True}, "logprobs"),
        ("minimax", {"reasoning_effort": "none"}, "reasoning_effort"),
        ("doubao", {"stop": list("abcde")}, "stop"),
    ],
)
def test_what_would_change_the_meaning_is_refused_by_name(name, fields, param):
    with pytest.raises(GatewayError) as caught:
        build(name, **fields)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", param)


@pytest.mark.parametrize(
    ("name", "model", "fields", "param"),
    [
        ("ernie", "ernie-x1.1", {"stop": ["x"]}, "stop"),
        ("spark", "lite", {"tools": TOOLS}, "tools"),
        ("kimi", "kimi-k3", {"tools": TOOLS, "tool_choice": NAMED}, "tool_choice"),
        ("kimi", "kimi-k2.7-code", {"tools": TOOLS, "tool_choice": NAMED}, "tool_choice"),
        ("qwen", "qwen3-32b", {"reasoning_effort": "high"}, "stream"),
    ],
)
def test_what_one_of_a_providers_models_does_not_take_is_refused_by_name(name, model, fields, param):
    with pytest.raises(GatewayError) as caught:
        build(name, model, **fields)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", param)


@pytest.mark.parametrize(
    ("model", "choice", "thinking"),
    [
        ("kimi-k3", "required", None),
        ("kimi-k2.6", NAMED, {"type": "disabled"}),
        ("kimi-k2.6", "auto", None),
    ],
)
def test_kimis_models_are_forced_to_call_a_tool_as_each_takes_it(model, choice, thinking):
    body = build("kimi", model, tools=TOOLS, tool_choice=choice).body
    assert (body["tool_choice"], body.get("thinking")) == (choice, thinking)


@pytest.mark.parametrize(
    ("stream", "model", "sent"), [(False, "qwen3-32b", False), (True, "qwen3-32b", None), (False, "qwen3.7-plus", None)]
)
def test_qwens_open_models_do_not_think_outside_of_a_stream(stream, model, sent):
    assert build("qwen", model, stream=stream).body.get("enable_thinking") == sent


def test_glm_is_told_to_call_no_tool_by_naming_none():
    body = build("glm", tools=TOOLS, tool_choice="none", stream=True).body
    assert not {"tools", "tool_choice", "tool_stream"} & body.keys()


@pytest.mark.parametrize("stream", [True, False])
def test_glm_is_asked_for_arguments_in_pieces(stream):
    assert build("glm", tools=TOOLS, stream=stream).body.get("tool_stream", False) is stream


def test_pangu_may_be_told_that_no_probabilities_are_wanted():
    assert build("pangu", logprobs=False).body["logprobs"] is False


@pytest.mark.parametrize(
    ("name", "model", "fields", "sent"),
    [
        ("deepseek", "m", {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        (
            "deepseek",
            "m",
            {"reasoning_effort": "medium"},
            {"thinking": {"type": "enabled"}, "reasoning_effort": "high"},
        ),
        ("deepseek", "m", {"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
        ("qwen", "m", {"reasoning_effort": "none"}, {"enable_thinking": False}),
        ("qwen", "m", {"thinking": {"type": "enabled"}}, {"enable_thinking": True}),
        ("glm", "glm-5.2", {"reasoning": {"enabled": False}}, {"thinking": {"type": "disabled"}}),
        ("kimi", "kimi-k3", {"reasoning_effort": "xhigh"}, {"reasoning_effort": "max"}),
        ("sensenova", "SenseNova-V6-5-Pro", {"thinking": False}, {"thinking": {"enabled": False}}),
        ("sensenova", "SenseChat-5", {"thinking": False}, {"thinking": {"enabled": False}}),
        ("pangu", "qwen3-32b", {"thinking": False}, {"chat_template_kwargs": {"enable_thinking": False}}),
        ("internlm", "intern-s1", {"enable_thinking": False}, {"thinking_mode": False}),
        ("vllm", "m", {"reasoning_effort": "none"}, {"chat_template_kwargs": {"enable_thinking": False}}),
        ("minimax", "MiniMax-M3", {}, {"reasoning_split": True}),
        ("openai", "m", {"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
    ],
)
def test_thinking_is_switched_in_the_providers_words(name, model, fields, sent):
    body = build(name, model, **fields).body
    assert {key: body[key] for key in sent} == sent
    given = {"reasoning_effort", "thinking", "reasoning", "enable_thinking"} & body.keys()
    assert given <= sent.keys()


def test_a_forced_tool_call_turns_thinking_off_and_says_so():
    built = build("deepseek", tools=[{"type": "function", "function": {"name": "f"}}], tool_choice="required")
    assert built.body["thinking"] == {"type": "disabled"}
    assert built.dropped == ["thinking"]


def test_a_forced_tool_call_is_refused_where_thinking_was_asked_for():
    with pytest.raises(GatewayError) as caught:
        build("deepseek", tool_choice="required", reasoning_effort="high", tools=[{}])
    assert caught.value.param == "tool_choice"


@pytest.mark.parametrize("fields", [{"reasoning_effort": "a lot"}, {"thinking": {"type": "maybe"}}])
def test_a_wish_that_means_nothing_is_refused(fields):
    with pytest.raises(GatewayError, match="is"):
        build("deepseek", **fields)


def test_many_system_messages_become_one():
    messages = [{"role": "system", "content": "A"}, *HI, {"role": "system", "content": [{"type": "text", "text": "B"}]}]
    assert build("minimax", messages=messages).body["messages"] == [{"role": "system", "content": "A\n\nB"}, *HI]


@pytest.mark.parametrize(("name", "model"), [("internlm", "intern-s2"), ("spark", "lite")])
def test_some_models_get_no_system_message(name, model):
    messages = [{"role": "system", "content": "Be brief"}, *HI]
    assert build(name, model, messages=messages).body["messages"] == [{"role": "user", "content": "Be brief\n\nHi"}]


def test_a_call_of_the_old_kind_and_its_result_become_those_of_a_tool():
    call = {"name": "f", "arguments": "{}"}
    messages = [
        *HI,
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "f", "content": "4"},
        {"role": "assistant", "content": "It is 4.", "function_call": None},
    ]
    assert build("deepseek", messages=messages).body["messages"] == [
        *HI,
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": call}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "4"},
        {"role": "assistant", "content": "It is 4."},
    ]


def picture(url, **fields):
    return {"type": "image_url", "image_url": {"url": url, **fields}}


def send_picture(name, part, model="m"):
    """Return what becomes of an image behind a text."""
    content = [{"type": "text", "text": "What is it?"}, part]
    return build(name, model, messages=[{"role": "user", "content": content}]).body["messages"][0]["content"][1]


@pytest.mark.parametrize(("detail", "sent"), [("auto", {}), ("low", {"detail": "low"})])
@pytest.mark.parametrize("name", ["doubao", "stepfun"])
def test_a_detail_that_a_provider_does_not_know_is_left_out(name, detail, sent):
    assert send_picture(name, picture("data:image/png;base64,AA", detail=detail)) == picture(
        "data:image/png;base64,AA", **sent
    )


def test_an_image_that_kimi_would_have_to_fetch_is_refused_by_its_place():
    with pytest.raises(GatewayError) as caught:
        send_picture("kimi", picture("https://example.com/a.png"))
    assert caught.value.param == "messages[0].content[1].image_url"
    assert send_picture("kimi", picture("data:image/png;base64,AA")) == picture("data:image/png;base64,AA")


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://example.com/a.png", {"type": "image_url", "image_url": "https://example.com/a.png"}),
        ("data:image/png;base64,AA", {"type": "image_base64", "image_base64": "AA"}),
    ],
)
def test_sensenovas_classic_models_take_an_image_as_a_plain_text(url, sent):
    assert send_picture("sensenova", picture(url), "SenseNova-V6-5-Pro") == sent
    assert send_picture("sensenova", picture(url), "sensenova-6.8-flash-lite") == picture(url)


@pytest.mark.parametrize("part", ["x", 5, None, {}, {"type": "image_url"}, {"type": "image_url", "image_url": 5}])
@pytest.mark.parametrize("name", ["doubao", "kimi", "sensenova"])
def test_what_is_no_image_makes_no_dialect_stumble(name, part):
    send_picture(name, part, "SenseNova-V6-5-Pro")


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}


@pytest.mark.parametrize("name", ["deepseek", "glm", "spark"])
def test_a_schema_becomes_an_instruction_where_only_json_mode_exists(name):
    built = build(name, response_format=FORMAT)
    assert built.body["response_format"] == {"type": "json_object"}
    assert '"city"' in built.body["messages"][0]["content"]
    assert built.schema == SCHEMA


@pytest.mark.parametrize(("name", "model"), [("internlm", "intern-s2"), ("spark", "lite")])
def test_an_instruction_is_no_system_message_where_there_may_be_none(name, model):
    body = {"messages": HI, "response_format": FORMAT}
    built = dialects.get(name).build(body, model=model, output_limit=100, takes_schema=False)
    [message] = built.body["messages"]
    assert message["role"] == "user"
    assert '"city"' in message["content"]


def test_a_schema_is_passed_on_where_it_is_taken():
    built = build("doubao", response_format=FORMAT)
    assert built.body["response_format"] == FORMAT
    assert built.schema is None


def test_kimi_is_not_told_by_which_standard_a_schema_was_written():
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **SCHEMA}
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    assert build("kimi", response_format=wanted).body["response_format"] == FORMAT
    assert "$schema" in schema


@pytest.mark.parametrize(("words", "is_added"), [("Hi", True), ("Answer as JSON", False)])
def test_the_word_that_a_provider_demands_is_added(words, is_added):
    messages = [{"role": "user", "content": words}]
    sent = build("qwen", messages=messages, response_format={"type": "json_object"}).body["messages"]
    assert (len(sent) == 2) == is_added


@pytest.mark.parametrize("schema", [None, "text", {"type": "no such type"}])
def test_a_schema_that_is_none_is_refused(schema):
    with pytest.raises(GatewayError) as caught:
        build("deepseek", response_format={"type": "json_schema", "json_schema": {"schema": schema}})
    assert caught.value.param == "response_format.json_schema.schema"


@pytest.mark.parametrize(
    ("name", "asks"), [("openai", True), ("qwen", True), ("stepfun", False), ("spark", False), ("baichuan", False)]
)
def test_usage_is_asked_for_where_that_is_known(name, asks):
    body = build(name, stream=True, stream_options={"include_usage": False}).body
    assert body.get("stream_options") == ({"include_usage": True} if asks else None)


def test_the_rows_rules_come_before_the_dialects():
    built = build("glm", temperature=1.7, seed=5, rules={"temperature": "keep", "seed": {"rename": "request_seed"}})
    assert (built.body["temperature"], built.body["request_seed"]) == (1.7, 5)


@pytest.mark.parametrize(
    "rules",
    [
        [],
        {"a": "forget"},
        {"a": 5},
        {"a": {"clamp": [1]}},
        {"a": {"clamp": [2, 1]}},
        {"a": {"squeeze": 1}},
        {"a": {"list": 0}},
        {"a": {"only": "x"}},
        {"a": {"not": "x"}},
        {"a": {"else": "keep"}},
    ],
)
def test_rules_that_make_no_sense_are_refused(rules):
    with pytest.raises(RuleError):
        check_rules(rules)
