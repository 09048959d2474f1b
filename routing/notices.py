"""What an administrator is told about upstreams, in words."""

import hashlib

from billing.alarms import alarm
from routing.dialects.meanings import Meaning
from routing.health import Alarm

MAX_NAME = 33

WORDS: dict[str, str] = {
    Meaning.BAD_CREDENTIAL: "refused this site's credential",
    Meaning.NO_PERMISSION: "says that this site's account may not do this",
    Meaning.NO_BALANCE: "says that this site's account there is empty",
    Meaning.PLAN_ENDED: "says that this site's plan there has ended",
    Meaning.MODEL_UNKNOWN: "does not know the model of a route",
    Meaning.WRONG_ADDRESS: "answers that its address leads nowhere",
    "redirect": "answers with a redirect, which is not followed: give it the address that it leads to",
    "bad_address": "has an address that can't be called",
    "address_not_allowed": "lies at an address that is not allowed on this site",
    "credential_missing": "has no credential: the variable that it names is not set in a gateway process",
    "credential_unreadable": "has a credential that a gateway process can't read: enter it again",
}
SET_ASIDE = (
    " twice in a row. Its routes are set aside until the credential changes or somebody puts it back in the admin."
)


def warn_admin(one: Alarm) -> None:
    """Tell the operator, at most once an hour for an upstream and a reason. Call it in a thread."""
    words = WORDS.get(one.reason, f"failed: {one.reason}")
    end = SET_ASIDE if one.is_set_aside else "."
    reason = "set_aside" if one.is_set_aside else one.reason
    alarm(alarm_name(reason, one.upstream), f"The upstream {one.upstream} {words}{end}")


def alarm_name(reason: str, upstream: str) -> str:
    """Return the name of an upstream's alarm, of its own also where it had to be cut."""
    name = f"{reason} {upstream}"
    if len(name) <= MAX_NAME:
        return name
    return f"{name[: MAX_NAME - 9]}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"
