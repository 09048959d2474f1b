"""A dialect's addresses and models are those of the facts, and the catalogue's are those of its dialect."""

import pytest

from routing import dialects
from routing.catalog import load_families
from tests.routing.dialects.facts import NAMES, load_providers

PROVIDERS = [pytest.param(NAMES[one["family"]], one, id=NAMES[one["family"]]) for one in load_providers()]

IN_NOTES = {"glm-4.7": {(204_800, 98_304)}}
"""Lengths that stand in a row's note."""


@pytest.mark.parametrize(("name", "facts"), PROVIDERS)
def test_its_addresses_are_known(name, facts):
    known = " ".join(address["url"] for address in facts["base_urls"])
    assert [one.url for one in dialects.get(name).addresses if one.url not in known] == []


@pytest.mark.parametrize(("name", "facts"), PROVIDERS)
def test_its_models_and_their_lengths_are_known(name, facts):
    for model in dialects.get(name).models:
        rows = [row for row in facts["model_ids"] if model.id in row["id"]]
        lengths = {(row["context"], row["max_output"]) for row in rows} | IN_NOTES.get(model.id, set())
        assert any(model.context in (None, context) for context, _ in lengths), model
        assert any(model.longest_answer in (None, longest) for _, longest in lengths), model


@pytest.mark.parametrize("family", load_families(), ids=lambda family: family.slug)
def test_an_upstream_added_without_an_address_lies_where_one_from_the_environment_does(family):
    assert dialects.get(family.upstream.dialect).addresses[0].url == family.upstream.base_url


@pytest.mark.parametrize("family", load_families(), ids=lambda family: family.slug)
def test_the_catalogues_model_is_one_of_its_dialects(family):
    assert family.upstream.model in [model.id for model in dialects.get(family.upstream.dialect).models]
