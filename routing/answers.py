"""What an answer says about itself and about the limits of a key: in its headers, and in a refusal."""

from billing import money
from billing.holds import Admission, Refusal
from billing.models import Limit
from routing.call import Call
from routing.client import Headers
from routing.errors import GatewayError, limit_details
from routing.progress import Progress


def describe_answer(call: Call, admission: Admission, progress: Progress) -> Headers:
    """Return the headers that hold for this answer whenever it is given."""
    if call.chat.stream:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
    else:
        headers = [(b"content-type", b"application/json")]
    if call.chat.output_limit is None or admission.is_lowered:
        headers.append((b"x-smartoken-output-limit", str(admission.output_limit).encode()))
    if progress.dropped:
        headers.append((b"x-smartoken-dropped", ", ".join(progress.dropped).encode()))
    if progress.route and progress.route.upstream.is_demo:
        headers.append((b"x-smartoken-demo", b"true"))
    return headers


def budget_headers(left: dict[str, int | None]) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell what a key's budgets have left; the wallet is not the key's to tell."""
    names = {
        Limit.Kind.KEY_DAY.value: b"x-smartoken-daily-left-usd",
        Limit.Kind.KEY_MONTH.value: b"x-smartoken-monthly-left-usd",
    }
    return [(name, money.usd(nanos).encode()) for kind, name in names.items() if (nanos := left.get(kind)) is not None]


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
    )
