"""What a client reads of a refusal: which of its parameters, never the provider's words."""

import re
from types import SimpleNamespace

import pytest

from routing import explanations
from routing.dialects.base import Meaning, UpstreamFault
from routing.endings import Ending
from routing.explanations import explain_fault

BODY = ["model", "messages", "user", "top_p", "temperature", "n", "response_format", "stop"]


@pytest.mark.parametrize(
    ("words", "param"),
    [
        ("top_p must be below 1", "top_p"),
        ("Invalid value for 'n': canary", "n"),
        ("n must be 1", None),
        ("the model says stop to this user", None),
        ("temperature and top_p exclude each other", "temperature"),
        ("`stop` takes four texts, temperature one", "stop"),
        ("stop_sequences is canary", None),
        ("canary", None),
        ("", None),
    ],
)
def test_a_parameter_in_the_providers_words_is_named(words, param):
    fault = UpstreamFault.of(Meaning.INVALID_REQUEST, provider_message=words)
    text, named = explain_fault(fault, BODY)
    assert named == param
    assert "canary" not in text


def test_a_body_of_very_many_names_costs_no_more_than_those_that_are_named(monkeypatch):
    tried = []
    search = SimpleNamespace(search=lambda pattern, text: tried.append(pattern), escape=re.escape)
    monkeypatch.setattr(explanations, "re", search)
    words = " ".join(f"n{number}" for number in range(1000))
    explanations.find_parameter(words, [f"n{number}" for number in range(100_000)])
    assert len(tried) <= 2 * explanations.MAX_NAMES


@pytest.mark.parametrize(
    ("given", "param"),
    [("tools[0].function.name", "tools[0].function.name"), ("see our canary docs", None), ("<b>x</b>", None)],
)
def test_what_the_provider_calls_a_parameter_is_named_if_it_reads_like_one(given, param):
    fault = UpstreamFault.of(Meaning.INVALID_REQUEST, param=given)
    assert explain_fault(fault, BODY)[1] == param


@pytest.mark.parametrize("meaning", list(Meaning))
def test_no_meaning_passes_the_providers_words_on(meaning):
    fault = UpstreamFault.of(meaning, provider_message="canary", param="canary words")
    assert "canary" not in str(explain_fault(fault, BODY))


@pytest.mark.parametrize(
    ("meaning", "seconds"), [(Meaning.RATE_LIMITED, 7), (Meaning.NO_BALANCE, None), (Meaning.BAD_CREDENTIAL, None)]
)
def test_a_client_waits_by_the_providers_clock_only_for_what_passes(meaning, seconds):
    error = Ending.failed(UpstreamFault.of(meaning, retry_after=7)).error
    assert error and error.retry_after == seconds
