"""Holds that nobody waits for when they come."""

import asyncio
from unittest.mock import Mock

import pytest

from billing.requests import Admission
from routing import admission
from routing.waits import Deadline


def test_a_hold_that_comes_in_the_moment_in_which_its_request_is_given_up_is_given_back(monkeypatch):
    monkeypatch.setattr(admission, "build_settlement", lambda **known: known)
    monkeypatch.setattr(admission, "Progress", Mock())
    granted = Admission(*[Mock() for _ in Admission._fields])
    runtime = Mock(hold_wait=Deadline(30))

    async def give_up():
        future = runtime.ledger.admit.return_value = asyncio.get_running_loop().create_future()
        asking = asyncio.ensure_future(admission.admit(runtime, Mock()))
        await asyncio.sleep(0)
        future.set_result(granted)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(give_up())
    [given_back] = runtime.ledger.settle.call_args.args
    assert given_back["admission"] is granted
    assert given_back["ending"].status == "aborted"
