"""How long the first byte of an upstream is waited for."""

from types import SimpleNamespace

import pytest

from routing.patience import find_overdue


@pytest.mark.parametrize(
    ("thinks", "stream", "own", "has_next", "limit"),
    [
        (False, True, None, True, 60),
        (True, True, None, True, 300),
        (False, True, 5, True, 5),
        (True, True, 5, True, 5),
        (False, True, 5, False, 60),  # nobody else is there
        (False, False, 5, True, 300),  # a whole answer's first byte is its last
        (False, True, 500, True, 60),
    ],
)
def test_an_upstreams_own_limit_counts_where_another_can_take_over(thinks, stream, own, has_next, limit):
    call = SimpleNamespace(is_made_in_silence=thinks or not stream, chat=SimpleNamespace(stream=stream))
    route = SimpleNamespace(upstream=SimpleNamespace(first_byte_seconds=own))
    progress = SimpleNamespace(
        began_at=0.0, heard_at=0.0, has_content=False, is_asking=True, is_opened=False, has_next=has_next, route=route
    )
    client = SimpleNamespace(blocked_since=None)
    assert find_overdue(call, progress, client, limit) == ""
    assert find_overdue(call, progress, client, limit + 0.1) == "first_byte"
    progress.is_asking = False
    assert find_overdue(call, progress, client, limit + 0.1) == ""
