"""The page on which a person closes their account."""

from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from accounts import closing
from accounts.forms import CloseForm
from accounts.members import MemberError
from billing.ledger import get_wallet
from playground import history


@login_required
@reauthentication_required
@never_cache
def close_account(request: HttpRequest) -> HttpResponse:
    """Tell what is kept and what ends, ask for the address, then close the account."""
    assert request.user.is_authenticated
    user, partings = request.user, closing.list_partings(user=request.user)
    form = CloseForm(request.POST or None, email=user.email)
    if request.method == "POST" and form.is_valid():
        try:
            closing.close_account(user=user)
        except MemberError as error:
            form.add_error(None, str(error))
        else:
            history.forget_person(user=user)  # if this is cut off, the hourly task does it
            logout(request)
            messages.success(request, "Your account is closed.")
            return redirect("home")
    context = {
        "form": form,
        "usage_days": settings.USAGE_DAYS,
        "partings": [(each, get_wallet(organization=each.membership.organization)) for each in partings],
        "is_possible": not user.is_staff and not any(each.stands_in_the_way for each in partings),
    }
    return render(request, "accounts/account_close.html", context)
