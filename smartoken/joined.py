"""Small static files joined into one: a page then makes few requests, and nobody runs a build.

The joined file is found beside the others, so that ``{% static %}``, collectstatic and the
development server treat it as any file. It lies in the same folder as its parts, so that
their relative addresses hold.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.files.storage import FileSystemStorage

JOINED = {
    "css/frame.css": (
        "css/tokens.css",
        "css/base.css",
        "css/layout.css",
        "css/components.css",
        "css/forms.css",
        "css/tables.css",
        "css/code.css",
        "css/path.css",
        "css/console.css",
        "css/print.css",
    ),
    "js/documentation.js": ("vendor/htmx/htmx.min.js", "js/docs.js"),
    "js/frame.js": ("js/theme.js", "js/menu.js", "js/copy.js"),
    "js/passkey-forms.js": (
        "mfa/js/webauthn-json.js",
        "mfa/js/webauthn.js",
        "account/js/onload.js",
        "js/passkeys.js",
    ),
    "css/family.css": ("css/site.css", "css/models.css"),
    "css/prices.css": ("css/site.css", "css/pricing.css"),
    "css/usage.css": ("vendor/uplot/uPlot.min.css", "css/records.css", "css/charts.css"),
    "js/usage.js": ("vendor/uplot/uPlot.iife.min.js", "vendor/htmx/htmx.min.js", "js/charts.js", "js/filters.js"),
    "css/overview.css": ("vendor/uplot/uPlot.min.css", "css/charts.css", "css/dashboard.css"),
    "js/overview.js": ("vendor/uplot/uPlot.iife.min.js", "js/charts.js"),
    "js/playground.js": (
        "vendor/marked/marked.umd.js",
        "vendor/dompurify/purify.min.js",
        "js/play/parts.js",
        "js/play/events.js",
        "js/play/markdown.js",
        "js/play/answer.js",
        "js/play/column.js",
        "js/play/images.js",
        "js/play/page.js",
        "js/play/code.js",
        "js/play/link.js",
        "js/play/kept.js",
        "js/play/history.js",
    ),
    "css/guide.css": (
        "vendor/uplot/uPlot.min.css",
        "css/site.css",
        "css/records.css",
        "css/charts.css",
        "css/styleguide.css",
    ),
    "css/playing.css": ("css/playground.css", "css/turns.css", "css/history.css"),
    "css/documentation.css": ("css/docs.css", "css/docs-find.css"),
}
"""Each joined file with its parts, in the order in which they are read."""


def join(path: str) -> Path:
    """Write the joined file where it is missing or its parts have changed; return where it lies."""
    sources = [Path(str(finders.find(part))) for part in JOINED[path]]
    between = b"\n;\n" if path.endswith(".js") else b"\n"  # a script may end without a semicolon
    content = between.join(source.read_bytes() for source in sources)
    target = settings.JOINED_DIR / path
    if not target.exists() or target.read_bytes() != content:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f"{target.name}.{os.getpid()}")
        unfinished.write_bytes(content)
        unfinished.replace(target)  # whole, whoever reads at this moment
    return target


class JoinedFinder(finders.BaseFinder):
    """Finds the joined files, which it writes when they are asked for."""

    def check(self, **options: Any) -> list[Any]:
        return []

    def find(self, path: str, find_all: bool = False, **options: Any) -> Any:
        if path not in JOINED:
            return []
        found = str(join(path))
        return [found] if find_all else found

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        storage = FileSystemStorage(location=settings.JOINED_DIR)
        for path in JOINED:
            join(path)
            yield path, storage
