"""A provider that nobody here wrote: both SDKs get a good answer or one typed error, never an endless wait.

https://github.com/CopilotKit/aimock: the modes are in aimock.mjs.
"""

import json
import subprocess
import uuid

import openai
import pytest

from routing.errors import ERRORS
from tests.sdk.conftest import HERE, NODE_MODULES, finish

pytestmark = [pytest.mark.sdk, pytest.mark.slow]

HI = [{"role": "user", "content": "Hi"}]
TEXT = "Hello from somewhere else. 你好!"
GOOD = ["text", "reasoning", "small-pieces"]
BAD = {
    # mode: code of a stream's error, of a whole answer's; "" where that is a good answer
    "cut": ("upstream_error", ""),
    "disconnect": ("upstream_error", "upstream_error"),
    "malformed": ("upstream_error", "upstream_error"),
    "drop": ("upstream_error", "upstream_error"),
    "ratelimit": ("overloaded", "overloaded"),
    "silent": ("upstream_timeout", "upstream_timeout"),
    "stalled": ("upstream_timeout", ""),
    "refused": ("invalid_request", "invalid_request"),
}
PATIENCE = 20
"""Seconds; the gateway's own limits are far below, so whoever waits so long gets no typed error, and fails."""


@pytest.fixture(scope="module")
def aimock(tmp_path_factory):
    """The address of a running aimock."""
    if not (NODE_MODULES / "@copilotkit" / "aimock").exists():
        pytest.skip("the npm packages are not installed; scripts/test --all does it")
    folder = tmp_path_factory.mktemp("aimock")
    (folder / "node_modules").symlink_to(NODE_MODULES)
    (folder / "aimock.mjs").write_text((HERE / "aimock.mjs").read_text())
    command = ["node", "aimock.mjs"]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdin
        yield process.stdout.readline().strip()
        process.stdin.close()


@pytest.fixture
def add_aimock(add_route, aimock, settings):
    """Put aimock into the pool in one of its modes; the gateway's limits are short."""
    settings.FIRST_BYTE_SECONDS = settings.FIRST_BYTE_THINKING_SECONDS = settings.IDLE_SECONDS = 1

    def add(mode, **fields):
        # A credential of its own makes it another upstream: none rests for what the one before has done.
        add_route(mode, base_url=f"{aimock}/v1", credential=uuid.uuid4().hex, **fields)

    return add


@pytest.fixture
def python(gateway, make_key, wallet):
    """Ask by the package of Python: (text, code of the error)."""
    http_client = openai.DefaultHttpxClient(trust_env=False)
    client = openai.OpenAI(
        base_url=f"{gateway.url}/v1",
        api_key=make_key()[1],
        http_client=http_client,
        max_retries=0,
        timeout=PATIENCE,
    )

    def ask(*, stream):
        try:
            answer = client.chat.completions.create(model="deepseek", messages=HI, stream=stream)
            if not stream:
                return answer.choices[0].message.content, ""
            return "".join(chunk.choices[0].delta.content or "" for chunk in answer), ""
        except openai.APIError as error:
            return "", error.code

    with client:
        yield ask


@pytest.fixture
def javascript(gateway, make_key, wallet, node):
    """Ask by the package of JavaScript: (text, code of the error)."""
    source, secret = (HERE / "journey.mjs").read_text(), make_key()[1]

    def ask(*, stream):
        environment = {"BASE_URL": f"{gateway.url}/v1", "KEY": secret, "MAX_RETRIES": "0"}
        told = json.loads(finish(node(source, "stream" if stream else "chat", "deepseek", "{}", **environment)))
        assert told["requests"] == 1
        if error := told.get("error"):
            return "", error["code"]
        if not stream:
            return told["value"]["choices"][0]["message"]["content"], ""
        return "".join(chunk["delta"].get("content") or "" for chunk in told["value"]), ""

    return ask


@pytest.fixture(params=["python", "javascript"])
def ask(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("mode", GOOD)
def test_a_good_answer_arrives_whole(ask, add_aimock, mode, stream):
    add_aimock(mode)
    assert ask(stream=stream) == (TEXT, "")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("mode", "codes"), BAD.items(), ids=BAD)
def test_a_bad_answer_is_one_typed_error(ask, add_aimock, mode, codes, stream):
    add_aimock(mode)
    code = codes[0] if stream else codes[1]
    assert ask(stream=stream) == (("", code) if code else (TEXT, ""))
    assert code in ("", *ERRORS)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("mode", ["disconnect", "malformed", "drop", "ratelimit"])
def test_another_route_answers_in_its_place(ask, add_aimock, mode, stream):
    add_aimock(mode, priority=1)
    add_aimock("text", priority=2)
    assert ask(stream=stream) == (TEXT, "")


def test_its_counts_are_charged(caller, add_aimock):
    add_aimock("text")
    record = caller.chat(stream=True).record
    assert (record.input_tokens, record.output_tokens, record.count_source) == (21, 9, "provider")


def test_its_reasoning_arrives(caller, add_aimock):
    add_aimock("reasoning")
    assert caller.chat().json["choices"][0]["message"]["reasoning_content"] == "Let me think."


def test_its_tool_calls_arrive(caller, add_aimock):
    add_aimock("tools")
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
    [call] = caller.chat(tools=tools).json["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "weather", "arguments": '{"city":"Wuhan"}'}
