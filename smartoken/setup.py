"""The page behind the administrator's one-time link."""

from typing import Any

from django import forms
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts.adminlink import AddressTakenError, AdminLinkError, check_token, create_administrator
from accounts.models import User

TEMPLATE = "smartoken/admin_setup.html"


class AdministratorForm(forms.Form):
    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "username"}))
    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
        help_text="10 characters or more.",
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if password := given.get("password"):
            try:
                validate_password(password, User(email=given.get("email", "")))
            except forms.ValidationError as error:
                self.add_error("password", error)
        return given


@never_cache
@sensitive_post_parameters("password")
def admin_setup(request: HttpRequest, token: str) -> HttpResponse:
    """Ask for an address and a password; make the administrator and sign them in."""
    form = AdministratorForm(request.POST or None)
    try:
        check_token(token)
        if form.is_valid():
            user = create_administrator(token=token, **form.cleaned_data)
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            return redirect("admin:index")
    except AdminLinkError as error:
        return render(request, TEMPLATE, {"problem": str(error)}, status=410)
    except AddressTakenError as error:
        form.add_error("email", str(error))
    return render(request, TEMPLATE, {"form": form})
