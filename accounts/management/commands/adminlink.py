"""Prints a one-time link that makes an administrator."""

from typing import Any

from django.conf import settings
from django.urls import reverse

from accounts.adminlink import make_token
from smartoken.commands import OneLineCommand


class Command(OneLineCommand):
    help = "Print a link that makes one administrator; it is valid for a day, or until it was used."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(settings.SMARTOKEN_URL + reverse("admin_setup", args=[make_token()]))
