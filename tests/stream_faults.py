"""Every way in which a stream has been seen to go wrong: the pieces that an upstream writes, by name.

``HARMLESS`` ones say the same as a stream in its usual form (TEXT, then stop, then COUNTS);
``BREAKING`` ones end it behind TEXT; ``ERRORS`` are error bodies in every wrapper.
"""

import json
from typing import Any

TEXT = "Hello 你好, stream"
WORDS = ["Hello ", "你好", ", stream"]
COUNTS = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
LONG = "x" * 5_000_000


def chunk(delta: dict[str, Any], reason: Any = None, **more: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return json.dumps({"id": "up-1", "choices": [choice], **more}, ensure_ascii=False)


SAID = [chunk({"content": word}) for word in WORDS]
END = chunk({}, "stop", usage=COUNTS)
ALL = [*SAID, END, "[DONE]"]


def write(datas: list[str], before: str = "data: ", after: str = "\n\n") -> bytes:
    return "".join(f"{before}{data}{after}" for data in datas).encode()


def one_by_one(body: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in body]


WHOLE = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
WHOLE_OBJECT = json.dumps({"object": "chat.completion", "choices": [WHOLE], "usage": COUNTS}, ensure_ascii=False)
NO_REASON = [data.replace(', "finish_reason": null', "") for data in SAID]
EMPTY_REASON = [data.replace("null", '""') for data in SAID]
EMPTY_ROLE = [chunk({"role": "", "content": word}) for word in WORDS]
LATE_COUNTS = json.dumps({"choices": [], "usage": COUNTS})

HARMLESS: dict[str, list[bytes]] = {
    "comments before": [b": keep-alive\n\n: keep-alive\n\n", write(ALL)],
    "comments between": [write([data], after="\n\n: keep-alive\n") for data in ALL],
    "blank lines": [b"\n\n\n\r\n", write(ALL, after="\n\n\n\n")],
    "no space": [write(ALL, before="data:")],
    "crlf": [write(ALL, after="\r\n\r\n")],
    "other fields": [write(ALL, before="event: message\nid: 1\nretry: 10\ndata: ")],
    "a byte at a time": one_by_one(write(ALL)),
    "crlf, a byte at a time": one_by_one(write(ALL, after="\r\n\r\n")),
    "no blank line between": [write(ALL, after="\n"), b"\n"],
    "empty events": [write(ALL, after="\n\ndata: \n\ndata:\n\n")],
    "no [DONE]": [write(ALL[:-1])],
    "no [DONE], no last line end": [write(ALL[:-1]).rstrip()],
    "no line end behind [DONE]": [write(ALL).rstrip()],
    "two [DONE]": [write([*ALL, "[DONE]"])],
    "something behind [DONE]": [write(ALL), write([chunk({"content": "never"})]), b"<html>"],
    "a whole object at the end": [write([*SAID, WHOLE_OBJECT])],
    "a whole object alone": [write([WHOLE_OBJECT])],
    "plain json": [WHOLE_OBJECT.encode()],
    "plain json over many lines": [b"\n\n", json.dumps(json.loads(WHOLE_OBJECT), indent=2).encode()],
    "finish reason empty": [write([*EMPTY_REASON, END, "[DONE]"])],
    "finish reason 'null'": [write([*(data.replace("null", '"null"') for data in SAID), END, "[DONE]"])],
    "finish reason missing, then one": [write([*NO_REASON, END, "[DONE]"])],
    "no finish reason at all": [write([*NO_REASON, LATE_COUNTS, "[DONE]"])],
    "finish reason twice": [write([*SAID, chunk({}, "stop"), END, "[DONE]"])],
    "finish reason before the last word": [
        write([*SAID[:-1], chunk({}, "stop"), chunk({"content": WORDS[-1]}), LATE_COUNTS, "[DONE]"])
    ],
    "role empty": [write([*EMPTY_ROLE, END, "[DONE]"])],
    "content as a list": [
        write([*(chunk({"content": [{"type": "text", "text": word}]}) for word in WORDS), END, "[DONE]"])
    ],
    "no choices": [write(['{"choices": null}', '{"id": "x"}', '{"choices": []}', *ALL])],
    "choices of the wrong kind": [write(['{"choices": [null, 5]}', '{"choices": {"a": 1}}', *ALL])],
    "delta of the wrong kind": [write(['{"choices": [{"delta": [1]}]}', '{"choices": [{"delta": "x"}]}', *ALL])],
    "nothing to hear": [write(['{"choices": [{"delta": {"content": 5, "role": 7, "tool_calls": 3}}]}', *ALL])],
    "index of the wrong kind": [write([data.replace('"index": 0', '"index": true') for data in ALL])],
}

BREAKING: dict[str, tuple[list[bytes], str]] = {
    # name: (pieces, the attempt's reason)
    "cut between events": ([write(SAID)], "cut"),
    "cut inside an event": ([write(SAID), b'data: {"choices": [{"delta": {"con'], "cut"),
    "spliced": ([write(SAID), b'data: {"choices": [{"delta": {"content": "He', write(SAID), write(ALL)], "spliced"),
    "spliced on a line of its own": (
        [write(SAID), b'data: {"choices": [{"delta": {"content": "He\n', write(SAID), write(ALL)],
        "not_json",
    ),
    "not json": ([write(SAID), b"data: {broken\n\n", write(ALL)], "not_json"),
    "not utf-8": ([write(SAID), b'data: {"choices": "\xff\xfe"}\n\n', write(ALL)], "not_json"),
    "not an object": ([write(SAID), b"data: [1, 2]\n\n", write(ALL)], "not_an_object"),
    "nested too deeply": ([write(SAID), write(["[" * 400 + "]" * 400]), write(ALL)], "nesting"),
    "given up: resources": ([write([*SAID, chunk({}, "insufficient_system_resource")])], "server_error"),
    "given up: aborted": ([write([*SAID, chunk({}, "aborted")])], "server_error"),
    "given up: network": ([write([*SAID, chunk({}, "network_error"), "[DONE]"])], "server_error"),
}

ERRORS: dict[str, Any] = {
    "error object": {"error": {"message": "engine died", "type": "server_error", "code": "internal_error"}},
    "error text": {"error": "engine died"},
    "error beside choices": {"choices": [], "error": {"message": "engine died"}},
    "flat, vLLM and Huawei": {"object": "error", "message": "engine died", "type": "InternalServerError", "code": 500},
    "error_code, Huawei's gateway": {"error_code": "APIG.0203", "error_msg": "Backend timeout.", "request_id": "r1"},
    "code and sid, Spark": {"code": 10110, "message": "engine busy", "sid": "cha1"},
    "typed, MiniMax": {
        "type": "error",
        "error": {"type": "server_error", "message": "died (1000)", "http_code": "500"},
    },
    "base_resp, MiniMax": {"base_resp": {"status_code": 1000, "status_msg": "died"}, "choices": []},
    "success false, InternLM": {"success": False, "msgCode": "C0000", "msg": "died", "data": None},
    "Response.Error, Tencent": {"Response": {"Error": {"Code": "InternalError", "Message": "died"}, "RequestId": "r1"}},
    "ErrorMsg, Hunyuan": {"ErrorMsg": {"Msg": "died", "Code": 2001}, "Choices": []},
    "status, SenseNova": {"status": {"code": 13, "message": "died"}, "data": {}},
}
