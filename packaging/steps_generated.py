"""Steps of the self-test: a generator from outside, and whether what it writes makes sense."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from session import Session
from steps_find import ASK_KEYS, CHINESE, CHINESE_TIMES, PRICE, QUESTION, expect_cited

WITHDRAWN = re.compile(
    r"degraded: generate: (?:no generated sentence is supported by the documents|the generator says that it does not "
    r"know); the best sentences of the documents are shown instead"
)
"""A small generator is often wrong: the answer is then that of the documents, and edgerag says so."""
ALLOWED_STDERR = rf"\A(?:{WITHDRAWN.pattern}\n?)?\Z"
UNIT = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+")
"""A word, a number or a Chinese character."""
SENSE_SHARE, FACT = 0.4, "24"
"""So many of the neighbouring words of the English answer must be neighbours in the passages too, and it must name the
price. Of SmolLM2-135M-Instruct Q4_1 the share is 1.0 with each of llama.cpp's nine variants that run on an EPYC, in the
same words; 0.0 with permuted scores or swapped halves of each weight's byte, 0.3 with one matrix of 210 wrong. Where
the last 32 weights of each row are lost it is 0.7, but another price is named."""


def import_model(session: Session) -> str:
    """A GGUF from outside is taken in."""
    assert session.gguf is not None
    told = session.json("models", "import", session.place.inside(session.gguf), "--name", "self-test", keys="model")
    session.expect(told["model"]["task"] == "generator", f"imported as {told['model']['task']}")
    session.facts["generator"] = "self-test"
    return f"{told['model']['size_bytes'] / 1e6:.0f} MB"


def ask_generated(session: Session) -> str:
    """The generator writes sense and not only tokens; what it writes is checked, what the answer says is cited."""
    told = []
    options = ["--model", session.facts["generator"], "--max-tokens", "24"]
    for question, part in ((QUESTION, PRICE), (CHINESE, CHINESE_TIMES)):
        events = session.events("ask", "--stream", *options, question, stderr=ALLOWED_STDERR, timeout_s=300)
        answer = events[-1]
        missing = [key for key in f"{ASK_KEYS} notes".split() if key not in answer]
        session.expect(not missing, f"the answer lacks {', '.join(missing)}")
        generation = answer["notes"].get("generation", {})
        session.expect(generation.get("generated_tokens", 0) > 0, f"nothing was generated: {generation}")
        expect_cited(session, answer)
        quotes = [citation["quote"] for citation in answer["citations"]]
        session.expect(any(part in quote for quote in quotes), f"no quote says {part!r}: {answer['answer']!r}")
        # Also what was withdrawn: edgerag does that with what wrong arithmetic writes as with any other nonsense.
        written = "".join(event["text"] for event in events if event["event"] == "delta")
        share = sense(written, [question, *(hit["text"] for hit in answer["hits"])])
        if question == QUESTION:
            # In Chinese a small generator is too unsure, and wrong arithmetic knows no languages.
            makes_sense = share >= SENSE_SHARE and FACT in _units(written)
            session.expect(makes_sense, f"the generator writes nonsense, {share:.0%} from the passages: {written!r}")
        withdrawn = any(event["event"] == "replaced" for event in events)
        told.append(
            f"{generation['generated_tokens']} tokens{_speed(generation)}, {share:.0%} from the passages"
            f"{', withdrawn' if withdrawn else ''}"
        )
    return f"{options[1]}: {'; '.join(told)} (English; Chinese)"


def sense(written: str, passages: Iterable[str]) -> float:
    """Share of neighbouring words or Chinese characters that are neighbours in one of the passages too, 0 to 1.

    Not compared word for word with a recorded answer: the kinds of processor differ in the last bits, and then, where
    two words are as good, in the word.
    """
    known = {pair for passage in passages for pair in pairwise(_units(passage))}
    pairs = list(pairwise(_units(written)))
    return sum(pair in known for pair in pairs) / len(pairs) if pairs else 0.0


def _units(text: str) -> list[str]:
    return [unit.casefold() for unit in UNIT.findall(text)]


def _speed(generation: dict[str, Any]) -> str:
    speed = next((value for name, value in generation.items() if name.startswith("decode_") and "per_s" in name), None)
    return f" at {speed:.0f}/s" if isinstance(speed, int | float) else ""
