"""People, their organizations and the API keys those own."""

from typing import Any, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.utils import timezone


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by their e-mail address (stored in lower case)."""

    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=100, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    joined_at = models.DateTimeField(default=timezone.now)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    def __str__(self) -> str:
        return self.email


class ScopedQuerySet(models.QuerySet[Any]):
    """Rows that belong to an organization; the one way in which pages see them."""

    def visible_to(self, membership: "Membership") -> Self:
        """Return the rows this member may see: a plain member's own, else the organization's."""
        rows = self.filter(organization=membership.organization_id)
        if membership.role == Membership.Role.MEMBER:
            rows = rows.filter(self.own_rows(membership.user_id))
        return rows

    def own_rows(self, user_id: int) -> models.Q:
        """Return which rows are this person's own."""
        return models.Q(user=user_id)


class APIKeyQuerySet(ScopedQuerySet):
    def own_rows(self, user_id: int) -> models.Q:
        # The Playground's key is everybody's, whoever came first.
        return models.Q(created_by=user_id, kind=APIKey.Kind.STANDARD)


class Organization(models.Model):
    """Whose wallet pays; made for each user at sign-up."""

    name = models.CharField(max_length=100)
    time_zone = models.CharField(max_length=64, default="UTC", help_text="Budget days and months follow this zone.")
    budget_alerts = models.BooleanField(default=True, help_text="Mail the owners at 80 % and 100 % of a budget.")
    low_balance_nanos = models.BigIntegerField(
        null=True, blank=True, default=10**9, help_text="Mail the owners when less is available. Empty: never."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    members = models.ManyToManyField(User, through="Membership")

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    class Role(models.TextChoices):
        OWNER = "owner"
        ADMIN = "admin"
        MEMBER = "member"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "organization"], name="one_membership")]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class Invitation(models.Model):
    """Lets one address sign up while SIGNUP=invited; one of an organization also lets its person join.

    The link of an organization's invitation holds a secret of which only the digest is stored.
    """

    email = models.EmailField()
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, null=True, related_name="invitations")
    role = models.CharField(max_length=10, choices=Membership.Role, default=Membership.Role.MEMBER)
    digest = models.BinaryField(max_length=32, null=True, unique=True, editable=False)
    invited_by = models.CharField(max_length=254, blank=True, default="", help_text="The address of who invited.")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["email"], condition=models.Q(organization=None), name="one_invitation_to_sign_up"
            ),
            models.UniqueConstraint(
                fields=["email", "organization"], condition=models.Q(accepted_at=None), name="one_open_invitation"
            ),
        ]

    def __str__(self) -> str:
        return self.email


class APIKey(models.Model):
    """A key of an organization. The secret is never stored: only its prefix and SHA-256 digest."""

    class Kind(models.TextChoices):
        STANDARD = "standard"
        PLAYGROUND = "playground"  # has no digest, so that no secret can match it on /v1

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="keys")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="keys")
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.STANDARD, editable=False)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, editable=False)
    digest = models.BinaryField(max_length=32, null=True, unique=True, editable=False)
    previous_prefix = models.CharField(max_length=16, blank=True, editable=False)
    previous_digest = models.BinaryField(max_length=32, null=True, unique=True, editable=False)
    previous_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Until then the secret that was replaced works too."
    )
    families = models.JSONField(default=list, blank=True, help_text="Slugs of the families it may use; empty: all.")
    daily_budget_nanos = models.BigIntegerField(null=True, blank=True)
    monthly_budget_nanos = models.BigIntegerField(null=True, blank=True)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    allowed_addresses = models.JSONField(default=list, blank=True, help_text="Addresses or networks; empty: all.")
    may_see_wallet = models.BooleanField(default=False, help_text="Let GET /v1/key tell the wallet's balance.")
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = APIKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        constraints = [
            models.UniqueConstraint(
                fields=["organization"], condition=models.Q(kind="playground"), name="one_playground_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def state(self) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at and self.expires_at <= timezone.now():
            return "expired"
        return "active"

    @property
    def is_rotating(self) -> bool:
        """Whether the secret that was replaced still works."""
        return self.previous_until is not None and self.previous_until > timezone.now()


class ManagementKey(models.Model):
    """Lets a program act for an organization on `/api/`, and nowhere else: `/v1` knows only ``APIKey``.

    It can do what the person who made it may do, as long as they own the organization.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="management_keys")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=20, editable=False)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class AuditQuerySet(ScopedQuerySet):
    def own_rows(self, user_id: int) -> models.Q:
        # A plain member has no part in it: it tells what others changed.
        return models.Q(pk__in=[])


class AuditEntry(models.Model):
    """A change that a person or a command made: who, what, and the values before and after. Never a secret."""

    created_at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=100, help_text="An e-mail address, or the name of a command.")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, related_name="audit_entries")
    action = models.CharField(max_length=40, help_text="Such as key.create.")
    target = models.CharField(max_length=200, help_text="What was changed, in words.")
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["organization", "-id"], name="audit_by_organization")]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"


class Version(models.Model):
    """A counter that database triggers bump on any change to the tables it stands for.

    Processes poll it to know when what they keep in memory is out of date
    (see ``accounts/versions.py``).
    """

    name = models.CharField(max_length=20, primary_key=True)
    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} {self.value}"
