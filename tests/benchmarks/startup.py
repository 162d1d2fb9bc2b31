"""A search as a fresh process against what any such program must import, interleaved.

    python -m tests.benchmarks.startup --chunks 5000

Builds a library of at least that many chunks from the given documents (default: SciFact beside the checkout), then
runs, in turn, `edgerag search` and `python -c "import onnxruntime, tokenizers, numpy"`. Prints JSON with the medians
and the median of the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import edgerag
from tests.benchmarks.judged_sets import JudgedSet, load_judged_set, write_documents

QUERIES = (
    "vitamin D and bone density",
    "what does the enzyme inhibit",
    "cells in culture",
    "risk of infection",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, default=Path("../shared/data/scifact"))
    parser.add_argument("--chunks", type=int, default=5000)
    parser.add_argument("--pairs", type=int, default=15)
    arguments = parser.parse_args()
    base = Path(tempfile.gettempdir()) / f"edgerag-benchmark-startup-{arguments.chunks}"
    judged = load_judged_set(arguments.set)
    documents = list(judged.documents.items())
    with edgerag.open_library(base / "library") as library:
        for end in range(arguments.chunks // 3, len(documents) + 500, 500):
            if library.library.counts()["chunks"] >= arguments.chunks:
                break
            write_documents(JudgedSet(dict(documents[:end]), {}, {}), base / "documents")
            library.add([base / "documents"])
        num_chunks = library.library.counts()["chunks"]
    environment = os.environ | {"ORT_DISABLE_TELEMETRY": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the warm-up turn compiles both sides, as a user's first run does
    imports = [sys.executable, "-c", "import onnxruntime, tokenizers, numpy"]
    times: dict[str, list[float]] = {"imports": [], "search": []}
    for turn in range(arguments.pairs + 1):
        query = QUERIES[turn % len(QUERIES)]
        search = [sys.executable, "-m", "edgerag", "--library", str(base / "library"), "search", query]
        for name, command in (("imports", imports), ("search", search)):
            start = time.perf_counter()
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
            if turn:  # the first turn warms the page cache
                times[name].append(time.perf_counter() - start)
    ratios = [search / imported for search, imported in zip(times["search"], times["imports"], strict=True)]
    print(
        json.dumps(
            {
                "chunks": num_chunks,
                "imports_s": round(median(times["imports"]), 3),
                "search_s": round(median(times["search"]), 3),
                "ratio": round(median(ratios), 2),
            }
        )
    )


if __name__ == "__main__":
    main()
