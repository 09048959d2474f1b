"""Writes the conformance sheet from the tests; needs the recordings and the facts beside the project."""

import json
import os
import sys
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartoken.settings")
    django.setup()
    from routing import conformance
    from tests.conformance import compute, has_sources

    if not has_sources():
        print("The recordings and the facts are not beside the project: nothing was written.", file=sys.stderr)
        return 1
    conformance.PATH.write_text(json.dumps(compute(), indent=2) + "\n", encoding="utf-8")
    print(f"{conformance.PATH.relative_to(ROOT)} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
