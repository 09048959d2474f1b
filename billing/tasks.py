"""What Celery does for the books; each task can run twice or not at all."""

import logging

from celery import shared_task

from billing import alarms, alerts, budgets, ledgersums, mails, retention, rollups, sweep
from billing.books import proofs
from billing.books.reconcile import reconcile
from billing.money import format_usd

logger = logging.getLogger(__name__)


@shared_task(name="billing.tasks.sweep_holds")
def sweep_holds() -> None:
    """End the holds of processes that have fallen silent."""
    if swept := sweep.sweep():
        logger.warning("swept %d abandoned holds", swept)


@shared_task(name="billing.tasks.prove_books")
def prove_books() -> None:
    """Check all books and store the proof; a difference is an alarm."""
    _prove("")


@shared_task(name="billing.tasks.check_ledger")
def check_ledger() -> None:
    """Check what came after the last full proof; everything where there is none."""
    try:
        _prove(proofs.LATEST)
    except proofs.NoBaseError:
        _prove("")


def _prove(since: str) -> None:
    findings, _ = proofs.check_and_store(since=since)
    if findings.differences:
        rules = "; ".join(findings.differences)
        alarms.alarm("the books differ", f"{findings.difference_count} rows of the books differ: {rules}")


@shared_task(name="billing.tasks.reconcile_charges")
def reconcile_charges() -> None:
    """Reckon the charges of the last two days anew; a difference is an alarm, and so is what was not collected."""
    run = reconcile()
    if run.difference_count:
        rules = "; ".join(sorted({row["rule"] for row in run.differences}))
        alarms.alarm("reconciliation differs", f"{run.difference_count} records of two days differ: {rules}")
    if run.uncollected_nanos:
        lost = format_usd(run.uncollected_nanos)
        alarms.alarm("uncollected", f"{lost} of what requests cost in the last two days could not be collected.")


@shared_task(name="billing.tasks.mail_alarm", autoretry_for=(OSError,), retry_backoff=60, max_retries=5)
def mail_alarm(name: str, text: str) -> None:
    """Mail an alarm to the operator, at most once an hour."""
    alarms.mail_alarm(name=name, text=text)


@shared_task(name="billing.tasks.reset_budgets")
def reset_budgets() -> None:
    """Open the windows that follow those that ended, and lift the alerts whose reason is gone."""
    budgets.open_used_windows()
    alerts.lift_alerts()


@shared_task(name="billing.tasks.raise_alerts")
def raise_alerts() -> None:
    """Find budgets near their end and wallets that run low."""
    alerts.raise_alerts()


@shared_task(name="billing.tasks.send_mails")
def send_mails() -> None:
    """Mail the alerts that were not mailed yet."""
    try:
        mails.send_mails()
    except OSError as error:
        logger.warning("no mail could be sent: %s", type(error).__name__)


@shared_task(name="billing.tasks.roll_up")
def roll_up() -> None:
    """Sum the usage and the ledger's entries that came since the last time."""
    rollups.roll_up()
    ledgersums.sum_up()


@shared_task(name="billing.tasks.forget_old")
def forget_old() -> None:
    """Delete usage, refusal counts, holds and heartbeats that are older than they are kept."""
    for what, number in retention.forget_old().items():
        if number:
            logger.info("forgot %d %s", number, what)
