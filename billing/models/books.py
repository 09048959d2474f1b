"""What is checked about the books: proofs, reconciliation, providers' bills, and alerts about limits."""

from django.db import models

from accounts.models import Organization
from billing.models.core import Limit


class Proof(models.Model):
    """One check of the books against themselves: its figures, and the rows that differed.

    A base is a full proof without differences whose sums are all stored: a later one can go on from it.
    """

    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    since = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+", help_text="Empty: full.")
    open_holds = models.BigIntegerField()
    wallets = models.BigIntegerField()
    entries = models.BigIntegerField()
    records = models.BigIntegerField()
    difference_count = models.BigIntegerField()
    differences = models.JSONField(default=dict, help_text="Rule → rows of id, found and expected.")
    is_base = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}: {self.difference_count or 'no'} differences"


class ProofSum(models.Model):
    """What a limit said when a full proof found it right; a later proof adds only what came since.

    Entries of one wallet are written under its lock, so that ids above ``last_entry`` are exactly the later ones.
    """

    proof = models.ForeignKey(Proof, on_delete=models.CASCADE, related_name="sums")
    limit = models.ForeignKey(Limit, on_delete=models.PROTECT, related_name="+", db_index=False)
    last_entry = models.BigIntegerField(help_text="The wallet's last ledger entry, 0 for none.")
    limit_nanos = models.BigIntegerField(null=True)
    spent_nanos = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["proof", "limit"], name="one_proof_sum")]

    def __str__(self) -> str:
        return f"{self.proof_id}: {self.limit_id}"


class ReconcileRun(models.Model):
    """The nightly comparison of charges with records and prices, and of charges with costs."""

    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    begins_at = models.DateTimeField(help_text="Records from here on were looked at.")
    until = models.DateTimeField()
    records = models.BigIntegerField()
    charge_nanos = models.BigIntegerField()
    cost_nanos = models.BigIntegerField()
    uncollected_nanos = models.BigIntegerField()
    estimated = models.BigIntegerField(help_text="Records whose tokens were estimated.")
    difference_count = models.BigIntegerField()
    differences = models.JSONField(default=list, help_text="Records whose charge is not what tokens and price make.")

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}: {self.difference_count or 'no'} differences"


class ExchangeRate(models.Model):
    """What a unit of a currency is worth in US dollars from an instant on; rows are never changed."""

    currency = models.CharField(max_length=3, help_text="Such as CNY.")
    usd = models.DecimalField(max_digits=18, decimal_places=9, help_text="US dollars for one unit.")
    starts_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["currency", "starts_at"], name="one_rate_at_a_time"),
            models.CheckConstraint(condition=models.Q(usd__gt=0), name="rate_above_zero"),
        ]

    def __str__(self) -> str:
        return f"1 {self.currency} = {self.usd.normalize():f} USD since {self.starts_at:%Y-%m-%d}"


class BillLine(models.Model):
    """A line of a provider's own bill: a day, a model there, its tokens and cost."""

    provider = models.CharField(max_length=64)
    day = models.DateField(help_text="As the provider counts days.")
    model = models.CharField(max_length=128, help_text="The model's id at the provider.")
    tokens = models.BigIntegerField()
    cost = models.DecimalField(max_digits=18, decimal_places=9)
    currency = models.CharField(max_length=3)
    rate = models.DecimalField(max_digits=18, decimal_places=9, help_text="US dollars for one unit, as used.")
    cost_nanos = models.BigIntegerField()
    imported_at = models.DateTimeField()
    imported_by = models.CharField(max_length=100)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "day", "model"], name="one_bill_line")]

    def __str__(self) -> str:
        return f"{self.provider} {self.day} {self.model}"


class Alert(models.Model):
    """A limit that came to a threshold; a row, so that whoever comes first sends its mail, and nobody else.

    ``mail_tries`` counts who began to send it; until ``next_mail_at`` nobody else does.

    ``limit_nanos`` and ``spent_nanos`` say what a budget was and how much of it was spent; of a
    low balance, the organization's line and the balance: by these one knows whether it has recovered.
    """

    class Kind(models.TextChoices):
        BUDGET_80 = "budget_80", "80 % of a budget"
        BUDGET_100 = "budget_100", "a budget is spent"
        LOW_BALANCE = "low_balance", "low balance"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="alerts")
    limit = models.ForeignKey(Limit, on_delete=models.PROTECT, related_name="alerts")
    kind = models.CharField(max_length=12, choices=Kind)
    limit_nanos = models.BigIntegerField()
    spent_nanos = models.BigIntegerField()
    raised_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)
    mail_tries = models.PositiveSmallIntegerField(default=0)
    next_mail_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["limit", "kind"], condition=models.Q(lifted_at=None), name="one_alert_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.limit_id}"
