"""What an error of the database means for a batch that met it."""

from django.db import connection

READ_ONLY = ("25006", "25P02", "25P03")
"""A server that takes no writes, or a transaction that it has given up."""


def classify(error: Exception) -> str:
    """Tell what an error of the connection or server means: ``locked``, ``retry``, ``lost`` or ``poison``.

    SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    state = getattr(error.__cause__, "sqlstate", None)
    if state == "55P03":
        return "locked"
    if state in ("40P01", "40001", "57014"):
        return "retry"
    if state in READ_ONLY:
        return "lost"  # a standby, until it is promoted or the address leads elsewhere
    if state and not state.startswith(("08", "57P", "53", "58", "XX")):
        return "poison"
    if connection.vendor == "sqlite" and "locked" in str(error):
        return "retry"
    return "lost"
