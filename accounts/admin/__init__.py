"""People and their organizations, keys, and the audit log."""

from accounts.admin import audit, keys, people

__all__ = ["audit", "keys", "people"]
