from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate

TABLES = ("family", "model", "alias", "provider", "upstream", "pool", "route")


class RoutingConfig(AppConfig):
    name = "routing"

    def ready(self) -> None:
        post_migrate.connect(_install_triggers, sender=self)


def _install_triggers(using: str, **kwargs: Any) -> None:
    from accounts.versions import HEALTH, ROUTES, install_triggers

    install_triggers(connections[using], version=ROUTES, tables=[f"routing_{name}" for name in TABLES])
    install_triggers(connections[using], version=HEALTH, tables=["routing_upstreamhealth", "routing_routehealth"])
