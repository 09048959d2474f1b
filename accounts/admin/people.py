"""People, organizations and invitations."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from allauth.account.decorators import reauthentication_required
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import F, OuterRef, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import members
from accounts.models import APIKey, Invitation, ManagementKey, Membership, Organization, User
from billing import ledger, money
from billing.models import LedgerEntry, Limit, UsageRecord
from smartoken import movements
from smartoken.admin import RowAdmin, RowInline, link_to_list, show_form
from smartoken.movements import Movement, move_money

INVITATION_DAYS = 7


class MembershipInline(RowInline):
    model = Membership
    extra = 0
    autocomplete_fields = ("user",)
    fields = ("user", "role", "created_at")
    readonly_fields = ("created_at",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("user")


class OrganizationsInline(RowInline):
    """A person's organizations, to look at: they are changed on the organization's page."""

    model = Membership
    verbose_name_plural = "organizations"
    fields = readonly_fields = ("organization", "role", "created_at")
    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(User)
class UserAdmin(RowAdmin):
    list_display = ("email", "name", "is_active", "is_staff", "joined_at", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email__startswith",)
    search_help_text = "The beginning of the e-mail address"
    ordering = ("-joined_at",)
    fields = ("email", "name", "is_active", "is_staff", "is_superuser", "joined_at", "last_login")
    readonly_fields = ("email", "joined_at", "last_login")
    inlines = (OrganizationsInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # people sign up, or createkey makes them

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Who may change people must not be able to make themselves more than they are.
        more = () if request.user.is_superuser else ("is_active", "is_staff", "is_superuser")
        return (*super().get_readonly_fields(request, obj), *more)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        view = super().changeform_view
        # An administrator made in a browser left open could grant, and would stay when it is closed.
        guarded = reauthentication_required(view) if request.method == "POST" else view
        response: HttpResponse = guarded(request, object_id, form_url, extra_context)
        return response

    def kept_because(self, row: Any) -> str:
        return (
            f"{row} can't be deleted: keys and money are tied to people. Switch the person off instead; "
            "to stop the keys too, close the organization."
        )


class OrganizationForm(forms.ModelForm):
    class Meta:
        model = Organization
        fields = ("name", "time_zone")
        widgets: ClassVar = {"time_zone": UnfoldAdminTextInputWidget}

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"].strip()
        try:
            ZoneInfo(name)
        except (ValueError, OSError, LookupError):
            raise ValidationError("Write a zone such as Europe/Berlin or UTC.") from None
        return name


CLOSING = {
    False: "Its keys and its Playground are refused within a second, running answers are cut, and its members can't "
    "act in it. Its ledger stays, and it can be opened again.",
    True: "Its keys work again, and its members act in it as before.",
}


@admin.register(Organization)
class OrganizationAdmin(RowAdmin):
    form = OrganizationForm
    input_errors = (members.MemberError,)
    list_display = ("name", "owners", "balance", "created_at", "closed_at")
    search_fields = ("members__email__startswith", "name__startswith")
    search_help_text = "The beginning of the name or of a member's e-mail address"
    ordering = ("-pk",)
    fields = ("name", "time_zone", "wallet", "rows", "created_at", "closed_at")
    readonly_fields = ("wallet", "rows", "created_at", "closed_at")
    inlines = (MembershipInline,)
    actions_detail: Any = ("grant_credit", "adjust", "payout", "reverse", "close")

    def get_queryset(self, request: HttpRequest) -> Any:
        wallets = Limit.objects.filter(kind=Limit.Kind.WALLET, organization=OuterRef("pk"))
        balance = Subquery(wallets.values_list(F("limit_nanos") - F("spent_nanos")))
        rows = super().get_queryset(request).annotate(balance_nanos=balance)
        return rows.prefetch_related("memberships__user")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # made with its first member, at sign-up or by createkey

    def has_move_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("billing.add_ledgerentry")

    def kept_because(self, row: Any) -> str:
        return f"{row} can't be deleted: its ledger is kept for good."

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Let members come and go by the same ways as in the console: who goes takes no key along."""
        actor = request.user.get_username()
        formset.save(commit=False)
        for row in formset.new_objects:
            members.add_member(organization=row.organization, user=row.user, role=row.role, actor=actor)
        # New owners first, so that two can change places.
        for row, fields in sorted(formset.changed_objects, key=lambda pair: pair[0].role != Membership.Role.OWNER):
            if "user" in fields:
                raise members.MemberError("A membership is one person's: add the other, and remove this one.")
            members.set_role(membership=row, role=row.role, actor=actor)
        for row in formset.deleted_objects:
            members.remove_member(membership=row, actor=actor)

    @display(description="owner")
    def owners(self, row: Organization) -> str:
        return ", ".join(m.user.email for m in row.memberships.all() if m.role == Membership.Role.OWNER)

    @display(description="balance")
    def balance(self, row: Any) -> str:
        return money.format_exact(row.balance_nanos or 0)

    def wallet(self, row: Organization) -> str:
        # Looking must not write: a wallet is made with the first movement.
        wallet = Limit.objects.filter(kind=Limit.Kind.WALLET, organization=row).first() or Limit(limit_nanos=0)
        return (
            f"{money.format_exact(wallet.free_nanos or 0)} available · {money.format_exact(wallet.held_nanos)} held · "
            f"{money.format_exact(wallet.spent_nanos)} spent of {money.format_exact(wallet.limit_nanos or 0)}"
        )

    @display(description="belongs to it")
    def rows(self, row: Organization) -> SafeString:
        tables = (
            (APIKey, "API keys"),
            (ManagementKey, "management keys"),
            (UsageRecord, "usage"),
            (LedgerEntry, "ledger"),
            (Limit, "limits"),
        )
        links = [link_to_list(model, text, organization__id__exact=row.pk) for model, text in tables]
        return format_html_join(" · ", "{}", ((link,) for link in links))

    @action(description="Grant credit", url_path="grant-credit", permissions=["move"], icon="add_card")
    def grant_credit(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return self._move(request, object_id, movements.GRANT, ledger.grant)

    @action(description="Adjust", url_path="adjust", permissions=["move"], icon="balance")
    def adjust(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return self._move(request, object_id, movements.ADJUST, ledger.adjust)

    @action(description="Payout", url_path="payout", permissions=["move"], icon="credit_card")
    def payout(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return self._move(request, object_id, movements.PAYOUT, ledger.payout)

    @action(description="Reverse", url_path="reverse", permissions=["move"], icon="undo")
    def reverse(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return self._move(request, object_id, movements.REVERSE, ledger.reverse)

    def has_close_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("accounts.change_organization")

    @action(description="Close or reopen", url_path="close", permissions=["close"], icon="block")
    def close(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Close an organization, or open a closed one again: a question on GET, the deed on POST."""
        organization = self.get_object(request, str(object_id))
        if organization is None:
            raise Http404
        is_closed = organization.closed_at is not None
        if request.method != "POST":
            title = "Reopen" if is_closed else "Close"
            return show_form(
                self, request, organization, forms.Form(), title=title, submit=title, fact=CLOSING[is_closed]
            )
        members.set_closed(organization=organization, is_closed=not is_closed, actor=request.user.get_username())
        self.log_change(request, organization, "Reopened." if is_closed else "Closed.")
        messages.success(request, f"{organization} is {'open again' if is_closed else 'closed'}.")
        return redirect("admin:accounts_organization_change", object_id)

    @method_decorator(reauthentication_required)
    def _move(
        self, request: HttpRequest, object_id: int, movement: Movement, write: Callable[..., LedgerEntry]
    ) -> HttpResponse:
        organization = self.get_object(request, str(object_id))
        if organization is None:
            raise Http404
        return move_money(
            self,
            request,
            organization,
            movement,
            partial(write, organization=organization),
            fact=self.wallet(organization),
        )


class InvitationForm(forms.ModelForm):
    """An invitation to sign up: one for an address."""

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].lower()
        if Invitation.objects.filter(email__iexact=email, organization=None).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("This address has an invitation: change when that expires.")
        return email


@admin.register(Invitation)
class InvitationAdmin(RowAdmin):
    form = InvitationForm
    list_display = ("email", "organization", "created_at", "expires_at", "accepted_at")
    list_select_related = ("organization",)
    ordering = ("-pk",)
    search_fields = ("email__startswith",)
    fields = ("email", "expires_at", "organization", "role", "invited_by", "created_at", "accepted_at")
    readonly_fields = ("organization", "role", "invited_by", "created_at", "accepted_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # An invitation is for one address; another address is another invitation.
        return (*super().get_readonly_fields(request, obj), "email") if obj else self.readonly_fields

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"expires_at": timezone.now() + timedelta(days=INVITATION_DAYS)}
