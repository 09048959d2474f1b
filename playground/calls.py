"""The call that a person puts together in the Playground, as code to take home."""

import json
from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST

from accounts.middleware import MemberRequest, membership_required
from playground.bodies import SENT, read_body
from playground.samples import LANGUAGES, Sample, color, name_key
from routing.errors import GatewayError
from routing.models import Family
from routing.requests import parse_chat

IMAGE = "data:image/jpeg;base64,YOUR_IMAGE"
"""Stands in the code for the data of an image, which would bury it."""


@membership_required
@require_POST
def show_call(request: MemberRequest) -> HttpResponse:
    """Return language → code in colours of the call in the body, which is the same as ``run`` takes."""
    try:
        asked = parse_chat(read_body(request)).body
    except GatewayError as error:
        return JsonResponse({"problem": error.message}, status=error.status)
    model = str(asked.get("model")).replace("\0", "")  # which PostgreSQL takes in no text
    family = Family.objects.filter(models__slug=model).values_list("slug", flat=True).first()
    samples = render_samples(asked, key=name_key(request.membership, family=family or ""))
    return JsonResponse({sample.language: sample.html for sample in samples})


def render_samples(asked: dict[str, Any], *, key: str) -> list[Sample]:
    """Return the call of this body in each language; what the Playground does not send is left out."""
    body = {name: asked[name] for name in SENT if asked.get(name) is not None}
    body["messages"] = [_shorten(message) for message in body["messages"]]
    values = {
        "base_url": f"{settings.SMARTOKEN_URL.rstrip('/')}/v1",
        "key": key,
        "shell": _write({**body, "stream": True}, 2).replace("'", "'\\''"),
        "fields": _write_fields(body, 4),
        "fields_narrow": _write_fields(body, 2),
    }
    return [_render(name, label, file, lexer, values) for name, label, file, lexer in LANGUAGES]


def _render(name: str, label: str, file: str, lexer: str, values: dict[str, Any]) -> Sample:
    source = render_to_string(f"playground/samples/play/{file}.txt", values)
    return Sample(name, label, source, color(source, lexer), lexer)


def _write_fields(body: dict[str, Any], indent: int) -> list[tuple[str, str]]:
    return [(name, _write(value, indent).replace("\n", "\n" + " " * indent)) for name, value in body.items()]


def _write(value: Any, indent: int) -> str:
    """Write texts, numbers, lists and objects: as JSON they are Python and TypeScript too."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return text.encode(errors="replace").decode()  # half a character, which no file could hold


def _shorten(message: dict[str, Any]) -> dict[str, Any]:
    """Return the message without the data of its images."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": [_shorten_part(part) for part in content]}


def _shorten_part(part: Any) -> Any:
    is_image = isinstance(part, dict) and part.get("type") == "image_url"
    return {"type": "image_url", "image_url": {"url": IMAGE}} if is_image else part
