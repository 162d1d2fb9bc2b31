"""Parse workers: what a bad file does to itself and to no other, and that no process outlives its parent."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from edgerag.datatypes import Heading, PageSpan, ParsedDocument
from edgerag.errors import DocumentError
from edgerag.ingest.parse_messages import decode_document, encode_document
from edgerag.ingest.parse_pool import ParsedFile, ParsePool

ROOT = Path(__file__).parents[2]
GO = threading.Event()
# A worker whose text parser does as the file's first line says; everything else is the real one.
MISBEHAVING = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import ctypes, os, signal, time
from edgerag.ingest.parsers import plain
from edgerag.ingest import parse_worker

ordinary = plain.parse

def parse(source):
    command = source.data.split(b"\\n")[0]
    if command == b"hang":
        while True:
            pass
    if command == b"sleep":
        time.sleep(60)
    if command == b"nap":
        time.sleep(1)
    if command == b"eat":
        kept = [bytearray(64 * 1024 * 1024) for _ in range(1000)]
    if command == b"crash":
        ctypes.string_at(0)
    if command == b"die":
        os.kill(os.getpid(), signal.SIGKILL)
    if command == b"exit":
        os._exit(7)
    if command == b"print":
        os.write(1, b"noise from a native library" * 10)
    if command == b"raise":
        raise RuntimeError("a bug in the parser")
    return ordinary(source)

plain.parse = parse
parse_worker.main()
"""
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux only")


@pytest.fixture
def worker_script(tmp_path: Path) -> list[str]:
    script = tmp_path / "misbehaving_worker.py"
    script.write_text(MISBEHAVING, encoding="utf-8")
    return [sys.executable, str(script)]


def write(folder: Path, **contents: str) -> list[Path]:
    files = []
    for name, content in contents.items():
        files.append(folder / f"{name}.txt")
        files[-1].write_text(content, encoding="utf-8")
    return files


def outcomes(results: list[ParsedFile]) -> dict[str, str]:
    return {
        result.path.stem: str(result.outcome) if isinstance(result.outcome, DocumentError) else result.outcome.text
        for result in results
    }


def test_hash_size_and_time_belong_to_the_bytes_that_were_parsed(tmp_path: Path) -> None:
    (file,) = write(tmp_path, note="Grüße\r\n")
    with ParsePool(1, 30, 1024, 1000) as pool:
        (result,) = pool.parse_many([file], GO)
    assert isinstance(result.outcome, ParsedDocument)
    assert result.outcome.text == "Grüße\n"
    assert result.content_hash == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (result.size_bytes, result.mtime_ns) == (file.stat().st_size, file.stat().st_mtime_ns)


def test_every_file_gives_one_result_and_few_files_start_few_workers(tmp_path: Path) -> None:
    files = write(tmp_path, **{f"file{number}": f"text {number}" for number in range(40)})
    with ParsePool(3, 30, 1024, 1000) as pool:
        assert len(list(pool.parse_many(files[:1], GO))) == 1
        assert len(pool._idle) == 1
        results = list(pool.parse_many(files, GO))
        assert len(pool._idle) == 3
    assert outcomes(results) == {f"file{number}": f"text {number}" for number in range(40)}
    assert pool._idle == []


def test_files_are_read_only_a_few_ahead(tmp_path: Path) -> None:
    files = write(tmp_path, **{f"file{number}": "text" for number in range(20)})
    taken: list[Path] = []

    def take() -> object:
        for file in files:
            taken.append(file)
            yield file

    with ParsePool(2, 30, 1024, 1000) as pool:
        results = pool.parse_many(take(), GO)  # type: ignore[arg-type]
        next(results)
        assert len(taken) == 4
        results.close()


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        pytest.param("hang", "took longer than 1 s to parse", id="endless-loop"),
        pytest.param("sleep", "took longer than 1 s to parse", id="sleep"),
        pytest.param("eat", "needs more than 256 MiB of memory", id="memory", marks=linux_only),
        pytest.param("crash", "crashed its parser", id="segmentation-fault"),
        pytest.param("exit", "crashed its parser (exit code 7)", id="exit"),
        pytest.param("die", "crashed its parser (SIGKILL)", id="killed", marks=linux_only),
        pytest.param("raise", "RuntimeError: a bug in the parser", id="exception"),
    ],
)
def test_a_bad_file_is_recorded_and_the_others_are_parsed(
    tmp_path: Path, worker_script: list[str], command: str, reason: str
) -> None:
    files = write(tmp_path, before="one", bad=f"{command}\n", after="two", last="three")
    # Only what is meant to run out of time has little of it: on a busy machine 256 MiB are not eaten in a second.
    timeout_s = 1 if "took longer" in reason else 60
    with ParsePool(1, timeout_s, 256, 1000, command=worker_script) as pool:
        found = outcomes(list(pool.parse_many(files, GO)))
    assert reason in found.pop("bad")
    assert found == {"before": "one", "after": "two", "last": "three"}


def test_what_a_library_prints_does_not_disturb_the_answers(tmp_path: Path, worker_script: list[str]) -> None:
    files = write(tmp_path, loud="print\n", quiet="one")
    with ParsePool(1, 30, 1024, 1000, command=worker_script) as pool:
        assert outcomes(list(pool.parse_many(files, GO))) == {"loud": "print\n", "quiet": "one"}


def test_a_worker_that_dies_between_files_costs_no_file(tmp_path: Path) -> None:
    first, second = write(tmp_path, first="one", second="two")
    with ParsePool(1, 30, 1024, 1000) as pool:
        list(pool.parse_many([first], GO))
        process = pool._idle[0]
        process.kill()
        # Not waited for: the pool may still take it for alive, and then meets a closed pipe.
        results = list(pool.parse_many([second], GO))
    assert outcomes(results) == {"second": "two"}


def test_text_beyond_the_limit_and_too_large_files_are_refused(tmp_path: Path) -> None:
    files = write(tmp_path, long="x" * 1001, fits="x" * 1000, large="y" * (1024 * 1024 + 1))
    with ParsePool(1, 30, 1024, 1000, max_file_mib=1) as pool:
        found = outcomes(list(pool.parse_many(files, GO)))
    assert found["long"] == "holds more than 1,000 characters of text"
    assert found["fits"] == "x" * 1000
    assert found["large"] == "is larger than 1 MiB"


def test_missing_unreadable_and_special_files_are_recorded(tmp_path: Path) -> None:
    files = [tmp_path / "missing.txt", tmp_path]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.txt")
        files.append(tmp_path / "pipe.txt")
    with ParsePool(1, 30, 1024, 1000) as pool:
        found = {result.path.name: str(result.outcome) for result in pool.parse_many(files, GO)}
    assert found["missing.txt"] == "does not exist any more"
    assert "regular file" in found[tmp_path.name] or "could not be read" in found[tmp_path.name]
    assert found.get("pipe.txt", "is not a regular file") == "is not a regular file"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has file names that are no text")
def test_a_file_name_that_is_no_text_is_read(tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    file.write_text("one", encoding="utf-8")
    with ParsePool(1, 30, 1024, 1000) as pool:
        (result,) = pool.parse_many([file], GO)
    assert isinstance(result.outcome, ParsedDocument)
    assert result.path == file
    assert result.outcome.title == "caf"  # what is no text in the name is left out


def test_stopping_ends_the_files_under_way(tmp_path: Path, worker_script: list[str]) -> None:
    files = write(tmp_path, one="hang\n", two="hang\n")
    stop = threading.Event()
    with ParsePool(2, 600, 1024, 1000, command=worker_script) as pool:
        threading.Timer(0.3, stop.set).start()
        assert list(pool.parse_many(files, stop)) == []
        assert pool._busy == set()


def test_a_document_survives_the_way_to_the_parent() -> None:
    parsed = ParsedDocument(
        text="Über\n🙂 text",
        title="T",
        format="pdf",
        pages=(PageSpan(1, 0, 4), PageSpan(2, 5, 11)),
        headings=(Heading(2, "Über", 0),),
        warnings=("w",),
    )
    assert decode_document(*encode_document(parsed)) == parsed


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"pages": [[1, 0, 99]]}, id="page"),
        pytest.param({"headings": [[1, "x", 99]]}, id="heading"),
    ],
)
def test_offsets_outside_the_text_are_not_believed(fields: dict[str, object]) -> None:
    header, body = encode_document(ParsedDocument(text="short", title="t", format="text"))
    with pytest.raises(ValueError, match="outside the text"):
        decode_document({**header, **fields}, body)


def test_a_worker_loads_neither_numpy_nor_any_parser_before_it_needs_one() -> None:
    program = (
        "import sys; from edgerag.ingest import parse_worker; "
        "print(sorted({'numpy', 'onnxruntime', 'lxml', 'pypdfium2', 'sqlite3'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout.strip() == "[]"


SCRIPT_WITHOUT_GUARD = """
import sys, threading
sys.path.insert(0, {root!r})
from pathlib import Path
from edgerag.ingest.parse_pool import ParsePool
with ParsePool(1, 600, 1024, 1000, command={command!r}) as pool:
    for result in pool.parse_many(map(Path, sys.argv[1:]), threading.Event()):
        print(result.path.name, flush=True)
        print(*[process.pid for process in pool._idle + list(pool._busy)], flush=True)
"""


def start_script(tmp_path: Path, command: list[str] | None, *files: Path) -> subprocess.Popen[str]:
    script = tmp_path / "user_script.py"
    script.write_text(textwrap.dedent(SCRIPT_WITHOUT_GUARD).format(root=str(ROOT), command=command), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, str(script), *map(str, files)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_script_without_a_main_guard_works(tmp_path: Path) -> None:
    (file,) = write(tmp_path, one="text")
    process = start_script(tmp_path, None, file)
    output, errors = process.communicate(timeout=60)
    assert errors == ""
    assert output.startswith("one.txt\n")
    assert process.returncode == 0


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text(encoding="ascii").split()]


def wait_until(condition, timeout_s: float = 20.0) -> bool:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@linux_only
@pytest.mark.parametrize("command", ["sleep", "hang"])
def test_no_worker_outlives_a_killed_parent(tmp_path: Path, worker_script: list[str], command: str) -> None:
    files = write(tmp_path, quick="text", bad=f"{command}\n")
    process = start_script(tmp_path, worker_script, *files)
    assert process.stdout is not None
    assert process.stdout.readline() == "quick.txt\n"
    workers = children_of(process.pid)
    assert len(workers) == 1
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert wait_until(lambda: not any(map(is_running, workers)))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals to single processes")
def test_a_worker_leaves_ctrl_c_to_its_parent(tmp_path: Path, worker_script: list[str]) -> None:
    (file,) = write(tmp_path, slow="nap\n")
    with ParsePool(1, 30, 1024, 1000, command=worker_script) as pool:
        list(pool.parse_many(write(tmp_path, first="one"), GO))
        (worker,) = pool._idle
        threading.Timer(0.3, worker.send_signal, [signal.SIGINT]).start()
        (result,) = pool.parse_many([file], GO)
        assert isinstance(result.outcome, ParsedDocument)
        assert pool._idle == [worker]


@linux_only
def test_interrupting_leaves_no_worker_and_no_worker_traceback(tmp_path: Path, worker_script: list[str]) -> None:
    files = write(tmp_path, quick="text", bad="sleep\n")
    process = start_script(tmp_path, worker_script, *files)
    assert process.stdout is not None
    process.stdout.readline()
    workers = children_of(process.pid)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does: to the whole group
    _, errors = process.communicate(timeout=60)
    assert errors.count("Traceback") == 1  # the script's own
    assert "parse_worker" not in errors
    assert wait_until(lambda: not any(map(is_running, workers)))
