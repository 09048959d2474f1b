"""Celery: the periodic and the slow. Every task can be run twice."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartoken.settings")

app = Celery("smartoken")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
