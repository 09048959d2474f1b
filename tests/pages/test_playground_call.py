"""The Playground's call as code: what is typed comes out as a program that makes this very call."""

import ast
import json
import re
import shlex
from html import unescape

import pytest

BODY = {
    "model": "kimi",
    "messages": [
        {"role": "system", "content": 'It\'s "brief" & <b>\\n'},
        {"role": "user", "content": "Two\nlines, 你好, $HOME `id` {{ x }}"},
    ],
    "temperature": 0.3,
    "max_tokens": 50,
    "reasoning_effort": "none",
}


@pytest.fixture
def write(alice, catalogue):
    """Return language → code for a call, without its colours."""

    def post(body, status=200):
        response = alice.post("/playground/call/", json.dumps(body), content_type="application/json")
        assert response.status_code == status
        return {name: strip(html) for name, html in response.json().items()}

    return post


def strip(html):
    return unescape(re.sub(r"<[^>]*>", "", html))


def test_curl_sends_this_call(write):
    words = shlex.split(write(BODY)["curl"])
    assert json.loads(words[words.index("-d") + 1]) == {**BODY, "stream": True}


def test_python_makes_this_call(write):
    tree = ast.parse(write(BODY)["python"])
    (call,) = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and "create" in ast.dump(node.func)]
    assert {each.arg: ast.literal_eval(each.value) for each in call.keywords} == {**BODY, "stream": True}


def test_typescript_makes_this_call(write):
    code = write(BODY)["typescript"]
    assert '  temperature: 0.3,\n  max_tokens: 50,\n  reasoning_effort: "none",\n  stream: true,\n' in code
    written = code.partition("messages: ")[2].partition(",\n  temperature")[0]
    assert json.loads(written) == BODY["messages"]


def test_the_data_of_an_image_does_not_bury_the_code(write):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 3_000_000}}
    code = write({"model": "kimi", "messages": [{"role": "user", "content": [image]}]})["python"]
    assert "YOUR_IMAGE" in code and "AAAA" not in code


def test_what_is_no_call_is_refused(write):
    assert write({"model": "kimi", "messages": []}, status=400)["problem"]


def test_html_in_a_message_stays_text(alice, catalogue):
    body = {"model": "kimi", "messages": [{"role": "user", "content": "</code><script>alert(1)</script>"}]}
    answer = alice.post("/playground/call/", json.dumps(body), content_type="application/json")
    assert all("<script" not in html for html in answer.json().values())
