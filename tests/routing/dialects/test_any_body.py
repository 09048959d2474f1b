"""Whatever a client sends that passes for a chat request, a dialect builds it or refuses it by name."""

import json

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import dialects
from routing.errors import GatewayError
from routing.requests import parse_chat

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-1, 3) | st.sampled_from(["", "auto", "none", "x"])
ODD = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "effort", "name"]), inner),
    max_leaves=5,
)
IMAGES = st.fixed_dictionaries({"type": st.just("image_url"), "image_url": ODD | st.fixed_dictionaries({"url": ODD})})
CALLS = st.fixed_dictionaries({"id": ODD, "type": ODD, "function": ODD})
MESSAGES = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "function", "x"]),
        "content": st.none() | st.text(max_size=3) | st.lists(IMAGES | ODD, max_size=3),
    },
    optional={"tool_calls": ODD | st.lists(CALLS, max_size=2), "function_call": ODD, "reasoning_content": ODD},
)
TOOLS = st.lists(st.fixed_dictionaries({"type": st.just("function"), "function": ODD}), max_size=2)
SCHEMAS = st.fixed_dictionaries({"type": ODD}, optional={"$schema": ODD, "properties": ODD})
FORMATS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "json_object", "json_schema"])},
    optional={"json_schema": ODD | st.fixed_dictionaries({"schema": ODD | SCHEMAS})},
)
BODIES = st.fixed_dictionaries(
    {"model": st.just("m"), "messages": st.lists(MESSAGES, min_size=1, max_size=4)},
    optional={
        "stream": st.booleans(),
        "tools": TOOLS,
        "response_format": FORMATS,
        "reasoning_effort": st.sampled_from(["none", "high", "x"]),
        "stop": st.text(max_size=2) | st.lists(ODD, max_size=5),
        **dict.fromkeys(("tool_choice", "thinking", "reasoning", "enable_thinking", "chat_template_kwargs"), ODD),
        **dict.fromkeys(("seed", "top_logprobs"), st.integers(-5, 2**40)),
        **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), st.floats(-5, 5)),
        **dict.fromkeys(("logprobs", "parallel_tool_calls"), st.booleans()),
    },
)
MODELS = ["m", "lite", "kimi-k3", "kimi-k2.6", "glm-5.3", "qwen3-32b", "ernie-x1.1", "SenseNova-V6-5-Pro", "intern-s2"]


@settings(max_examples=100, deadline=None)
@given(BODIES, st.sampled_from(sorted(dialects.DIALECTS)), st.sampled_from(MODELS), st.booleans())
def test_no_request_makes_a_dialect_stumble(body, name, model, takes_schema):
    try:
        chat = parse_chat(json.dumps(body).encode())
        built = dialects.get(name).build(chat.body, model=model, output_limit=10, takes_schema=takes_schema)
    except GatewayError as error:
        assert error.status == 400
    else:
        assert orjson.loads(orjson.dumps(built.body))["model"] == model
        assert all(isinstance(message, dict) and message["role"] for message in built.body["messages"])
