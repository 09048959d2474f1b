"""The console's page of management keys."""

from django.conf import settings as site_settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts import management_keys
from accounts.forms import ManagementKeyForm
from accounts.middleware import MemberRequest, management_required


@management_required
@never_cache
def list_keys(request: MemberRequest) -> HttpResponse:
    """List the keys; the answer to the form is the one page that shows a secret."""
    organization = request.membership.organization
    form, secret, key = ManagementKeyForm(request.POST or None), "", None
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        try:
            key, secret = management_keys.create(organization=organization, created_by=request.user, name=name)
        except management_keys.ManagementKeyError as error:
            form.add_error(None, str(error))
        else:
            form = ManagementKeyForm()
    context = {
        "form": form,
        "keys": management_keys.list_keys(organization=organization),
        "new": key,
        "secret": secret,
        "sample": f'curl {site_settings.SMARTOKEN_URL}/api/keys/ -H "Authorization: Bearer {secret}"',
    }
    return render(request, "accounts/management_keys.html", context)


@management_required
@require_POST
def revoke(request: MemberRequest, pk: int) -> HttpResponse:
    keys = management_keys.list_keys(organization=request.membership.organization)
    key = get_object_or_404(keys, pk=pk)
    management_keys.revoke(key=key, actor=request.user.email)
    messages.success(request, f"“{key.name}” is revoked.")
    return redirect("management_keys")
