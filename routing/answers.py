"""What an answer says about itself and about the limits of a key: in its headers, and in a refusal."""

from datetime import UTC, datetime
from functools import lru_cache

from billing import money
from billing.budgets import KeyLimits
from billing.locks import Standing, Standings
from billing.models import Limit
from billing.requests import Admission, Refusal
from routing.call import Call
from routing.client import Headers
from routing.dialects import schemas
from routing.errors import GatewayError, limit_details
from routing.progress import Progress


def describe_answer(call: Call, admission: Admission, progress: Progress) -> Headers:
    """Return the headers that hold for this answer whenever it is given."""
    if call.chat.stream:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
    else:
        headers = [(b"content-type", b"application/json")]
    if call.chat.output_limit is None or admission.is_lowered:
        headers.append((b"x-smartoken-output-limit", str(progress.output_limit).encode()))
    if progress.dropped:
        headers.append((b"x-smartoken-dropped", ", ".join(progress.dropped).encode()))
    if progress.schema is not None:
        headers.append((b"x-smartoken-json-schema", _check_schema(progress)))
    if progress.route and progress.route.upstream.is_demo:
        headers.append((b"x-smartoken-demo", b"true"))
    return headers


def _check_schema(progress: Progress) -> bytes:
    """Tell whether a whole answer keeps to the schema that its provider knew only as an instruction."""
    if progress.whole is None:
        return b"unchecked"
    texts = [choice["message"].get("content") for choice in progress.whole["choices"]]
    found = [schemas.fits(text, progress.schema) if isinstance(text, str) else False for text in texts]
    return b"invalid" if False in found else b"unchecked" if None in found else b"valid"


PERIODS = (("daily", Limit.Kind.KEY_DAY.value), ("monthly", Limit.Kind.KEY_MONTH.value))


def budget_headers(standings: Standings, limits: KeyLimits) -> list[tuple[bytes, bytes]]:
    """Return how a key's budgets stand and when they begin anew; the wallet is not the key's to tell."""
    headers: list[tuple[bytes, bytes]] = []
    for (period, kind), ends_at in zip(PERIODS, (limits.day_ends_at, limits.month_ends_at), strict=True):
        standing = standings.get(kind)
        if standing and standing.left is not None:
            headers += _describe_budget(period, standing, standing.left, ends_at)
    return headers


def _describe_budget(period: str, standing: Standing, left: int, ends_at: datetime) -> list[tuple[bytes, bytes]]:
    spent, held, free, resets_at = _constant_parts(period, ends_at)
    return [
        (spent, money.usd(standing.spent).encode()),
        (held, money.usd(standing.held).encode()),
        (free, money.usd(max(0, left)).encode()),
        resets_at,
    ]


@lru_cache(maxsize=1024)
def _constant_parts(period: str, ends_at: datetime) -> tuple[bytes, bytes, bytes, tuple[bytes, bytes]]:
    """Return what is the same in every answer of a window: the names of headers, and the header of the reset."""
    spent, held, left = (f"x-smartoken-{period}-{figure}-usd".encode() for figure in ("spent", "held", "left"))
    resets_at = (f"x-smartoken-{period}-resets-at".encode(), ends_at.astimezone(UTC).isoformat().encode())
    return spent, held, left, resets_at


def refusal_error(refusal: Refusal, *, may_see_wallet: bool) -> GatewayError:
    """Return the error for a request that its limits can't cover."""
    is_wallet = refusal.kind == Limit.Kind.WALLET
    limit, spent = money.usd(refusal.limit), money.usd(refusal.spent)
    if refusal.is_passing:
        message = "Requests that are still running hold what is left; this one may fit when they end."
    elif is_wallet:
        message = "The wallet can't cover the most this request can cost. Top up, or ask for fewer output tokens."
    else:
        period = "daily" if refusal.kind == Limit.Kind.KEY_DAY else "monthly"
        message = f"The key's {period} budget of ${limit} can't cover this request: ${spent} is spent."
    # A key's holder may not know the wallet: only its own budgets are told in figures.
    figures = (None, None) if is_wallet and not may_see_wallet else (limit, spent)
    return GatewayError(
        "insufficient_quota" if is_wallet else "budget_exceeded",
        message,
        details=limit_details(
            source=refusal.kind, limit_usd=figures[0], spent_usd=figures[1], resets_at=refusal.resets_at
        ),
        may_retry=refusal.is_passing,
        retry_after=1,
        extra_headers=budget_headers(refusal.standings, refusal.limits),
    )
