"""The rules of the books, each a query for the rows that break it: id, found, expected.

They read these, which a check of everything and one since a stored proof fill differently:
- ``base``: what limits said in the stored proof; nothing in a check of everything;
- ``later``: the entries that are not in ``base``;
- ``recent``: the usage records, and ``ended`` the ended holds, to look at.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from billing import rows
from billing.books.payments import payment_rules
from billing.retention import USAGE_KEPT_SINCE

OVERLAP = timedelta(minutes=10)
"""A row names the time at which its transaction began to write, a little before others could see it."""

SPENT = "(kind = 'charge' OR (kind = 'adjustment' AND request IS NOT NULL))"
"""Entries that count as spent; all others are credits and move the wallet's limit."""

KEPT = f"e.created_at >= COALESCE((SELECT at FROM billing_mark WHERE name = '{USAGE_KEPT_SINCE}'), e.created_at)"
"""Entries whose usage record must still be there: old ones are forgotten."""

MOST_ROWS = 100
"""How many rows of a rule are named; all are counted."""

WINDOWS = {"day": "key_day", "month": "key_month"}
LIMITS = {"wallet": "wallet", **WINDOWS}


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look at: everything, or what came after a stored proof that began at ``began_at``."""

    proof_id: int | None = None
    began_at: datetime | None = None

    def tables(self) -> tuple[str, list[Any]]:
        """Return the text of the four tables and its parameters."""
        if self.proof_id is None or self.began_at is None:
            return EVERYTHING, []
        since = rows.adapt(self.began_at - OVERLAP)
        return SINCE_POSTGRESQL if rows.is_postgresql() else SINCE_SQLITE, [self.proof_id, since, since]


EVERYTHING = """
    base AS NOT MATERIALIZED (SELECT * FROM billing_proofsum WHERE 1 = 0),
    later AS (SELECT * FROM billing_ledgerentry),
    recent AS (SELECT id, charge_nanos, uncollected_nanos FROM billing_usagerecord),
    ended AS (SELECT id, state, charged_nanos, uncollected_nanos FROM billing_hold WHERE state <> 'open')
"""

# For each wallet the index of its organization's entries is asked for those behind the last one known.
# Left to itself, PostgreSQL reads the whole ledger instead; OFFSET keeps it from joining otherwise, and
# a base that is not materialized is found by its index however new its rows are to the planner.
SINCE_POSTGRESQL = """
    base AS NOT MATERIALIZED (SELECT * FROM billing_proofsum WHERE proof_id = %s),
    later AS (
        SELECT entry.* FROM billing_limit wallet LEFT JOIN base ON base.limit_id = wallet.id
        CROSS JOIN LATERAL (
            SELECT * FROM billing_ledgerentry found
            WHERE found.organization_id = wallet.organization_id AND found.id > COALESCE(base.last_entry, 0) OFFSET 0
        ) entry
        WHERE wallet.kind = 'wallet'
    ),
    recent AS (
        SELECT id, charge_nanos, uncollected_nanos FROM billing_usagerecord WHERE created_at >= %s
        UNION SELECT id, charge_nanos, uncollected_nanos FROM billing_usagerecord
        WHERE id IN (SELECT request FROM later)
    ),
    ended AS (
        SELECT id, state, charged_nanos, uncollected_nanos FROM billing_hold WHERE state <> 'open' AND ended_at >= %s
    )
"""
SINCE_SQLITE = SINCE_POSTGRESQL.replace(
    """CROSS JOIN LATERAL (
            SELECT * FROM billing_ledgerentry found
            WHERE found.organization_id = wallet.organization_id AND found.id > COALESCE(base.last_entry, 0) OFFSET 0
        ) entry
        WHERE wallet.kind = 'wallet'""",
    """CROSS JOIN billing_ledgerentry entry
        WHERE entry.organization_id = wallet.organization_id AND entry.id > COALESCE(base.last_entry, 0)
        AND wallet.kind = 'wallet'""",
)


def _spent_rule(column: str, kind: str) -> str:
    return f"""
        SELECT l.id, l.spent_nanos, COALESCE(b.spent_nanos, 0) + COALESCE(charged.total, 0) FROM billing_limit l
        LEFT JOIN base b ON b.limit_id = l.id
        LEFT JOIN (
            SELECT {column}_id AS limit_id, -SUM(amount_nanos) AS total FROM later WHERE {SPENT} GROUP BY {column}_id
        ) charged ON charged.limit_id = l.id
        WHERE l.kind = '{kind}' AND l.spent_nanos <> COALESCE(b.spent_nanos, 0) + COALESCE(charged.total, 0)
    """


def _held_rule(column: str, kind: str) -> str:
    return f"""
        SELECT l.id, l.held_nanos, COALESCE(open.total, 0) FROM billing_limit l
        LEFT JOIN (
            SELECT {column}_id AS limit_id, SUM(amount_nanos) AS total FROM billing_hold
            WHERE state = 'open' GROUP BY {column}_id
        ) open ON open.limit_id = l.id
        WHERE l.kind = '{kind}' AND l.held_nanos <> COALESCE(open.total, 0)
    """


def _owner_rule(column: str, kind: str) -> str:
    return f"""
        SELECT e.id, l.organization_id, e.organization_id FROM later e JOIN billing_limit l ON l.id = e.{column}_id
        WHERE l.organization_id <> e.organization_id OR l.kind <> '{kind}'
    """


def uuid_text(column: str) -> str:
    """Return the SQL for a UUID as a reference names it, with dashes."""
    if rows.is_postgresql():
        return f"{column}::text"
    cuts = (1, 8), (9, 4), (13, 4), (17, 4), (21, 12)
    return " || '-' || ".join(f"substr({column}, {start}, {length})" for start, length in cuts)


def rules() -> dict[str, str]:
    """Return name → query."""
    found = {
        "wallet limit is not the sum of its credits": f"""
            SELECT l.id, l.limit_nanos, COALESCE(b.limit_nanos, 0) + COALESCE(credit.total, 0) FROM billing_limit l
            LEFT JOIN base b ON b.limit_id = l.id
            LEFT JOIN (
                SELECT wallet_id, SUM(amount_nanos) AS total FROM later WHERE NOT {SPENT} GROUP BY wallet_id
            ) credit ON credit.wallet_id = l.id
            WHERE l.kind = 'wallet' AND l.limit_nanos <> COALESCE(b.limit_nanos, 0) + COALESCE(credit.total, 0)
        """,
    }
    for column, kind in LIMITS.items():
        found[f"{column}: spent is not the sum of its charges"] = _spent_rule(column, kind)
        found[f"{column}: held is not the sum of its open holds"] = _held_rule(column, kind)
        found[f"{column}: entry of another organization or kind of limit"] = _owner_rule(column, kind)
    return found | _entry_rules() | _record_rules() | _claim_rules() | payment_rules()


def whole_rules() -> dict[str, str]:
    """Return the rules that only a check of everything looks at: they read the whole ledger."""
    return {
        # The sums of an organization go up to the last entry in any of them.
        "hours of the ledger are not the sum of their entries": """
            SELECT hours.organization_id, hours.total, COALESCE(SUM(e.amount_nanos), 0) FROM (
                SELECT organization_id, SUM(amount_nanos) AS total, MAX(last_entry) AS last_entry
                FROM billing_ledgersum GROUP BY organization_id
            ) hours
            LEFT JOIN billing_ledgerentry e ON e.organization_id = hours.organization_id AND e.id <= hours.last_entry
            GROUP BY hours.organization_id, hours.total HAVING hours.total <> COALESCE(SUM(e.amount_nanos), 0)
        """,
    }


def _entry_rules() -> dict[str, str]:
    return {
        "entry moves the balance the wrong way": """
            SELECT id, amount_nanos, CASE WHEN kind IN ('credit', 'grant', 'refund') THEN 'above 0' ELSE 'below 0' END
            FROM later WHERE (kind IN ('credit', 'grant', 'refund') AND amount_nanos <= 0)
            OR (kind IN ('charge', 'payout', 'reversal') AND amount_nanos >= 0)
        """,
        # A refund's reference begins with its record's id. They are few: the index knows them by their kind.
        # A count that arrives late may lower a charge that was refunded before: only what was debited counts.
        "more is refunded than was charged": """
            SELECT refund.record, refund.total, -COALESCE(SUM(e.amount_nanos), 0) FROM (
                SELECT substr(reference, 1, 36) AS record, SUM(amount_nanos) AS total
                FROM billing_ledgerentry WHERE kind = 'refund' GROUP BY substr(reference, 1, 36)
            ) refund
            LEFT JOIN billing_ledgerentry e
            ON e.kind IN ('charge', 'adjustment') AND e.reference = refund.record AND e.request IS NOT NULL
            AND e.amount_nanos < 0
            GROUP BY refund.record, refund.total HAVING refund.total > -COALESCE(SUM(e.amount_nanos), 0)
        """,
        "charge names no request or no window": """
            SELECT id, kind, 'request, day and month' FROM later
            WHERE (kind = 'charge' OR request IS NOT NULL) AND kind IN ('charge', 'adjustment')
            AND (request IS NULL OR day_id IS NULL OR month_id IS NULL)
        """,
        "charge's reference is not its request": f"""
            SELECT id, reference, {uuid_text("request")} FROM later
            WHERE {SPENT} AND request IS NOT NULL AND reference <> {uuid_text("request")}
        """,
        "charge without its record": f"""
            SELECT e.id, e.amount_nanos, 0 FROM later e LEFT JOIN billing_usagerecord u ON u.id = e.request
            WHERE {SPENT} AND e.request IS NOT NULL AND u.id IS NULL AND {KEPT}
        """,
    }


def _record_rules() -> dict[str, str]:
    return {
        # By kind and reference, which have an index; that they are the request's is a rule of its own. A join
        # would compare all with all wherever PostgreSQL does not know yet how many entries there are.
        "record's charge is not the sum of its entries": f"""
            SELECT id, charge_nanos, booked FROM (
                SELECT u.id, u.charge_nanos, (
                    SELECT -COALESCE(SUM(e.amount_nanos), 0) FROM billing_ledgerentry e
                    WHERE e.kind IN ('charge', 'adjustment') AND e.reference = {uuid_text("u.id")} AND e.request = u.id
                ) AS booked FROM recent u
            ) record WHERE charge_nanos <> booked
        """,
        "record's charge is not its hold's": """
            SELECT u.id, u.charge_nanos, h.charged_nanos FROM recent u
            JOIN billing_hold h ON h.id = u.id WHERE h.state <> 'open' AND h.charged_nanos <> u.charge_nanos
        """,
        "record's uncollected is not its hold's": """
            SELECT u.id, u.uncollected_nanos, h.uncollected_nanos FROM recent u
            JOIN billing_hold h ON h.id = u.id WHERE h.state <> 'open' AND h.uncollected_nanos <> u.uncollected_nanos
        """,
        "open hold has a record": """
            SELECT h.id, u.charge_nanos, 'no record' FROM billing_hold h
            JOIN billing_usagerecord u ON u.id = h.id WHERE h.state = 'open'
        """,
        "ended hold without its record": """
            SELECT h.id, h.state, 'a record' FROM ended h
            LEFT JOIN billing_usagerecord u ON u.id = h.id WHERE u.id IS NULL
        """,
        "released hold has a charge": """
            SELECT id, charged_nanos + uncollected_nanos, 0 FROM ended
            WHERE state = 'released' AND (charged_nanos <> 0 OR uncollected_nanos <> 0)
        """,
        "open hold has a charge": """
            SELECT id, charged_nanos, 0 FROM billing_hold
            WHERE state = 'open' AND (charged_nanos <> 0 OR ended_at IS NOT NULL)
        """,
    }


def _claim_rules() -> dict[str, str]:
    return {
        "Idempotency-Key runs without an open hold": """
            SELECT a.id, a.state, 'an open hold' FROM billing_idempotentanswer a
            LEFT JOIN billing_hold h ON h.id = a.request AND h.state = 'open' WHERE a.state = 'running' AND h.id IS NULL
        """,
        "Idempotency-Key has an answer of an open hold": """
            SELECT a.id, a.state, 'running' FROM billing_idempotentanswer a
            JOIN billing_hold h ON h.id = a.request AND h.state = 'open' WHERE a.state <> 'running'
        """,
    }


class Difference(NamedTuple):
    """A row that breaks a rule."""

    id: str
    found: int | str
    expected: int | str


def find_differences(sql: str, scope: Scope) -> tuple[int, list[Difference]]:
    """Return how many rows break this rule, and the first hundred of them."""
    tables, parameters = scope.tables()
    query = f"WITH {tables} {sql}"
    found = rows.execute(f"{query} LIMIT {MOST_ROWS + 1}", parameters)
    count = len(found)
    if count > MOST_ROWS:
        count = rows.execute(f"WITH {tables} SELECT COUNT(*) FROM ({sql}) broken", parameters)[0][0]
    return count, [Difference(_name(row[0]), _plain(row[1]), _plain(row[2])) for row in found[:MOST_ROWS]]


def _name(id_: Any) -> str:
    """Return a row's id; SQLite stores a request's without its dashes."""
    return str(UUID(id_)) if isinstance(id_, str) and len(id_) == 32 else str(id_)


def _plain(value: Any) -> int | str:
    """Return PostgreSQL's sums, which are decimals, as the integers they are."""
    return value if isinstance(value, str) else int(value)
