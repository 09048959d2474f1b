"""What is kept of an answer, and what comes of it."""

import asyncio
import random
import uuid

import pytest

from billing.idempotency import Kept
from routing import replays
from routing.errors import GatewayError
from routing.replays import COST, MAX_BYTES, PIECE_BYTES, Answer, Recorder, read_claim

HEADERS = [(b"content-type", b"application/json")]


class Listener:
    """A client that notes what it is sent, until it stops to read."""

    def __init__(self, patience=10**9):
        self.has_left = self.has_started = False
        self.blocked_since = None
        self.patience = patience
        self.headers = []
        self.body = bytearray()

    async def start(self, status, headers):
        self.has_started, self.headers = True, dict(headers)

    async def send(self, piece):
        if len(self.body) >= self.patience:
            await asyncio.Event().wait()
        self.body += piece

    finish = send

    def comment(self, headers):
        self.body += b":"


def record(pieces, last=b"", text_size=0):
    """Record these pieces; return what is sealed."""
    recorder = Recorder(Listener())

    async def run():
        for piece in pieces:
            await recorder.send(piece)

    asyncio.run(run())
    return recorder.seal(last, headers=HEADERS, text_size=text_size)


def replay(sealed, listener, *, stream=True, charge=10_500):
    asyncio.run(Recorder(listener).replay(Kept(sealed, stream, charge), []))
    return listener.body


def noise(size):
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES, 10**6])
@pytest.mark.parametrize("make", [noise, lambda size: b"x" * size])
def test_what_was_sent_comes_again_with_its_cost(make, size):
    sent = make(size)
    sealed = record([sent[:10], sent[10:]], b'{"cost":' + COST + b"}\n[DONE]")
    assert replay(sealed, Listener()) == sent + b'{"cost":0.0000105}\n[DONE]'


def test_a_whole_answer_says_its_length():
    listener = Listener()
    body = replay(record([], b'{"cost":' + COST + b"}"), listener, stream=False)
    assert listener.headers == {b"content-type": b"application/json", b"content-length": str(len(body)).encode()}


def test_nothing_of_it_can_be_read_in_what_is_kept():
    sealed = record([b"a secret answer"], b"cost " + COST + b" secret tail")
    assert b"secret" not in sealed
    assert COST not in sealed
    assert b"a secret answer" in b"".join(Answer.unseal(sealed).pieces())


def test_frames_count_for_almost_nothing():
    frame = b'data: {"id":"chatcmpl-%s","choices":[{"index":0,"delta":{"content":"w%d"}}]}\n\n'
    pieces = [frame % (uuid.UUID(int=7).hex.encode(), number) for number in range(30_000)]
    sealed = record(pieces, COST)
    assert sum(map(len, pieces)) > 2 * MAX_BYTES
    assert replay(sealed, Listener()) == b"".join(pieces) + b"0.0000105"


@pytest.mark.parametrize(("pieces", "text_size"), [([], MAX_BYTES + 1), ([noise(2**19), noise(2**20)], 10)])
def test_what_is_too_long_is_not_kept(pieces, text_size):
    assert record(pieces, COST, text_size) is None
    assert record([], COST, MAX_BYTES)


def test_a_key_of_encryption_that_is_gone_is_named(settings):
    from cryptography.fernet import Fernet

    sealed = record([b"words"], COST)
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(GatewayError) as caught:
        replay(sealed, Listener())
    assert (caught.value.code, caught.value.should_retry) == ("idempotency_conflict", False)


def test_a_client_that_does_not_read_its_replay_is_given_up(settings):
    settings.CLIENT_STALL_SECONDS = 0.01
    sealed = record([noise(3 * PIECE_BYTES)], COST)
    assert len(replay(sealed, Listener(patience=1))) == PIECE_BYTES


def test_nothing_is_sent_to_a_client_that_has_left():
    listener = Listener()
    recorder = Recorder(listener)
    recorder.is_alone = True
    recorder.comment([])
    asyncio.run(recorder.send(b"words"))
    asyncio.run(recorder.finish(b"last"))
    assert listener.body == b""
    assert Answer.unseal(recorder.seal(COST, headers=[], text_size=5)).size == 5


def test_a_claim_tells_bodies_and_addresses_apart():
    digests = {
        read_claim(b"order-1", path=path, body=body).digest
        for path in ("/v1/chat/completions", "/v1/other")
        for body in (b"{}", b"{ }")
    }
    assert len(digests) == 4
    assert read_claim(None, path="/v1/chat/completions", body=b"{}") is None
    assert replays.NAME.fullmatch(b" ~" * 127)
