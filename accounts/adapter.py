"""How allauth's sign-up and confirmation work on this site: who may, what they get, where links lead."""

import hashlib
import logging
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode, urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.signup import prevent_enumeration
from allauth.account.models import EmailAddress
from allauth.account.utils import get_next_redirect_url
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.forms import BaseForm
from django.http import HttpRequest

from accounts.invitations import accept_invitation, is_invited, may_join
from accounts.members import create_organization
from accounts.models import Membership, Organization, User
from billing import ledger, money
from billing.models import LedgerEntry

SIGNUP_URLS = ("account_signup", "account_signup_by_passkey")
LINKS = ("activate_url", "password_reset_url", "signup_url")
MAIL_SENT = "account/messages/email_confirmation_sent.txt"
UNSAID = ("account/messages/logged_in.txt", MAIL_SENT)
"""Messages that only repeat what the page that follows says; to a visitor, in the second case."""

AGAIN_BY = {
    "reauthenticate": "Use the password",
    "mfa_reauthenticate": "Use a code",
    "mfa_reauthenticate:webauthn": "Use a passkey",
}
"""How people confirm that it is them, in the words of this site."""

NOT_SENT = "A mail could not be sent just now. Try again later; if it stays so, tell the operator."

CONFIRMATION_LINK = "confirmation_link"
"""Session key: where no mail can be sent, the page shows the link instead."""

logger = logging.getLogger(__name__)


def _may_show_links() -> bool:
    """Tell whether whoever signs up may see the link that proves an address.

    Only while anybody may sign up on a site for trying out: with other rules the
    administrator, in whose log the link stands, passes it on.
    """
    return settings.EMBEDDED and settings.SIGNUP == "open" and not settings.MAIL_CONFIGURED


def check_signup_address(email: str) -> None:
    """Raise ValidationError where the site's sign-up is not open for this address."""
    if settings.SIGNUP == "domains" and email.rpartition("@")[2].lower() not in settings.SIGNUP_DOMAINS:
        domains = ", ".join(settings.SIGNUP_DOMAINS)
        raise ValidationError(f"Sign-up is open for addresses at {domains} only.")
    if settings.SIGNUP == "invited" and not is_invited(email=email):
        raise ValidationError("There is no open invitation for this address: ask the operator for one.")


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "No account has this address and password: check both, or reset the password.",
        "incorrect_password": "This is not your password: type it again, or reset it.",
        "enter_current_password": "This is not your password: type it again, or reset it.",
        "too_many_login_attempts": "Too many tries: wait five minutes, then try again.",
        "rate_limited": "Too many tries: wait a few minutes, then try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.SIGNUP != "closed")

    def clean_email(self, email: str) -> str:
        # Password reset and added addresses come here too: they are no sign-up.
        match = self.request.resolver_match if self.request else None
        if match and match.url_name in SIGNUP_URLS:
            check_signup_address(email)
        return email

    def save_user(
        self, request: HttpRequest, user: AbstractBaseUser, form: BaseForm, commit: bool = True
    ) -> AbstractBaseUser:
        """Make the user and their organization, both or none; an invited one joins that which waits for them."""
        assert isinstance(user, User)
        email = form.cleaned_data["email"] = form.cleaned_data["email"].lower()
        try:
            with transaction.atomic():
                super().save_user(request, user, form, commit=commit)
                if not may_join(email=email):
                    create_organization(owner=user)
        except IntegrityError:
            # The same address signed up between this form's check and now: answered as if it had been there.
            raise ImmediateHttpResponse(prevent_enumeration(request, email=email)) from None
        return user

    @transaction.atomic
    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        if not super().confirm_email(request, email_address):
            return False
        request.session.pop(CONFIRMATION_LINK, None)
        accept_invitation(email=email_address.email)
        give_signup_credit(email_address)
        return True

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *args: Any, **options: Any
    ) -> None:
        if message_template in UNSAID and (message_template != MAIL_SENT or request.user.is_anonymous):
            return
        super().add_message(request, level, message_template, *args, **options)

    def get_reauthentication_methods(self, user: AbstractBaseUser | AnonymousUser) -> list[dict[str, str]]:
        methods: list[dict[str, str]] = super().get_reauthentication_methods(user)
        return [method | {"description": AGAIN_BY.get(method["id"], method["description"])} for method in methods]

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail whose links lead to the public address, whatever the Host header said."""
        request = self.request
        public = {name: _public_link(context[name]) for name in LINKS if context.get(name)}
        onward = get_next_redirect_url(request) if request else None
        if onward and "activate_url" in public:
            # The link may be opened in another browser, which knows nothing of this session.
            public["activate_url"] += "?" + urlencode({"next": onward})
        if "activate_url" in public and _may_show_links():
            request.session[CONFIRMATION_LINK] = public["activate_url"]
        site = SimpleNamespace(name="SmarToken", domain=urlsplit(settings.SMARTOKEN_URL).netloc)
        try:
            super().send_mail(template_prefix, email, {**context, "current_site": site, **public})
        except OSError:
            # What the mail is about has happened, and whether there is such an account must not show.
            logger.exception("a mail could not be sent: %s", template_prefix)
            if request:
                messages.error(request, NOT_SENT)


def _public_link(url: str) -> str:
    parts = urlsplit(url)
    return settings.SMARTOKEN_URL + parts.path + (f"?{parts.query}" if parts.query else "")


@transaction.atomic
def give_signup_credit(email_address: EmailAddress) -> None:
    """Give a new organization its credit: once per address, and once per organization."""
    nanos = money.parse_usd(settings.SIGNUP_CREDIT_USD)
    owned = Membership.objects.filter(user=email_address.user_id, role=Membership.Role.OWNER).order_by("pk").first()
    if not nanos or not owned:
        return
    organization = Organization.objects.select_for_update(no_key=True).get(pk=owned.organization_id)
    reference = "signup:" + hashlib.sha256(email_address.email.lower().encode()).hexdigest()
    entries = LedgerEntry.objects.filter(kind=LedgerEntry.Kind.GRANT)
    is_given = Q(organization=organization, reference__startswith="signup:") | Q(reference=reference)
    if entries.filter(is_given).exists():
        return
    ledger.grant(
        organization=organization,
        nanos=nanos,
        actor="sign-up",
        reason="Credit for a confirmed address",
        reference=reference,
    )
