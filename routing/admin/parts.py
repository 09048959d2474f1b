"""What the pages of routing share."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from billing.models import Price, UsageRecord
from routing import checks, credentials
from routing.models import Model


def checked_by(check: Callable[[str], str], name: str) -> Callable[[Any], str]:
    """Return a form's ``clean_<name>`` that asks the domain; its error belongs to the field."""

    def clean(form: Any) -> str:
        try:
            return check(form.cleaned_data[name] or "")
        except (checks.PoolError, credentials.CredentialError) as error:
            raise ValidationError(str(error)) from None

    return clean


def join_links(links: list[Any]) -> SafeString:
    return format_html_join(" · ", "{}", ((link,) for link in links))


def is_named_by_money(model: Model) -> bool:
    """Tell whether a price or a charge names this model: they hold its public id, not its row."""
    return any(table.objects.filter(model=model.slug).exists() for table in (Price, UsageRecord))
