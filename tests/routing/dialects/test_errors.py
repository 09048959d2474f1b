"""What each documented error of each provider means."""

import orjson
import pytest

from routing import dialects
from routing.dialects.base import Meaning, UpstreamFault
from routing.dialects.meanings import POLICIES
from routing.errors import ERRORS
from tests.routing.dialects.facts import error_shapes

SHAPES = error_shapes()


@pytest.mark.skipif(not SHAPES, reason="the facts lie beside the project")
def test_there_is_a_shape_for_every_family():
    assert len(SHAPES) == 124
    assert len({shape.values[0] for shape in SHAPES}) == 17


@pytest.mark.parametrize(("name", "status", "body", "meaning"), SHAPES)
def test_a_documented_error_has_its_meaning(name, status, body, meaning):
    dialect = dialects.get(name)
    if status == 200:
        with pytest.raises(UpstreamFault) as caught:
            dialect.read_event(orjson.dumps(body))
        fault = caught.value
    else:
        fault = dialect.read_error(status, orjson.dumps(body))
    assert fault.reason == meaning
    assert fault.code == POLICIES[meaning].code


@pytest.mark.parametrize(
    ("name", "error", "meaning"),
    [
        ("openai", {"message": "slow down", "code": 429}, Meaning.RATE_LIMITED),
        ("openrouter", {"message": "no key", "code": 401}, Meaning.BAD_CREDENTIAL),
        ("vllm", {"message": "bad", "type": "BadRequestError", "code": 400}, Meaning.INVALID_REQUEST),
        ("openai", {"message": "engine died", "code": 500}, Meaning.SERVER_ERROR),
        ("openai", {"message": "engine died", "code": "loading"}, Meaning.SERVER_ERROR),
        ("qwen", {"message": "slow down", "code": "Throttling.RateQuota"}, Meaning.RATE_LIMITED),
    ],
)
def test_an_error_within_a_200_answer_may_name_its_status_as_its_code(name, error, meaning):
    with pytest.raises(UpstreamFault) as caught:
        dialects.get(name).read_event(orjson.dumps({"error": error}))
    assert caught.value.reason == meaning


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (403, b"<html><h1>Request blocked</h1></html>", Meaning.SERVER_ERROR),
        (403, b'{"error": {"message": "not open to you"}}', Meaning.NO_PERMISSION),
        (
            403,
            b'{"error": {"message": "It may contain sensitive information.", "code": "new"}}',
            Meaning.CONTENT_FILTER,
        ),
        (400, b'{"error": {"message": "rejected", "code": "content_policy_violation"}}', Meaning.CONTENT_FILTER),
        (401, b"login required", Meaning.BAD_CREDENTIAL),
    ],
)
def test_the_words_of_one_request_set_no_upstream_to_rest(status, body, meaning):
    assert dialects.get("openai").read_error(status, body).reason == meaning


# The others are refusals of the request itself, which no stream that has begun ends with.
ENDINGS = (Meaning.CONTENT_FILTER, Meaning.RATE_LIMITED, Meaning.OVERLOADED, Meaning.SERVER_ERROR, Meaning.NO_BALANCE)


@pytest.mark.parametrize(
    ("name", "status", "body", "meaning"), [shape for shape in SHAPES if shape.values[3] in ENDINGS]
)
def test_an_error_is_found_in_the_middle_of_a_stream(name, status, body, meaning):
    with pytest.raises(UpstreamFault) as caught:
        dialects.get(name).read_event(orjson.dumps(body))
    assert caught.value.code in ERRORS


@pytest.mark.parametrize("policy", POLICIES.values())
def test_every_policy_has_a_code_that_clients_may_see(policy):
    assert policy.code in ERRORS


def test_every_meaning_has_a_policy():
    assert set(POLICIES) == set(Meaning)


@pytest.mark.parametrize("name", dialects.DIALECTS)
@pytest.mark.parametrize(
    "body",
    [b"", b"login required", b"<html><h1>502 Bad Gateway</h1></html>", b"null", b"[]", b'"x"', b"\xff\xfe", b"{"],
)
@pytest.mark.parametrize("status", [302, 400, 401, 418, 429, 500, 599])
def test_no_body_at_all_makes_a_dialect_stumble(name, body, status):
    assert dialects.get(name).read_error(status, body).code in ERRORS
