"""The management API: API keys, for programs with a management key. Its errors have the shape of `/v1`'s."""

import logging
from typing import Any

from django.http import Http404, HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler, set_rollback

from accounts import keys
from accounts.authentication import acting_as
from accounts.models import APIKey
from accounts.pages import page_by_id
from accounts.schema import endpoint
from accounts.serializers import KeyPageSerializer, KeySerializer, NewKeySerializer
from billing import budgets

logger = logging.getLogger(__name__)

AFTER = OpenApiParameter("after", str, description="`next` of the page before.")

TEXTS: dict[type[Exception], str] = {
    Http404: "Your organization has nothing of this id here.",
    exceptions.NotAuthenticated: "No management key was sent. Send it as `Authorization: Bearer smt-mgmt-…`.",
    exceptions.ParseError: "The body is not JSON.",
    exceptions.UnsupportedMediaType: "Send JSON, with `Content-Type: application/json`.",
}
"""What is said where the framework's own words tell nobody what to do."""


def explain(error: Exception, context: dict[str, Any]) -> Response:
    """Return an error as ``{"error": {"message", "type", "param", "code"}}``."""
    response = exception_handler(error, context)
    if response is None:  # nobody foresaw it: a program gets no page even then
        set_rollback()
        logger.error("%s broke", type(context["view"]).__name__, exc_info=error)
        return Response(_describe("Something broke on our side.", "internal_error", kind="api_error"), status=500)
    param, message, code = _find_first(getattr(error, "detail", str(error)))
    message = f"`{param}` is required." if code == "required" and param else TEXTS.get(type(error), message)
    response.data = _describe(message, code or "not_found", param)
    return response


def _describe(message: str, code: str, param: str | None = None, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


@csrf_exempt
def unknown(request: HttpRequest) -> JsonResponse:
    """Answer whatever else lies under `/api/`: a program reads no page, and must not be redirected."""
    hint = "GET /api/schema/ tells what there is."
    if not request.path.endswith("/"):
        hint = "Every address here ends in a slash. " + hint
    problem = f"There is no {request.method} {request.path[:200]} here. {hint}"
    return JsonResponse(_describe(problem, "unknown_endpoint"), status=404)


def _find_first(detail: Any, param: str | None = None) -> tuple[str | None, str, str]:
    if isinstance(detail, dict):
        name, inner = next(iter(detail.items()))
        return _find_first(inner, param or (str(name) if name != "non_field_errors" else None))
    if isinstance(detail, list):
        return _find_first(detail[0], param)
    return param, str(detail), getattr(detail, "code", "")


class KeyList(APIView):
    @endpoint("list_keys", {200: KeyPageSerializer}, parameters=[AFTER])
    def get(self, request: Request) -> Response:
        """List API keys, newest first, fifty a page."""
        page = page_by_id(_visible(request).select_related("created_by"), request.query_params.get("after", ""))
        return Response({"data": KeySerializer(page.rows, many=True).data, "next": page.next})

    @endpoint("create_key", {201: NewKeySerializer}, request=KeySerializer)
    def post(self, request: Request) -> Response:
        """Make an API key; its secret stands in this answer alone."""
        asked = KeySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        membership = acting_as(request)
        try:
            key, secret = keys.create_key(
                organization=membership.organization, created_by=membership.user, **asked.validated_data
            )
        except keys.KeyInputError as error:
            raise exceptions.ValidationError(str(error)) from None
        return Response({**KeySerializer(key).data, "secret": str(secret)}, status=201)


class KeyDetail(APIView):
    @endpoint("read_key", {200: KeySerializer})
    def get(self, request: Request, pk: int) -> Response:
        """Read one API key."""
        return Response(KeySerializer(_find(request, pk)).data)

    @endpoint("update_key", {200: KeySerializer}, request=KeySerializer)
    def patch(self, request: Request, pk: int) -> Response:
        """Change an API key; in force within a second, its budgets also for the current day and month."""
        key = _find(request, pk)
        asked = KeySerializer(key, data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        try:
            budgets.update_key(key=key, actor=acting_as(request).user.email, **asked.validated_data)
        except keys.KeyInputError as error:
            raise exceptions.ValidationError(str(error)) from None
        return Response(KeySerializer(_find(request, pk)).data)

    @endpoint("revoke_key", {204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Revoke an API key, for good."""
        keys.revoke_key(key=_find(request, pk), actor=acting_as(request).user.email)
        return Response(status=204)


def _visible(request: Request) -> Any:
    return APIKey.objects.visible_to(acting_as(request)).filter(kind=APIKey.Kind.STANDARD)


def _find(request: Request, pk: int) -> APIKey:
    key: APIKey = get_object_or_404(_visible(request).select_related("created_by"), pk=pk)
    return key
