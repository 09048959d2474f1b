"""What a provider's error means, whose fault it is, and what is done about it: the one table.

Dialects map codes and words to these meanings; the gateway, health and the admin's alarms
read the policy. Nothing else decides whether to retry, fail over, rest or tell somebody.
"""

from dataclasses import dataclass
from enum import StrEnum


class Meaning(StrEnum):
    """Why a provider refused; the values stand on attempts, in words in ``billing/receipt.py``."""

    BAD_CREDENTIAL = "credential_refused"
    NO_PERMISSION = "no_permission"
    NO_BALANCE = "no_balance"
    PLAN_ENDED = "plan_ended"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "provider_overloaded"
    SERVER_ERROR = "server_error"
    MODEL_UNKNOWN = "model_unknown"
    WRONG_ADDRESS = "wrong_address"
    CONTEXT_TOO_LONG = "context_length"
    CONTENT_FILTER = "content_filter"
    INVALID_REQUEST = "refused"


class Fault(StrEnum):
    CLIENT = "client"
    PROVIDER = "provider"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Policy:
    """What follows from a meaning.

    ``code`` is what the client sees when no other route answers. ``may_retry``: the same
    upstream once more, where there is no other. ``rest_seconds``: the first cooldown of the
    upstream, which grows while failures go on; 0 for none. ``rests_route``: the rest is that of the
    one route, not of its upstream. ``tells_admin``: a person must act.
    """

    code: str
    fault: Fault
    may_fail_over: bool = True
    may_retry: bool = False
    rest_seconds: float = 0.0
    rests_route: bool = False
    tells_admin: bool = False


POLICIES: dict[Meaning, Policy] = {
    Meaning.BAD_CREDENTIAL: Policy("upstream_error", Fault.OPERATOR, rest_seconds=30, tells_admin=True),
    Meaning.NO_PERMISSION: Policy("upstream_error", Fault.OPERATOR, rest_seconds=60, tells_admin=True),
    Meaning.NO_BALANCE: Policy("upstream_error", Fault.OPERATOR, rest_seconds=300, tells_admin=True),
    Meaning.PLAN_ENDED: Policy("upstream_error", Fault.OPERATOR, rest_seconds=300, tells_admin=True),
    Meaning.RATE_LIMITED: Policy("overloaded", Fault.PROVIDER, rest_seconds=2),
    Meaning.OVERLOADED: Policy("overloaded", Fault.PROVIDER, may_retry=True, rest_seconds=1),
    Meaning.SERVER_ERROR: Policy("upstream_error", Fault.PROVIDER, may_retry=True, rest_seconds=1),
    Meaning.MODEL_UNKNOWN: Policy(
        "upstream_error", Fault.OPERATOR, rest_seconds=60, rests_route=True, tells_admin=True
    ),
    Meaning.WRONG_ADDRESS: Policy("upstream_error", Fault.OPERATOR, tells_admin=True),
    Meaning.CONTEXT_TOO_LONG: Policy("context_length_exceeded", Fault.CLIENT),  # a route with more context may do
    Meaning.CONTENT_FILTER: Policy("content_filter", Fault.CLIENT, may_fail_over=False),
    Meaning.INVALID_REQUEST: Policy("invalid_request", Fault.CLIENT, may_fail_over=False),
}
