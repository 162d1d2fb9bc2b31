"""The prompt: a fixed head, the sentences that matter, the question. Few tokens, because a CPU reads them slowly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgerag.ask.extract import EvidenceSentence
from edgerag.ask.families import FAMILIES, Family
from edgerag.datatypes import PromptPart
from edgerag.scripts import cjk_share

# Fixed, so that its state in the model is kept from question to question.
SYSTEM = "Answer the question in one or two short sentences, using only the facts given."
SYSTEM_CJK = "只根据给出的资料，用一两句话简短地回答问题。"
TEMPLATE_MARGIN_TOKENS = 96
"""Room for the control tokens and the fixed words of a prompt, of the families' longest."""


def choose_evidence(
    ranked: Sequence[EvidenceSentence], *, budget_tokens: int, count_tokens: Callable[[str], int]
) -> list[EvidenceSentence]:
    """Take the best sentences that fit into the budget.

    Args:
        ranked: Best first.
        budget_tokens: For all sentences together; the best sentence is taken even where it alone is longer.

    Returns:
        In order of passage and place, so that the text reads as it was written.
    """
    chosen: list[EvidenceSentence] = []
    used = 0
    for sentence in ranked:
        length = count_tokens(plain_line(sentence.text)) + EVIDENCE_LINE_TOKENS
        if chosen and used + length > budget_tokens:
            continue
        chosen.append(sentence)
        used += length
    return sorted(chosen, key=lambda sentence: (sentence.passage.rank, sentence.start_chars))


EVIDENCE_LINE_TOKENS = 4
"""The number before a sentence and the newline after it."""


def build_prompt(question: str, evidence: Sequence[EvidenceSentence], *, family: str) -> tuple[PromptPart, ...]:
    """Put the prompt together.

    Args:
        evidence: In the order in which they are to stand.
        family: A key of `FAMILIES`; an unknown one is treated as `plain`.

    Returns:
        Parts; the documents' and the user's words are plain text and cannot become control tokens.
    """
    form = FAMILIES.get(family, FAMILIES["plain"])
    in_chinese = cjk_share(question) > 0.5
    system = SYSTEM_CJK if in_chinese else SYSTEM
    facts, asks = ("资料", "问题") if in_chinese else ("Facts", "Question")
    lines = "\n".join(f"{number}. {plain_line(sentence.text)}" for number, sentence in enumerate(evidence, 1))
    head = (
        (_control(form.system_open), _plain(system), _control(form.system_close), _control(form.user_open))
        if form.has_system
        else (_control(form.user_open), _plain(system), _control(form.system_close))
    )
    parts = (
        *head,
        _plain(f"{facts}:\n{lines}\n\n{asks}: {plain_line(question)}"),
        _control(form.user_close),
        _control(form.answer_open),
    )
    return tuple(part for part in parts if part.text)


def stop_strings(family: str) -> tuple[str, ...]:
    """Strings at which an answer of this family ends."""
    form: Family = FAMILIES.get(family, FAMILIES["plain"])
    return form.stop


def plain_line(text: str) -> str:
    """One line of printable text: a document cannot draw a line that looks like the prompt's own."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _control(text: str) -> PromptPart:
    return PromptPart(text, is_control=True)


def _plain(text: str) -> PromptPart:
    return PromptPart(text, is_control=False)
