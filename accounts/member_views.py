"""The console's pages of an organization's members, their invitations, and the way from one organization to another."""

from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings as site_settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core import mail
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts import invitations, members
from accounts.forms import InviteForm, PartingForm, RoleForm
from accounts.middleware import SESSION_KEY, MemberRequest, membership_required, owner_required
from accounts.models import Invitation, Membership
from accounts.pages import page_by_id

NEW_LINK = "new_invitation"
"""Session key: the link of the invitation that was just made, to be shown once."""


@owner_required
@never_cache
def list_members(request: MemberRequest) -> HttpResponse:
    """List members and open invitations; a POST invites somebody."""
    organization = request.membership.organization
    form = InviteForm(request.POST or None, initial={"role": Membership.Role.MEMBER})
    if request.method == "POST" and form.is_valid():
        try:
            invitation, secret = invitations.invite(
                organization=organization, invited_by=request.user, **form.cleaned_data
            )
        except invitations.InvitationError as error:
            form.add_error("email", str(error))
        else:
            _pass_on(request, invitation, secret)
            return redirect("members")
    context = {
        "form": form,
        "page": page_by_id(organization.memberships.select_related("user"), request.GET.get("after", "")),
        "is_later_page": "after" in request.GET,
        "roles": Membership.Role.choices,
        "invitations": invitations.list_open(organization=organization),
        "now": timezone.now(),
        "new_link": request.session.pop(NEW_LINK, None),
    }
    return render(request, "accounts/members.html", context)


def _pass_on(request: MemberRequest, invitation: Invitation, secret: str) -> None:
    """Mail the link where the site sends mail; the next page shows it in any case."""
    link = site_settings.SMARTOKEN_URL + reverse("invitation", args=[secret])
    request.session[NEW_LINK] = {"email": invitation.email, "link": link, "is_mailed": _mail(request, invitation, link)}


def _mail(request: MemberRequest, invitation: Invitation, link: str) -> bool:
    if not site_settings.MAIL_CONFIGURED:
        return False
    organization = " ".join(request.membership.organization.name.split())
    text = render_to_string(
        "accounts/mails/invitation.txt", {"invitation": invitation, "link": link, "organization": organization}
    )
    try:
        mail.EmailMessage(f"SmarToken: join {organization}", text, None, [invitation.email]).send()
    except OSError:
        return False
    return True


@owner_required
@require_POST
def change_role(request: MemberRequest, pk: int) -> HttpResponse:
    membership = _find(request, pk)
    form = RoleForm(request.POST)
    if form.is_valid():
        _try(
            request,
            f"{membership.user} has the role {form.cleaned_data['role']} from now on.",
            lambda: members.set_role(membership=membership, role=form.cleaned_data["role"], actor=request.user.email),
        )
    else:
        messages.error(request, "Choose one of the roles in the list: nothing was changed.")
    return redirect("members")


@owner_required
@never_cache
def remove_member(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask, then end a membership."""
    membership = _find(request, pk)
    return _part(request, membership, f"{membership.user} is no member any more", stay="members")


@membership_required
@never_cache
def leave(request: MemberRequest) -> HttpResponse:
    """Ask, then end one's own membership."""
    name = request.membership.organization.name
    return _part(request, request.membership, f"You have left {name}", stay="settings")


def _part(request: MemberRequest, membership: Membership, done: str, *, stay: str) -> HttpResponse:
    """Ask what becomes of the keys of who goes, then end the membership."""
    is_self = membership.user == request.user
    data = request.POST if request.method == "POST" else None
    form = PartingForm(data, membership=membership, is_self=is_self)
    if not form.is_valid():
        context = {"member": membership, "is_self": is_self, "form": form, "stay": stay}
        return render(request, "accounts/member_remove.html", context)
    heir, whose = form.cleaned_data.get("heir"), "your" if is_self else "their"
    fate = f"{whose} keys are {heir.user}'s now" if heir else f"{whose} keys are revoked"
    is_done = _try(
        request,
        f"{done}; {fate}.",
        lambda: members.remove_member(membership=membership, actor=request.user.email, heir=heir),
    )
    return redirect("dashboard" if is_done and is_self else stay)


def _try(request: MemberRequest, done: str, change: Any) -> bool:
    try:
        change()
    except members.MemberError as error:
        messages.error(request, str(error))
        return False
    messages.success(request, done)
    return True


def _find(request: MemberRequest, pk: int) -> Membership:
    memberships = Membership.objects.select_related("user", "organization")
    found: Membership = get_object_or_404(memberships, pk=pk, organization=request.membership.organization_id)
    return found


@owner_required
@require_POST
def withdraw(request: MemberRequest, pk: int) -> HttpResponse:
    waiting = invitations.list_open(organization=request.membership.organization)
    invitation = get_object_or_404(waiting, pk=pk)
    invitations.withdraw(invitation=invitation, actor=request.user.email)
    messages.success(request, f"The invitation of {invitation.email} is withdrawn.")
    return redirect("members")


# --- the person who is invited -----------------------------------------------


@never_cache
def show_invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Tell what an invitation offers; a POST accepts it."""
    invitation = invitations.find_by_secret(secret)
    if invitation is None:
        return render(request, "accounts/invitation_over.html", status=410)
    if request.method == "POST":
        return _join(request, invitation)
    is_theirs = request.user.is_authenticated and invitations.is_for(invitation, request.user)
    assert invitation.organization
    with timezone.override(ZoneInfo(invitation.organization.time_zone)):
        context = {"invitation": invitation, "is_theirs": is_theirs, "here": request.path}
        return render(request, "accounts/invitation.html", context)


@login_required
@require_POST
def accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept an invitation that waits for a confirmed address of the person who is signed in."""
    assert request.user.is_authenticated
    waiting = {invitation.pk: invitation for invitation in invitations.list_waiting(user=request.user)}
    if pk not in waiting:
        return render(request, "accounts/invitation_over.html", status=404)
    return _join(request, waiting[pk])


def _join(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    if not request.user.is_authenticated:
        return redirect("account_login")
    try:
        membership = invitations.join(invitation=invitation, user=request.user)
    except invitations.InvitationError as error:
        messages.error(request, str(error))
        return render(request, "accounts/invitation_over.html", status=410)
    request.session[SESSION_KEY] = membership.organization_id
    messages.success(request, f"You belong to {membership.organization.name} now. Your role: {membership.role}.")
    return redirect("dashboard")


# --- organizations -------------------------------------------------------------


@login_required
@require_POST
def switch(request: HttpRequest) -> HttpResponse:
    """Act in another of one's organizations from now on."""
    assert request.user.is_authenticated
    asked = request.POST.get("organization", "")
    own = [str(each.organization_id) for each in members.list_memberships(user=request.user)]
    if asked in own:
        request.session[SESSION_KEY] = int(asked)
    else:
        messages.error(request, "You are no member of that organization any more.")
    return redirect("dashboard")


@login_required
@require_POST
def create_own(request: HttpRequest) -> HttpResponse:
    """Make an organization for a person who has none."""
    assert request.user.is_authenticated
    if not members.list_memberships(user=request.user):
        members.create_organization(owner=request.user)
    return redirect("dashboard")
