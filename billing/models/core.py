"""Limits (wallets and budget windows), prices, holds, the ledger, and the processes that hold."""

from django.db import models
from django.db.models import F, Q

from accounts.models import APIKey, Organization, User


class Limit(models.Model):
    """What may be spent: a wallet (the sum of its credits) or one window of a key's budget.

    free = limit − spent − held. ``limit_nanos`` is null where there is no budget.
    """

    class Kind(models.TextChoices):
        WALLET = "wallet"
        KEY_DAY = "key_day"
        KEY_MONTH = "key_month"

    kind = models.CharField(max_length=12, choices=Kind)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="limits")
    key = models.ForeignKey(APIKey, on_delete=models.PROTECT, null=True, blank=True, related_name="limits")
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    limit_nanos = models.BigIntegerField(null=True, blank=True)
    spent_nanos = models.BigIntegerField(default=0)
    held_nanos = models.BigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["ends_at"], name="windows_by_end")]
        constraints = [
            models.UniqueConstraint(fields=["organization"], condition=Q(kind="wallet"), name="one_wallet"),
            models.UniqueConstraint(fields=["key", "kind", "starts_at"], name="one_window"),
            models.CheckConstraint(condition=Q(held_nanos__gte=0), name="held_not_negative"),
            models.CheckConstraint(
                condition=Q(kind="wallet", key__isnull=True, limit_nanos__isnull=False)
                | Q(kind__in=["key_day", "key_month"], key__isnull=False, ends_at__gt=F("starts_at")),
                name="wallet_or_window",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def free_nanos(self) -> int | None:
        """What a new hold may take; None where there is no limit."""
        return None if self.limit_nanos is None else self.limit_nanos - self.spent_nanos - self.held_nanos


class Price(models.Model):
    """What a model costs from an instant on; rows are never changed, a new one follows."""

    model = models.SlugField(max_length=64, help_text="The model's public id.")
    input_micros = models.BigIntegerField(help_text="Micro-dollars per 1M input tokens.")
    cached_micros = models.BigIntegerField(help_text="Micro-dollars per 1M cached input tokens.")
    output_micros = models.BigIntegerField(help_text="Micro-dollars per 1M output tokens.")
    starts_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "starts_at"], name="one_price_at_a_time"),
            models.CheckConstraint(
                condition=Q(input_micros__gte=0, cached_micros__gte=0, output_micros__gte=0), name="price_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} since {self.starts_at:%Y-%m-%d}"


class Hold(models.Model):
    """The most a running request can cost, set aside until it ends. Its id is the request's."""

    class State(models.TextChoices):
        OPEN = "open"
        SETTLED = "settled"
        RELEASED = "released"  # ended without a charge
        EXPIRED = "expired"  # ended by the sweeper

    id = models.UUIDField(primary_key=True)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="holds", db_index=False)
    key = models.ForeignKey(APIKey, on_delete=models.PROTECT, related_name="holds", db_index=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    wallet = models.ForeignKey(Limit, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.ForeignKey(Limit, on_delete=models.PROTECT, related_name="+", db_index=False)
    month = models.ForeignKey(Limit, on_delete=models.PROTECT, related_name="+", db_index=False)
    amount_nanos = models.BigIntegerField()
    charged_nanos = models.BigIntegerField(default=0)
    uncollected_nanos = models.BigIntegerField(default=0)
    model = models.CharField(max_length=64)
    price = models.ForeignKey(Price, on_delete=models.PROTECT, related_name="+", db_index=False)
    input_estimate = models.BigIntegerField()
    output_limit = models.BigIntegerField()
    stream = models.BooleanField()
    client_request_id = models.CharField(max_length=64, blank=True)
    sdk_retry = models.PositiveSmallIntegerField(default=0)
    tag = models.CharField(max_length=64, blank=True, db_default="")
    process = models.UUIDField()
    started_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    checkpoint = models.JSONField(null=True, help_text="What was delivered so far, for a crash.")

    class Meta:
        indexes = [
            models.Index(fields=["process", "deadline_at"], condition=Q(state="open"), name="open_holds"),
            models.Index(fields=["ended_at"], name="ended_holds"),
        ]
        constraints = [models.CheckConstraint(condition=Q(amount_nanos__gte=0), name="hold_not_negative")]

    def __str__(self) -> str:
        return f"{self.state} {self.pk}"


class LedgerEntry(models.Model):
    """One movement of a wallet, never changed. Charges also name the windows they count in."""

    class Kind(models.TextChoices):
        CREDIT = "credit", "Top-up"
        GRANT = "grant", "Grant"
        CHARGE = "charge", "Charge"
        REFUND = "refund", "Refund of a charge"
        PAYOUT = "payout", "Payout to the card"
        REVERSAL = "reversal", "Reversal of a payment"
        ADJUSTMENT = "adjustment", "Adjustment"

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="entries", db_index=False)
    wallet = models.ForeignKey(Limit, on_delete=models.PROTECT, related_name="entries", db_index=False)
    day = models.ForeignKey(Limit, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    month = models.ForeignKey(Limit, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind)
    amount_nanos = models.BigIntegerField(help_text="Signed: what it adds to the balance.")
    reference = models.CharField(max_length=100, help_text="What it is for; once per kind.")
    request = models.UUIDField(null=True, blank=True, help_text="The usage record of a charge.")
    actor = models.CharField(max_length=100)
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = [models.UniqueConstraint(fields=["kind", "reference"], name="entry_once")]
        indexes = [models.Index(fields=["organization", "-id"], name="entries_by_organization")]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"

    @property
    def record_id(self) -> str:
        """The usage record it is about, empty where there is none: a refund names it in its reference."""
        if self.kind == LedgerEntry.Kind.REFUND:
            return self.reference.partition(":")[0]
        return str(self.request or "")


class LedgerSum(models.Model):
    """An organization's entries of one hour and kind, summed; made by ``billing.ledgersums``, from entries alone."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    hour = models.DateTimeField()
    kind = models.CharField(max_length=10, choices=LedgerEntry.Kind)
    amount_nanos = models.BigIntegerField()
    first_entry = models.BigIntegerField()
    last_entry = models.BigIntegerField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "hour", "kind"], name="one_ledger_sum")]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}h {self.kind}"


class Heartbeat(models.Model):
    """A gateway process that is alive; its open holds are swept when it falls silent."""

    process = models.UUIDField(primary_key=True)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.process)
