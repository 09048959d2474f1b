"""A real HTTP upstream that misbehaves on request.

The model id in a request's body names the behaviour in ``BEHAVIOURS``, so a route's
upstream model says what its upstream will do; a GET names it by the first part of its path.
What arrived is kept in ``requests``.
Behaviours that wait do so at a gate that the test opens: no test needs to sleep.
"""

from tests.upstream import answers, breaks, waits
from tests.upstream.server import BEHAVIOURS, Answer, Upstream, behaviour, refused_port, replay

__all__ = ["BEHAVIOURS", "Answer", "Upstream", "answers", "behaviour", "breaks", "refused_port", "replay", "waits"]
