"""Downloads that were begun and not finished."""

from __future__ import annotations

from pathlib import Path

from edgerag.models.install import install_lock, staging_folder
from edgerag.models.unfinished import UnfinishedPull, discard_pull, unfinished_pulls


def leave(name: str, num_bytes: int) -> Path:
    part = staging_folder(name) / "model.gguf.part"
    part.write_bytes(b"x" * num_bytes)
    return part


def test_what_pulls_have_left_is_told_with_its_size(isolated_home: Path) -> None:
    assert unfinished_pulls() == []
    leave("smollm2-135m", 1000)
    leave("Qwen3-0.6B", 5)
    staging_folder("nothing-yet")
    assert unfinished_pulls() == [UnfinishedPull("qwen3-0.6b", 5), UnfinishedPull("smollm2-135m", 1000)]


def test_a_pull_that_is_under_way_is_not_unfinished(isolated_home: Path) -> None:
    leave("smollm2-135m", 1000)
    with install_lock("smollm2-135m"):
        assert unfinished_pulls() == []
    assert [pull.name for pull in unfinished_pulls()] == ["smollm2-135m"]


def test_discarding_deletes_what_was_downloaded(isolated_home: Path) -> None:
    part = leave("smollm2-135m", 1000)
    discard_pull("smollm2-135m")
    assert not part.exists()
    assert unfinished_pulls() == []
