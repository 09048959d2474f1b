"""Gives each request of a signed-in person the membership they act in."""

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.deprecation import MiddlewareMixin

from accounts.invitations import list_waiting
from accounts.members import choose_membership, list_memberships
from accounts.models import Membership, User

SESSION_KEY = "organization"
OWNERS = (Membership.Role.OWNER,)
LEADERS = (Membership.Role.OWNER, Membership.Role.ADMIN)


class MemberRequest(HttpRequest):
    """What a view behind ``membership_required`` gets."""

    user: User
    membership: Membership
    memberships: list[Membership]


class OrganizationMiddleware(MiddlewareMixin):
    """Sets ``request.membership``: the one the session names, else the oldest; None for everybody else.

    ``request.memberships`` are all of them. Error pages show both, and must not ask the database.
    What is drawn for somebody who is signed in is kept nowhere on its way, nor shown by "back" afterwards.
    """

    def process_request(self, request: HttpRequest) -> None:
        found = list_memberships(user=request.user) if request.user.is_authenticated else []
        chosen = request.session.get(SESSION_KEY) if found else None
        request.memberships = found  # type: ignore[attr-defined]
        request.membership = choose_membership(found, chosen)  # type: ignore[attr-defined]

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.user.is_authenticated and "Cache-Control" not in response:
            add_never_cache_headers(response)
        return response


def membership_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let in who is signed in and belongs to an organization, whose time zone is in force then.

    Others are led to sign in, or told what to do.
    """

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        membership = getattr(request, "membership", None)
        if membership is None:
            waiting = list_waiting(user=request.user)  # type: ignore[arg-type]
            return render(request, "accounts/no_organization.html", {"waiting": waiting}, status=403)
        with timezone.override(ZoneInfo(membership.organization.time_zone)):
            return view(request, *args, **kwargs)

    return guarded


def wallet_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let in who may see the organization's money: its owners."""
    return _only_for(OWNERS, view, "billing/wallet_closed.html")


def owner_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let in who decides about the organization's members: its owners."""
    return _only_for(OWNERS, view, "accounts/members_closed.html")


def management_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let in who may give programs the organization's keys: its owners."""
    return _only_for(OWNERS, view, "accounts/management_closed.html")


def audit_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let in who may see what others changed: the organization's owners and admins."""
    return _only_for(LEADERS, view, "accounts/audit_closed.html")


def _only_for(
    roles: Collection[str], view: Callable[..., HttpResponseBase], closed: str
) -> Callable[..., HttpResponseBase]:
    @membership_required
    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.membership.role not in roles:
            return render(request, closed, status=403)
        return view(request, *args, **kwargs)

    return guarded
