"""Snapshot files of the vector index: written whole or not at all, and loaded only when every byte is known."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgerag.coded_text import coded
from edgerag.errors import StaleIndexError
from edgerag.file_hash import hash_file
from edgerag.protocols import StopFlag
from edgerag.storage.exact_scan import best_first, is_in

if TYPE_CHECKING:
    from numpy.typing import NDArray  # 20 ms that only the type checker needs

M = 16
EF_CONSTRUCTION = 200
"""With M = 16: recall@10 of 0.995 at ef 64 on 14,000 real MiniLM vectors; build 36 s at 100,000."""
ADD_ROWS = 2_000
"""Vectors added between two looks at the stop flag: about half a second."""
SEED = 100
SUFFIX = ".hnsw"
DISK_HINT = coded("hint.check_disk", "Check the disk.")
REBUILD_HINT = coded("hint.rebuild", "Run `edgerag rebuild`; until then every vector is compared.")


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """What the database knows about a snapshot file; nothing else about the file is believed."""

    file_name: str
    sha256: str
    """Of the whole file, hex."""
    num_vectors: int
    max_chunk_id: int
    dim: int
    fingerprint: str
    m: int
    ef_construction: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A loaded snapshot. Its index is only ever read: hnswlib cannot be changed beside a search."""

    record: SnapshotRecord
    index: Any
    labels: NDArray[np.int64]
    """Chunk ids in it, ascending."""

    def search(
        self, query: NDArray[np.float32], top_k: int, live_ids: NDArray[np.int64], num_live: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """Ids and cosines of the best live chunks in the snapshot, best first.

        Labels of deleted chunks are dropped behind hnswlib, which is asked for correspondingly more: its own filter
        is a Python call for each point visited (18 times slower where 1 % pass).

        Args:
            live_ids: Ascending.
            num_live: How many labels are live.

        Returns:
            None where the graph does not yield enough of them: many are dead, or it has come apart.
        """
        wanted = min(top_k, num_live)
        if wanted == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        num_labels = len(self.labels)
        fetch = min(num_labels, wanted * num_labels // num_live + 8)
        for _ in range(3):
            try:
                labels, distances = self.index.knn_query(query[None, :], k=fetch, num_threads=1)
            except RuntimeError:  # it raises when it reaches fewer points than asked for
                return None
            ids = labels[0].astype(np.int64)
            alive = is_in(ids, live_ids)
            if np.count_nonzero(alive) >= wanted:
                return best_first(ids[alive], (1.0 - distances[0][alive]).astype(np.float32), wanted)
            if fetch == num_labels:
                return None
            fetch = min(num_labels, fetch * 4)
        return None


def import_hnswlib() -> Any:
    """Import hnswlib, which is compiled where it is installed and may fail to load elsewhere.

    Raises:
        StaleIndexError: It is missing or does not load.
    """
    try:
        import hnswlib  # deferred: libraries below the threshold never need it
    except (ImportError, OSError) as error:
        raise StaleIndexError(
            coded("index.no_hnswlib", "hnswlib cannot be imported ({problem})", problem=error),
            hint=coded("hint.install_hnswlib", "Install it, or live with slower vector search."),
        ) from error
    return hnswlib


def load_snapshot(
    folder: Path, record: SnapshotRecord, *, dim: int, fingerprint: str, ef: int, capacity: int = 0
) -> Snapshot:
    """Load a snapshot file, provided that it is, byte for byte, the recorded one.

    hnswlib reads by path and crashes on damaged files (one flipped bit: 21 of 150 SIGSEGV), so the hash comes first.
    Between hash and load the file could only change if someone replaced it: nobody writes to a snapshot once it
    has its name, and names are not used again. That it was still the same file is checked afterwards, before
    its first use.

    Args:
        capacity: Room for so many vectors; only needed to add some.

    Raises:
        StaleIndexError: Missing, damaged, of another model, or hnswlib is unusable.
    """
    if record.dim != dim or record.fingerprint != fingerprint:
        raise StaleIndexError(
            coded("index.other_model", "the snapshot belongs to another embedding model"), hint=REBUILD_HINT
        )
    if Path(record.file_name).name != record.file_name:
        raise StaleIndexError(
            coded("index.no_name", "the snapshot's recorded name is not a file name"), hint=REBUILD_HINT
        )
    path = folder / record.file_name
    hnswlib = import_hnswlib()
    try:
        before = _identity(path)
        if hash_file(path) != record.sha256:
            raise StaleIndexError(
                coded("index.damaged", "the snapshot is damaged: its hash is not the recorded one"), hint=REBUILD_HINT
            )
        index = hnswlib.Index(space="ip", dim=dim)
        index.load_index(str(path), max_elements=max(capacity, record.num_vectors))
        after = _identity(path)
    except FileNotFoundError as error:
        raise StaleIndexError(coded("index.missing", "the snapshot's file is missing"), hint=REBUILD_HINT) from error
    except (OSError, RuntimeError, MemoryError) as error:
        raise StaleIndexError(
            coded("index.unreadable", "the snapshot cannot be read ({problem})", problem=error), hint=REBUILD_HINT
        ) from error
    if before != after:
        raise StaleIndexError(coded("index.changed", "the snapshot changed while it was read"), hint=REBUILD_HINT)
    labels = np.sort(np.array(index.get_ids_list(), dtype=np.int64))
    if len(labels) != record.num_vectors or (len(labels) and int(labels[-1]) != record.max_chunk_id):
        raise StaleIndexError(
            coded("index.other_content", "the snapshot does not hold what was recorded"), hint=REBUILD_HINT
        )
    index.set_ef(ef)  # `load_index` resets it to 10
    return Snapshot(record, index, labels)


def new_index(dim: int, capacity: int) -> Any:
    """An empty graph for unit vectors.

    Raises:
        StaleIndexError: hnswlib is unusable.
    """
    index = import_hnswlib().Index(space="ip", dim=dim)
    index.init_index(max_elements=max(1, capacity), M=M, ef_construction=EF_CONSTRUCTION, random_seed=SEED)
    return index


def add_vectors(
    index: Any,
    ids: NDArray[np.int64],
    vectors: NDArray[np.float32],
    *,
    threads: int,
    stop: StopFlag,
    progress: Callable[[int, int], None] | None,
) -> bool:
    """Add vectors under labels that the graph does not hold yet; returns whether all were added before `stop`."""
    for start in range(0, len(ids), ADD_ROWS):
        if stop.is_set():
            return False
        end = min(start + ADD_ROWS, len(ids))
        index.add_items(vectors[start:end], ids[start:end], num_threads=threads)
        if progress is not None:
            progress(end, len(ids))
    return True


def write_snapshot(folder: Path, index: Any, *, fingerprint: str, dim: int) -> SnapshotRecord:
    """Write a graph under a new name; a death on the way leaves a `.tmp` file that the next write removes.

    hnswlib's `save_index` returns normally on a full disk, so the size is compared with what the graph needs and
    the content is read back twice, from the cache and from the disk.

    Raises:
        StaleIndexError: The file could not be written whole; nothing is left of it.
    """
    name = f"{prefix(fingerprint)}{secrets.token_hex(8)}{SUFFIX}"
    path, temporary = folder / name, folder / f"{name}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        index.save_index(str(temporary))
        expected_bytes = int(index.index_file_size())
        if temporary.stat().st_size != expected_bytes:
            raise StaleIndexError(
                coded(
                    "index.disk_full",
                    "a snapshot of {size} MiB could not be written; is the disk full?",
                    size=expected_bytes // 2**20 + 1,
                ),
                hint=coded("hint.free_rebuild", "Free some space, then run `edgerag rebuild`."),
            )
        digest = hash_file(temporary)
        _to_disk(temporary)
        if hash_file(temporary) != digest:
            raise StaleIndexError(
                coded("index.bad_disk", "the snapshot reads differently than it was written"), hint=DISK_HINT
            )
        temporary.replace(path)
        _sync_folder(folder)
    except (OSError, RuntimeError) as error:
        raise StaleIndexError(
            coded("index.unwritable", "the snapshot could not be written ({problem})", problem=error), hint=DISK_HINT
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    labels = np.array(index.get_ids_list(), dtype=np.int64)
    max_chunk_id = int(labels.max()) if len(labels) else 0
    return SnapshotRecord(name, digest, len(labels), max_chunk_id, dim, fingerprint, M, EF_CONSTRUCTION)


def prefix(fingerprint: str) -> str:
    """How the snapshot files of a model begin: other models' snapshots in the folder are left alone."""
    return f"vectors-{hashlib.sha256(fingerprint.encode()).hexdigest()[:12]}-"


def snapshot_files(folder: Path, fingerprint: str) -> Iterator[Path]:
    """The files of a model's snapshots, unfinished ones included."""
    start = prefix(fingerprint)
    with contextlib.suppress(OSError):
        yield from [path for path in folder.iterdir() if path.name.startswith(start) and SUFFIX in path.name]


def remove_snapshots(folder: Path, fingerprint: str, *, keep: str = "") -> None:
    """Remove snapshot files; one that another program holds open (Windows) stays for the next time."""
    for path in snapshot_files(folder, fingerprint):
        if path.name != keep:
            with contextlib.suppress(OSError):
                path.unlink()


def _identity(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _to_disk(path: Path) -> None:
    """Flush a file and, where the system can, forget its cached pages, so that reading it reads the disk."""
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make a rename last; Windows has no such call for folders and does not need it."""
    if os.name != "nt":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
