"""Messages between processes without Redis: files that are whole or not there."""

import threading
from queue import Empty

import pytest
from kombu import Connection

from smartoken.broker import register


@pytest.fixture
def channel(tmp_path):
    register()
    with Connection("folder://localhost", transport_options={"folder": tmp_path / "celery"}) as connection:
        yield connection.channel()


def test_messages_come_in_the_order_in_which_they_were_sent(channel):
    for number in range(3):
        channel._put("celery", {"number": number})
    assert [channel._get("celery")["number"] for _ in range(3)] == [0, 1, 2]


def test_an_empty_queue_says_so(channel):
    with pytest.raises(Empty):
        channel._get("celery")


def test_a_message_of_another_queue_or_half_written_is_left_alone(channel):
    (channel.folder / ".1-x.celery").write_text('{"ha')
    channel._put("mails", {})
    assert channel._size("celery") == 0
    assert channel._size("mails") == 1


def test_two_workers_never_get_the_same_message(channel):
    for number in range(200):
        channel._put("celery", number)
    got = []

    def work():
        while channel._size("celery"):
            try:
                got.append(channel._get("celery"))
            except Empty:
                return

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(got) == list(range(200))


def test_purging_counts_what_was_waiting(channel):
    channel._put("celery", {})
    assert channel._purge("celery") == 1
    assert channel._size("celery") == 0
