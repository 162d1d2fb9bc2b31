"""What the tests of hub pulls share: one tiny model, its catalogue entry, and a pull of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import edgerag
from edgerag.models.download import RetryPolicy
from edgerag.models.events import PullEvent, PullResult
from edgerag.models.pull import pull
from tests.models.gguf_writer import gguf_bytes

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER_COMMIT = "fedcba9876543210fedcba9876543210fedcba98"
REPOSITORY = "someone/tiny-GGUF"
GGUF = gguf_bytes(tensors=[("token_embd.weight", [64, 4000], 3), ("output_norm.weight", [64], 0)])
SHA256 = hashlib.sha256(GGUF).hexdigest()
CHECKOUT = Path(edgerag.__file__).parents[1]
RETRY = RetryPolicy(attempts=3, wait_s=0.0)


def write_catalogue(tmp_path: Path, *, revision: str = COMMIT, sha256: str = SHA256) -> None:
    known = f', sha256 = "{sha256}"' if sha256 else ""
    (tmp_path / "config" / "models.toml").write_text(
        f"""
        [tiny]
        task = "generator"
        license = "Apache-2.0"
        [[tiny.source]]
        kind = "hub"
        repository = "{REPOSITORY}"
        revision = "{revision}"
        files = [{{ role = "model", path = "tiny.gguf"{known} }}]
        """,
        encoding="utf-8",
    )


def pull_tiny(**options: bool) -> list[PullEvent]:
    return list(pull("tiny", retry=RETRY, **options))  # type: ignore[arg-type]


def result_of(events: list[PullEvent]) -> PullResult:
    assert isinstance(events[-1], PullResult)
    return events[-1]


def visible(models_folder: Path) -> list[str]:
    return sorted(entry.name for entry in models_folder.iterdir() if not entry.name.startswith("."))
