"""allauth's forms with a password, in the words of this site."""

from typing import Any

from allauth.account.forms import ChangePasswordForm, LoginForm, ResetPasswordKeyForm, SignupForm
from django.conf import settings

RULES = "10 characters or more; no common password, and nothing like your address."


class SignInForm(LoginForm):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        remember = self.fields["remember"]
        remember.label = f"Stay signed in for {settings.SESSION_COOKIE_AGE // 86_400} days"
        remember.help_text = "Otherwise until this browser is closed. Not on a computer that others use."


class AccountForm(SignupForm):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["password1"].help_text = RULES


class NewPasswordForm(ResetPasswordKeyForm):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        _name_new(self)


class OtherPasswordForm(ChangePasswordForm):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["oldpassword"].label = "Present password"
        _name_new(self)


def _name_new(form: Any) -> None:
    form.fields["password1"].label, form.fields["password2"].label = "New password", "The new one again"
    form.fields["password1"].help_text = RULES
