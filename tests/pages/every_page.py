"""Each named page of the site, with what four people get there, and an organization full of rows that are its own.

A page that is added must be listed in ``PAGES``: the tests fail until it is.
"""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from accounts import invitations, keys, people
from accounts.models import Membership, User
from billing import ledger, pricing
from billing.models import TopUp, UsageRecord
from billing.money import NANOS
from playground import history
from tests.passkeys import add_passkey

PEOPLE = ("visitor", "member", "owner", "stranger")
"""Nobody signed in; a plain member and the owner of the organization; the owner of another organization."""


@dataclass(frozen=True, slots=True)
class Page:
    """What each of PEOPLE gets on GET, and the arguments of the address: names of ``Place``'s rows or texts."""

    expected: tuple[int, int, int, int]
    arguments: dict[str, str] = field(default_factory=dict)


def _page(*expected: int, **arguments: str) -> Page:
    visitor, member, owner, stranger = expected
    return Page((visitor, member, owner, stranger), arguments)


PASSWORD = "a password"
"""Everybody's."""

ANYONE = (200, 200, 200, 200)
SIGNED_IN = (302, 200, 200, 200)
SIGNED_OUT = (200, 302, 302, 302)
NOT_MEMBERS = (302, 403, 200, 200)
OWN_ROW = (302, 404, 200, 404)
POST_ONLY = (405, 405, 405, 405)
LEADS_AWAY = (302, 302, 302, 302)
WITHOUT_TOTP = (302, 404, 404, 404)

PAGES = {
    "home": _page(*ANYONE),
    "robots": _page(*ANYONE),
    "sitemap": _page(*ANYONE),
    "llms": _page(*ANYONE),
    "models": _page(*ANYONE),
    "model": _page(*ANYONE, slug="internlm"),
    "pricing": _page(*ANYONE),
    "changelog": _page(*ANYONE),
    "docs": _page(*ANYONE),
    "docs_page": _page(*ANYONE, slug="chat-completions"),
    "docs_search": _page(*ANYONE),
    "docs_markdown": _page(*ANYONE, slug="charging"),
    "styleguide": _page(*ANYONE),
    "status": _page(*ANYONE),
    "privacy": _page(*ANYONE),
    "terms": _page(404, 404, 404, 404),
    "support": _page(404, 404, 404, 404),
    "playground": _page(*SIGNED_IN),
    "playground_run": _page(*POST_ONLY),
    "playground_call": _page(302, 405, 405, 405),
    "playground_history": _page(*SIGNED_IN),
    "playground_history_save": _page(302, 405, 405, 405),
    "playground_history_choose": _page(302, 405, 405, 405),
    "playground_history_delete_all": _page(302, 405, 405, 405),
    "playground_history_delete": _page(302, 405, 405, 405, pk="conversation"),
    "playground_charge": _page(*SIGNED_IN, pk="record"),
    "stripe_webhook": _page(404, 404, 404, 404),
    "admin_setup": _page(410, 410, 410, 410, token="used"),
    # the console
    "dashboard": _page(*SIGNED_IN),
    "keys": _page(*SIGNED_IN),
    "key_new": _page(*SIGNED_IN),
    "key": _page(*OWN_ROW, pk="key"),
    "key_revoke": _page(*OWN_ROW, pk="key"),
    "key_rotate": _page(*OWN_ROW, pk="key"),
    "key_hand_over": _page(*OWN_ROW, pk="key"),
    "key_first_call": _page(*OWN_ROW, pk="key"),
    "usage": _page(*SIGNED_IN),
    "refused": _page(*SIGNED_IN),
    "usage_csv": _page(*SIGNED_IN),
    "request": _page(*OWN_ROW, pk="record"),
    "wallet": _page(*NOT_MEMBERS),
    "receipts": _page(*NOT_MEMBERS),
    "receipt": _page(302, 403, 200, 404, pk="top_up"),
    "statements": _page(*NOT_MEMBERS),
    "statement": _page(*NOT_MEMBERS, month="month"),
    "statement_csv": _page(*NOT_MEMBERS, month="month"),
    "statement_entries_csv": _page(*NOT_MEMBERS, month="month"),
    "audit": _page(*NOT_MEMBERS),
    "members": _page(*NOT_MEMBERS),
    "management_keys": _page(*NOT_MEMBERS),
    "management_key_revoke": _page(302, 403, 405, 405, pk="1"),
    # for programs: nobody's session opens it
    "api_keys": _page(401, 401, 401, 401),
    "api_key": _page(401, 401, 401, 401, pk="1"),
    "api_usage": _page(401, 401, 401, 401),
    "api_wallet": _page(401, 401, 401, 401),
    "api_schema": _page(*ANYONE),
    "member": _page(302, 403, 200, 404, pk="membership"),
    "member_role": _page(302, 403, 405, 405, pk="membership"),
    "invitation_withdraw": _page(302, 403, 405, 405, pk="waiting"),
    "leave": _page(*SIGNED_IN),
    "organization_switch": _page(302, 405, 405, 405),
    "organization_new": _page(302, 405, 405, 405),
    "invitation_accept": _page(302, 405, 405, 405, pk="waiting"),
    "invitation": _page(410, 410, 410, 410, secret="nobody-knows-it"),
    "settings": _page(*SIGNED_IN),
    "account_close": _page(*SIGNED_IN),
    # a person's own account, by allauth
    "account_login": _page(*SIGNED_OUT),
    "account_logout": _page(*SIGNED_IN),
    "account_signup": _page(*SIGNED_OUT),
    "account_inactive": _page(*ANYONE),
    "account_reauthenticate": _page(*SIGNED_IN),
    "account_email": _page(*SIGNED_IN),
    "account_email_verification_sent": _page(*ANYONE),
    "account_confirm_email": _page(*ANYONE, key="wrong"),
    "account_change_password": _page(*SIGNED_IN),
    "account_set_password": _page(*LEADS_AWAY),
    "account_reset_password": _page(*ANYONE),
    "account_reset_password_done": _page(*ANYONE),
    "account_reset_password_from_key": _page(*ANYONE, uidb36="1", key="wrong"),
    "account_reset_password_from_key_done": _page(*ANYONE),
    "account_confirm_login_code": _page(*LEADS_AWAY),
    "mfa_index": _page(*SIGNED_IN),
    "mfa_authenticate": _page(*LEADS_AWAY),
    "mfa_list_webauthn": _page(*SIGNED_IN),
    "mfa_add_webauthn": _page(*SIGNED_IN),
    "mfa_edit_webauthn": _page(302, 404, 200, 404, pk="passkey"),
    "mfa_remove_webauthn": _page(302, 404, 200, 404, pk="passkey"),
    "mfa_login_webauthn": _page(*LEADS_AWAY),
    "mfa_reauthenticate_webauthn": _page(302, 302, 200, 302),
    "mfa_reauthenticate": _page(*LEADS_AWAY),
    "mfa_activate_totp": _page(*SIGNED_IN),
    "mfa_deactivate_totp": _page(*WITHOUT_TOTP),
    "mfa_view_recovery_codes": _page(*WITHOUT_TOTP),
    "mfa_generate_recovery_codes": _page(*SIGNED_IN),
    "mfa_download_recovery_codes": _page(*WITHOUT_TOTP),
    "usersessions_list": _page(*SIGNED_IN),
}


def list_names(namespace: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the name of each address in this namespace, with the parts that it takes as texts."""
    for found, name, pattern in _walk(get_resolver().url_patterns):
        if name and found == namespace:
            yield name, dict.fromkeys(pattern.pattern.regex.groupindex, "1")


def _walk(patterns: list[Any], namespace: str = "") -> Iterator[tuple[str, str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, pattern.namespace or namespace)
        else:
            yield namespace, pattern.name, pattern


@dataclass(frozen=True, slots=True)
class Place:
    """An organization with rows of every kind, another one beside it, and the people.

    ``marks`` are texts that stand only in the first one's rows, ``owners_marks`` those of rows
    that a plain member may not see.
    """

    people: dict[str, User | None]
    arguments: dict[str, str]
    marks: list[str]
    owners_marks: list[str]

    def arguments_of(self, page: Page) -> dict[str, str]:
        return {name: self.arguments.get(value, value) for name, value in page.arguments.items()}


def sign_in(user: User) -> Client:
    """Return a browser whose person has just typed the password."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time(), "reauthenticated": True}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return client


def make_place() -> Place:
    """Write the rows. The database must hold the catalogue."""
    owner = people.ensure_member(email="zebra-owner@example.com")[0]
    organization = owner.organization
    organization.name = "Zebra Works"
    organization.save()
    plain = people.ensure_member(email="zebra-member@example.com")[0].user
    plain.memberships.update(organization=organization, role=Membership.Role.MEMBER)
    stranger = people.ensure_member(email="stranger@example.com")[0].user
    users = {"member": plain, "owner": owner.user, "stranger": stranger}
    EmailAddress.objects.update(verified=True)
    User.objects.update(password=PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1))
    key, _ = keys.create_key(
        organization=organization, created_by=owner.user, name="Zebra nightly", daily_budget_nanos=5 * NANOS
    )
    ledger.grant(organization=organization, nanos=7 * NANOS, actor="zebra-operator")
    top_up = TopUp.objects.create(
        organization=organization,
        user=owner.user,
        state=TopUp.State.PAID,
        cents=1234,
        amount_nanos=12_340_000_000,
        payment="pi_zebra",
        paid_at=timezone.now(),
    )
    record = _write_records(owner, key)
    conversation = history.save(membership=owner, content=CONVERSATION)
    passkey = add_passkey(owner.user, name="Zebra laptop")
    waiting, _ = invitations.invite(
        organization=organization, email="zebra-invited@example.com", role="admin", invited_by=owner.user
    )
    owners = ["zebra-invited", "Zebra nightly", key.prefix, str(record.pk), "pi_zebra", "zebra-operator"]
    owners += ["Do zebras sleep?", "Zebra laptop"]
    return Place(
        people={"visitor": None} | {name: User.objects.get(pk=user.pk) for name, user in users.items()},
        arguments={
            "key": str(key.pk),
            "record": str(record.pk),
            "top_up": str(top_up.pk),
            "conversation": str(conversation),
            "passkey": str(passkey.pk),
            "membership": str(plain.memberships.get().pk),
            "waiting": str(waiting.pk),
            "month": f"{timezone.now():%Y-%m}",
        },
        marks=["Zebra Works", "zebra-owner@", *owners],
        owners_marks=owners,
    )


CONVERSATION = {"columns": [{"model": "kimi", "messages": [{"role": "user", "content": "Do zebras sleep?"}]}]}
ATTEMPTS = [
    {"route": "Moonshot AI · kimi-api · kimi", "outcome": "skipped", "reason": "cooldown"},
    {
        "route": "Aggregator · other · kimi",
        "outcome": "failed",
        "reason": "rate_limited",
        "status": 429,
        "at_ms": 2,
        "ms": 398,
    },
]


def _write_records(owner: Membership, key: Any) -> UsageRecord:
    """Write a failed request, which is returned, and some of the days before that were paid for."""
    now = timezone.now()
    price = pricing.set_price(model="kimi", input_micros=600_000, cached_micros=150_000, output_micros=2_500_000)

    def write(created_at: datetime, **fields: Any) -> UsageRecord:
        return UsageRecord.objects.create(
            id=uuid.uuid4(),
            organization=owner.organization,
            key=key,
            stream=True,
            count_source="provider",
            input_estimate=1500,
            output_limit=4096,
            held_nanos=NANOS,
            input_tokens=1000,
            output_tokens=50,
            price=price,
            total_ms=400,
            started_at=created_at - timedelta(seconds=1),
            created_at=created_at,
            **fields,
        )

    paid = {"status": UsageRecord.Status.COMPLETED, "http_status": 200, "ended_by": "completed", "first_token_ms": 90}
    for number in range(1, 13):
        write(
            now - timedelta(hours=17 * number),
            model=("kimi", "deepseek", "qwen")[number % 3],
            charge_nanos=number * NANOS // 7,
            **paid,
        )
    return write(
        now,
        model="kimi",
        status=UsageRecord.Status.FAILED,
        http_status=502,
        ended_by="upstream",
        error_code="upstream_error",
        charge_nanos=0,
        attempts=ATTEMPTS,
    )
