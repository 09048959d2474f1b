"""What reaches a page: no body of any length; and a client that leaves does not cut the work on its page."""

import asyncio
from typing import Any

import pytest

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "path": "/nowhere/",
    "raw_path": b"/nowhere/",
    "query_string": b"",
    "headers": [(b"host", b"testserver")],
    "http_version": "1.1",
    "scheme": "http",
    "client": ("127.0.0.1", 1),
    "server": ("testserver", 80),
}


def answers_to(*messages: dict[str, Any], path: str = SCOPE["path"]) -> list[Any]:
    from smartoken.pages import answer_page  # it reads the settings of static files, which the tests replace

    waiting, sent = list(messages), []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(answer_page(SCOPE | {"path": path}, receive, send))
    return sent


@pytest.mark.django_db
def test_a_client_that_leaves_meanwhile_does_not_cut_the_page() -> None:
    sent = answers_to({"type": "http.request", "body": b""}, {"type": "http.disconnect"})
    assert sent[0]["status"] == 404


def test_a_client_that_leaves_in_its_own_body_is_not_answered() -> None:
    sent = answers_to({"type": "http.request", "body": b"a=", "more_body": True}, {"type": "http.disconnect"})
    assert sent == []


@pytest.mark.parametrize("path", ["/accounts/login/", "/playground/run/"])
def test_a_body_without_end_is_refused(settings: Any, path: str) -> None:
    settings.BODY_LIMIT_BYTES = 1000
    piece = {"type": "http.request", "body": b"a" * 600, "more_body": True}
    sent = answers_to(piece, piece, path=path)
    assert [message.get("status") for message in sent] == [413, None]
    assert b"no more than 1,000 bytes" in sent[1]["body"]


def test_a_view_that_waits_can_hear_that_its_client_left(monkeypatch: pytest.MonkeyPatch) -> None:
    from smartoken import pages

    async def view(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        listening = asyncio.ensure_future(receive())
        await scope["left"].wait()
        assert not listening.done()  # Django itself hears of it behind the beginning of the answer
        await send({"type": "http.response.start", "status": 499, "headers": []})
        assert await listening == {"type": "http.disconnect"}

    monkeypatch.setattr(pages, "_handler", view)
    sent = answers_to({"type": "http.request", "body": b""}, {"type": "http.disconnect"})
    assert sent[0]["status"] == 499
