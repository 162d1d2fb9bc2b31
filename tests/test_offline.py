"""Offline means no sockets, and no HTTP client: proved by system calls, because native code bypasses Python.

The telemetry of onnxruntime opens its first socket ten seconds after the import (1.31.1): a command that ends
after two proves nothing. Hence one process is held alive until another, without the guard, has leaked.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
INTERNET_SOCKET = re.compile(r"socket\(AF_INET6?\b|sa_family=AF_INET6?\b")
NO_SOCKETS = ("-e", "inject=socket:error=EACCES")
"""strace refuses every socket: a control shows that it tried, and nothing leaves the machine."""
LEAK_TIMEOUT_S = 40.0
HTTP_CLIENTS = (
    "aiohttp", "http.client", "httpx", "httpx2", "huggingface_hub", "requests", "urllib.request", "urllib3",
)  # fmt: skip
HEAVY = ("optimum", "textual", "torch", "transformers")

DOCUMENT = """# Lighthouse

The lamp of the Skarv lighthouse was lit on 4 October 1871. It is visible for 19 nautical miles.

The keeper winds the clockwork every six hours. The fog horn needs 40 litres of paraffin a week.
"""

LIVE_IN_ONE_PROCESS = """
import sys, time
from pathlib import Path
import edgerag
folder = Path(sys.argv[1])
with edgerag.open_library(folder / "library") as library:
    library.add([folder / "lighthouse.md"])
    assert library.search("When was the lamp lit?").passages
    assert library.ask("When was the lamp lit?", extractive=True).citations
    (folder / "ready").touch()
    while not (folder / "enough").exists():
        time.sleep(0.1)
"""

IMPORT_AND_WAIT = """
import sys, time
from pathlib import Path
import onnxruntime
while not (Path(sys.argv[1]) / "enough").exists():
    time.sleep(0.1)
"""


@dataclass(slots=True)
class Traced:
    """A process under strace, and where its system calls are written."""

    process: subprocess.Popen[bytes]
    trace: Path

    def internet_calls(self) -> list[str]:
        return [line for line in self.trace.read_text(errors="replace").splitlines() if INTERNET_SOCKET.search(line)]

    def end(self) -> int:
        """The exit code of the traced program, once it has ended."""
        return self.process.wait(timeout=120)


class Strace:
    """Starts programs under strace."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.started: list[Traced] = []

    def start(
        self,
        command: Sequence[str],
        *,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Traced:
        trace = self._folder / f"trace-{len(self.started)}"
        output = self._folder / f"output-{len(self.started)}"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                ["strace", "-f", "-e", "trace=network", *options, "-o", str(trace), *command],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=dict(os.environ if environment is None else environment),
                cwd=self._folder,
                start_new_session=True,
            )
        traced = Traced(process, trace)
        self.started.append(traced)
        return traced

    def kill_all(self) -> None:
        """End what a failed test left running; strace itself passes no signal on."""
        for traced in self.started:
            if traced.process.poll() is None:
                os.killpg(traced.process.pid, signal.SIGKILL)
                traced.process.wait()

    def output(self, traced: Traced) -> str:
        return (self._folder / f"output-{self.started.index(traced)}").read_text(errors="replace")


@pytest.fixture
def strace(tmp_path: Path) -> Iterator[Strace]:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed, so sockets cannot be watched")
    folder = tmp_path / "traces"
    folder.mkdir()
    tracer = Strace(folder)
    trial = tracer.start([sys.executable, "-c", "raise SystemExit(7)"])
    if trial.end() != 7:
        pytest.skip(f"this system does not let strace watch a process: {tracer.output(trial).strip()[:200]}")
    yield tracer
    tracer.kill_all()


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of a user: no variable of edgerag or onnxruntime set, and this checkout importable."""
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    return kept | {"PYTHONPATH": str(CHECKOUT)}


@pytest.fixture
def lighthouse(tmp_path: Path) -> Path:
    (tmp_path / "lighthouse.md").write_text(DOCUMENT, encoding="utf-8")
    return tmp_path


def edgerag_command(library: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "edgerag", "--library", str(library), "--json", *arguments]


def test_the_check_flags_a_single_internet_socket(strace: Strace) -> None:
    for family in ("AF_INET", "AF_INET6"):
        attempt = f"import socket\ntry: socket.socket(socket.{family})\nexcept OSError: pass"
        traced = strace.start([sys.executable, "-c", attempt], options=NO_SOCKETS)
        assert traced.end() == 0, strace.output(traced)
        assert len(traced.internet_calls()) == 1, family


def test_the_check_flags_a_socket_of_a_child_process(strace: Strace) -> None:
    attempt = "import socket\ntry: socket.socket()\nexcept OSError: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {attempt!r}])"
    traced = strace.start([sys.executable, "-c", parent], options=NO_SOCKETS)
    assert traced.end() == 0
    assert len(traced.internet_calls()) == 1


@pytest.mark.models
def test_add_search_and_extractive_ask_open_no_internet_socket(
    strace: Strace, environment: dict[str, str], lighthouse: Path
) -> None:
    library = lighthouse / "library"
    for arguments in (
        ["add", str(lighthouse / "lighthouse.md")],
        ["search", "When was the lamp lit?"],
        ["ask", "--extractive", "When was the lamp lit?"],
        ["sync"],
        ["status"],
        ["doctor"],
        ["models", "list"],
    ):
        traced = strace.start(edgerag_command(library, *arguments), environment=environment)
        assert traced.end() == 0, strace.output(traced)
        assert traced.internet_calls() == [], arguments


@pytest.mark.models
def test_a_generated_answer_opens_no_internet_socket(
    strace: Strace, environment: dict[str, str], lighthouse: Path, installed_models: Path
) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    environment |= {"EDGERAG_MODELS": str(installed_models)}
    library = lighthouse / "library"
    added = strace.start(edgerag_command(library, "add", str(lighthouse / "lighthouse.md")), environment=environment)
    assert added.end() == 0, strace.output(added)
    asked = strace.start(
        edgerag_command(library, "ask", "--max-tokens", "24", "When was the lamp lit?"),
        environment=environment,
    )
    assert asked.end() == 0, strace.output(asked)
    # Whatever the checks make of its answer, the generator has run.
    answer = json.loads(next(line for line in strace.output(asked).splitlines() if line.startswith("{")))
    assert answer["notes"]["generation"]["generated_tokens"] > 0
    assert asked.internet_calls() == []


@pytest.mark.models
@pytest.mark.slow
def test_edgerag_stays_silent_while_onnxruntime_without_the_guard_calls_home(
    strace: Strace, environment: dict[str, str], lighthouse: Path
) -> None:
    guarded = strace.start([sys.executable, "-c", LIVE_IN_ONE_PROCESS, str(lighthouse)], environment=environment)
    control = strace.start(
        [sys.executable, "-c", IMPORT_AND_WAIT, str(lighthouse)], options=NO_SOCKETS, environment=environment
    )
    began = time.monotonic()
    while not (lighthouse / "ready").exists():
        assert guarded.process.poll() is None, strace.output(guarded)
        time.sleep(0.1)
    while not control.internet_calls() and time.monotonic() - began < LEAK_TIMEOUT_S:
        time.sleep(0.2)
    leak_s = time.monotonic() - began
    # The guarded process imported onnxruntime a little later than the control: it gets half as long again.
    while control.internet_calls() and time.monotonic() - began < 1.5 * leak_s:
        time.sleep(0.2)
    (lighthouse / "enough").touch()
    assert control.end() == 0, strace.output(control)
    assert guarded.end() == 0, strace.output(guarded)
    assert guarded.internet_calls() == []
    if not control.internet_calls():
        pytest.skip(f"the installed onnxruntime opened no socket in {LEAK_TIMEOUT_S:.0f} s even without the guard")


def run_python(program: str, environment: Mapping[str, str], *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=dict(environment),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_importing_edgerag_switches_the_telemetry_off_first(environment: dict[str, str]) -> None:
    program = (
        "import os, sys, edgerag\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'], 'onnxruntime' in sys.modules, 'numpy' in sys.modules)"
    )
    assert run_python(program, environment).split() == ["1", "False", "False"]
    # A value that the user set for another program does not switch it on for this one.
    assert run_python(program, environment | {"ORT_DISABLE_TELEMETRY": "0"}).split()[0] == "1"


IMPORT_ALL = """
import importlib, json, pkgutil, sys
import edgerag
names = [module.name for module in pkgutil.walk_packages(edgerag.__path__, "edgerag.")]
for name in names:
    if not name.startswith("edgerag.models.") and not name.endswith("__main__"):
        importlib.import_module(name)
print(json.dumps([names, sorted(sys.modules)]))
"""


def test_no_module_outside_models_pull_imports_an_http_client_or_a_heavy_package(
    environment: dict[str, str],
) -> None:
    names, loaded = json.loads(run_python(IMPORT_ALL, environment))
    assert {"edgerag.engine", "edgerag.cli.ask", "edgerag.ask.retrieve", "edgerag.ingest.pipeline"} <= set(names)
    assert [name for name in (*HTTP_CLIENTS, *HEAVY) if name in loaded] == []
    deferred = ("onnxruntime", "tokenizers", "hnswlib", "llama_cpp", "sqlite_utils", "lxml", "pypdfium2")
    assert [name for name in deferred if name in loaded] == []


@pytest.mark.models
def test_a_whole_session_loads_no_http_client(environment: dict[str, str], lighthouse: Path) -> None:
    (lighthouse / "enough").touch()
    program = LIVE_IN_ONE_PROCESS + "\nimport json; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(run_python(program, environment, str(lighthouse)))
    assert "onnxruntime" in loaded
    assert [name for name in (*HTTP_CLIENTS, *HEAVY) if name in loaded] == []
