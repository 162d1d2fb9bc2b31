"""What a sync of unchanged files costs against their first ingest, as whole processes.

    python -m tests.benchmarks.sync --files 2000

Each file holds one paragraph of its own. Prints JSON: seconds of the first `add` (with the seconds per stage and the
peak memory of the main process), of a `sync` with nothing to do, the ratio, and of a `sync` after all files were
renamed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

WORDS = (
    "river bridge oak mill barley heron otter winter ledger signature tenant valve pressure gauge north ridge storm "
    "lamp engine copper archive map border treaty harvest vessel compass lantern granite orchard weaver anvil ferry"
).split()
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--words", type=int, default=120, help="words a file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        documents = Path(folder) / "documents"
        documents.mkdir()
        generator = random.Random(7)
        for number in range(arguments.files):
            words = " ".join(generator.choice(WORDS) for _ in range(arguments.words))
            (documents / f"{number:05}.txt").write_text(f"Note {number}. {words}.\n", encoding="utf-8")
        time.sleep(2.5)  # longer than the time span in which time stamps are in doubt
        library = Path(folder) / "library"
        first_s, first = run(library, "add", str(documents))
        syncs = [run(library, "sync")[0] for _ in range(REPEATS)]
        for path in sorted(documents.iterdir()):
            path.rename(path.with_name("renamed-" + path.name))
        rename_s, renamed = run(library, "sync")
    print(
        json.dumps(
            {
                "files": arguments.files,
                "first_s": round(first_s, 2),
                "chunks_per_s": round(first["embedded_chunks"] / first["seconds"], 1),
                "stages_s": first["timings_s"],
                "peak_rss_mb": first["peak_rss_mb"],
                "no_op_s": round(median(syncs), 3),
                "ratio": round(first_s / median(syncs), 1),
                "rename_s": round(rename_s, 2),
                "renamed": renamed["moved"],
                "embedded_after_rename": renamed["embedded_chunks"],
            }
        )
    )


def run(library: Path, *arguments: str) -> tuple[float, dict[str, Any]]:
    """Run a command as a person would; returns wall seconds and its JSON."""
    command = [sys.executable, "-m", "edgerag", "--library", str(library), "--json", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    elapsed = time.perf_counter() - start
    return elapsed, json.loads(done.stdout) | {"peak_rss_mb": peak_rss_mb()}


def peak_rss_mb() -> int | None:
    """Largest resident size of any child so far, in MB; None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    scale = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * scale / 1e6)


if __name__ == "__main__":
    main()
