"""Who calls the management API, and what it may send: a program with a management key, in the name of its maker."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, ParseError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from accounts.management_keys import find_membership
from accounts.models import Membership, User


class ManagementKeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer <management key>``; ``request.auth`` is the membership it acts by."""

    def authenticate(self, request: Request) -> tuple[User, Membership] | None:
        scheme, _, secret = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        membership = find_membership(secret.strip())
        if membership is None:
            raise AuthenticationFailed(
                "This is no management key in use; an owner makes one in the console, under settings.",
                "invalid_management_key",
            )
        return membership.user, membership

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class BoundedJSONParser(JSONParser):
    """Refuses what is nested so deep that Python's parser gives up."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("The JSON is nested too deep.") from None


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema describes the authentication above."""

    target_class = ManagementKeyAuthentication
    name = "managementKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class PerAddress(SimpleRateThrottle):
    """Requests per client address, so that nobody guesses keys."""

    rate = "300/min"
    scope = "api"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return f"api:{request.META.get('REMOTE_ADDR', '')}"


def acting_as(request: Request) -> Membership:
    """Return the membership by which the program acts."""
    assert isinstance(request.auth, Membership)
    return request.auth
