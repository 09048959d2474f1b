"""JSON comes without a Markdown fence, whole or cut anywhere."""

import pytest

from routing.dialects.fences import FenceRemover, unfence

FENCED = ["```json\n{}\n```", "```\n[1]\n```\n", ' \n```json\n{"a": "`` x"}```']
PLAIN = ["{}", "``x``", "```json", "", "  ", "``", '{"a": "```"}', "a```", "```" + "j" * 30 + "\n{}"]


def remove(pieces):
    remover = FenceRemover()
    return "".join([*map(remover.take, pieces), remover.finish()])


@pytest.mark.parametrize("text", FENCED)
def test_a_fence_is_taken_off_however_it_is_cut(text):
    bare = unfence(text)
    assert bare in ("{}", "[1]", '{"a": "`` x"}')
    assert all(remove([text[:place], text[place:]]) == bare for place in range(len(text)))
    assert remove(text) == bare


@pytest.mark.parametrize("text", PLAIN)
def test_anything_else_stays_as_it_is(text):
    assert (unfence(text), remove([text]), remove(text)) == (text, text, text)


def test_what_a_fence_holds_is_not_looked_at_in_a_stream():
    assert remove(["```json\n", '{"a": "``', '`"', "}"]) == '{"a": "```"}'
