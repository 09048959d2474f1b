"""The project: settings, addresses, the ASGI entry and pages that mix apps."""

from smartoken.celery import app as celery_app

__all__ = ["celery_app"]
