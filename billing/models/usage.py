"""What requests were and cost, one by one and summed by the hour."""

import uuid
from typing import Any

from django.db import models
from django.db.models.functions import Coalesce

from accounts.models import APIKey, Organization, ScopedQuerySet, User
from billing.models.core import Price

UNKNOWN_NANOS = 2**63 - 1
"""The highest charge of a roll-up that nobody has looked for: it may be any."""


class Hour(models.Func):
    """The hour (UTC) of an instant, in words that an index takes, which has no session's zone."""

    output_field = models.DateTimeField()
    template = "date_bin('1 hour', %(expressions)s, TIMESTAMPTZ '2000-01-01 00:00:00+00')"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="substr(%(expressions)s, 1, 13)", **context)


class KeyRowQuerySet(ScopedQuerySet):
    def own_rows(self, user_id: int) -> models.Q:
        return models.Q(key__created_by=user_id, key__kind=APIKey.Kind.STANDARD)


class UsageQuerySet(KeyRowQuerySet):
    asker = "user"

    def own_rows(self, user_id: int) -> models.Q:
        # By the keys' ids, which the index knows: a join would read every record of the organization.
        own = APIKey.objects.filter(created_by=user_id, kind=APIKey.Kind.STANDARD)
        return models.Q(key__in=list(own.values_list("pk", flat=True))) | models.Q(**{self.asker: user_id})


class HourQuerySet(UsageQuerySet):
    """Records by their hour: without the index of users, which for each hour would read all of a user's."""

    asker = "asker"

    @classmethod
    def make(cls) -> "HourQuerySet":
        found: HourQuerySet = cls(UsageRecord).alias(asker=Coalesce("user", 0))
        return found


class UsageRecord(models.Model):
    """What one request was and cost; written once, when its hold ends. Its id is the request's."""

    class Status(models.TextChoices):
        COMPLETED = "completed"
        ABORTED = "aborted"  # the client left, or we had to stop
        FAILED = "failed"

    class EndedBy(models.TextChoices):
        COMPLETED = "completed"
        CLIENT = "client"
        UPSTREAM = "upstream"
        GATEWAY = "gateway"
        LIMIT = "limit"

    class CountSource(models.TextChoices):
        PROVIDER = "provider"
        ESTIMATE = "estimate"
        CHECKPOINT = "checkpoint"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="usage", db_index=False)
    key = models.ForeignKey(APIKey, on_delete=models.PROTECT, related_name="usage", db_index=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    model = models.CharField(max_length=64)
    provider = models.CharField(max_length=64, blank=True)
    upstream = models.CharField(max_length=64, blank=True)
    upstream_model = models.CharField(max_length=128, blank=True)
    stream = models.BooleanField()
    demo = models.BooleanField(default=False)
    status = models.CharField(max_length=10, choices=Status)
    http_status = models.PositiveSmallIntegerField()
    error_code = models.CharField(max_length=40, blank=True)
    ended_by = models.CharField(max_length=10, choices=EndedBy)
    finish_reason = models.CharField(max_length=40, blank=True)
    count_source = models.CharField(max_length=10, choices=CountSource)
    input_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    input_estimate = models.BigIntegerField()
    output_limit = models.BigIntegerField()
    held_nanos = models.BigIntegerField()
    charge_nanos = models.BigIntegerField()
    uncollected_nanos = models.BigIntegerField(default=0)
    cost_nanos = models.BigIntegerField(null=True, help_text="What the provider asks, in USD, where known.")
    cost = models.DecimalField(max_digits=18, decimal_places=9, null=True, help_text="In the provider's currency.")
    cost_currency = models.CharField(max_length=3, blank=True)
    price = models.ForeignKey(Price, on_delete=models.PROTECT, related_name="+", db_index=False)
    attempts = models.JSONField(default=list)
    first_token_ms = models.PositiveIntegerField(null=True)
    total_ms = models.PositiveIntegerField()
    client_request_id = models.CharField(max_length=64, blank=True)
    provider_request_id = models.CharField(max_length=128, blank=True)
    sdk_retry = models.PositiveSmallIntegerField(default=0, help_text="x-stainless-retry-count of the client.")
    tag = models.CharField(max_length=64, blank=True, db_default="", help_text="The client's word for what it was for.")
    started_at = models.DateTimeField()
    created_at = models.DateTimeField()

    objects = UsageQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="usage_by_organization"),
            models.Index(fields=["key", "-created_at", "-id"], name="usage_by_key"),
            models.Index(fields=["created_at"], name="usage_by_time"),
            # The dearest of each hour of a roll-up (billing/dearest.py).
            models.Index(
                "key",
                "model",
                Hour("created_at"),
                models.F("charge_nanos").desc(),
                models.F("created_at").desc(),
                models.F("id").desc(),
                name="usage_by_hour",
            ),
            # Only what was asked in the Playground has a user.
            models.Index(
                fields=["user", "-created_at", "-id"],
                condition=models.Q(user__isnull=False),
                name="usage_by_user",
            ),
            # What went wrong is the small part: listed and summed without the rest.
            models.Index(
                fields=["organization", "-created_at", "-id"],
                include=["status", "model", "key", "user", "tag", "input_tokens", "output_tokens", "charge_nanos"],
                condition=models.Q(status__in=["aborted", "failed"]),
                name="usage_went_wrong",
            ),
            # Only what a client has tagged.
            models.Index(
                fields=["organization", "tag", "-created_at", "-id"],
                include=["status", "model", "key", "user", "charge_nanos"],
                condition=~models.Q(tag=""),
                name="usage_tagged",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class RefusalCount(models.Model):
    """Requests of a known key that were refused before a hold, per minute and code."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="refusals")
    key = models.ForeignKey(APIKey, on_delete=models.PROTECT, related_name="refusals")
    minute = models.DateTimeField()
    code = models.CharField(max_length=40)
    requests = models.PositiveIntegerField(default=0)

    objects = KeyRowQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "minute", "code"], name="one_refusal_count")]

    def __str__(self) -> str:
        return f"{self.requests} × {self.code}"


class RefusedRequest(models.Model):
    """One of the last hundred refused requests of a key, with the reason; counted besides in ``RefusalCount``."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    key = models.ForeignKey(APIKey, on_delete=models.PROTECT, related_name="refused", db_index=False)
    request = models.UUIDField(null=True, editable=False, help_text="The id that the client was told.")
    refused_at = models.DateTimeField()
    code = models.CharField(max_length=40)
    param = models.CharField(max_length=64, blank=True, help_text="The parameter that it is about.")
    reason = models.CharField(max_length=200, blank=True, help_text="In this site's words; never the client's.")

    objects = KeyRowQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["key", "-id"], name="refused_by_key"),
            models.Index(fields=["organization", "-id"], name="refused_by_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.code} at {self.refused_at:%Y-%m-%d %H:%M:%S}"


class Rollup(models.Model):
    """The usage records of one hour, summed; made by ``billing.rollups``, never the source of a charge.

    ``user`` is who asked: the person in the Playground, else whoever made the key.
    """

    hour = models.DateTimeField()
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="rollups", db_index=False)
    key = models.ForeignKey(APIKey, on_delete=models.PROTECT, related_name="+", db_index=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    model = models.CharField(max_length=64)
    upstream = models.CharField(max_length=64, blank=True)
    requests = models.BigIntegerField(default=0)
    completed = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    client_errors = models.BigIntegerField(default=0, help_text="Failed requests that were at fault themselves.")
    estimated = models.BigIntegerField(default=0, help_text="Requests whose tokens the provider did not count.")
    estimated_tokens = models.BigIntegerField(default=0, help_text="Input and output of the requests in `estimated`.")
    input_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    charge_nanos = models.BigIntegerField(default=0)
    uncollected_nanos = models.BigIntegerField(default=0)
    cost_nanos = models.BigIntegerField(default=0)
    costed = models.BigIntegerField(default=0, help_text="Requests whose cost is known.")
    first_token_ms = models.BigIntegerField(default=0, help_text="Sum over the requests in `timed`.")
    timed = models.BigIntegerField(default=0, help_text="Completed streams with a first token.")
    stream_ms = models.BigIntegerField(default=0, help_text="From first token to end, summed over `timed`.")
    stream_tokens = models.BigIntegerField(default=0, help_text="Output tokens of `timed`.")
    dearest_nanos = models.BigIntegerField(db_default=UNKNOWN_NANOS, help_text="No request was charged more.")

    objects = ScopedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["hour", "key", "user", "model", "upstream"], name="one_rollup"),
        ]
        indexes = [
            models.Index(fields=["organization", "hour"], name="rollups_by_organization"),
            models.Index(fields=["model", "hour"], name="rollups_by_model"),
            models.Index(fields=["organization", "-dearest_nanos", "-hour"], name="rollups_by_dearest"),
        ]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}h {self.model}"


class ModelSum(models.Model):
    """What all organizations' requests to a model came to in an hour or a day (UTC); the demo's are left out.

    Made beside the roll-ups, from the same records, so that a public page reads few rows.
    """

    class Span(models.TextChoices):
        HOUR = "hour"
        DAY = "day"

    span = models.CharField(max_length=4, choices=Span)
    starts_at = models.DateTimeField()
    model = models.CharField(max_length=64)
    completed = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    client_errors = models.BigIntegerField(default=0)
    first_token_ms = models.BigIntegerField(default=0, help_text="Sum over the requests in `timed`.")
    timed = models.BigIntegerField(default=0)
    stream_ms = models.BigIntegerField(
        default=0, help_text="Sum over the requests in `timed`, from the first token on."
    )
    stream_tokens = models.BigIntegerField(default=0, help_text="Sum over the requests in `timed`.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["span", "starts_at", "model"], name="one_model_sum")]

    def __str__(self) -> str:
        return f"{self.span} {self.starts_at:%Y-%m-%d %H}h {self.model}"


class Mark(models.Model):
    """How far a periodic task has come; moved by one guarded update, so that two workers never do the same twice."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.at:%Y-%m-%d %H:%M}"
