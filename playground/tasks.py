"""What Celery does for the Playground; it can run twice or not at all."""

import logging

from celery import shared_task

from playground import history

logger = logging.getLogger(__name__)


@shared_task(name="playground.tasks.forget_history")
def forget_history() -> None:
    """Delete conversations that are older than they are kept, and those of closed accounts."""
    if number := history.forget_old() + history.forget_closed():
        logger.info("forgot %d conversations", number)
