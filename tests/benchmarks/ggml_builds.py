"""Two builds of llama.cpp on this machine, in turns of half a second: tokens per second, their ratio, and their tokens.

    python -m tests.benchmarks.ggml_builds PORTABLE/llama_cpp/lib NATIVE/llama_cpp/lib [--rounds 30] [--json]

Each argument is a folder that holds libllama and what belongs to it: `llama_cpp/lib` of an installed llama-cpp-python
or of an unpacked wheel. `FOLDER=NAME` uses the plug-in NAME of a folder with several, whatever suits the machine best.
The ratio is that of the first to the second, the median over the rounds; larger than 1: the first is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from edgerag.cores import usable_cores
from edgerag.inference.generator_native import LlamaContext
from edgerag.inference.ggml_variants import PREFIX, prepared_arithmetic
from edgerag.models.store import find, installed

TEXT = "The lighthouse number 7 of the northern coast was built in 1847 from grey granite. "


def serve(model: Path, threads: int, prompt_tokens: int, new_tokens: int) -> None:
    """The child: one line in, one measurement out."""
    context = LlamaContext(model, threads=threads, context_tokens=prompt_tokens + new_tokens + 8)
    tokens = context.tokenize(TEXT * (prompt_tokens // 8), special=False)[:prompt_tokens]
    arithmetic = prepared_arithmetic()
    print(
        json.dumps({"variant": arithmetic.variant, "extensions": arithmetic.extensions} if arithmetic else {}),
        flush=True,
    )
    for _ in sys.stdin:
        context.keep(0)
        start = time.perf_counter()
        for at in range(0, prompt_tokens, context.batch_tokens):
            context.evaluate(tokens[at : at + context.batch_tokens])
        prefilled = time.perf_counter()
        answer: list[int] = []
        for _ in range(new_tokens):
            answer.append(int(context.logits().argmax()))
            context.evaluate(answer[-1:])
        end = time.perf_counter()
        speeds = {"prefill": prompt_tokens / (prefilled - start), "decode": new_tokens / (end - prefilled)}
        print(json.dumps(speeds | {"answer": answer}), flush=True)


class Side:
    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self.about: dict[str, Any] = self._read()
        self.runs: list[dict[str, Any]] = []

    def run(self) -> dict[str, Any]:
        assert self._child.stdin is not None
        self._child.stdin.write("\n")
        self._child.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise SystemExit(f"A build failed; the child ended with {self._child.wait()}.")
        value: dict[str, Any] = json.loads(line)
        return value


@contextmanager
def started(folder: str, child_arguments: list[str]) -> Iterator[Side]:
    path, _, variant = folder.partition("=")
    with tempfile.TemporaryDirectory() as scratch:
        if variant:
            for file in Path(path).absolute().iterdir():
                if not file.name.startswith(PREFIX) or file.stem == f"{PREFIX}{variant}":
                    Path(scratch, file.name).symlink_to(file)
            path = scratch
        child = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, "--serve", *child_arguments],
            env=os.environ | {"LLAMA_CPP_LIB_PATH": str(Path(path).absolute())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        try:
            yield Side(child)
        finally:
            assert child.stdin is not None
            child.stdin.close()
            child.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", help="two folders")
    parser.add_argument("--model", help="a GGUF file, or a generator's name; default: the first that is installed")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--prompt-tokens", type=int, default=64)
    parser.add_argument("--new-tokens", type=int, default=16)
    parser.add_argument("--json", action="store_true", help="one JSON line")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(Path(given.model), given.threads, given.prompt_tokens, given.new_tokens)
        return
    if len(given.folders) != 2:
        parser.error("two folders are compared")
    child_arguments = ["--model", str(_model(given.model)), "--threads", str(given.threads)]
    child_arguments += ["--prompt-tokens", str(given.prompt_tokens), "--new-tokens", str(given.new_tokens)]
    with ExitStack() as stack:
        sides = [stack.enter_context(started(folder, child_arguments)) for folder in given.folders]
        for side in sides:
            side.run()  # the first touches all pages
        for number in range(given.rounds):
            for side in sides if number % 2 else reversed(sides):
                side.runs.append(side.run())
    first, second = sides
    figures: dict[str, Any] = {"first": first.about, "second": second.about, "rounds": given.rounds}
    for key in ("prefill", "decode"):
        ratios = sorted(one[key] / other[key] for one, other in zip(first.runs, second.runs, strict=True))
        figures[key] = {
            "first_tokens_per_s": round(statistics.median(run[key] for run in first.runs), 1),
            "second_tokens_per_s": round(statistics.median(run[key] for run in second.runs), 1),
            "ratio": round(statistics.median(ratios), 3),
            "ratio_quartiles": [round(ratios[len(ratios) // 4], 3), round(ratios[3 * len(ratios) // 4], 3)],
        }
    figures["same_tokens"] = first.runs[0]["answer"] == second.runs[0]["answer"]
    print(json.dumps(figures) if given.json else json.dumps(figures, indent=2))


def _model(name: str | None) -> Path:
    if name and Path(name).is_file():
        return Path(name).absolute()
    models = [find(name, "generator")] if name else installed("generator")
    if not models:
        raise SystemExit("No generator is installed: edgerag models pull smollm2-135m")
    return models[0].folder / models[0].manifest.files["model"].path


if __name__ == "__main__":
    main()
