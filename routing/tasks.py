"""What Celery does for routing; each task can run twice or not at all."""

from celery import shared_task

from routing import balances, probes, webhook
from routing.outbound import OutboundError


@shared_task(name="routing.tasks.read_balances")
def read_balances() -> None:
    """Read what is left in the accounts at providers that tell it."""
    balances.read_balances()


@shared_task(name="routing.tasks.probe_upstreams")
def probe_upstreams() -> None:
    """Probe the upstreams without traffic."""
    probes.probe_quiet()


@shared_task(name="routing.tasks.forget_hours")
def forget_hours() -> None:
    """Delete the hours of probes that no page shows any more."""
    probes.forget_hours()


@shared_task(name="routing.tasks.post_alarm", autoretry_for=(OutboundError,), retry_backoff=60, max_retries=5)
def post_alarm(name: str, text: str) -> None:
    """Post an alarm to the operator's webhook, at most once an hour."""
    webhook.post_alarm(name=name, text=text)
