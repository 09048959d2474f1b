"""Model families, the providers that host them, and the pools of routes between."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from billing.attempts import REASONS
from routing import dialects


class Family(models.Model):
    """One of the model families that have a page: its facts come from the catalogue."""

    slug = models.SlugField(max_length=32, unique=True, editable=False)
    name = models.CharField(max_length=64)
    company = models.CharField(max_length=100)
    reasoning = models.PositiveSmallIntegerField(validators=[MaxValueValidator(5)])
    coding = models.PositiveSmallIntegerField(validators=[MaxValueValidator(5)])
    best_for = models.CharField(max_length=200)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name_plural = "families"
        ordering = ["position", "slug"]

    def __str__(self) -> str:
        return self.name


class Model(models.Model):
    """What a client names in ``model``; its slug is the public id and never changes."""

    slug = models.SlugField(max_length=64, unique=True, editable=False)
    family = models.ForeignKey(Family, on_delete=models.PROTECT, related_name="models")
    context_length = models.PositiveIntegerField(help_text="Tokens of input and output together.")
    max_output_tokens = models.PositiveIntegerField(help_text="The longest answer.")
    default_output_tokens = models.PositiveIntegerField(help_text="The limit of a request that names none.")
    thinks = models.BooleanField(default=False)
    tokens_per_byte_bound = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(0.01), MaxValueValidator(1.0)],
        help_text="The most tokens that one byte of UTF-8 text can cost.",
    )

    def __str__(self) -> str:
        return self.slug


class Alias(models.Model):
    """Another name under which a model is found."""

    name = models.CharField(max_length=100, unique=True)
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="aliases")

    class Meta:
        verbose_name_plural = "aliases"

    def __str__(self) -> str:
        return self.name


class Provider(models.Model):
    """A company that answers requests, and where it does so."""

    slug = models.SlugField(max_length=32, unique=True)
    name = models.CharField(max_length=100)
    country = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return self.name


class Upstream(models.Model):
    """One address of a provider with one credential, spoken to in one dialect."""

    slug = models.SlugField(max_length=64, unique=True)
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="upstreams")
    base_url = models.URLField("address", help_text="Up to the part before /chat/completions.")
    dialect = models.CharField(max_length=32, choices=dialects.choices, default="openai")
    credential = models.BinaryField(null=True, blank=True, editable=False, help_text="Encrypted; written, never read.")
    credential_env = models.CharField(max_length=64, blank=True, help_text="Environment variable that holds it.")
    proxy = models.CharField(max_length=200, blank=True, help_text="HTTP proxy for this upstream.")
    bills_after_abort = models.BooleanField(
        default=False, help_text="Goes on billing when we hang up: read answers to their end."
    )
    parameter_rules = models.JSONField(
        default=dict, blank=True, help_text='Come before the dialect\'s, e.g. {"temperature": {"clamp": [0, 1]}}.'
    )
    max_parallel = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Calls at once of each process."
    )
    first_byte_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Try the next route when nothing came for so long. Empty: only at the site's limit.",
    )
    is_probed = models.BooleanField(
        "probe", default=False, help_text="Ask for its models every few minutes while it has no traffic."
    )
    balance_alarm = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="Tell the administrators when less is left in the account, in its own currency.",
    )

    def __str__(self) -> str:
        return self.slug


class UpstreamHealth(models.Model):
    """What the processes of a site know of an upstream together; a row appears with the first trouble."""

    upstream = models.OneToOneField(Upstream, on_delete=models.CASCADE, related_name="health")
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    reason = models.CharField(max_length=40, blank=True)
    rests_until = models.DateTimeField(null=True, blank=True)
    refused_credentials = models.PositiveIntegerField(default=0, help_text="In a row.")
    refused_credential = models.CharField(max_length=32, blank=True, help_text="A mark of it, to know a new one by.")
    set_aside_at = models.DateTimeField(null=True, blank=True, help_text="Its credential was refused twice.")
    balance = models.DecimalField(max_digits=18, decimal_places=4, null=True, blank=True)
    balance_currency = models.CharField(max_length=3, blank=True)
    balance_read_at = models.DateTimeField(null=True, blank=True)
    balance_problem = models.CharField(max_length=200, blank=True, help_text="Why it could not be read the last time.")
    probed_at = models.DateTimeField(null=True, blank=True)
    probe_problem = models.CharField(max_length=200, blank=True, help_text="Empty: the last probe was answered.")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "upstream health"

    def __str__(self) -> str:
        return f"{self.upstream}: {self.reason or 'healthy'}"

    @property
    def why(self) -> str:
        """Why it rests, in words."""
        return REASONS.get(self.reason, self.reason.replace("_", " ")) or "it failed again and again"


class RouteHealth(models.Model):
    """What the processes of a site know together of one model at an upstream, whatever pools it is in."""

    upstream = models.ForeignKey(Upstream, on_delete=models.CASCADE, related_name="route_health", db_index=False)
    upstream_model = models.CharField(max_length=128)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    reason = models.CharField(max_length=40, blank=True)
    rests_until = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "route health"
        constraints = [models.UniqueConstraint(fields=["upstream", "upstream_model"], name="one_route_health")]

    def __str__(self) -> str:
        return f"{self.upstream} · {self.upstream_model}: {self.reason or 'healthy'}"


class ProbeSum(models.Model):
    """How the probes of an upstream went in an hour or a day (UTC)."""

    class Span(models.TextChoices):
        HOUR = "hour"
        DAY = "day"

    span = models.CharField(max_length=4, choices=Span)
    starts_at = models.DateTimeField()
    upstream = models.ForeignKey(Upstream, on_delete=models.CASCADE, related_name="probe_sums", db_index=False)
    answered = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["span", "starts_at", "upstream"], name="one_probe_sum")]

    def __str__(self) -> str:
        return f"{self.span} {self.starts_at:%Y-%m-%d %H}h {self.upstream}"


class Pool(models.Model):
    """The routes that serve a model."""

    model = models.OneToOneField(Model, on_delete=models.CASCADE, related_name="pool")

    def __str__(self) -> str:
        return self.model.slug


class Route(models.Model):
    """An upstream in a pool. Priority 1 is tried before 2; weight shares traffic inside a level."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="routes")
    upstream = models.ForeignKey(Upstream, on_delete=models.CASCADE, related_name="routes")
    upstream_model = models.CharField(max_length=128, help_text="The model's id at the upstream.")
    priority = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    weight = models.PositiveSmallIntegerField(default=100, help_text="0: only when the others of its level fail.")
    enabled = models.BooleanField(default=True)
    from_environment = models.BooleanField(default=False, editable=False)
    context_length = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: the model's.")
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: the model's.")
    tools = models.BooleanField(default=True)
    images = models.BooleanField(default=True)
    json_mode = models.BooleanField("JSON mode", default=True)
    json_schema = models.BooleanField(
        "JSON schema", default=True, help_text="Off: a schema becomes an instruction, JSON mode and one check."
    )
    cost_currency = models.CharField(max_length=3, default="USD", help_text="What the provider bills in, such as CNY.")
    cost_input_micros = models.BigIntegerField(null=True, blank=True, help_text="Millionths per 1M input tokens.")
    cost_cached_micros = models.BigIntegerField(null=True, blank=True, help_text="Empty: as input.")
    cost_output_micros = models.BigIntegerField(null=True, blank=True, help_text="Millionths per 1M output tokens.")

    class Meta:
        ordering = ["priority", "-weight", "id"]
        constraints = [
            models.UniqueConstraint(fields=["pool", "upstream", "upstream_model"], name="one_route"),
            models.CheckConstraint(condition=Q(priority__gte=1), name="priority_from_1"),
        ]

    def __str__(self) -> str:
        return f"{self.upstream} · {self.upstream_model}"

    def clean(self) -> None:
        if not self.upstream_model.strip():
            raise ValidationError({"upstream_model": "Name the model as the upstream calls it."})
