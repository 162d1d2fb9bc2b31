"""Use edgerag as on a small device: one core, little memory, no swap; print what each step took.

    sudo python packaging/small_device.py dist/edgerag-.../edgerag --memory-mib 1024 \\
        --profile packaging/profiles/1gib.toml --documents examples --models ~/.local/share/edgerag/models

The limit is a control group's, so that file cache counts as on a real device; `peak` is what cannot be given back.
Linux only, and root for the control group.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from memory_limit import MemoryLimit, NoControlGroupError, memory_limit

MIB = 1 << 20
_TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a user's, and what it cost."""

    name: str
    exit_code: int
    seconds: float
    peak_mib: float
    said: str
    """Its first line, or the last of its error."""


def main() -> int:
    """Run the steps; 0 when each one worked and nothing was killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("executable", type=Path)
    parser.add_argument("--memory-mib", type=int, default=1024, help="Of all processes together. Default: %(default)s.")
    parser.add_argument("--cores", type=int, default=1, help="Default: %(default)s.")
    parser.add_argument("--profile", type=Path, help="Settings (TOML), for instance of packaging/profiles.")
    parser.add_argument("--documents", type=Path, default=Path(__file__).parents[1] / "examples")
    parser.add_argument("--question", default="How much can one mule carry?")
    parser.add_argument("--models", type=Path, help="Folder of models with a generator; without it, none is asked.")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        with memory_limit(arguments.memory_mib * MIB) as group, tempfile.TemporaryDirectory() as home:
            environment = user_environment(Path(home), arguments.profile, arguments.models)
            steps = run_steps(arguments, group, environment)
            kills = group.num_kills()
            # Before the group is removed: after an hour of steps nothing that goes wrong there may take them along.
            print_steps(steps, kills, as_json=arguments.json)
    except (NoControlGroupError, OSError) as error:
        print(f"small_device: {error}", file=sys.stderr)
        return 2
    return int(bool(kills) or any(step.exit_code != 0 for step in steps))


def print_steps(steps: Sequence[Step], kills: int, *, as_json: bool) -> None:
    """The table, or one JSON object."""
    if as_json:
        print(json.dumps({"schema_version": 1, "kills": kills, "steps": [asdict(step) for step in steps]}), flush=True)
        return
    print(f"{'step':24} {'exit':>4} {'s':>8} {'peak MiB':>9}  what it said")
    for step in steps:
        print(f"{step.name:24} {step.exit_code:4} {step.seconds:8.1f} {step.peak_mib:9.0f}  {step.said}")
    print(f"killed for want of memory: {kills}", flush=True)


def user_environment(home: Path, profile: Path | None, models: Path | None) -> dict[str, str]:
    """An empty home with the profile as its settings, and nothing of ours."""
    settings = home / "settings"
    settings.mkdir()
    if profile is not None:
        shutil.copy(profile, settings / "config.toml")
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "EDGERAG_CONFIG": str(settings)}
    return environment | ({"EDGERAG_MODELS": str(models.absolute())} if models else {})


def run_steps(arguments: argparse.Namespace, group: MemoryLimit, environment: Mapping[str, str]) -> list[Step]:
    """What a user does, in order; a step that fails does not keep the next ones from being tried."""
    cores = sorted(os.sched_getaffinity(0))[: arguments.cores]
    documents, question = str(arguments.documents.absolute()), arguments.question
    commands: dict[str, list[str]] = {
        "version": ["--version"],
        "add": ["add", documents],
        "sync, nothing to do": ["sync"],
        "search": ["search", question, "-k", "1"],
        "ask, extractive": ["ask", "--extractive", "--no-save", question],
    }
    if arguments.models:
        # Without a generator edgerag falls back to the words of the documents; that is no figure of a generator's.
        commands["ask, generated"] = ["ask", "--require", "generate", "--no-save", question]
    commands |= {"verify": ["verify"], "every screen": ["tui", "--self-test"]}

    def enter() -> None:
        os.sched_setaffinity(0, cores)
        group.enter()

    return [
        run_step(name, [str(arguments.executable), *rest], group, environment, enter) for name, rest in commands.items()
    ]


def run_step(
    name: str, command: list[str], group: MemoryLimit, environment: Mapping[str, str], enter: Callable[[], None]
) -> Step:
    """Run one command in the group; what takes too long is ended, with all it has started, and counts as failed."""
    began = time.perf_counter()
    try:
        with group.watched():
            done = subprocess.run(
                command, env=dict(environment), preexec_fn=enter, stdin=subprocess.DEVNULL, capture_output=True,
                encoding="utf-8", errors="replace", timeout=_TIMEOUT_S,
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        group.kill()
        said = f"not done after {_TIMEOUT_S} s"
        return Step(name, -signal.SIGKILL, time.perf_counter() - began, group.peak_bytes / MIB, said)
    if done.returncode == 0:
        said = (done.stdout.strip() or done.stderr.strip()).partition("\n")[0]
    else:
        said = done.stderr.strip().rpartition("\n")[2]
    return Step(name, done.returncode, time.perf_counter() - began, group.peak_bytes / MIB, said[:100])


if __name__ == "__main__":
    sys.exit(main())
