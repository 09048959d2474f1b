"""The management API: usage records and the wallet, for programs with a management key."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import acting_as
from accounts.schema import KnownFields, endpoint
from billing import money, usage
from billing.filters import UsageFilter
from billing.ledger import get_wallet
from billing.models import UsageRecord
from billing.serializers import UsagePageSerializer, WalletSerializer


class UsageQuery(KnownFields):
    """What must hold of the requests: they ended in [since, until)."""

    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)
    model = serializers.CharField(required=False, max_length=64)
    key = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    tag = serializers.CharField(required=False, max_length=64)
    status = serializers.ChoiceField(UsageRecord.Status.choices, required=False)
    after = serializers.CharField(required=False, allow_blank=True, max_length=100)


class UsageList(APIView):
    @endpoint("list_usage", {200: UsagePageSerializer}, parameters=[UsageQuery])
    def get(self, request: Request) -> Response:
        """List usage records, newest first, fifty a page."""
        query = UsageQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked: dict[str, Any] = dict(query.validated_data)
        after = asked.pop("after", "")
        page = usage.list_records(membership=acting_as(request), filters=UsageFilter(**asked), after=after)
        return Response(UsagePageSerializer({"data": page.rows, "next": page.next}).data)


class Wallet(APIView):
    @endpoint("read_wallet", {200: WalletSerializer})
    def get(self, request: Request) -> Response:
        """Read what is in the wallet now."""
        wallet = get_wallet(organization=acting_as(request).organization)
        figures = {
            "added_usd": money.usd(wallet.limit_nanos or 0),
            "spent_usd": money.usd(wallet.spent_nanos),
            "held_usd": money.usd(wallet.held_nanos),
            "available_usd": money.usd(wallet.free_nanos or 0),
            "currency": "USD",
        }
        return Response(WalletSerializer(figures).data)
