"""Follow-ups: how often a question that stands alone is taken for one, and what rewriting is worth to a search.

    python -m tests.benchmarks.follow_ups ../shared/data/xquad/xquad.en.json ../shared/data/scifact
    python -m tests.benchmarks.follow_ups ../shared/data/xquad/xquad.en.json --search

The first: each question of a set is asked after the one before it; what is rewritten goes to stderr, for a person to
judge, because some of the sets' questions do refer to the one before. The second makes follow-ups: a phrase that two
successive questions of one paragraph share becomes `it` or `they` in the second, and the paragraph is searched for with
that, with its rewriting, and with the question as it was. The rules were mended on these very sets. Prints JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import edgerag
from edgerag.answers import Exchange
from edgerag.ask.phrases import noun_phrases
from edgerag.ask.rewrite import rewrite
from tests.benchmarks.judged_sets import JudgedSet, load_judged_set, write_documents


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--search", action="store_true", help="Measure what rewriting is worth to a search.")
    arguments = parser.parse_args()
    measure = _searches if arguments.search else _false_rewritings
    print(json.dumps({path.name: measure(load_judged_set(path)) for path in arguments.sets}))


def _false_rewritings(judged: JudgedSet) -> dict[str, float]:
    questions = list(judged.queries.values())
    rewritten = 0
    start = time.perf_counter()
    for previous, question in itertools.pairwise(questions):
        rewriting = rewrite(question, [Exchange(previous, "")])
        if rewriting is not None:
            rewritten += 1
            print(f"{previous} | {question} -> {rewriting.question}", file=sys.stderr)
    elapsed_s = time.perf_counter() - start
    return {
        "questions": len(questions) - 1,
        "rewritten": rewritten,
        "percent": round(100 * rewritten / (len(questions) - 1), 2),
        "microseconds": round(elapsed_s / len(questions) * 1e6),
    }


def _searches(judged: JudgedSet) -> dict[str, float]:
    cases = list(_made_follow_ups(judged))
    first = {"follow-up": 0, "rewritten": 0, "original": 0}
    restored = changed = 0
    with tempfile.TemporaryDirectory() as folder:
        write_documents(judged, Path(folder) / "documents")
        with edgerag.open_library(Path(folder) / "library") as library:
            library.add([Path(folder) / "documents"])
            for document_id, previous, original, follow_up in cases:
                rewriting = rewrite(follow_up, [Exchange(previous, "")])
                changed += rewriting is not None
                rewritten = rewriting.question if rewriting is not None else follow_up
                restored += rewritten.casefold() == original.casefold()
                for name, query in (("follow-up", follow_up), ("rewritten", rewritten), ("original", original)):
                    passages = library.search(query, top_k=1).passages
                    first[name] += bool(passages) and Path(passages[0].document.path).stem == document_id
    return {
        "follow_ups": len(cases),
        "rewritten": round(changed / len(cases), 3),
        "restored word for word": round(restored / len(cases), 3),
        **{f"right paragraph first, {name}": round(count / len(cases), 3) for name, count in first.items()},
    }


def _made_follow_ups(judged: JudgedSet) -> Iterator[tuple[str, str, str, str]]:
    """Document id, the question before, the question, and the same with a pronoun."""
    for (one, previous), (other, question) in itertools.pairwise(judged.queries.items()):
        (document_id,) = judged.relevant[other]
        if document_id not in judged.relevant[one]:
            continue
        known = {phrase.text.casefold() for phrase in noun_phrases(previous) if phrase.is_definite}
        for phrase in noun_phrases(question):
            if phrase.is_definite and not phrase.is_asked_for and phrase.text.casefold() in known:
                pronoun = "they" if phrase.is_plural else "it"
                yield document_id, previous, question, f"{question[: phrase.start]}{pronoun}{question[phrase.end :]}"
                break


if __name__ == "__main__":
    main()
