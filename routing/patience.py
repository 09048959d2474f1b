"""How long a journey waits: for an upstream that is silent, for a client that does not read."""

from django.conf import settings

from routing.call import Call
from routing.client import Client
from routing.progress import Progress

COMMENT_SECONDS = 15.0


def find_overdue(call: Call, progress: Progress, client: Client, now: float) -> str:
    """Return why the wait must end now (a key of ``endings.INTERRUPTIONS``), '' where it need not."""
    if client.blocked_since is not None:
        return "stall" if now - client.blocked_since > settings.CLIENT_STALL_SECONDS else ""
    if now - progress.began_at > settings.ANSWER_SECONDS:
        return "deadline"
    silent = now - progress.heard_at
    if progress.has_content:
        return "idle" if silent > settings.IDLE_SECONDS else ""
    patient = call.model.thinks or not call.chat.stream
    limit = settings.FIRST_BYTE_THINKING_SECONDS if patient else settings.FIRST_BYTE_SECONDS
    return "first_byte" if silent > limit else ""


def needs_comment(call: Call, progress: Progress, client: Client, now: float) -> bool:
    """Tell whether a stream has been silent for so long that something on its way may cut it."""
    if not call.chat.stream or client.has_left or client.blocked_since is not None:
        return False
    return now - progress.spoke_at > COMMENT_SECONDS
