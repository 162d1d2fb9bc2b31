"""How long a bundle takes to start, against the source environment: `--version`, and a search in 1,000 chunks.

    python -m tests.benchmarks.bundle_start dist/edgerag-0.1.0-linux-x86_64/edgerag --pairs 11

Both sides run in turn, each first as often as the other. Before every cold run, the files that side is made of are
dropped from the page cache: one by one (`posix_fadvise`), or with `--drop-caches` the whole machine's (root only;
everybody else on it notices). A file that another process has mapped stays. Prints JSON with medians in milliseconds;
exit code 1 if the bundle is slower than allowed: 0.5 x the source for `--version`, 1.5 x for the search, each plus
150 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

ALLOWED = {"version": (0.5, 150.0), "search": (1.5, 150.0)}
"""Factor and milliseconds."""
WORDS = (
    "lantern granite harbour meadow copper violin glacier orchard compass thunder pepper saddle mirror canvas barley "
    "anchor timber falcon marble ribbon"
).split()
QUERY = "which meadow lies beyond the harbour"


def write_documents(folder: Path, num_chunks: int) -> None:
    """Notes that are cut into at least so many chunks: one for each section."""
    folder.mkdir(parents=True)
    for number in range(0, num_chunks, 50):
        sections = []
        for section in range(number, number + 50):
            names = [WORDS[(section * step + step) % len(WORDS)] for step in (1, 3, 7, 9, 11, 13)]
            text = (
                f"On day {section} the {names[0]} stood {section % 97} paces from the {names[1]}, by the {names[2]}. "
            )
            text += (
                f"Nobody moved the {names[3]} before the {names[4]} was counted {section % 13} times at {names[5]}. "
            )
            sections.append(f"## Day {section}: {names[0]} and {names[1]}\n\n{text * 4}\n")
        (folder / f"notes-{number}.md").write_text(f"# Notes {number}\n\n" + "\n".join(sections), encoding="utf-8")


def files_below(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def forget(files: Iterable[Path], *, whole_machine: bool) -> None:
    """Drop files from the page cache."""
    if whole_machine:
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")
        return
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def run_ms(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - start) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="the executable")
    parser.add_argument(
        "--source", type=Path, default=Path(sys.executable).with_name("edgerag"), help="default: this environment's"
    )
    parser.add_argument("--pairs", type=int, default=11)
    parser.add_argument("--chunks", type=int, default=1000)
    parser.add_argument("--warm", action="store_true", help="leave the page cache alone")
    parser.add_argument("--drop-caches", action="store_true", help="drop the whole machine's page cache")
    options = parser.parse_args()
    bundle = options.bundle.resolve()
    paths = sysconfig.get_paths()
    checkout = Path(__file__).resolve().parents[2]
    source_folders = [Path(paths["purelib"]), Path(paths["stdlib"]), checkout / "edgerag"]
    files = {"bundle": files_below([bundle.parent]), "source": files_below(source_folders)}
    programs = {"source": str(options.source), "bundle": str(bundle)}
    with tempfile.TemporaryDirectory(prefix="edgerag-start-") as folder:
        library = Path(folder) / "library"
        write_documents(Path(folder) / "documents", options.chunks)
        run_ms([programs["source"], "--library", str(library), "add", f"{folder}/documents"])
        told = subprocess.run(
            [programs["source"], "--library", str(library), "--json", "status"], capture_output=True, check=True
        )
        num_chunks = int(json.loads(told.stdout)["chunks"])
        commands = {"version": ["--version"], "search": ["--library", str(library), "search", QUERY]}
        report: dict[str, object] = {"chunks": num_chunks, "cold": not options.warm, "pairs": options.pairs}
        is_met = num_chunks >= options.chunks
        for name, arguments in commands.items():
            times: dict[str, list[float]] = {"source": [], "bundle": []}
            for turn in range(options.pairs + 1):
                for side in ("source", "bundle") if turn % 2 else ("bundle", "source"):
                    if not options.warm:
                        forget(files[side], whole_machine=options.drop_caches)
                    elapsed_ms = run_ms([programs[side], *arguments])
                    if turn:  # the first turn compiles the source
                        times[side].append(elapsed_ms)
            factor, extra_ms = ALLOWED[name]
            differences = [
                own - (factor * other + extra_ms) for own, other in zip(times["bundle"], times["source"], strict=True)
            ]
            is_met &= median(differences) <= 0
            report[name] = {
                "source_ms": round(median(times["source"]), 1),
                "bundle_ms": round(median(times["bundle"]), 1),
                "allowed_ms": round(factor * median(times["source"]) + extra_ms, 1),
                "met_in": f"{sum(difference <= 0 for difference in differences)} of {options.pairs}",
            }
    print(json.dumps(report, indent=1))
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
