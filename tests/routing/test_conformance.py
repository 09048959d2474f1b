"""The conformance sheet is what the tests say now."""

import pytest

from routing import conformance
from routing.catalog import load_families
from tests.conformance import FAMILIES, RUNS, compute, has_sources


@pytest.mark.skipif(not has_sources(), reason="the recordings and the facts lie beside the project")
def test_the_sheet_is_not_stale():
    assert conformance.load_sheet() == compute(), "run scripts/conformance"


def test_every_family_has_every_check_at_a_known_level():
    sheet = conformance.load_sheet()
    assert set(sheet) == {facts.slug for facts in load_families()}
    for row in sheet.values():
        assert list(row) == [*conformance.CHECKS, *conformance.ERROR_CHECKS]
        assert set(row.values()) <= set(conformance.LEVELS)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("check", RUNS)
def test_a_family_passes_its_check(family, check):
    assert RUNS[check](family) in conformance.LEVELS


def test_a_family_that_is_not_on_the_sheet_has_no_results():
    assert conformance.list_halves("nobody") == []
