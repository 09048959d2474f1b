"""What a model's page says about its routes: who receives the text, and how much of it."""

from dataclasses import dataclass

from routing.models import Family, Model, Route


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """The enabled routes of a pool, taken together. ``is_demo``: the built-in demo answers for now."""

    routes: list[Route]
    is_served: bool

    @property
    def is_demo(self) -> bool:
        return self.is_served and not self.routes

    @property
    def receivers(self) -> list[str]:
        """Companies and countries that may receive the text, in the order of the routes."""
        providers = [route.upstream.provider for route in self.routes]
        texts = [f"{each.name}, {each.country}" if each.country else each.name for each in providers]
        return list(dict.fromkeys(texts))

    @property
    def context_length(self) -> int | None:
        """The longest context of a route, where each route takes less than its model; else None."""
        lengths = [route.context_length for route in self.routes]
        return max(length for length in lengths if length) if lengths and all(lengths) else None

    def node(self, family: Family) -> list[dict[str, str]]:
        """Return the picture's third station: the first provider, else the family's company."""
        if self.routes:
            first = self.routes[0]
            return [{"name": first.upstream.provider.name, "note": f"priority {first.priority}", "state": "taken"}]
        note = "the demo answers for now" if self.is_demo else "not served on this site"
        return [{"name": family.company, "note": note, "state": "waiting"}]


def read_routes(model: Model, *, is_served: bool) -> RouteFacts:
    """Read the model's enabled routes in the order in which they are tried."""
    routes = Route.objects.filter(pool__model=model, enabled=True).select_related("upstream__provider")
    return RouteFacts(list(routes), is_served)
