"""The catalogue: one TOML file a family, named by its slug.

It holds what the site says of a family, its model with the first price, the
upstream a credential in the environment leads to, and the texts of its page. Prices are decimal texts in US
dollars per 1M tokens, lengths are tokens. ``loader.py`` puts it into the database.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from routing.catalog.pages import PageTexts

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A family's model as it is first put into the database; from then on the admin's rows count."""

    slug: str
    context_length: int
    max_output_tokens: int
    default_output_tokens: int
    thinks: bool
    input_usd: str
    output_usd: str
    aliases: tuple[str, ...] = ()
    """Names that clients have in their code, in lower case."""


@dataclass(frozen=True, slots=True)
class UpstreamFacts:
    """Where the credential in ``credential_env`` leads; ``context_length`` only where it is below the model's."""

    provider: str
    provider_name: str
    country: str
    base_url: str
    model: str
    credential_env: str
    tools: bool
    images: bool
    json_mode: bool
    dialect: str
    context_length: int | None = None

    @property
    def base_url_env(self) -> str:
        """Name of the variable that overrides the address, e.g. ``DEEPSEEK_BASE_URL``."""
        return self.credential_env.removesuffix("_API_KEY") + "_BASE_URL"


@dataclass(frozen=True, slots=True)
class FamilyFacts:
    """One family: ratings are out of 5, ``position`` is its place in lists."""

    slug: str
    name: str
    company: str
    position: int
    reasoning: int
    coding: int
    best_for: str
    model: ModelFacts
    upstream: UpstreamFacts
    page: PageTexts


@cache
def load_families() -> list[FamilyFacts]:
    """Return the catalogue's families in their order; a KeyError or TypeError names a broken file's field."""
    families = [_read_family(path) for path in FOLDER.glob("*.toml")]
    return sorted(families, key=lambda family: family.position)


def _read_family(path: Path) -> FamilyFacts:
    data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return FamilyFacts(
        slug=path.stem,
        model=ModelFacts(**data["model"]),
        upstream=UpstreamFacts(**data["upstream"]),
        page=PageTexts.read(data["page"]),
        **{name: data[name] for name in ("name", "company", "position", "reasoning", "coding", "best_for")},
    )
