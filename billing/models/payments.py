"""Ways to add money: orders for credit paid by card, and codes that are redeemed."""

from django.db import models

from accounts.models import Organization, ScopedQuerySet, User


class TopUp(models.Model):
    """An order for credit. What is credited is this row's amount, never what a message says."""

    class State(models.TextChoices):
        OPEN = "open"
        PAID = "paid"
        CLOSED = "closed"  # expired or failed: nothing was paid

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="top_ups")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    cents = models.PositiveIntegerField(help_text="What is paid, in the currency's smallest unit.")
    currency = models.CharField(max_length=3, default="usd")
    amount_nanos = models.BigIntegerField(help_text="What is credited.")
    session = models.CharField(max_length=255, unique=True, null=True, help_text="The Checkout Session's id.")
    payment = models.CharField(max_length=255, unique=True, null=True, help_text="The PaymentIntent's id.")
    reversed_nanos = models.BigIntegerField(default=0, help_text="Taken back by refunds and disputes.")
    created_at = models.DateTimeField(auto_now_add=True)
    paid_at = models.DateTimeField(null=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = "top-up"
        constraints = [models.CheckConstraint(condition=models.Q(amount_nanos__gt=0), name="top_up_above_zero")]
        indexes = [models.Index(fields=["organization", "-id"], name="top_ups_by_organization")]

    def __str__(self) -> str:
        return f"top-up {self.pk}"


class PaymentEvent(models.Model):
    """An event of the payment service that was worked through; each is, once."""

    id = models.CharField(max_length=255, primary_key=True)
    kind = models.CharField(max_length=100)
    top_up = models.ForeignKey(TopUp, on_delete=models.PROTECT, null=True, related_name="events")
    problem = models.CharField(max_length=200, blank=True, default="", help_text="What a person must look at.")
    received_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class PaymentClaim(models.Model):
    """What refunds or one dispute take back of a payment; kept even before the payment is known here.

    The claim of the refunds also stands for the payment itself: its row is what everything
    about a payment locks first.
    """

    REFUNDS = "refunds"

    payment = models.CharField(max_length=255, help_text="The PaymentIntent's id.")
    source = models.CharField(max_length=255, default=REFUNDS, help_text="The dispute's id, or refunds.")
    cents = models.BigIntegerField(default=0, help_text="All that was refunded so far, or what is disputed.")
    is_over = models.BooleanField(default=False, help_text="The dispute was won: it takes nothing, whatever follows.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["payment", "source"], name="claim_once")]

    def __str__(self) -> str:
        return f"{self.source} of {self.payment}"


class RedeemCode(models.Model):
    """A code that gives credit once. Only its digest is stored; the code is shown when it is made."""

    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    hint = models.CharField(max_length=8, help_text="Its first letters, to tell codes apart.")
    batch = models.CharField(max_length=100, help_text="What it was made for.")
    amount_nanos = models.BigIntegerField()
    created_by = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    redeemed_at = models.DateTimeField(null=True)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, related_name="redeemed_codes")
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(amount_nanos__gt=0), name="code_above_zero")]

    def __str__(self) -> str:
        return f"{self.hint}…"
