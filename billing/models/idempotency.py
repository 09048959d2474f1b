"""Answers kept for requests with an Idempotency-Key."""

from django.db import models

from accounts.models import APIKey


class IdempotentAnswer(models.Model):
    """One Idempotency-Key of an API key: it lives with its request's hold, then keeps the answer for a day."""

    class State(models.TextChoices):
        RUNNING = "running"
        RECORDED = "recorded"
        UNKEPT = "unkept"  # charged, but too long to keep

    key = models.ForeignKey(APIKey, on_delete=models.PROTECT, related_name="+", db_index=False)
    idempotency_key = models.CharField(max_length=255)
    body_digest = models.BinaryField(max_length=32, help_text="SHA-256 of the request's body.")
    request = models.UUIDField(unique=True)
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    stream = models.BooleanField()
    answer = models.BinaryField(null=True, help_text="Encrypted.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "idempotency_key"], name="one_idempotency_key")]

    def __str__(self) -> str:
        return f"{self.state} {self.request}"
