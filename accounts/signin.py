"""The form of the sign-in page."""

from typing import Any

from allauth.account.forms import LoginForm as AllauthLoginForm
from django.conf import settings


class LoginForm(AllauthLoginForm):
    """Allauth's, which says what remembering means: for how long, and what happens without it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        days = settings.SESSION_COOKIE_AGE // 86_400
        remember = self.fields["remember"]
        remember.label = f"Stay signed in for {days} days"
        remember.help_text = "Otherwise until this browser is closed. Not on a computer that others use."
