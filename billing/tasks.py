"""What Celery does for the books; each task can run twice or not at all."""

import logging

from celery import shared_task

from billing import proof, sweep

logger = logging.getLogger(__name__)


@shared_task(name="billing.tasks.sweep_holds")
def sweep_holds() -> None:
    """End the holds of processes that have fallen silent."""
    if swept := sweep.sweep():
        logger.warning("swept %d abandoned holds", swept)


@shared_task(name="billing.tasks.check_ledger")
def check_ledger() -> None:
    """Check the books; a difference is an alarm."""
    found = proof.check_books()
    if found.differences:
        logger.error("the books differ in %d rows: %s", found.difference_count, ", ".join(found.differences))
