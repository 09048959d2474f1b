"""What the gateway routes by: an immutable picture of models, aliases, prices and pools."""

from django.conf import settings
from django.db.models import Q

from routing.models import Model


def served_models() -> set[str]:
    """Return the slugs of the models that this site serves.

    A pool serves when it has an enabled route, or, where the demo is on, when
    it has no route at all.
    """
    served = Q(pool__routes__enabled=True)
    if settings.DEMO:
        served |= Q(pool__routes=None)
    return set(Model.objects.filter(served, pool__isnull=False).values_list("slug", flat=True))
