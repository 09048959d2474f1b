"""The page behind the administrator's one-time link."""

from typing import Any

from allauth.account.models import EmailAddress
from django import forms
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts.adminlink import AdminLinkError, check_token, create_administrator


class AdministratorForm(forms.Form):
    email = forms.EmailField(label="E-mail address")
    password = forms.CharField(
        label="Password", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), strip=False
    )

    def clean_password(self) -> Any:
        validate_password(self.cleaned_data["password"])
        return self.cleaned_data["password"]


@never_cache
@sensitive_post_parameters("password")
def admin_setup(request: HttpRequest, token: str) -> HttpResponse:
    """Ask for an address and a password; make the administrator and sign them in."""
    form = AdministratorForm(request.POST or None)
    try:
        check_token(token)
        if request.method == "POST" and form.is_valid():
            user = create_administrator(token=token, **form.cleaned_data)
            EmailAddress.objects.get_or_create(
                user=user, email=user.email, defaults={"verified": True, "primary": True}
            )
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            return redirect("admin:index")
    except AdminLinkError as error:
        if "address" not in str(error):
            return render(request, "smartoken/admin_setup.html", {"problem": str(error)}, status=410)
        form.add_error("email", str(error))
    return render(request, "smartoken/admin_setup.html", {"form": form})
