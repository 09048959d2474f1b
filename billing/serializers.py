"""The management API's usage records and wallet: amounts are texts in US dollars."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing import money
from billing.models import UsageRecord


@extend_schema_field(OpenApiTypes.STR)
class USDField(serializers.Field):
    """Nano-dollars, written as exact dollars."""

    def to_representation(self, value: int) -> str:
        return money.usd(value)


class UsageSerializer(serializers.ModelSerializer):
    key = serializers.IntegerField(source="key_id")
    charge_usd = USDField(source="charge_nanos")

    class Meta:
        model = UsageRecord
        fields = [
            "id",
            "created_at",
            "model",
            "key",
            "tag",
            "status",
            "error_code",
            "http_status",
            "ended_by",
            "count_source",
            "input_tokens",
            "cached_tokens",
            "output_tokens",
            "reasoning_tokens",
            "charge_usd",
            "first_token_ms",
            "total_ms",
        ]


class UsagePageSerializer(serializers.Serializer):
    """``next`` is the value of ``after`` for the page that follows, empty at the end."""

    data = UsageSerializer(many=True)  # type: ignore[assignment]
    next = serializers.CharField()


class WalletSerializer(serializers.Serializer):
    """What was added in all, what of it is spent and held, and what is free."""

    added_usd = serializers.CharField()
    spent_usd = serializers.CharField()
    held_usd = serializers.CharField()
    available_usd = serializers.CharField()
    currency = serializers.CharField()
