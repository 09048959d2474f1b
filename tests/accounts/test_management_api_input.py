"""Every writable endpoint of the management API, found in its schema, against input that makes no sense."""

import json

import pytest
from django.core.cache import cache
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from accounts import keys, management_keys
from accounts.models import APIKey, AuditEntry, ManagementKey

RIGHT = {"name": "Nightly"}
BAD = {
    "empty": "",
    "too long": "x" * 20_000,
    "a NUL": "a\0b",
    "half a character": "\ud800",
    "negative": -1,
    "zero": 0,
    "huge": 10**30,
    "a fraction": 0.5,
    "a truth": True,
    "nothing": None,
    "no choice": "nobody-offers-this",
    "HTML": "<script>alert(1)</script>",
    "a list": [[], None, {}],
    "many": ["kimi"] * 5_000,
    "an object": {"a": {"b": []}},
}
GOOD = {
    "name": {"negative", "zero", "huge", "a fraction", "no choice", "HTML"},
    "families": set(),
    "daily_budget_usd": {"zero", "a fraction", "nothing"},
    "monthly_budget_usd": {"zero", "a fraction", "nothing"},
    "requests_per_minute": {"nothing"},
    "expires_at": {"nothing"},
    "allowed_addresses": set(),
}
"""What each field takes all the same: any words are a name."""


@pytest.fixture
def program(alice, catalogue):
    secret = management_keys.create(organization=alice.organization, created_by=alice.user, name="CI")[1]
    return Client(raise_request_exception=False, headers={"authorization": f"Bearer {secret}"})


@pytest.fixture
def key(alice, catalogue):
    return keys.create_key(organization=alice.organization, created_by=alice.user, name="Theirs")[0]


def writable():
    """Yield (method, path, field) for each field that a program may write."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            for name in _properties(schema, operation.get("requestBody")):
                yield method, path, name


def _properties(schema, body):
    if not body:
        return []
    asked = body["content"]["application/json"]["schema"]
    found = schema["components"]["schemas"][asked["$ref"].rpartition("/")[2]] if "$ref" in asked else asked
    return [name for name, kind in found["properties"].items() if not kind.get("readOnly")]


def rows():
    return [list(model.objects.order_by("pk").values()) for model in (APIKey, AuditEntry, ManagementKey)]


@pytest.mark.parametrize("kind", BAD)
def test_a_wrong_value_is_named_and_nothing_is_written(program, key, kind):
    before, problems, seen = rows(), [], set()
    for method, path, name in writable():
        cache.clear()
        seen.add(name)
        content = json.dumps((RIGHT if method == "post" else {}) | {name: BAD[kind]})
        answer = program.generic(method, path.replace("{id}", str(key.pk)), content, "application/json")
        if kind in GOOD[name]:
            is_right = answer.status_code in (200, 201)
            APIKey.objects.exclude(pk=key.pk).delete()
        else:
            is_right = answer.status_code == 400 and answer.json()["error"]["param"] == name and rows() == before
        if not is_right:
            problems.append(f"{method} {path} {name}: {answer.status_code} {answer.content[:200]!r}")
        before = rows()
    assert "\n".join(problems) == ""
    assert seen == set(GOOD)


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "7", '"a"', '{"name": NaN}', "\0", "[" * 100_000])
def test_a_body_that_is_no_object_is_refused(program, key, body):
    before = rows()
    for method, path in {(method, path) for method, path, _ in writable()}:
        answer = program.generic(method, path.replace("{id}", str(key.pk)), body, "application/json")
        assert answer.status_code == 400, (method, path, answer.content[:300])
        assert answer.json()["error"]["message"]
    assert rows() == before


def test_somebody_elses_key_is_not_there(program, bob):
    theirs = keys.create_key(organization=bob.organization, created_by=bob.user, name="Bob's")[0]
    before = rows()
    for method in ("get", "patch", "delete"):
        for pk in (theirs.pk, 0, 10**30):
            answer = program.generic(method, f"/api/keys/{pk}/", '{"name": "taken"}', "application/json")
            assert answer.status_code == 404, (method, pk)
    assert rows() == before
