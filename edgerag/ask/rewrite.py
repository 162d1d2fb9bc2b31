"""The first step of asking: a follow-up becomes a question that stands alone. By rules; no model is asked.

    When is the hut locked?        and in winter?         When is the hut locked in winter?
    Who built the stove?           how old is it?         How old is the stove?
    What does a night cost?        what about members?    What does a night cost for members?
    小屋几点锁门？                  冬天呢？                 冬天小屋几点锁门？

A question that stands alone already is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgerag.answers import Exchange
from edgerag.scripts import has_cjk

LONGEST_QUESTION_CHARS = 400
"""Longer ones (a pasted letter, say) bring their own context."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    question: str
    """Stands alone."""
    reason: str
    """What was carried over, in words."""


def rewrite(question: str, history: Sequence[Exchange]) -> Rewriting | None:
    """Make a follow-up stand alone.

    Args:
        question: As the person asked; English and Chinese are understood.
        history: Oldest first, questions in their stand-alone form.

    Returns:
        None where the question stands alone, there is no history, or nothing in it fits.
    """
    if not history or not question.strip() or len(question) > LONGEST_QUESTION_CHARS:
        return None
    if has_cjk(question):
        from edgerag.ask.follow_ups_zh import rewrite_chinese  # each language's patterns only where they are needed

        rewritten = rewrite_chinese(question, history)
    else:
        from edgerag.ask.follow_ups_en import looks_english, rewrite_english

        rewritten = rewrite_english(question, history) if looks_english(question) else None
    if rewritten is None or rewritten[0].casefold().strip() == question.casefold().strip():
        return None
    return Rewriting(*rewritten)
