"""Computes the conformance sheet: every family through one list of checks, each by what it can be tested with.

``scripts/conformance`` writes it. Needs the recordings and the facts that lie beside the project.
"""

import json
import re
from collections.abc import Callable

import orjson

from routing import conformance, dialects
from routing.catalog import load_families
from routing.dialects.base import UpstreamFault
from routing.errors import GatewayError
from tests import rewriting
from tests.recordings import Recording, cut_randomly, load_recordings, read_said
from tests.routing.dialects.facts import NAMES, load_providers, read_meaning
from tests.shapes import SHAPES, expected

FAMILIES = {facts.slug: facts for facts in load_families()}
HI = [{"role": "user", "content": "Hi"}]
PIXELS = "iVBORw0KGgo="
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXELS}"}}

UNKNOWN: dict[str, frozenset[str]] = {
    # What no document and no other client's code tells of; the families without a line have none.
    "hunyuan": frozenset({"usage"}),
    "minimax": frozenset({"json"}),
    "longcat": frozenset({"usage", "json"}),
    "pangu": frozenset({"usage"}),
    "baichuan": frozenset({"reasoning", "thinking_off"}),
    "sensenova": frozenset({"usage", "json"}),
    "zhinao": frozenset({"stream", "usage", "reasoning", "tools", "json", "thinking_off", "cut"}),
    "yi": frozenset({"usage", "json"}),
    "internlm": frozenset({"stream", "usage", "reasoning", "tools", "json", "cut"}),
}


def has_sources() -> bool:
    """Tell whether what the sheet is computed from is there."""
    return bool(load_recordings() and load_providers())


def compute() -> dict[str, dict[str, str]]:
    """Return family → check → level. An AssertionError names the check that fails."""
    return {family: compute_row(family) for family in sorted(FAMILIES)}


def compute_row(family: str) -> dict[str, str]:
    row = {check: run(family) for check, run in RUNS.items()}
    unknown = UNKNOWN.get(family, frozenset())
    row = {check: "unknown" if check in unknown and level == "documented" else level for check, level in row.items()}
    return row | read_errors(family)


# --- answers -------------------------------------------------------------------


def recorded(family: str, wants: Callable[[Recording], bool]) -> list[Recording]:
    return [one for one in load_recordings() if one.dialect == family and not one.is_error and wants(one)]


def check_stream_of(family: str, body: str) -> None:
    out, reason, _, _ = rewriting.rewrite_stream(cut_randomly(body.encode(), 7), family)
    assert reason == "", (family, reason)
    assert read_said(out.decode()) == read_said(body), family


def check_whole_of(family: str, body: str) -> None:
    out, _ = rewriting.rewrite_whole(body.encode(), family)
    assert read_said(out.decode()) == read_said(body), family


def check_shape(family: str, kind: str) -> None:
    wanted = expected(family, kind)
    streamed, reason, _, _ = rewriting.rewrite_stream(cut_randomly(SHAPES[family].stream(kind), 7), family)
    whole, _ = rewriting.rewrite_whole(json.dumps(SHAPES[family].whole(kind)).encode(), family)
    assert reason == "", (family, reason)
    for said in (read_said(streamed.decode()), read_said(whole.decode())):
        assert (said.content, said.reasoning) == (wanted["content"], wanted["reasoning"]), (family, kind)
        assert said.finish_reason == wanted["finish_reason"], (family, kind)
        calls = [json.loads(call["arguments"]) for call in said.calls.values()]
        assert calls == ([json.loads(wanted["arguments"])] if wanted["arguments"] else []), (family, kind)


def run_text(family: str) -> str:
    check_shape(family, "text")
    found = recorded(family, lambda one: not one.is_stream)
    for one in found:
        check_whole_of(family, one.body)
    return "recording" if found else "documented"


def run_stream(family: str) -> str:
    check_shape(family, "text")
    found = recorded(family, lambda one: one.is_stream)
    for one in found:
        check_stream_of(family, one.body)
    return "recording" if found else "documented"


def run_usage(family: str) -> str:
    wanted = expected(family, "text")
    _, _, usage, _ = rewriting.rewrite_stream([SHAPES[family].stream("text")], family)
    if wanted["input"] is not None:
        assert usage, family
        assert (usage.input, usage.output, usage.cached) == (wanted["input"], wanted["output"], wanted["cached"]), (
            family
        )
    found = recorded(family, lambda one: one.is_stream)
    for one in found:
        _, _, usage, _ = rewriting.rewrite_stream([one.body.encode()], family)
        assert usage, one.name
        counts = (one.usage["prompt_tokens"], one.usage["completion_tokens"])
        assert (usage.input, usage.output) == counts, one.name
    return "recording" if found else "documented"


def run_reasoning(family: str) -> str:
    if not SHAPES[family].reasoning:
        return "none"
    check_shape(family, "thinking")
    return "recording" if recorded(family, lambda one: bool(read_said(one.body).reasoning)) else "documented"


def run_tools(family: str) -> str:
    if not FAMILIES[family].upstream.tools:
        return "none"
    check_shape(family, "tools")
    return "recording" if recorded(family, lambda one: bool(read_said(one.body).calls)) else "documented"


def run_cut(family: str) -> str:
    found = recorded(family, lambda one: one.is_stream)
    bodies = [one.body.encode() for one in found] or [SHAPES[family].stream("text")]
    for body in bodies:
        # In the middle of an event; the stream's end is in none of the two halves.
        _, reason, _, size = rewriting.rewrite_stream([body[: len(body) // 2]], family)
        assert reason in ("cut", "empty"), (family, reason)
        assert bool(size) == (reason == "cut"), family
    return "recording" if found else "documented"


# --- requests ------------------------------------------------------------------


def build(family: str, **fields: object) -> dict[str, object]:
    body = {"model": "m", "messages": HI, **fields}
    model = FAMILIES[family].upstream.model
    return dialects.get(family).build(body, model=model, output_limit=100).body


def run_json(family: str) -> str:
    body = build(family, response_format={"type": "json_object"})
    asked = body.get("response_format") == {"type": "json_object"}
    assert asked or "JSON" in str(body["messages"]), family
    return "documented"


def run_vision(family: str) -> str:
    if not FAMILIES[family].upstream.images:
        return "none"
    content = [{"type": "text", "text": "What is this?"}, IMAGE]
    body = build(family, messages=[{"role": "user", "content": content}])
    assert PIXELS in json.dumps(body["messages"][-1]), family  # type: ignore[index]
    return "documented"


def run_thinking_off(family: str) -> str:
    dialect = dialects.get(family)
    switch = dialect.thinking_of(FAMILIES[family].upstream.model)
    if not SHAPES[family].reasoning:
        return "none"
    if switch is None:
        return "documented"
    if switch.off is None:
        try:
            build(family, reasoning_effort="none")
        except GatewayError as error:
            assert error.param == "reasoning_effort", family
            return "none"
        raise AssertionError(f"{family}: thinking can't be off, and nobody says so")
    body = build(family, reasoning_effort="none")
    assert switch.off.items() <= body.items(), family
    return "documented"


# --- errors --------------------------------------------------------------------


def read_errors(family: str) -> dict[str, str]:
    """Return the level of each class of error: the best of its shapes."""
    levels = dict.fromkeys(conformance.ERROR_CHECKS, "unknown")
    [provider] = [one for one in load_providers() if NAMES[one["family"]] == family]
    for shape in provider["error_shapes"]:
        meaning = read_meaning(shape["meaning"])
        assert read_fault(family, shape["status"], orjson.dumps(shape["body"])).reason == meaning, (family, shape)
        if re.match("doc|code|issue", shape["mark"]):
            levels[find_check(meaning)] = "documented"
    for one in load_recordings():
        if one.dialect == family and one.is_error:
            levels[find_check(read_fault(family, one.status, one.body.encode()).reason)] = "recording"
    return levels


def read_fault(family: str, status: int, body: bytes) -> UpstreamFault:
    dialect = dialects.get(family)
    if status != 200:
        return dialect.read_error(status, body)
    try:
        dialect.read_event(body)
    except UpstreamFault as fault:
        return fault
    raise AssertionError(f"{family}: an error in a 200 answer was taken for an answer")


def find_check(meaning: str) -> str:
    return next(check for check, (_, meanings) in conformance.ERROR_CHECKS.items() if meaning in meanings)


RUNS: dict[str, Callable[[str], str]] = {
    "text": run_text,
    "stream": run_stream,
    "usage": run_usage,
    "reasoning": run_reasoning,
    "tools": run_tools,
    "json": run_json,
    "vision": run_vision,
    "thinking_off": run_thinking_off,
    "cut": run_cut,
}
