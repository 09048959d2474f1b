"""What stands in the way of a Playground call before it is made, and what helps after it failed."""

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from accounts.models import APIKey, Membership
from billing import usage
from billing.ledger import get_wallet
from routing.errors import ERRORS


@dataclass(frozen=True, slots=True)
class Standing:
    """``key_state``: active, spent, expired or revoked. ``key_address`` is empty for who may not edit the key."""

    is_wallet_empty: bool
    may_see_wallet: bool
    key_state: str = "active"
    key_address: str = ""
    spent_budget: str = ""
    resets_at: datetime | None = None

    @property
    def cures(self) -> dict[str, dict[str, str]]:
        """Return code → what to do on this page, with a link where one helps."""
        cures = {code: {"text": kind.cure} for code, kind in ERRORS.items()}
        cures["broken_off"] = {"text": "What had come is kept above. Try again."}
        ask = {"text": "Ask an owner of the organization."}
        cures["insufficient_quota"] = (
            {"text": "", "address": reverse("wallet"), "label": "Add credit to the wallet"}
            if self.may_see_wallet
            else ask
        )
        edit = {"text": "", "address": self.key_address, "label": "Edit the Playground key"}
        cures |= dict.fromkeys(KEY_CODES, edit if self.key_address else ask)
        return cures


KEY_CODES = ("budget_exceeded", "model_not_allowed", "address_not_allowed", "invalid_api_key", "rate_limit_exceeded")


def read_standing(membership: Membership) -> Standing:
    """Read the wallet and the organization's Playground key, which is made with the first call."""
    wallet = get_wallet(organization=membership.organization)
    is_wallet_empty = (wallet.free_nanos or 0) <= 0
    may_edit = membership.role != Membership.Role.MEMBER
    may_see_wallet = membership.role == Membership.Role.OWNER
    key = APIKey.objects.filter(organization=membership.organization, kind=APIKey.Kind.PLAYGROUND).first()
    if key is None:
        return Standing(is_wallet_empty, may_see_wallet)
    address = reverse("key", args=[key.pk]) if may_edit else ""
    if key.state != "active":
        return Standing(is_wallet_empty, may_see_wallet, key.state, address)
    for name, budget in zip(("daily", "monthly"), usage.read_budgets(keys=[key])[key.pk], strict=True):
        if budget.limit is not None and budget.spent >= budget.limit:
            return Standing(is_wallet_empty, may_see_wallet, "spent", address, name, budget.ends_at)
    return Standing(is_wallet_empty, may_see_wallet, key_address=address)
