"""Celery: the periodic and the slow. Every task can be run twice."""

import ctypes
import os
import signal
import sys
import warnings
from typing import Any

from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import beat_embedded_init

from smartoken import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartoken.settings")

PR_SET_PDEATHSIG = 1

# About running as root. Messages are JSON from the site's own broker, which is ordinary in a container.
warnings.filterwarnings("ignore", category=SecurityWarning)

broker.register()
app = Celery("smartoken")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@beat_embedded_init.connect
def _die_with_the_worker(**kwargs: Any) -> None:
    """Beat is a process of the worker's: without this, a killed worker would leave it running."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
