from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import connections
from django.db.models.signals import post_migrate


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from billing.payments.checks import check_stripe

        checks.register(check_stripe)
        post_migrate.connect(_install_triggers, sender=self)


def _install_triggers(using: str, **kwargs: Any) -> None:
    from accounts.versions import ROUTES, install_triggers
    from billing.ledger import install_append_only

    install_triggers(connections[using], version=ROUTES, tables=["billing_price", "billing_exchangerate"])
    install_append_only(connections[using])
