"""A round of the ledger: what waits of settles and of holds, in one transaction.

Settles come first: they give back what the holds beside them may take. Half the transactions,
and half the waiting for the disk. Only the plain way is here: where rows are locked or a
COMMIT is unknown, each kind is run by itself.
"""

from collections.abc import Sequence

from billing import locks, rows, settles
from billing.holds import Admissions
from billing.requests import Decision, HoldRequest
from billing.settlements import Outcome, Settlement


def run_round(
    admissions: Admissions, requests: Sequence[HoldRequest], settlements: Sequence[Settlement]
) -> tuple[list[Decision], list[Outcome]]:
    """Return a decision for each request and an outcome for each settlement, in their order, committed.

    Raises WindowOverError, and whatever the database says; nothing is written then.
    """
    limits = admissions.find_limits(requests)
    wanted = [*limits.values(), *(settlement.admission.limits for settlement in settlements)]
    ids = {id_ for own in wanted for id_ in own.ids}
    with rows.guarded_batch() as batch:
        queries = [locks.limits_query(ids, False), locks.holds_query([one.id for one in settlements], False)]
        (found, held), now = batch.lock(queries)
        locked = locks.read_limits(found)
        outcomes, ends = settles.decide_batch(settlements, locked, locks.read_holds(held), now)
        decisions, takes = admissions.decide_batch(requests, limits, locked, now)
        batch.write([*ends, *takes])
    settles.log_uncollected(outcomes)
    return decisions, [outcomes[settlement.id] for settlement in settlements]
