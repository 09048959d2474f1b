"""The rules of what was paid and redeemed, looked at as a whole: orders and codes are few beside requests."""

from billing import rows

DUE = "CASE WHEN t.state = 'paid' THEN t.amount_nanos - t.reversed_nanos ELSE 0 END"


def _order_in(reference: str) -> str:
    """Return the SQL for the order that a reference such as ``topup:12:evt_3`` names, as text.

    Without the casts SQLite has no index to join texts of both sides by, and reads all for each.
    """
    if rows.is_postgresql():
        return f"split_part({reference}, ':', 2)"
    rest = f"substr({reference}, {len('topup:') + 1})"
    return f"CAST(substr({rest}, 1, instr({rest} || ':', ':') - 1) AS text)"


def payment_rules() -> dict[str, str]:
    """Return name → query for the rows that break it: id, found, expected."""
    return {
        "top-up is not the sum of its entries": f"""
            SELECT t.id, COALESCE(e.total, 0), {DUE} FROM billing_topup t LEFT JOIN (
                SELECT {_order_in("reference")} AS top_up, organization_id, SUM(amount_nanos) AS total
                FROM billing_ledgerentry WHERE kind IN ('credit', 'reversal') AND reference LIKE 'topup:%%'
                GROUP BY {_order_in("reference")}, organization_id
            ) e ON e.top_up = CAST(t.id AS text) AND e.organization_id = t.organization_id
            WHERE COALESCE(e.total, 0) <> {DUE}
        """,
        "code is not its entry": """
            SELECT c.id, COALESCE(e.amount_nanos, 0), CASE WHEN c.redeemed_at IS NULL THEN 0 ELSE c.amount_nanos END
            FROM billing_redeemcode c LEFT JOIN billing_ledgerentry e
            ON e.kind = 'grant' AND e.reference = 'code:' || c.id AND (e.organization_id = c.organization_id
                OR c.organization_id IS NULL)
            WHERE COALESCE(e.amount_nanos, 0) <> CASE WHEN c.redeemed_at IS NULL THEN 0 ELSE c.amount_nanos END
        """,
        # DISTINCT makes SQLite join by an index of the names instead of reading all of them for each entry.
        "entry of a top-up that is not there": f"""
            SELECT e.id, e.reference, 'a top-up' FROM (
                SELECT id, reference, {_order_in("reference")} AS top_up FROM later
                WHERE kind IN ('credit', 'reversal') AND reference LIKE 'topup:%%'
            ) e
            LEFT JOIN (SELECT DISTINCT CAST(id AS text) AS name FROM billing_topup) t ON t.name = e.top_up
            WHERE t.name IS NULL
        """,
        "entry of a code that is not there": """
            SELECT e.id, e.reference, 'a code' FROM later e
            LEFT JOIN (SELECT DISTINCT CAST('code:' || id AS text) AS name FROM billing_redeemcode) c
            ON c.name = e.reference
            WHERE e.kind = 'grant' AND e.reference LIKE 'code:%%' AND c.name IS NULL
        """,
    }
