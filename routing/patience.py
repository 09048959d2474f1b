"""How long a journey waits: for an upstream that is silent, for a client that does not read."""

from django.conf import settings

from routing.call import Call
from routing.client import Client
from routing.dialects.base import UpstreamFault
from routing.dialects.faults import REST_SECONDS
from routing.progress import Progress

COMMENT_SECONDS = 15.0


def find_overdue(call: Call, progress: Progress, client: Client, now: float) -> str:
    """Return why the wait must end now, '' where it need not.

    The reason is one of ``explain_silence`` or of ``endings.INTERRUPTIONS``.
    """
    if client.blocked_since is not None:
        return "stall" if now - client.blocked_since > settings.CLIENT_STALL_SECONDS else ""
    if now - progress.began_at > settings.ANSWER_SECONDS:
        return "deadline"
    if not progress.is_asking:
        return ""
    silent = now - progress.heard_at
    if progress.has_content:
        return "idle" if silent > settings.IDLE_SECONDS else ""
    if progress.is_opened and not call.chat.stream:
        return ""  # a whole answer that has begun has all the time that an answer may take
    return "first_byte" if silent > _first_byte_limit(call, progress) else ""


def _first_byte_limit(call: Call, progress: Progress) -> float:
    """Return how long the first byte may take: the upstream's own limit counts where another route can take over."""
    limit: float = settings.FIRST_BYTE_THINKING_SECONDS if call.is_made_in_silence else settings.FIRST_BYTE_SECONDS
    own = _own_limit(call, progress)
    return limit if own is None else min(limit, own)


def _own_limit(call: Call, progress: Progress) -> int | None:
    """Return the limit that the upstream's row sets for this call; None where it sets none, or would help nobody."""
    if not progress.route or not progress.has_next or not call.chat.stream:
        return None
    return progress.route.upstream.first_byte_seconds


def explain_silence(call: Call, progress: Progress, reason: str) -> UpstreamFault | None:
    """Return what an upstream's silence means for its route; None for a reason that is no silence.

    A provider that may be at work bills for it, so that no other one is asked beside it, unless
    the upstream's row says so.
    """
    if reason == "idle":
        return UpstreamFault(
            "upstream_timeout",
            "idle",
            "The model's provider fell silent in mid-answer.",
            may_fail_over=False,
            rest_seconds=REST_SECONDS,
        )
    if reason == "first_byte":
        may_fail_over = not call.is_made_in_silence or _own_limit(call, progress) is not None
        return UpstreamFault("upstream_timeout", "first_byte", may_fail_over=may_fail_over, rest_seconds=REST_SECONDS)
    return None


def needs_comment(call: Call, progress: Progress, client: Client, now: float) -> bool:
    """Tell whether a stream has been silent for so long that something on its way may cut it."""
    if not call.chat.stream or client.has_left or client.blocked_since is not None:
        return False
    return now - progress.spoke_at > COMMENT_SECONDS
