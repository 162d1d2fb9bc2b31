"""A library in a folder that cannot be written is read, never stale and never half."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgerag.errors import LibraryError
from edgerag.storage.connections import file_state, open_connection
from edgerag.storage.library import Library
from edgerag.storage.sqlite import connect, is_wal_safe
from tests.storage.test_library import store

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions"),
    pytest.mark.skipif(not is_wal_safe(), reason="without a WAL there is nothing to write beside the database"),
]
NOBODY = 65534
READER = """
import sys
from pathlib import Path
from edgerag.errors import LibraryError
from edgerag.storage.library import Library
from edgerag.storage.maintenance import backup
from edgerag.storage.verify import verify
import threading

try:
    library = Library.open(Path(sys.argv[1]), create=False)
    for line in sys.stdin:
        match line.strip():
            case "count":
                print(library.counts()["documents"], flush=True)
            case "verify":
                print([event for event in verify(library, threading.Event()) if hasattr(event, "what")], flush=True)
            case "backup":
                backup(library, Path(sys.argv[2]))
                print(Path(sys.argv[2]).exists(), flush=True)
            case "write":
                try:
                    with library.writing() as writer:
                        print(writer.add_source(Path("/more")), flush=True)
                except LibraryError as error:
                    print(error, flush=True)
except LibraryError as error:
    print(error, error.hint, flush=True)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A library of one document that another user may read; pytest's own folders are closed to others."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    with Library.open(root / "lib") as library, library.writing() as writer:
        store(writer, "/docs/a.txt", "alpha")
    (root / "copies").mkdir()
    (root / "copies").chmod(0o777)
    yield root / "lib"
    (root / "lib").chmod(0o755)
    shutil.rmtree(root)


@pytest.fixture
def reader(folder: Path) -> Iterator[Callable[[str], str]]:
    """Tells a process that cannot write the library what to do, and returns what it says."""
    identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    if os.geteuid() != 0:
        folder.chmod(0o555)
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", READER, str(folder), str(folder.parent / "copies" / "copy.db")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"},
            **identity,  # type: ignore[call-overload]
        )
    except PermissionError:
        pytest.skip("the interpreter is closed to other users")

    def tell(what: str) -> str:
        process.stdin.write(f"{what}\n")
        process.stdin.flush()
        return str(process.stdout.readline().strip())

    yield tell
    process.stdin.close()
    process.wait(30)


def test_library_in_a_folder_that_cannot_be_written_is_read(folder: Path, reader: Callable[[str], str]) -> None:
    assert reader("count") == "1"
    assert reader("verify") == "[]"
    assert reader("backup") == "True"
    assert "cannot be written" in reader("write")
    assert sorted(path.name for path in folder.iterdir()) == ["library.db", "writer.lock"]


@pytest.mark.skipif(os.name != "nt" and os.geteuid() != 0, reason="needs two users: one who writes, one who cannot")
def test_what_its_owner_writes_meanwhile_is_seen(folder: Path, reader: Callable[[str], str]) -> None:
    assert reader("count") == "1"
    with Library.open(folder) as library:
        with library.writing() as writer:
            store(writer, "/docs/b.txt", "beta")
        assert reader("count") == "2"
    assert reader("count") == "2"


@pytest.mark.skipif(os.name != "nt" and os.geteuid() != 0, reason="needs two users: one who writes, one who cannot")
def test_changes_that_are_not_written_back_are_not_passed_over(folder: Path, reader: Callable[[str], str]) -> None:
    with Library.open(folder) as library, library.writing() as writer:
        store(writer, "/docs/b.txt", "beta")
        (folder / "library.db-shm").chmod(0o600)
        told = reader("count")
    assert "cannot be" in told and "was killed while it did" in told


def test_change_during_a_read_without_locks_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "library.db"
    monkeypatch.setattr(
        "edgerag.storage.connections.open_connection",
        lambda path: (connect(path, immutable=True), file_state(path)),
    )
    with Library.open(folder) as library:
        assert library.counts()["documents"] == 1
        with pytest.raises(LibraryError, match="was changed by another program"), library.reading():
            os.utime(path, ns=(1, 1))
        assert library.counts()["documents"] == 1  # opened anew

        Path(f"{path}-wal").write_bytes(b"frames")
        first = library.connection()
        assert first is library.connection()
        Path(f"{path}-wal").write_bytes(b"")
        assert first is not library.connection()


def test_library_in_a_folder_that_can_be_written_is_never_read_without_locks(folder: Path) -> None:
    connection, unlocked = open_connection(folder / "library.db")
    connection.close()
    assert unlocked is None
    (folder / "library.db").unlink()
    (folder / "library.db").mkdir()
    with pytest.raises(LibraryError, match="cannot be opened"):
        open_connection(folder / "library.db")
