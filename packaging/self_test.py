"""Drive a built edgerag as a user would: in an empty home, without network, without Python or compiler.

    python packaging/self_test.py EXECUTABLE|FOLDER|ARCHIVE          on this machine, in an empty environment
    ... --root FOLDER | --make-root                                  inside a minimal Debian (packaging/minimal_root.py)
    ... --cpu Nehalem|Haswell|cortex-a53|...                         every process emulated by QEMU
    ... --gguf FILE                                                  generated answers as well
    ... --conditions all                                             odd places: read-only, spaces, noexec /tmp, ...
    ... --complete                                                   for a release: nothing may be "not shown"

It needs Python 3.11, this checkout and nothing else; Linux for taking the network away, for roots and for emulation.
Exit code 0: nothing failed, and with --complete everything was shown; 1: something failed, or with --complete was not
shown; 2: it could not be tried.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

import conditions
import emulation
import minimal_root
import no_network
import steps_find
import steps_generated
import steps_keep
import steps_outside
from places import Place
from sample_folder import write_folder
from session import NotShownError, Session, StepError
from unpacked import UnpackError, find_executable

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
EMULATED_SLOWNESS = 20.0
NOT_TAKEN_AWAY = "not taken away"
USER = 1000
"""Whom a bundle is run as in a root, where this script is run by root."""

Step = Callable[[Session], str]


class UsageError(Exception):
    """The command line names what cannot be; the message says which."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one step."""

    name: str
    verdict: str
    """`ok`, `FAILED`, `skipped` (an earlier step failed) or `not shown` (it cannot be tried here)."""
    seconds: float
    told: str
    details: tuple[str, ...] = ()
    """Of a failure: what was run, what came out, what to look at."""


@dataclass(slots=True)
class Report:
    """Everything that was tried in one place."""

    executable: str
    place: str
    network: str
    complete: bool = False
    """Whether `not shown` counts as failed."""
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        allowed = ("ok",) if self.complete else ("ok", "not shown")
        has_network_shown = self.has_taken_network or not self.complete
        return has_network_shown and all(outcome.verdict in allowed for outcome in self.outcomes)

    @property
    def has_taken_network(self) -> bool:
        return self.network != NOT_TAKEN_AWAY


def steps_for(session: Session, *, quick: bool) -> list[tuple[str, Step]]:
    """The steps in their order, by name; the library of one is that of the next."""
    if quick:
        return [("version", steps_keep.version), ("add, search, ask", steps_keep.quick_find)]
    generating: list[tuple[str, Step]] = [("ask: generated", steps_generated.ask_generated)]
    if session.gguf is not None:
        generating.insert(0, ("models import", steps_generated.import_model))
    return [
        ("version", steps_keep.version),
        ("libraries", steps_keep.libraries),
        ("help", steps_keep.help_page),
        ("doctor", steps_keep.doctor),
        ("models list", steps_keep.models_list),
        ("add", steps_find.add),
        ("every format", steps_find.formats),
        ("sync, no change", steps_find.sync_again),
        ("sync, changes", steps_find.sync_changes),
        ("search modes", steps_find.search_modes),
        ("search, Chinese", steps_find.search_chinese),
        ("ask: extractive", steps_find.ask_extractive),
        ("ask: abstains", steps_find.abstain),
        ("ask: follow-up", steps_find.follow_up),
        *generating,
        ("get", steps_keep.get),
        ("other commands", steps_keep.other_commands),
        ("backup, verify", steps_keep.backup_and_verify),
        ("tui --self-test", steps_keep.tui_self_test),
        ("tui in a terminal", steps_keep.tui_in_terminal),
        ("sync --watch", steps_keep.watch),
        ("models pull", steps_keep.pull_without_network),
        ("sockets", steps_outside.sockets),
        ("left behind", steps_outside.left_behind),
    ]


NEEDS_NO_LIBRARY = {
    "version", "libraries", "help", "doctor", "models list", "models import", "tui --self-test", "models pull",
    "sockets", "left behind",
}  # fmt: skip


def run_steps(session: Session, steps: Sequence[tuple[str, Step]], show: Callable[[Outcome], None]) -> list[Outcome]:
    """Run the steps; what cannot go well after `add` or `--version` has failed is skipped."""
    outcomes: list[Outcome] = []
    failed: set[str] = set()
    for name, step in steps:
        if "version" in failed:
            outcome = Outcome(name, "skipped", 0.0, "the program does not start")
        elif "add" in failed and name not in NEEDS_NO_LIBRARY:
            outcome = Outcome(name, "skipped", 0.0, "`add` failed")
        elif name == "ask: generated" and "generator" not in session.facts and session.gguf is None:
            outcome = Outcome(name, "not shown", 0.0, "no generator is installed; name one with --gguf")
        else:
            outcome = _run_step(session, name, step)
        if outcome.verdict == "FAILED":
            failed.add(name)
        outcomes.append(outcome)
        show(outcome)
    return outcomes


def _run_step(session: Session, name: str, step: Step) -> Outcome:
    started = time.monotonic()
    try:
        told = step(session)
    except NotShownError as reason:
        return Outcome(name, "not shown", time.monotonic() - started, str(reason))
    except StepError as problem:
        details = problem.ran.told() if problem.ran is not None else []
        return Outcome(name, "FAILED", time.monotonic() - started, str(problem), tuple(details))
    except (LookupError, TypeError, ValueError, OSError) as error:
        # A JSON shape that nobody foresaw must not end the whole test.
        details = session.runs[-1].told() if session.runs else []
        message = f"unexpected output ({type(error).__name__}: {error})"
        return Outcome(name, "FAILED", time.monotonic() - started, message, tuple(details))
    return Outcome(name, "ok", time.monotonic() - started, told)


def make_session(place: Place, *, gguf: Path | None, timeout_s: float) -> Session:
    """An empty home and the documents, in the place's working folder."""
    for name in ("home", "tmp", "nothing"):
        (place.work / name).mkdir()
    (place.work / "tmp").chmod(0o1777)
    documents = place.work / "documents"
    shutil.copytree(EXAMPLES, documents / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    samples = write_folder(documents / "formats")
    inside = None
    if gguf is not None:
        # In the working folder, because a root shows nothing else.
        inside = place.work / gguf.name
        try:
            os.link(gguf, inside)
        except OSError:
            shutil.copyfile(gguf, inside)
    if place.user is not None:
        place.work.chmod(0o755)
        for folder in (place.home, place.work / "tmp"):
            os.chown(folder, place.user, place.user)
    session = Session(place, documents, samples, inside, timeout_s)
    session.facts["bundle_before"] = steps_keep.listing(place.executable)
    return session


def print_outcome(outcome: Outcome, *, stream: TextIO = sys.stdout) -> None:
    """One line of the table, and what there is to know about a failure."""
    print(f"{outcome.verdict:9}  {outcome.name:18} {outcome.seconds:7.1f} s  {outcome.told}", file=stream, flush=True)
    for line in outcome.details:
        print(f"           {line}", file=stream, flush=True)


@contextlib.contextmanager
def working_folder(kept: Path | None) -> Iterator[Path]:
    """A folder for the test. Not in /tmp, which some conditions cover."""
    if kept is not None:
        kept.mkdir(parents=True)
        yield kept.resolve()
        return
    parent = "/var/tmp" if Path("/var/tmp").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="edgerag-self-test-", dir=parent) as name:
        yield Path(name).resolve()


def make_place(options: argparse.Namespace, work: Path) -> Place:
    """The place that the command line asks for.

    Raises:
        UnpackError, EmulationError, RootError: It cannot be made here.
    """
    executable = find_executable(options.program, work / "bundle")
    root = options.root.resolve() if options.root is not None else None
    if options.make_root:
        root = work / "root"
        machine = emulation.elf_machine(executable) or emulation.machine_of(None)
        arch = minimal_root.DEBIAN_ARCHITECTURES[machine]
        minimal_root.make_root(root, arch=arch, mirror=options.mirror)
    emulated = None
    if options.cpu != "host":
        machine = emulation.elf_machine(executable) or emulation.machine_of(root)
        emulated = emulation.prepare(options.cpu, machine, work, root=root)
    is_root = sys.platform == "linux" and os.geteuid() == 0
    home = work / "work"
    home.mkdir()
    return Place(
        executable=executable,
        work=home,
        root=root,
        emulation=emulated,
        without_network=options.network_namespace == "required",
        user=USER if root is not None and is_root and emulated is None else None,
        slowness=EMULATED_SLOWNESS if emulated is not None else 1.0,
    )


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("program", type=Path, help="the executable, the bundle's folder, or its archive")
    parser.add_argument("--root", type=Path, help="run inside this minimal system")
    parser.add_argument("--make-root", action="store_true", help="make such a system first (needs root, debootstrap)")
    parser.add_argument("--mirror", default="", help="for --make-root; default: debootstrap's own")
    parser.add_argument("--cpu", default="host", help="processor for QEMU: Nehalem, Haswell, cortex-a53, ...")
    parser.add_argument("--gguf", type=Path, help="import this generator and ask it")
    parser.add_argument(
        "--network-namespace", choices=("required", "off"), default="required", help="off: do not take the network away"
    )
    parser.add_argument("--quick", action="store_true", help="only --version, add, search, ask")
    parser.add_argument(
        "--conditions", type=conditions.chosen, default=[], metavar="NAMES|all", help=", ".join(conditions.NAMES)
    )
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for a command, 20 x that under emulation")
    parser.add_argument("--complete", action="store_true", help="what is not shown is a failure: for a release")
    parser.add_argument("--work", type=Path, help="keep everything in this new folder, for looking at it")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    return parser.parse_args(arguments)


def check_paths(options: argparse.Namespace) -> None:
    """Look at what the command line names, before anything is made.

    Raises:
        UsageError: It is missing, or is there although it must be new.
    """
    if options.root is not None and not options.root.is_dir():
        raise UsageError(f"--root {options.root}: there is no such folder. packaging/minimal_root.py makes one.")
    if options.gguf is not None and not options.gguf.is_file():
        raise UsageError(f"--gguf {options.gguf}: there is no such file.")
    if options.work is not None and options.work.exists():
        raise UsageError(f"--work {options.work} is there already: name a new folder.")


def run_all(options: argparse.Namespace, work: Path, show: Callable[[Outcome], None]) -> Report:
    """Everything that the command line asks for.

    Raises:
        NamespaceError, UnpackError, EmulationError, RootError: It cannot be tried here.
    """
    place = make_place(options, work)
    network = NOT_TAKEN_AWAY
    if place.without_network:
        needs_mounts = place.root is not None or place.emulation is not None
        network = no_network.check(
            no_network.unshare_command(needs_mounts=needs_mounts, needs_user=place.emulation is not None)
        )
    report = Report(os.fspath(options.program), place.described(), network, options.complete)
    if not options.json:
        print(f"{report.executable}: {report.place}\nnetwork: {report.network}", flush=True)
    session = make_session(place, gguf=options.gguf, timeout_s=options.timeout)
    report.outcomes += run_steps(session, steps_for(session, quick=options.quick), show)
    for name, condition in options.conditions:
        outcome = _run_step(session, name, condition)
        report.outcomes.append(outcome)
        show(outcome)
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the self-test; returns the exit code."""
    options = parse_arguments(arguments)
    # Started in the background of a shell, SIGINT is ignored, and so would the programs inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stream = sys.stderr if options.json else sys.stdout
    try:
        check_paths(options)
        with working_folder(options.work) as work:
            report = run_all(options, work, lambda outcome: print_outcome(outcome, stream=stream))
    except (
        UsageError, no_network.NamespaceError, UnpackError, emulation.EmulationError, minimal_root.RootError, OSError,
    ) as error:  # fmt: skip
        print(f"self_test: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("self_test: interrupted", file=sys.stderr)
        return 130
    verdicts = ("ok", "FAILED", "skipped", "not shown")
    counts = {verdict: sum(one.verdict == verdict for one in report.outcomes) for verdict in verdicts}
    if options.json:
        print(json.dumps({**asdict(report), "passed": report.passed, "counts": counts}, ensure_ascii=False))
    else:
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        kept = "; the network was not taken away" if report.complete and not report.has_taken_network else ""
        print(f"{'passed' if report.passed else 'FAILED'}: {told}{kept}")
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
