"""Wallets, budget windows, holds, the ledger, prices, usage records, and what checks and pays them.

Amounts are integers in nano-dollars (``…_nanos``), prices integers in
micro-dollars per 1M tokens (``…_micros``); ``billing/money.py`` knows the scale.
Nothing here points at routing: a statement must outlive a renamed route, so the
model, provider and upstream are text.
"""

from billing.models.books import Alert, BillLine, ExchangeRate, Proof, ProofSum, ReconcileRun
from billing.models.core import Heartbeat, Hold, LedgerEntry, LedgerSum, Limit, Price
from billing.models.idempotency import IdempotentAnswer
from billing.models.payments import PaymentClaim, PaymentEvent, RedeemCode, TopUp
from billing.models.usage import Hour, Mark, ModelSum, RefusalCount, RefusedRequest, Rollup, UsageRecord

__all__ = [
    "Alert",
    "BillLine",
    "ExchangeRate",
    "Heartbeat",
    "Hold",
    "Hour",
    "IdempotentAnswer",
    "LedgerEntry",
    "LedgerSum",
    "Limit",
    "Mark",
    "ModelSum",
    "PaymentClaim",
    "PaymentEvent",
    "Price",
    "Proof",
    "ProofSum",
    "ReconcileRun",
    "RedeemCode",
    "RefusalCount",
    "RefusedRequest",
    "Rollup",
    "TopUp",
    "UsageRecord",
]
