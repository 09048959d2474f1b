"""The management API's API keys: amounts are texts in US dollars."""

from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_network
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from accounts.keys import LAST_YEAR
from accounts.models import APIKey
from accounts.schema import KnownFields
from billing import money
from routing import checks
from routing.models import Family


class USDField(serializers.CharField):
    """An amount such as "12.50"; in the program nano-dollars, null where there is none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_null=True, required=False, **options)

    def to_internal_value(self, data: Any) -> Any:
        try:
            return money.parse_usd(super().to_internal_value(data))
        except money.AmountError as error:
            raise serializers.ValidationError(f"{error}.") from None

    def to_representation(self, value: Any) -> str:
        return money.usd(value)


def _must[T](check: Callable[[T], object], problem: str) -> Callable[[T], None]:
    def validate(value: T) -> None:
        if not check(value):
            raise serializers.ValidationError(problem)

    return validate


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _explain_family(name: str) -> str:
    try:
        slug = checks.find_family(name).slug
    except checks.PoolError as error:
        return str(error)
    return f"{name!r} is a model: write its family, {slug!r}."


class KeySerializer(KnownFields, serializers.ModelSerializer):
    """``secret`` stands only in the answer that made the key."""

    families = serializers.ListField(child=serializers.SlugField(max_length=100), required=False, max_length=100)
    daily_budget_usd = USDField(source="daily_budget_nanos")
    monthly_budget_usd = USDField(source="monthly_budget_nanos")
    requests_per_minute = serializers.IntegerField(min_value=1, max_value=1_000_000, allow_null=True, required=False)
    allowed_addresses = serializers.ListField(
        child=serializers.CharField(
            max_length=60, validators=[_must(_is_network, "Write an address or a network such as 203.0.113.0/24.")]
        ),
        required=False,
        max_length=100,
    )
    state = serializers.CharField(read_only=True)
    created_by = serializers.EmailField(source="created_by.email", read_only=True)

    class Meta:
        model = APIKey
        fields = [
            "id",
            "name",
            "prefix",
            "state",
            "families",
            "daily_budget_usd",
            "monthly_budget_usd",
            "requests_per_minute",
            "allowed_addresses",
            "expires_at",
            "created_at",
            "revoked_at",
            "created_by",
        ]
        read_only_fields = ["id", "prefix", "created_at", "revoked_at"]

    def validate_expires_at(self, value: datetime | None) -> datetime | None:
        if value and value <= timezone.now():
            raise serializers.ValidationError("This moment is over; choose a later one.")
        if value and value.year > LAST_YEAR:
            raise serializers.ValidationError(f"Choose a moment before the year {LAST_YEAR + 1}, or null for good.")
        return value

    def validate_families(self, value: list[str]) -> list[str]:
        unknown = set(value) - set(Family.objects.filter(slug__in=value).values_list("slug", flat=True))
        for name in sorted(unknown):
            raise serializers.ValidationError(_explain_family(name))
        return value


class NewKeySerializer(KeySerializer):
    secret = serializers.CharField(read_only=True)

    class Meta(KeySerializer.Meta):
        fields = [*KeySerializer.Meta.fields, "secret"]


class KeyPageSerializer(serializers.Serializer):
    """``next`` is the value of ``after`` for the page that follows, empty at the end."""

    data = KeySerializer(many=True)  # type: ignore[assignment]
    next = serializers.CharField()
