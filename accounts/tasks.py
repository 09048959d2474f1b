"""What Celery does about people; it can run twice or not at all."""

import logging

from celery import shared_task

from accounts import sessions

logger = logging.getLogger(__name__)


@shared_task(name="accounts.tasks.forget_sessions")
def forget_sessions() -> None:
    """Delete sessions that are over."""
    if number := sessions.forget_expired():
        logger.info("forgot %d sessions", number)
