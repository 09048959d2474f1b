"""What every endpoint of the management API has: no field that it does not know, and errors of one shape."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers

STATUSES = (400, 401, 404, 429)


class KnownFields(serializers.Serializer):
    """Refuses fields that there are not: a budget with a misspelt name must not make a key without one."""

    def to_internal_value(self, data: Any) -> Any:
        for name in data if isinstance(data, Mapping) else ():
            if name not in self.fields:
                raise serializers.ValidationError({str(name)[:60]: _unknown(str(name), list(self.fields))})
        return super().to_internal_value(data)


def _unknown(name: str, known: list[str]) -> serializers.ErrorDetail:
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {nearest[0]!r}?" if nearest else f"There are {', '.join(known)}."
    return serializers.ErrorDetail(f"There is no field {name[:60]!r}. {hint}", "unknown_field")


class ErrorDetails(serializers.Serializer):
    message = serializers.CharField()
    type = serializers.CharField()
    param = serializers.CharField(allow_null=True)
    code = serializers.CharField()


class Problem(serializers.Serializer):
    """The shape of `/v1`'s errors."""

    error = ErrorDetails()


def endpoint(name: str, answers: dict[int, Any], **more: Any) -> Callable[[Any], Any]:
    """Describe an endpoint: its name for generated clients, its good answers by status, and the errors of all."""
    return extend_schema(operation_id=name, responses={**answers, **dict.fromkeys(STATUSES, Problem)}, **more)
