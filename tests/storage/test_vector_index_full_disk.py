"""A disk that is really full while a snapshot is written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import resource, sys, threading
from pathlib import Path
import numpy as np
from edgerag.storage.vector_index import VectorIndex

class Source:
    vectors = np.random.default_rng(0).standard_normal((2000, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    def change_counter(self): return 1
    def count_vectors(self): return 2000
    def live_ids(self): return np.arange(1, 2001)
    def read_vectors(self, after_id=0): return np.arange(after_id + 1, 2001), self.vectors[after_id:]
    def snapshot_record(self): return None
    def record_snapshot(self, record): print("recorded")

index = VectorIndex(Path(sys.argv[1]), Source(), dim=32, fingerprint="fp", exact_scan_limit=10, ef=64)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
outcome = index.build_snapshot(stop=threading.Event())
print(outcome.is_built, outcome.reason)
print([hit.chunk_id for hit in index.search(Source.vectors[4], 1).hits])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_snapshot_that_does_not_fit_is_given_up_and_search_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[0].startswith("False a snapshot of 1 MiB could not be written; is the disk full?"), run.stdout
    assert lines[1] == "[5]"
    assert list(folder.iterdir()) == []
