"""Addresses that no page can use."""

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from django.views.defaults import bad_request


class AddressMiddleware(MiddlewareMixin):
    """Refuses a NUL, in a path or behind the question mark: PostgreSQL takes none in a text, and no page means it."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            return bad_request(request, ValueError("a NUL in the address"))
        return None
