from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        post_migrate.connect(_install_triggers, sender=self)


def _install_triggers(using: str, **kwargs: Any) -> None:
    # After every migrate, not in a migration: SQLite drops a table's triggers when it alters the table.
    from accounts.versions import KEYS, install_triggers

    install_triggers(connections[using], version=KEYS, tables=["accounts_apikey", "accounts_organization"])
