"""Finished steps are kept, unfinished ones leave nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerag.errors import ModelError
from edgerag_export.step_cache import StepCache


def test_step_with_the_same_key_is_made_once(tmp_path: Path) -> None:
    cache, calls = StepCache(tmp_path), []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "out").write_text("42", encoding="utf-8")

    first = cache.step("count", {"a": 1, "b": [2]}, make)
    second = StepCache(tmp_path).step("count", {"b": [2], "a": 1}, make)

    assert first == second
    assert (second / "out").read_text(encoding="utf-8") == "42"
    assert len(calls) == 1
    assert cache.has("count", {"a": 1, "b": [2]})


def test_another_key_is_another_step(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)

    first = cache.step("count", {"a": 1}, lambda folder: None)

    assert cache.step("count", {"a": 2}, lambda folder: None) != first
    assert cache.step("other", {"a": 1}, lambda folder: None) != first


def test_failed_step_is_made_again(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)

    def fail(folder: Path) -> None:
        (folder / "half").write_text("x", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.step("count", {}, fail)

    assert list(tmp_path.iterdir()) == []
    assert list(cache.step("count", {}, lambda folder: None).iterdir()) == []


def test_full_disk_is_told_in_words(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ModelError, match="No space left on device") as caught:
        StepCache(tmp_path).step("count", {}, fill)

    assert "full" in caught.value.hint


def test_clear_frees_what_was_kept(tmp_path: Path) -> None:
    cache = StepCache(tmp_path)
    cache.step("count", {}, lambda folder: (folder / "out").write_bytes(b"x" * 1000) and None)

    assert cache.clear() == 1000
    assert list(tmp_path.iterdir()) == []
