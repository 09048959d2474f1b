"""Threads that make pages: kept from one page to the next, never shared by two at once."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from smartoken import workers
from smartoken.workers import Workers
from tests.gateway.callers import eventually


@pytest.fixture
def several() -> Iterator[Workers]:
    several = Workers()
    yield several
    several.stop()


async def make[T](several: Workers, page: Callable[[], T]) -> T:
    async with several.lend():
        return await sync_to_async(page)()


async def make_at_once(several: Workers, number: int) -> set[threading.Thread]:
    """Return the threads in which so many pages are made, none of which ends before all have begun."""
    gate = threading.Barrier(number, timeout=20)

    def page() -> threading.Thread:
        gate.wait()
        return threading.current_thread()

    return set(await asyncio.gather(*(make(several, page) for _ in range(number))))


def test_the_next_page_is_made_where_the_last_one_was(several: Workers) -> None:
    async def two() -> list[int]:
        return [await make(several, threading.get_ident) for _ in range(2)]

    first, second = asyncio.run(two())
    assert first == second != threading.get_ident()


def test_two_pages_at_once_have_a_thread_each(several: Workers) -> None:
    assert len(asyncio.run(make_at_once(several, 2))) == 2


def test_a_page_that_fails_gives_its_thread_back(several: Workers) -> None:
    async def fail_and_go_on() -> int:
        with pytest.raises(ZeroDivisionError):
            await make(several, lambda: 1 // 0)
        return await make(several, threading.get_ident)

    assert asyncio.run(fail_and_go_on()) in {thread.ident for thread in threading.enumerate()}


def test_what_a_rush_needed_ends_with_it(several: Workers) -> None:
    used = asyncio.run(make_at_once(several, workers.KEPT + 3))
    eventually(lambda: sum(thread.is_alive() for thread in used) == workers.KEPT)


@pytest.mark.django_db(transaction=True)
def test_connections_are_closed_in_the_end(several: Workers) -> None:
    opened = []

    def page() -> None:
        connection.ensure_connection()
        opened.append(connection._connections["default"])

    asyncio.run(make(several, page))
    assert opened[0].connection is not None
    several.stop()
    assert opened[0].connection is None
