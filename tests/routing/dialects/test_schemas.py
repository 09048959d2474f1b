"""Schemas from outside are checked within bounds, and never lead anywhere."""

import json

import pytest

from routing.dialects import schemas

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PERSON = {"$defs": {"name": {"type": "string"}}, "type": "object", "properties": {"name": {"$ref": "#/$defs/name"}}}


@pytest.mark.parametrize(
    ("text", "schema", "fits"),
    [
        ('{"city": "Wuhan"}', CITY, True),
        ('{"city": 5}', CITY, False),
        ("{}", CITY, False),
        ("Wuhan", CITY, False),
        ('{"name": "Li"}', PERSON, True),
        ('{"name": 5}', PERSON, False),
        ("5", {"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer"}, True),
    ],
)
def test_an_answer_fits_its_schema_or_not(text, schema, fits):
    assert schemas.fits(text, schema) is fits


STANDARD = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
CHAIN = {f"a{n}": {**STANDARD, "anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        (json.dumps("a" * 40 + "!"), {"pattern": "(a+)+$"}),
        (json.dumps({"a" * 40 + "!": 1}), {"patternProperties": {"(a+)+$": {}}, "additionalProperties": False}),
        ("5", {"$defs": {**CHAIN, "a40": {"type": "string"}}, "$ref": "#/$defs/a0"}),
        ("5", {"$ref": "#"}),
        ("5", {"minimum": "many"}),
        (json.dumps([1] * 10_000), {"items": {"type": "integer"}}),
        (json.dumps("x" * schemas.MAX_BYTES), {"type": "string"}),
        ("5", {"description": "x" * schemas.MAX_BYTES}),
    ],
    ids=[
        "expression",
        "expressions of names",
        "alternatives",
        "itself",
        "wrong kind",
        "long",
        "long text",
        "long schema",
    ],
)
def test_where_a_bound_is_met_nothing_is_said(text, schema):
    assert schemas.fits(text, schema) is None


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_reference_is_never_followed_out_of_the_schema(monkeypatch, tmp_path, scheme):
    opened = []
    monkeypatch.setattr("urllib.request.urlopen", lambda request, *args, **kw: opened.append(request))
    assert schemas.fits("5", {"$ref": f"{scheme}://127.0.0.1:9{tmp_path}"}) is None
    assert opened == []


@pytest.mark.parametrize(
    ("schema", "is_one"),
    [
        (CITY, True),
        (PERSON, True),
        ({**CITY, "$schema": "https://example.com/unknown"}, True),
        ({**CITY, "$schema": []}, False),
        ({"type": "no such type"}, False),
        ({"properties": {"a": {"type": 5}}}, False),
        ("text", False),
        (None, False),
        ({"properties": {f"p{n}": {"type": "string"} for n in range(900)}}, True),
    ],
)
def test_a_schema_is_told_from_what_is_none(schema, is_one):
    assert schemas.is_schema(schema) is is_one
