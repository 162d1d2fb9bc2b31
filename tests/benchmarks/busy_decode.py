"""What choosing the number of threads gains while other programs want the cores too, and costs while they do not.

    python -m tests.benchmarks.busy_decode [--neighbours 0 1 2] [--rounds 10] [--tokens 40] [--json]

One generator answers in turn with all cores for every token (`fixed`), and with as many as pay
(`edgerag.inference.decode_threads`). A neighbour is a process that computes without a pause. The ratio is that of
`chosen` to `fixed`, the median over the rounds; larger than 1: choosing is faster. The answers are the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgerag.cores import usable_cores
from edgerag.inference.decode_threads import DecodeThreads
from edgerag.inference.generator_native import LlamaContext
from edgerag.models.store import find, installed

TEXT = "The lighthouse number 7 of the northern coast was built in 1847 from grey granite. "
BUSY = "while True: pass"


class Fixed:
    """All of them, always."""

    def __init__(self, number: int) -> None:
        self.number = number

    def took(self, seconds: float) -> None:
        """Learns nothing."""


@contextmanager
def neighbours(number: int) -> Iterator[None]:
    """Other programs that want a core each."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def answer(context: LlamaContext, threads: DecodeThreads | Fixed, tokens: int) -> tuple[float, list[int]]:
    """Decode greedily from a prompt that is in memory already; returns tokens per second, and the tokens."""
    said = [int(context.logits().argmax())]
    began = time.perf_counter()
    for _ in range(tokens):
        context.use_threads(threads.number)
        start = time.perf_counter()
        context.evaluate(said[-1:])
        threads.took(time.perf_counter() - start)
        said.append(int(context.logits().argmax()))
    return tokens / (time.perf_counter() - began), said


def compare(context: LlamaContext, prompt: list[int], rounds: int, tokens: int) -> dict[str, Any]:
    """Both ways in turn."""
    # As in the application, one chooser lives as long as the model.
    sides: dict[str, DecodeThreads | Fixed] = {
        "fixed": Fixed(context.threads),
        "chosen": DecodeThreads(context.threads),
    }
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    texts = []
    for _ in range(rounds):
        for name, threads in sides.items():
            context.keep(0)
            for start in range(0, len(prompt), context.batch_tokens):
                context.evaluate(prompt[start : start + context.batch_tokens])
            speed, said = answer(context, threads, tokens)
            speeds[name].append(speed)
            texts.append(said)
    ratios = [chosen / fixed for fixed, chosen in zip(speeds["fixed"], speeds["chosen"], strict=True)]
    return {
        "fixed_tokens_per_s": round(statistics.median(speeds["fixed"]), 1),
        "chosen_tokens_per_s": round(statistics.median(speeds["chosen"]), 1),
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in sorted(ratios)],
        "same_tokens": all(said == texts[0] for said in texts),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a generator's name; default: the first that is installed")
    parser.add_argument("--neighbours", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--prompt-tokens", type=int, default=256)
    parser.add_argument("--json", action="store_true", help="one JSON line")
    given = parser.parse_args()
    models = [find(given.model, "generator")] if given.model else installed("generator")
    if not models:
        raise SystemExit("No generator is installed: `edgerag models pull smollm2-135m`.")
    model = models[0]
    room = given.prompt_tokens + given.tokens + 8
    context = LlamaContext(model.file("model"), threads=usable_cores(), context_tokens=room)
    prompt = context.tokenize(TEXT * (given.prompt_tokens // 8), special=False)[: given.prompt_tokens]
    report: dict[str, Any] = {"model": model.name, "threads": context.threads}
    for number in given.neighbours:
        with neighbours(number):
            report[f"{number} neighbours"] = compare(context, prompt, given.rounds, given.tokens)
    print(json.dumps(report, indent=None if given.json else 1))


if __name__ == "__main__":
    main()
