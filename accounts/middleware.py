"""Gives each request of a signed-in person the membership they act in."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from accounts.members import find_membership
from accounts.models import Membership, User

SESSION_KEY = "organization"


class MemberRequest(HttpRequest):
    """What a view behind ``membership_required`` gets."""

    user: User
    membership: Membership


class OrganizationMiddleware(MiddlewareMixin):
    """Sets ``request.membership``: the one the session names, else the oldest; None for everybody else."""

    def process_request(self, request: HttpRequest) -> None:
        membership = None
        if request.user.is_authenticated:
            chosen = request.session.get(SESSION_KEY)
            membership = find_membership(user=request.user, organization_id=chosen)
        request.membership = membership  # type: ignore[attr-defined]


def membership_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let in who is signed in and belongs to an organization, whose time zone is in force then.

    Others are led to sign in, or told what to do.
    """

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        membership = getattr(request, "membership", None)
        if membership is None:
            return render(request, "accounts/no_organization.html", status=403)
        with timezone.override(ZoneInfo(membership.organization.time_zone)):
            return view(request, *args, **kwargs)

    return guarded


def wallet_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let in who may see the organization's money: its owner and admins."""
    return _not_for_members(view, "billing/wallet_closed.html")


def audit_required(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let in who may see what others changed: the organization's owner and admins."""
    return _not_for_members(view, "accounts/audit_closed.html")


def _not_for_members(view: Callable[..., HttpResponseBase], closed: str) -> Callable[..., HttpResponseBase]:
    @membership_required
    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.membership.role == Membership.Role.MEMBER:
            return render(request, closed, status=403)
        return view(request, *args, **kwargs)

    return guarded
