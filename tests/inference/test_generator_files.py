"""Which files a generator is opened from, and which are refused by name before llama.cpp sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgerag.errors import ModelError
from edgerag.inference.generator import LlamaGenerator
from edgerag.inference.manifest import Manifest, describe_file, write_manifest
from tests.inference.tiny_gguf import write_tiny_model

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed (extra `llm`)")


def test_a_flipped_bit_is_refused_before_llama_cpp_sees_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_tiny_model(tmp_path)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    monkeypatch.setattr("edgerag.inference.generator.LlamaContext", pytest.fail)
    with pytest.raises(ModelError, match="its hash is not the manifest's"):
        LlamaGenerator.open(file, name="tiny")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    file = write_tiny_model(tmp_path)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match="bytes instead of"):
        LlamaGenerator.open(tmp_path, name="tiny")


def test_a_file_beside_the_manifests_is_refused(tmp_path: Path) -> None:
    file = write_tiny_model(tmp_path)
    other = tmp_path / "other.gguf"
    other.write_bytes(file.read_bytes())
    with pytest.raises(ModelError, match="is not in the manifest"):
        LlamaGenerator.open(other, name="tiny")


def test_junk_with_a_matching_hash_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "junk.gguf").write_bytes(b"GGUF" + b"\0" * 100)
    files = {"model": describe_file(tmp_path, "junk.gguf")}
    write_manifest(tmp_path, Manifest("junk", "generator", files, "CC0-1.0"))
    with pytest.raises(ModelError, match=r"junk\.gguf cannot be loaded"):
        LlamaGenerator.open(tmp_path, name="junk")


def test_a_manifest_of_another_task_is_refused(tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    raw = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(raw | {"task": "cross-encoder"}))
    with pytest.raises(ModelError, match="tiny is no text generator"):
        LlamaGenerator.open(tmp_path, name="tiny")
