"""Exported conversations show the words of documents and people, and nothing that those words could command."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from edgerag.answers import AnswerSentence, Citation
from edgerag.ask.transcript import escaped, to_markdown
from edgerag.storage.turns import Conversation, Turn
from tests.storage.answers import HUT

CONVERSATION = Conversation(1, "The stove", "2026-03-01T08:00:00+00:00", "2026-03-01T08:05:00+00:00", 1)


def turn(quote: str = "Built in 1987.", *, question: str = "and when?", heading: str | None = "Rules > Stove") -> Turn:
    return Turn(
        id=1,
        conversation_id=1,
        ordinal=1,
        asked_at="2026-03-01T08:05:00+00:00",
        question=question,
        rewritten="When was the stove built?",
        sentences=(AnswerSentence("It was built in 1987.", (1,)), AnswerSentence("It is red.", (), "no passage")),
        citations=(Citation(1, HUT, 3, 20, 34, quote, heading),),
        abstained=False,
        model="smollm2",
        degraded=("rerank: broke",),
        seconds=1.0,
    )


def test_whole_conversation() -> None:
    assert to_markdown(CONVERSATION, [turn()]) == (
        "# The stove\n\n"
        "## and when?\n\n"
        "*Understood as: When was the stove built?*\n\n"
        "It was built in 1987. \\[1\\] It is red. **\\[unsupported: no passage\\]**\n\n"
        "> \\[1\\] Built in 1987.\n>\n"
        "> — /docs/hut.md · p. 3 · Rules \\> Stove, characters 20 to 34\n\n"
        "*2026-03-01 08:05 UTC; model: smollm2; degraded: rerank: broke*\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[click](http://x.example)",
        "![i](x.png)",
        "http://x.example and www.x.example and a@x.example",
        "# heading",
        "- item",
        "1. item",
        "1) item",
        "> quote",
        "| a | b |",
        "``` code ```",
        "a\n\n---\n\nb",
        "**bold** __it__ ~~gone~~ `code` &amp; &lt;b&gt;",
        "line\\",
        "[^1]: note",
        "=====",
        "+ plus",
        "\x1b[31mred\u202e",
    ],
)
def test_words_of_documents_are_never_markup(text: str) -> None:
    markdown = to_markdown(CONVERSATION, [turn(text, question=text, heading=text)])
    rendered = MarkdownIt("commonmark", {"linkify": False}).enable(["table", "strikethrough"]).render(markdown)
    allowed = {"h1", "h2", "p", "em", "strong", "blockquote"}
    assert set(re.findall(r"<(/?)(\w+)", rendered)) <= {(slash, tag) for slash in ("", "/") for tag in allowed}
    assert rendered.count("<h2>") == 1
    assert "\x1b" not in markdown
    assert "\u202e" not in markdown


@given(st.text(max_size=80))
def test_escaped_text_is_shown_as_it_was(text: str) -> None:
    rendered = MarkdownIt("commonmark").render(f"x {escaped(text)}")
    shown = html.unescape(re.sub(r"</?p>", "", rendered)).strip()
    wanted = " ".join(("x " + " ".join(escaped(text).split())).split())
    assert "<" not in re.sub(r"</?p>", "", rendered)
    assert shown.replace(" ", "") == re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", wanted).replace(" ", "")
