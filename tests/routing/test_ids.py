"""Ids of requests."""

import os

from routing import ids


def test_ids_sort_by_their_time_and_none_comes_twice():
    made = [ids.make_request_id() for _ in range(3 * ids.POOL)]
    assert len(set(made)) == len(made)
    assert {(id_.version, id_.variant) for id_ in made} == {(7, "specified in RFC 4122")}
    assert [id_.int >> 80 for id_ in made] == sorted(id_.int >> 80 for id_ in made)


def test_a_forked_process_draws_numbers_of_its_own():
    ids.make_request_id()
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        os.write(writable, str(ids._draw()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(readable, 100)) != ids._draw()
    os.close(readable)
    os.close(writable)
