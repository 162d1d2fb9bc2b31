"""A conversation as Markdown, for reading and keeping elsewhere. Pure: values in, text out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgerag.answers import AnswerSentence, Citation
from edgerag.ask.answer_stream import clean_text
from edgerag.storage.turns import Conversation, Turn

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&!$^=])")
_LINE_START = re.compile(r"^(\s*)([-+]|\d+(?=[.)]))", re.MULTILINE)
_LINK = re.compile(r"(?<=[a-z])(://)|(?<=www)(\.)|(?<=\w)(@)(?=\w)", re.IGNORECASE)


def to_markdown(conversation: Conversation, turns: Sequence[Turn]) -> str:
    """The conversation with every quote, its file, page and heading.

    Documents' and people's words are escaped: they cannot become links, HTML, headings or images.
    """
    lines = [f"# {escaped(conversation.title)}", ""]
    for turn in turns:
        lines += [f"## {escaped(turn.question)}", ""]
        if turn.rewritten:
            lines += [f"*Understood as: {escaped(turn.rewritten)}*", ""]
        if turn.sentences:
            lines += [" ".join(_sentence(sentence) for sentence in turn.sentences), ""]
        elif turn.abstained:
            lines += ["*The documents did not seem to answer this.*", ""]
        for citation in turn.citations:
            lines += [*_citation(citation), ""]
        told = [_moment(turn.asked_at), f"model: {escaped(turn.model)}" if turn.model else "extractive"]
        told += [f"degraded: {escaped(note)}" for note in turn.degraded]
        lines += [f"*{'; '.join(told)}*", ""]
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str) -> str:
    """One line of Markdown that shows exactly these words."""
    line = " ".join(clean_text(text).split())
    line = _MARKUP.sub(r"\\\1", line)
    # An escaped digit or sign at the start is no list; a broken up address is no link.
    line = _LINE_START.sub(lambda match: match[1] + ("\\" + match[2] if not match[2].isdigit() else match[2]), line)
    line = re.sub(r"^(\d+)([.)])", r"\1\\\2", line)
    return _LINK.sub(lambda match: "".join(f"\\{character}" for character in match[0]), line)


def _sentence(sentence: AnswerSentence) -> str:
    if sentence.is_supported:
        return f"{escaped(sentence.text)} " + "".join(f"\\[{marker}\\]" for marker in sentence.markers)
    reason = f": {escaped(sentence.reason)}" if sentence.reason else ""
    return f"{escaped(sentence.text)} **\\[unsupported{reason}\\]**"


def _citation(citation: Citation) -> list[str]:
    place = [escaped(citation.document.path)]
    if citation.page is not None:
        place.append(f"p. {citation.page}")
    if citation.heading:
        place.append(escaped(citation.heading))
    return [
        f"> \\[{citation.marker}\\] {escaped(citation.quote)}",
        ">",
        f"> — {' · '.join(place)}, characters {citation.start_chars} to {citation.end_chars}",
    ]


def _moment(iso: str) -> str:
    """`2026-11-21 12:06 UTC`"""
    return f"{iso[:10]} {iso[11:16]} UTC"
