"""What a plain batch moves, in one statement: PostgreSQL's way to write holds and settles in one round trip.

What is added to the limits, and which entries and records go in, comes from the rows that the
statement itself has moved: run a second time, it moves nothing.
"""

from collections.abc import Sequence
from datetime import datetime

from billing import rows
from billing.records import ENTRY_COLUMNS, RECORD_COLUMNS
from billing.rows import Statement

Values = Sequence[Sequence[object]]

ADD_UP = """, change AS (
    SELECT limit_id, sum(charged)::bigint AS spent, sum(set_aside)::bigint AS held
    FROM moved, unnest(ARRAY[wallet_id, day_id, month_id]) AS limit_id GROUP BY limit_id
)
UPDATE billing_limit SET spent_nanos = spent_nanos + change.spent, held_nanos = held_nanos + change.held
FROM change WHERE billing_limit.id = change.limit_id"""


def take_holds(columns: Sequence[str], holds: Values) -> Statement:
    """Return the statement that inserts the holds that are not there yet, and adds them to their limits."""
    given = "wallet_id, day_id, month_id, 0 AS charged, amount_nanos AS set_aside"
    insert, parameters = rows.insert_statement("billing_hold", columns, holds, returning=given)
    return f"WITH moved AS ({insert}){ADD_UP}", parameters


def end_holds(ends: Values, entries: Values, records: Values, now: datetime) -> Statement:
    """Return the statement that ends the open ones of these holds, and writes what comes of it.

    ``ends`` are hold id, new state, charge and uncollected nano-dollars.
    """
    columns = {"hold_id": "uuid", "new_state": "text", "charge": "bigint", "lost": "bigint"}
    source, parameters = rows.table(columns, ends)
    were_moved = "IN (SELECT id FROM moved)"
    entry, own = rows.insert_statement("billing_ledgerentry", ENTRY_COLUMNS, entries, where=f"request {were_moved}")
    record, rest = rows.insert_statement("billing_usagerecord", RECORD_COLUMNS, records, where=f"id {were_moved}")
    sql = (
        f"WITH ending (hold_id, new_state, charge, lost) AS ({source}), "
        "moved AS (UPDATE billing_hold SET state = new_state, charged_nanos = charge, uncollected_nanos = lost, "
        "ended_at = %s FROM ending WHERE id = hold_id AND state = 'open' "
        "RETURNING id, wallet_id, day_id, month_id, charged_nanos AS charged, -amount_nanos AS set_aside), "
        f"entry AS ({entry}), record AS ({record}){ADD_UP}"
    )
    return sql, [*parameters, now, *own, *rest]
