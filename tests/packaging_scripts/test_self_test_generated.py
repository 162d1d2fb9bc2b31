"""Generated answers in the self-test: tokens alone are no proof, they must make sense."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.packaging_scripts.fake_program import failure
from tests.packaging_scripts.loading import load

steps_generated = load("self_test").steps_generated

TEXT = (
    "A night in a dormitory costs 24 euros for members and 37 euros for everyone else. 观测员每天8时和20时读取雨量计。"
    "| night | members | | 24 euros for members |"
)
SENSIBLE = "A night in a dormitory costs 24 euros for members and 37 euros for everyone else."
WITHDRAWN = (
    "degraded: generate: no generated sentence is supported by the documents; the best sentences of the documents are "
    "shown instead"
)


def program(written: str, *, stderr: str = "", replaced: bool = False, tokens: int = 22) -> str:
    """Prints what `ask --json --stream` prints; the Chinese question is answered alike."""
    answer = {
        "event": "answer", "question": "", "answer": TEXT, "abstained": False, "model": None,
        "sentences": [{"text": TEXT, "supported": True, "markers": [1]}],
        "citations": [{"marker": 1, "start": 0, "end": len(TEXT), "quote": TEXT, "document": {"id": 7, "path": "/d"}}],
        "hits": [{"text": TEXT}], "degraded": [], "timings_ms": {},
        "notes": {"generation": {"generated_tokens": tokens, "decode_tokens_per_s": 18.0}},
    }  # fmt: skip
    half = len(written) // 2
    events: list[dict[str, Any]] = [{"event": "delta", "text": part} for part in (written[:half], written[half:])]
    events += [{"event": "replaced", "reason": "x"}] if replaced else []
    lines = [json.dumps({"schema_version": 1, **event}) for event in (*events, answer)]
    script = "cat() { while IFS= read -r line; do printf '%s\\n' \"$line\"; done; }\ncat <<'END'\n" + "\n".join(lines)
    return f"{script}\nEND\n" + (f"cat >&2 <<'END'\n{stderr}\nEND\n" if stderr else "")


@pytest.fixture
def asking(session_of: Callable[..., Any]) -> Callable[..., Any]:
    """A session whose program answers so."""

    def make(written: str, **changes: Any) -> Any:
        session = session_of(program(written, **changes))
        session.facts |= {"generator": "small", "texts": {7: {"text": TEXT}}}
        return session

    return make


def test_a_generator_that_makes_sense_passes(asking: Callable[..., Any]) -> None:
    told = steps_generated.ask_generated(asking(SENSIBLE))
    assert told == (
        "small: 22 tokens at 18/s, 100% from the passages; 22 tokens at 18/s, 100% from the passages (English; Chinese)"
    )


def test_another_wording_passes_and_a_withdrawn_answer_is_told(asking: Callable[..., Any]) -> None:
    session = asking("For members, a night costs 24 euros.", stderr=WITHDRAWN, replaced=True)
    told = steps_generated.ask_generated(session)
    assert told.startswith("small: 22 tokens at 18/s, 67% from the passages, withdrawn; 22 tokens")


@pytest.mark.parametrize(
    "written",
    [
        "stockwater filename migrate nucleotrepeat donate wholeheartedlyunderstandingcare sprinkle PP deduction",
        "bian necessit necessit necessit necessit necessit necessit necessit necessit necessit necessit necessit",
        ",,,,,,,,,,,,,,,,,,,,,,,,",
        "",
        "A night in a dormitory is a paid-up sleeper, and it's a paid-up sleeper.",
        "The answer is: 7. A night costs 6 euros for everyone, in the iron box by the door.",
    ],
    ids=["permuted-scores", "wrong-offsets", "swapped-halves", "nothing", "one-matrix", "ends-of-rows"],
)
def test_what_broken_arithmetic_wrote_fails_though_the_answer_is_cited(
    asking: Callable[..., Any], written: str
) -> None:
    told, _ = failure(steps_generated.ask_generated, asking(written, stderr=WITHDRAWN, replaced=True))
    assert told.startswith("the generator writes nonsense, ")
    assert told.endswith(f"from the passages: {written!r}")


def test_no_tokens_at_all_fail(asking: Callable[..., Any]) -> None:
    told, _ = failure(steps_generated.ask_generated, asking(SENSIBLE, tokens=0))
    assert told.startswith("nothing was generated: ")


@pytest.mark.parametrize("line", ["[W:onnxruntime] no such device", "no generated sentence is supported"])
def test_another_line_beside_the_withdrawal_is_not_let_through(asking: Callable[..., Any], line: str) -> None:
    told, details = failure(steps_generated.ask_generated, asking(SENSIBLE, stderr=f"{WITHDRAWN}\n{line}"))
    assert told.startswith("stderr does not say what it must")
    assert line in details


def test_lines_that_are_no_events_are_told(session_of: Callable[..., Any]) -> None:
    session = session_of("echo '{\"schema_version\": 1}'")
    session.facts["generator"] = "small"
    assert failure(steps_generated.ask_generated, session)[0] == "the JSON lacks event"
