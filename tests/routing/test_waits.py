"""Waits of one kind, bounded by one timer."""

import asyncio

import pytest

from routing.waits import Deadline


def test_what_ends_in_time_gives_its_result():
    async def wait():
        future = asyncio.get_running_loop().create_future()
        waiting = Deadline(30).bound(future)
        future.set_result(7)
        assert await waiting == 7

    asyncio.run(wait())


def test_all_that_are_late_are_given_up_and_the_rest_go_on():
    async def wait():
        loop = asyncio.get_running_loop()
        deadline = Deadline(0.01)
        late = [deadline.bound(loop.create_future()) for _ in range(3)]
        late[1].set_result(1)
        for future in (late[0], late[2]):
            with pytest.raises(TimeoutError):
                await future
        assert await late[1] == 1
        with pytest.raises(TimeoutError):
            await deadline.bound(loop.create_future())

    asyncio.run(wait())


def test_nothing_that_has_ended_is_kept():
    async def wait():
        deadline = Deadline(30)
        for _ in range(10):
            deadline.bound(asyncio.get_running_loop().create_future()).cancel()
        assert len(deadline._waiting) == 1

    asyncio.run(wait())
