"""Answers through the ordinary library: extractive, abstained, generated.

    python -m tests.benchmarks.answers ../shared/data/xquad/xquad.en.json --json
    python -m tests.benchmarks.answers ../shared/data/xquad/xquad.en.json --generated 200 --model smollm2-135m

The questions are 200 of the file's, evenly spread. For abstention each is asked three times: of all documents, without
its own paragraph, and without its whole article; then again with a name in it that no document has, and last come
questions about nothing in the library.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import re
import string
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edgerag
from edgerag.answers import Answer
from edgerag.ask.pipeline import ask
from edgerag.config import Settings
from edgerag.datatypes import SearchResult
from edgerag.engine import Engine
from tests.benchmarks.judged_sets import load_judged_set, write_documents
from tests.benchmarks.retrieval import percentile

NUM_QUESTIONS = 200
DEEP = 60
"""Passages fetched where some are taken away before the question is asked."""
OFF_TOPIC = {
    "en": (
        "How do I renew my passport in Brazil?",
        "What is the best recipe for sourdough bread?",
        "Which battery does the Pixel 9 use?",
        "How many seasons of Friends were filmed?",
        "What is the boiling point of tungsten?",
        "Who is the CEO of Netflix?",
        "How do I reset my router password?",
        "What does the Rust borrow checker do?",
        "When was the first iPhone released?",
        "Which vitamins are in kiwi fruit?",
        "How tall is the Burj Khalifa?",
        "Who painted the Mona Lisa?",
        "When does the supermarket open on Sunday?",
        "How do I merge two branches in git?",
        "What is the refund policy for late deliveries?",
        "How much does a gym membership cost?",
    ),
    "zh": (
        "如何重置路由器密码？",
        "蒙娜丽莎是谁画的？",
        "第一部苹果手机是什么时候发布的？",
        "猎豹奔跑的速度是多少？",
        "怎么做酸面包？",
        "健身房会员一年多少钱？",
        "超市星期天几点开门？",
        "退货政策是什么？",
    ),
}

STRANGE_NAMES = (
    "Halden", "Kowalski", "Brunel", "Okonkwo", "Vermeer", "Tanaka", "Lindqvist", "Reykjavik", "Zanzibar", "Tasmania",
    "Nokia", "Bogota", "Garibaldi", "Mendoza", "Belgrade",
)  # fmt: skip
"""In no paragraph of XQuAD en."""
_NAME = re.compile(r"(?<=\s)[A-Z][\w'’-]+(?:\s+[A-Z][\w'’-]+)*")


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    gold: tuple[str, ...]
    document: str
    """File name, without its ending, of the paragraph that holds the answer."""
    article: frozenset[str]
    """The same for all paragraphs of its article."""


def load_questions(path: Path) -> list[Question]:
    """Every question of a SQuAD file, with the document ids of `judged_sets`."""
    questions: list[Question] = []
    first = 0
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        names = [f"p{first + offset:05}" for offset in range(len(article["paragraphs"]))]
        first += len(names)
        for name, paragraph in zip(names, article["paragraphs"], strict=True):
            for entry in paragraph["qas"]:
                gold = tuple(answer["text"] for answer in entry["answers"])
                questions.append(Question(entry["question"], gold, name, frozenset(names)))
    return questions


def evenly_spread(questions: list[Question], count: int) -> list[Question]:
    count = min(count, len(questions))
    return [questions[number * len(questions) // count] for number in range(count)]


def holds_gold(text: str, gold: tuple[str, ...]) -> bool:
    return any(answer.casefold() in text.casefold() for answer in gold)


def token_f1(text: str, gold: tuple[str, ...]) -> float:
    """SQuAD's F1 over words without articles and punctuation, the best of the gold answers."""
    return max(_f1(_words(text), _words(answer)) for answer in gold)


def _words(text: str) -> list[str]:
    kept = "".join(character for character in text.lower() if character not in string.punctuation)
    return [word for word in re.findall(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+", kept) if word not in ("a", "an", "the")]


def _f1(said: list[str], wanted: list[str]) -> float:
    common = sum((collections.Counter(said) & collections.Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted)) if common else 0.0


def without(result: SearchResult, names: frozenset[str], top_k: int = 10) -> SearchResult:
    """As if these documents were not in the library."""
    left = [passage for passage in result.passages if Path(passage.document.path).stem not in names][:top_k]
    ranked = tuple(dataclasses.replace(passage, rank=rank) for rank, passage in enumerate(left, start=1))
    return dataclasses.replace(result, passages=ranked)


def with_strange_names(questions: list[Question]) -> list[str]:
    """The questions that have a name, with another one for the longest: nothing answers them any more."""
    swapped: list[str] = []
    for question in questions:
        if names := _NAME.findall(question.text):
            longest, strange = max(names, key=len), STRANGE_NAMES[len(swapped) % len(STRANGE_NAMES)]
            swapped.append(question.text.replace(longest, f"Viktor {strange}" if " " in longest else strange))
    return swapped


def run_ask(library: Engine, question: str, result: SearchResult | None = None, *, generator: Any = None) -> Answer:
    """`library.ask`, with the passages given where some have been taken away."""
    found = result or library.search(question)
    events = ask(
        question,
        retrieve=lambda _: found,
        embedder=library.models.embedder,
        reranker=library.models.reranker,
        generator=generator,
        settings=library.settings,
        extractive=generator is None,
        sampling=library.settings.sampling(),
        stop=threading.Event(),
        document_text=lambda number: library.library.document_text(number).text,
    )
    *_, last = events
    assert isinstance(last, Answer)
    return last


def measure_extractive(library: Engine, questions: list[Question]) -> dict[str, Any]:
    # Without abstention: what is measured is the choice of sentences.
    willing = library.with_settings(min_evidence=0.0)
    best = two = exact = citations = 0
    times: list[float] = []
    for question in questions:
        answer = willing.ask(question.text, extractive=True)
        best += bool(answer.sentences) and holds_gold(answer.citations[0].quote, question.gold)
        two += any(holds_gold(citation.quote, question.gold) for citation in answer.citations[:2])
        for citation in answer.citations:
            text = willing.library.document_text(citation.document.id).text
            exact += text[citation.start_chars : citation.end_chars] == citation.quote
            citations += 1
        times.append(answer.timings_ms["total"])
    willing.close()
    return {
        "best_sentence": round(best / len(questions), 4),
        "one_of_two": round(two / len(questions), 4),
        "exact_citations": f"{exact}/{citations}",
        "p50_ms": round(percentile(times, 0.5), 1),
        "p95_ms": round(percentile(times, 0.95), 1),
    }


def measure_abstention(library: Engine, questions: list[Question], off_topic: tuple[str, ...]) -> dict[str, Any]:
    groups = ("answerable", "paragraph removed", "article removed", "name replaced", "off topic")
    scores: dict[str, list[float]] = {group: [] for group in groups}
    for question in questions:
        deep = library.search(question.text, top_k=DEEP)
        for group, removed in (
            ("answerable", frozenset[str]()),
            ("paragraph removed", frozenset({question.document})),
            ("article removed", question.article),
        ):
            scores[group].append(_score(library, question.text, without(deep, removed)))
    for group, texts in (("name replaced", with_strange_names(questions)), ("off topic", off_topic)):
        for text in texts:
            scores[group].append(_score(library, text, library.search(text)))
    thresholds = sorted({library.settings.min_evidence, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9})
    return {
        "threshold": library.settings.min_evidence,
        "refused": {
            f"{threshold:g}": {
                group: round(sum(value < threshold for value in values) / len(values), 3)
                for group, values in scores.items()
                if values
            }
            for threshold in thresholds
        },
    }


def _score(library: Engine, question: str, result: SearchResult) -> float:
    return float(run_ask(library, question, result).notes.get("evidence_score", 0.0))  # type: ignore[arg-type]


def measure_generated(library: Engine, questions: list[Question], model: str | None, verbose: bool) -> dict[str, Any]:
    generator = library.models.generator(model)
    if generator is None:
        sys.exit("No generator is installed: edgerag models pull smollm2-135m")
    totals: collections.Counter[str] = collections.Counter()
    f1 = 0.0
    first_token: list[float] = []
    decode: list[float] = []
    prefill: list[float] = []
    for question in questions:
        answer = run_ask(library, question.text, generator=generator)
        run = answer.notes.get("generation")
        totals["abstained"] += answer.abstained
        totals["replaced"] += not answer.abstained and answer.model is None
        totals["generated"] += answer.model is not None
        said = " ".join(sentence.text for sentence in answer.sentences)
        supported = " ".join(sentence.text for sentence in answer.sentences if sentence.is_supported)
        totals["gold in answer"] += holds_gold(said, question.gold)
        if answer.model is not None:
            totals["gold in supported part of a generated answer"] += holds_gold(supported, question.gold)
        f1 += token_f1(said, question.gold) if said else 0.0
        places = {citation.marker: citation for citation in answer.citations}
        for sentence in answer.sentences:
            totals["sentences"] += 1
            totals["flagged"] += not sentence.is_supported
            verified = sentence.markers and all(_is_exact(library, places.get(mark)) for mark in sentence.markers)
            # What the table of the README promises to be 0.
            totals["neither verified nor flagged"] += not verified and not (not sentence.markers and sentence.reason)
        if isinstance(run, dict):
            first_token.append(run["ttft_ms"])
            decode.append(run["decode_tokens_per_s"])
            if run["prompt_tokens"] > run["reused_tokens"]:
                prefill.append(1000 * (run["prompt_tokens"] - run["reused_tokens"]) / run["prefill_ms"])
        if verbose:
            print(f"{question.text} {question.gold}\n  -> {answer.text}", file=sys.stderr)
            for sentence in answer.sentences:
                if sentence.reason:
                    print(f"     {sentence.reason}", file=sys.stderr)
            print(f"     {answer.degraded}", file=sys.stderr)
    count = len(questions)
    return {
        "model": generator.name,
        "questions": count,
        **dict(totals),
        "gold_in_answer": round(totals["gold in answer"] / count, 4),
        "token_f1": round(f1 / count, 4),
        "ttft_p50_ms": round(percentile(first_token, 0.5)) if first_token else None,
        "ttft_p95_ms": round(percentile(first_token, 0.95)) if first_token else None,
        "decode_tokens_per_s": round(percentile(decode, 0.5), 1) if decode else None,
        "prefill_tokens_per_s": round(percentile(prefill, 0.5), 1) if prefill else None,
    }


def _is_exact(library: Engine, citation: Any) -> bool:
    if citation is None:
        return False
    text = library.library.document_text(citation.document.id).text
    return bool(text[citation.start_chars : citation.end_chars] == citation.quote)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a SQuAD file")
    parser.add_argument("--library", type=Path, help="where the library is kept")
    parser.add_argument("--questions", type=int, default=NUM_QUESTIONS)
    parser.add_argument("--generated", type=int, default=0, metavar="N", help="also generate N answers")
    parser.add_argument("--model", help="name of the generator")
    parser.add_argument("--skip-abstention", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="print the generated answers on stderr")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")
    parser.add_argument("--json", action="store_true", help="one JSON line")
    arguments = parser.parse_args()
    questions = evenly_spread(load_questions(arguments.data), arguments.questions)
    base = arguments.library or Path(tempfile.gettempdir()) / f"edgerag-benchmark-{arguments.data.stem}"
    write_documents(load_judged_set(arguments.data), base / "documents")
    changes = {name: json.loads(value) for name, value in (pair.split("=", 1) for pair in arguments.set)}
    off_topic = OFF_TOPIC["zh" if ".zh" in arguments.data.suffixes else "en"]
    with edgerag.open_library(base / "library", settings=Settings(**changes)) as library:
        library.add([base / "documents"])
        figures: dict[str, Any] = {"set": arguments.data.stem, "questions": len(questions), "settings": changes}
        figures["extractive"] = measure_extractive(library, questions)
        if not arguments.skip_abstention:
            figures["abstention"] = measure_abstention(library, questions, off_topic)
        if arguments.generated:
            some = evenly_spread(questions, arguments.generated)
            figures["generated"] = measure_generated(library, some, arguments.model, arguments.verbose)
    print(json.dumps(figures) if arguments.json else json.dumps(figures, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
