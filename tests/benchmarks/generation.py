"""Speed of the generator, and against llama-cpp-python used plainly, interleaved on the same prompt.

python -m tests.benchmarks.generation [--model NAME] [--rounds 5] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
from typing import Any

from edgerag.ask.families import FAMILIES
from edgerag.cores import usable_cores
from edgerag.datatypes import PromptPart, Sampling
from edgerag.inference.generator import LlamaGenerator
from edgerag.models.store import find, installed

FACT = "{number}. The lighthouse number {number} of the northern coast was built in {year} from grey granite."
QUESTIONS = ("When was lighthouse number 7 built?", "Which lighthouse was built in 1852?", "What are they made of?")
MAX_TOKENS = 48


def prompt(family: str, question: str, facts: int) -> tuple[PromptPart, ...]:
    form = FAMILIES[family]
    lines = "\n".join(FACT.format(number=number, year=1840 + number) for number in range(1, facts + 1))
    return (
        PromptPart(form.user_open, True),
        PromptPart(f"Facts:\n{lines}\n\nQuestion: {question}", False),
        PromptPart(form.user_close + form.answer_open, True),
    )


def ours(generator: LlamaGenerator, parts: tuple[PromptPart, ...]) -> dict[str, float]:
    for _ in generator.stream(parts, Sampling(max_tokens=MAX_TOKENS, repeat_penalty=1.0), threading.Event()):
        pass
    run = generator.last_run
    assert run is not None
    evaluated = run.prompt_tokens - run.reused_tokens
    return {
        "ttft_ms": run.ttft_ms,
        "decode_tokens_per_s": run.decode_tokens_per_s,
        "prefill_tokens_per_s": 1000 * evaluated / run.prefill_ms,
        "prompt_tokens": run.prompt_tokens,
        "reused_tokens": run.reused_tokens,
    }


def plain(llama: Any, parts: tuple[PromptPart, ...]) -> dict[str, float]:
    """`Llama.__call__` with streaming, as its README shows."""
    start = time.perf_counter()
    first = 0.0
    count = 0
    text = "".join(part.text for part in parts)
    for _ in llama(text, max_tokens=MAX_TOKENS, temperature=0.0, repeat_penalty=1.0, stream=True):
        first = first or time.perf_counter()
        count += 1
    decode_s = time.perf_counter() - first
    return {"ttft_ms": 1000 * (first - start), "decode_tokens_per_s": (count - 1) / decode_s if decode_s else 0.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="default: the first generator that is installed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--facts", type=int, default=24, help="length of the prompt, about 24 tokens each")
    parser.add_argument("--json", action="store_true", help="one JSON line")
    arguments = parser.parse_args()
    models = [find(arguments.model, "generator")] if arguments.model else installed("generator")
    if not models:
        parser.exit(2, "No generator is installed: edgerag models pull smollm2-135m\n")
    model = models[0]
    start = time.perf_counter()
    generator = LlamaGenerator.open(model.folder, name=model.name)
    open_ms = 1000 * (time.perf_counter() - start)

    import llama_cpp  # after ours, which sees to it that its log goes nowhere

    start = time.perf_counter()
    llama = llama_cpp.Llama(
        str(model.folder / model.manifest.files["model"].path), n_ctx=2048, n_threads=usable_cores(), verbose=False
    )
    plain_open_ms = 1000 * (time.perf_counter() - start)
    measured: dict[str, list[dict[str, float]]] = {"cold": [], "prefix_kept": [], "plain_cold": [], "plain_kept": []}
    for number in range(arguments.rounds):
        question, other = QUESTIONS[number % 3], QUESTIONS[(number + 1) % 3]
        first = prompt(generator.family, question, arguments.facts)
        second = prompt(generator.family, other, arguments.facts)
        unrelated = (PromptPart(f"Round {number}.", False),)
        for parts, name in ((first, "cold"), (second, "prefix_kept")):
            if name == "cold":
                ours(generator, unrelated)
                plain(llama, unrelated)
            measured[name].append(ours(generator, parts))
            measured[f"plain_{name.removeprefix('prefix_')}"].append(plain(llama, parts))
    generator.close()
    figures: dict[str, Any] = {"model": model.name, "open_ms": round(open_ms), "plain_open_ms": round(plain_open_ms)}
    for name, runs in measured.items():
        figures[name] = {key: round(statistics.median(run[key] for run in runs), 1) for key in runs[0]}
    figures["ratios_to_plain"] = {
        "ttft_cold": _ratio(figures, "cold", "plain_cold", "ttft_ms"),
        "ttft_prefix_kept": _ratio(figures, "prefix_kept", "plain_kept", "ttft_ms"),
        "decode_speed": _ratio(figures, "cold", "plain_cold", "decode_tokens_per_s"),
    }
    print(json.dumps(figures) if arguments.json else json.dumps(figures, indent=2))


def _ratio(figures: dict[str, Any], one: str, other: str, key: str) -> float:
    return round(float(figures[one][key] / figures[other][key]), 3)


if __name__ == "__main__":
    main()
