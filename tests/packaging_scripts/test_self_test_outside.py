"""What the self-test sees from outside: sockets and libraries in a trace, and what a program leaves behind."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.packaging_scripts.fake_program import failure, needs_strace
from tests.packaging_scripts.loading import load

self_test = load("self_test")
no_network, steps_outside = self_test.no_network, self_test.steps_outside

PROGRAM = f"#!{sys.executable} -I\nimport pathlib, socket, subprocess, sys, time\n"
OPENS_A_SOCKET = PROGRAM + (
    "if sys.argv[-1] != 'child': sys.exit(subprocess.call([*sys.orig_argv[:3], 'child']))\n"
    "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()\n"
)
WATCHES = PROGRAM + (
    "if sys.argv[-1] != '--watch': sys.exit(0)\n"
    "here, new = pathlib.Path(sys.argv[0]).parent, None\n"
    "print('Watching for changes; Ctrl-C ends.', file=sys.stderr, flush=True)\n"
    "try:\n"
    " while new is None:\n"
    "  time.sleep(0.05)\n"
    "  new = next((here / 'work/documents/traced').glob('*.txt'), None)\n"
    " if LOADS: (here / 'libonnxruntime.so.1').open().close()\n"
    " print('1 added; 1 chunks in the library', flush=True)\n"
    " time.sleep(AFTER_S)\n"
    " subprocess.call([sys.executable, '-Ic', 'import socket; socket.socket(socket.AF_INET6).close()'])\n"
    " time.sleep(60)\n"
    "except KeyboardInterrupt: sys.exit(130)\n"
)
"""Like `sync --watch`: it loads onnxruntime once there is something to read, and a child opens a socket later."""


def watching(session: Any, monkeypatch: pytest.MonkeyPatch, *, loads: bool, after_s: float) -> Any:
    """The session, whose program begins to use the network so long after it has loaded onnxruntime."""
    needs_strace()
    monkeypatch.setattr(steps_outside, "KEPT_ALIVE_S", 2.0)
    program = session.place.executable
    program.write_text(WATCHES.replace("LOADS", str(loads)).replace("AFTER_S", str(after_s)))
    (program.parent / "libonnxruntime.so.1").write_text("")
    return session


def test_a_socket_of_a_child_process_is_counted(session_of: Callable[..., Any], tmp_path: Path) -> None:
    session = session_of("exit 0")
    needs_strace()
    (tmp_path / "edgerag").write_text(OPENS_A_SOCKET)
    told, _ = failure(steps_outside.sockets, session)
    assert told.startswith("add opened 1 Internet sockets: ('")


def test_a_socket_that_comes_long_after_onnxruntime_is_counted(
    session_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = watching(session_of("exit 0"), monkeypatch, loads=True, after_s=1.0)
    told, _ = failure(steps_outside.sockets, session)
    assert told.startswith("watch opened 1 Internet sockets: ('")


def test_a_program_is_kept_alive_from_the_loading_of_onnxruntime_on(
    session_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = watching(session_of("exit 0"), monkeypatch, loads=True, after_s=30.0)
    told = steps_outside.sockets(session)
    assert (
        told
        == "0 Internet sockets in add, search, ask, doctor, models, tui, watch (2 s with onnxruntime), nor any other"
    )
    # Two seconds until the new file is written, and two from its reading on.
    assert session.runs[-1].seconds >= 4.0


def test_a_program_that_is_kept_alive_without_onnxruntime_proves_nothing(
    session_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = watching(session_of("exit 0"), monkeypatch, loads=False, after_s=30.0)
    told, _ = failure(steps_outside.sockets, session)
    assert told == "watch was kept alive without onnxruntime, whose telemetry is what it waits for"


@pytest.mark.parametrize(
    ("name", "is_told"),
    [
        (".cache-of-something", True),
        (".local/share/edgerag-telemetry/id", True),
        (".config/edgerag2/x", True),
        ("traced-too/x", True),
        (".cache/spool/", True),
        (".local/state/", True),
        (".local/share/edgerag/library/library.db", False),
        (".local/share/edgerag/models/", False),
        (".config/edgerag/config.toml", False),
        ("traced/library.db", False),
        (".local/share/", False),
    ],
)
def test_what_is_written_elsewhere_in_the_home_is_told(
    session_of: Callable[..., Any], name: str, is_told: bool
) -> None:
    session = session_of("exit 0")
    path = session.place.home / name
    (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
    if not name.endswith("/"):
        path.write_text("x")
    if is_told:
        told, _ = failure(steps_outside.left_behind, session)
        assert told.startswith("written into the home: ")
        assert name.rstrip("/") in told
    else:
        assert steps_outside.left_behind(session) == "only .local/share/edgerag and .config/edgerag"


def test_a_process_that_outlives_its_command_is_told_and_ended(session_of: Callable[..., Any], tmp_path: Path) -> None:
    session = session_of(f"/bin/sleep 600 & echo $! > {tmp_path}/pid")
    told, details = failure(lambda session: session.run("add").text, session)
    assert told == "still running after it had ended: sleep"
    assert "/edgerag add" in details
    state = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    deadline = time.monotonic() + 10
    while state.exists() and state.read_text().split()[2] != "Z" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_a_process_that_ends_a_moment_later_is_none_left_behind(session_of: Callable[..., Any]) -> None:
    assert session_of("/bin/sleep 0.3 & exit 0").run("add").outlived == ()


TRACE = """\
10 openat(AT_FDCWD, "/lib/libselinux.so.1", O_RDONLY|O_CLOEXEC) = 3
10 execve("/media/edgerag", ["/media/edgerag", "add"], 0x7ffd /* 2 vars */) = 0
10 openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
10 openat(AT_FDCWD, "/lib/x86_64-linux-gnu/libz.so.1", O_RDONLY|O_CLOEXEC) = 3
10 openat(AT_FDCWD, "/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY|O_CLOEXEC) = 3
10 openat(AT_FDCWD, "/media/_internal/python3.11/lib-dynload/../../libffi.so.8", O_RDONLY|O_CLOEXEC) = 3
11 openat(AT_FDCWD, "/lib/x86_64-linux-gnu/libstdc++.so.6", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)
11 openat(AT_FDCWD, "/lib/x86_64-linux-gnu/libffi.so.8", O_RDONLY|O_CLOEXEC) = 3
11 socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3
11 socket(AF_INET6, SOCK_DGRAM|SOCK_CLOEXEC, IPPROTO_IP) = 4
"""


def test_a_library_of_this_system_is_seen_in_a_trace(session_of: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "trace").write_text(TRACE)
    traced = no_network.read_trace(tmp_path / "trace", "/media/edgerag")
    assert traced.families == ("AF_UNIX", "AF_INET6")
    assert traced.internet == (TRACE.splitlines()[-1],)
    session = session_of("exit 0")
    assert steps_outside.foreign_libraries(session, traced.libraries) == []
    (tmp_path / "_internal").mkdir()
    session.place = session.place.changed(root=tmp_path / "root")
    assert steps_outside.foreign_libraries(session, traced.libraries) == ["/lib/x86_64-linux-gnu/libffi.so.8"]


@pytest.mark.parametrize(
    ("lines", "libraries"),
    [
        (
            ['7  openat(AT_FDCWD, "/lib/libssl.so.3", O_RDONLY <unfinished ...>', "8 +++ exited with 0 +++",
             '7  <... openat resumed>)             = 3'],
            ("/lib/libssl.so.3",),
        ),
        (
            ['7 openat(AT_FDCWD, "/lib/libssl.so.3", O_RDONLY <unfinished ...>',
             '8 openat(AT_FDCWD, "/lib/libcrypto.so.3", O_RDONLY <unfinished ...>',
             "7 <... openat resumed>) = -1 ENOENT (No such file or directory)",
             "8 <... openat resumed>) = 5"],
            ("/lib/libcrypto.so.3",),
        ),
        (
            [r'7 openat(AT_FDCWD, "/Pr\303\274fung/\350\247\202.so", O_RDONLY) = 3'],
            ("/Prüfung/观.so",),
        ),
    ],
    ids=["in-two-parts", "crossed", "octal"],
)  # fmt: skip
def test_a_library_is_seen_however_strace_writes_its_opening(
    tmp_path: Path, lines: list[str], libraries: tuple[str, ...]
) -> None:
    start = r'6 execve("/Pr\303\274fung/edgerag", ["/Pr\303\274fung/edgerag"], 0x7ffd /* 2 vars */) = 0'
    (tmp_path / "trace").write_text("\n".join([start, *lines]) + "\n", encoding="utf-8")
    traced = no_network.read_trace(tmp_path / "trace", "/Prüfung/edgerag")
    assert (traced.has_started, traced.libraries) == (True, libraries)


@pytest.mark.parametrize(
    ("line", "has_started"),
    [
        ('6 execve("/media/edgerag", ["edgerag"], 0x7ffd /* 2 vars */) = 0', True),
        ('6 execveat(AT_FDCWD, "/media/edgerag", ["edgerag"], 0x7ffd /* 2 vars */, 0) = 0', True),
        ('6 execve("/media/edgerag", ["edgerag"], 0x7ffd /* 2 vars */ <unfinished ...>', True),
        ('6 execve("/media/edgerag", ["edgerag"], 0x7ffd /* 2 vars */) = -1 ENOENT (No such file or directory)', False),
        ('6 execve("/bin/edgerag", ["edgerag"], 0x7ffd /* 2 vars */) = 0', False),
    ],
    ids=["execve", "execveat", "unfinished", "refused", "another"],
)
def test_it_is_known_whether_a_trace_shows_the_program(tmp_path: Path, line: str, has_started: bool) -> None:
    (tmp_path / "trace").write_text(f"{line}\n")
    assert no_network.read_trace(tmp_path / "trace", "/media/edgerag").has_started is has_started


def test_a_trace_without_the_start_of_the_program_proves_nothing(
    session_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    session = session_of("exit 0")
    monkeypatch.setattr(no_network, "strace_command", lambda trace: [])
    (session.place.work / "trace-add").write_text("")
    told, _ = failure(steps_outside.sockets, session)
    assert told == "the trace of add does not show the program's start: it proves nothing"


def test_without_strace_the_sockets_are_not_shown_rather_than_passed(
    session_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_of("exit 0")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(self_test.NotShownError, match="strace is not installed"):
        steps_outside.sockets(session)
