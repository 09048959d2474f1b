"""Behaviours that break off, refuse, or write what is hard to read."""

import asyncio
import json

from tests.upstream.server import TEXT, USAGE, Answer, behaviour


@behaviour("break-at-once")
async def _break_at_once(answer: Answer) -> None:
    answer.abort()


@behaviour("break-before-content")
async def _break_before_content(answer: Answer) -> None:
    answer.open_stream([])
    answer.abort()


@behaviour("counted-then-broken")
async def _counted_then_broken(answer: Answer) -> None:
    answer.open_stream([])
    answer.usage_chunk(USAGE)
    answer.abort()


@behaviour("break-mid-stream")
async def _break_mid_stream(answer: Answer) -> None:
    if answer.streams:
        answer.open_stream(TEXT)
    else:
        answer.head(kind="application/json")
        answer.write(b'{"choices": [{"mess')
    answer.abort()


@behaviour("end-mid-stream")
async def _end_mid_stream(answer: Answer) -> None:
    answer.open_stream(TEXT)
    answer.end()


@behaviour("no-done")
async def _no_done(answer: Answer) -> None:
    answer.open_stream(TEXT)
    answer.chunk({}, "stop", USAGE)
    answer.end()


@behaviour("break-after-finish")
async def _break_after_finish(answer: Answer) -> None:
    answer.open_stream(TEXT)
    answer.chunk({}, "stop", USAGE)
    answer.abort()


@behaviour("one-choice-cut")
async def _one_choice_cut(answer: Answer) -> None:
    """End the body in the middle of the second of two choices."""
    answer.head()
    for index in (0, 1):
        answer.chunk({"content": f"choice {index}"}, index=index)
    answer.chunk({}, "stop", USAGE)
    answer.end()


@behaviour("late-end")
async def _late_end(answer: Answer) -> None:
    """Send the end of the body in a packet of its own, behind [DONE]."""
    answer.open_stream(TEXT)
    answer.chunk({}, "stop", USAGE)
    answer.event(b"[DONE]")
    await asyncio.sleep(0.05)
    answer.end()


@behaviour("empty-stream")
async def _empty_stream(answer: Answer) -> None:
    answer.head()
    answer.end()


@behaviour("no-words")
async def _no_words(answer: Answer) -> None:
    """End well without a single word."""
    answer.say([], {"prompt_tokens": 12, "completion_tokens": 0})


@behaviour("error-first")
async def _error_first(answer: Answer) -> None:
    answer.head()
    answer.event({"error": {"message": "the model is loading", "code": "loading"}})
    answer.end()


@behaviour("error-in-stream")
async def _error_in_stream(answer: Answer) -> None:
    answer.open_stream(TEXT)
    answer.event({"error": {"message": "engine died", "code": 500}})
    answer.end()


@behaviour("error-in-200")
async def _error_in_200(answer: Answer) -> None:
    answer.json(200, {"error": {"message": "quota of the provider", "code": "1113"}})


@behaviour("html-error")
async def _html_error(answer: Answer) -> None:
    answer.head(502, "text/html")
    answer.write(b"<html><body><h1>502 Bad Gateway</h1></body></html>")
    answer.end()


@behaviour("html-200")
async def _html_200(answer: Answer) -> None:
    answer.head(200, "text/html")
    answer.write(b"<html><body>Please sign in</body></html>")
    answer.end()


@behaviour("not-json")
async def _not_json(answer: Answer) -> None:
    answer.head()
    answer.event(b"{broken")
    answer.end()


@behaviour("too-long")
async def _too_long(answer: Answer) -> None:
    answer.json(400, {"error": {"message": "This model's maximum context length is 10 tokens", "code": "c"}})


@behaviour("fail-once")
async def _fail_once(answer: Answer) -> None:
    """Have too much to do at first; answer well from then on."""
    if answer.is_first:
        answer.json(503, {"error": {"message": "try later", "code": "c"}})
    else:
        answer.say(TEXT)


@behaviour("invalid-model")
async def _invalid_model(answer: Answer) -> None:
    answer.json(401, {"error": {"code": "invalid_model", "message": "no such model canary-7f3a", "type": "t"}})


@behaviour("bad-top-p")
async def _refuse_top_p(answer: Answer) -> None:
    answer.json(400, {"error": {"message": "canary-7f3a: top_p must be below 1", "code": "c"}})


@behaviour("redirect")
async def _redirect(answer: Answer) -> None:
    answer.head(307, location="http://127.0.0.1:9/elsewhere")
    answer.end()


@behaviour("resting")
async def _resting(answer: Answer) -> None:
    answer.json(429, {"error": {"message": "slow down", "code": "429"}}, retry_after="3600")


@behaviour("cut-utf8")
async def _cut_utf8(answer: Answer) -> None:
    """Cut the stream into single bytes: inside characters, inside lines."""
    answer.head()
    for text in ("你好", "，世界"):
        event = json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}, ensure_ascii=False).encode()
        for byte in b"data: " + event + b"\n\n":
            answer.write(bytes([byte]))
    answer.close_stream()


@behaviour("crlf")
async def _crlf(answer: Answer) -> None:
    """CRLF, comments, an event field, data without a space, data over two lines."""
    answer.head()
    answer.write(b": hello\r\n\r\nevent: message\r\nid: 1\r\n")
    answer.write(b'data:{"choices": [{"index": 0,\r\ndata: "delta": {"content": "crlf"}}]}\r\n\r\n')
    answer.write(b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\r\n\r\n')
    answer.write(b"data: [DONE]\r\n\r\n")
    answer.end()


@behaviour("nul")
async def _nul(answer: Answer) -> None:
    """Send texts that a database may refuse where a record keeps them."""
    answer.open_stream(["nul: \0", " surrogate: "])
    answer.event(rb'{"choices": [{"index": 0, "delta": {}, "finish_reason": "st\u0000op"}]}')
    answer.usage_chunk(USAGE)
    answer.event(b"[DONE]")
    answer.end()


@behaviour("odd-chunks")
async def _odd_chunks(answer: Answer) -> None:
    """Chunks that some provider has really sent, around a good answer."""
    answer.head()
    answer.event({"choices": [], "prompt_filter_results": []})
    answer.event({"choices": None})
    answer.event({"choices": [{"index": 0, "delta": None}]})
    answer.event({"choices": [{"index": 0, "delta": {"content": None, "role": "assistant"}}]})
    answer.chunk({"content": "odd"})
    answer.close_stream()


@behaviour("no-choices")
async def _no_choices(answer: Answer) -> None:
    answer.json(200, {"id": "x", "choices": []})


@behaviour("many-words")
async def _many_words(answer: Answer) -> None:
    """2,000 events at once, then a usage."""
    answer.open_stream([f"w{number} " for number in range(2000)])
    answer.close_stream({"prompt_tokens": 12, "completion_tokens": 2000})
