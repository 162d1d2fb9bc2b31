"""Weights from a model hub, on a loopback server that speaks its protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerag.errors import ModelError
from edgerag_export.hub import download_repository
from edgerag_export.recipe import Source
from edgerag_export.sources import fetch
from tests.models.loopback import LoopbackServer

REPOSITORY, COMMIT = "maker/tiny", "c" * 40
FILES = {
    "config.json": b"{}",
    "tokenizer.json": b'{"model": {}}',
    "model.safetensors": b"weights " * 5000,
    "README.md": b"not needed",
    "onnx/model.onnx": b"another form of the same",
    "pytorch_model.bin": b"the same, pickled",
    "LICENSE": b"Made by a test.\n",
}
SOURCE = Source(repository=REPOSITORY, revision=COMMIT)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    server = LoopbackServer()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    tree = [
        {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
        for name, content in FILES.items()
    ]
    server.add(
        f"/api/models/{REPOSITORY}/tree/{COMMIT}",
        json.dumps(tree).encode(),
        headers={"Content-Type": "application/json"},
    )
    for name, content in FILES.items():
        server.add_hub_file(
            REPOSITORY, COMMIT, name, content, commit=COMMIT, is_large=name.endswith((".safetensors", ".bin"))
        )
    yield server
    server.close()


def _quiet(step: str, done: int, total: int) -> None:
    pass


def test_only_what_an_export_needs_is_downloaded(hub: LoopbackServer, tmp_path: Path) -> None:
    folder = download_repository(SOURCE, tmp_path, progress=_quiet)

    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == [
        "LICENSE", "config.json", "model.safetensors", "tokenizer.json"
    ]  # fmt: skip
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_second_build_needs_no_connection(hub: LoopbackServer, tmp_path: Path) -> None:
    folder = download_repository(SOURCE, tmp_path, progress=_quiet)
    before = len(hub.seen)

    assert download_repository(SOURCE, tmp_path, progress=_quiet) == folder

    assert len(hub.seen) == before


def test_cut_download_is_continued(hub: LoopbackServer, tmp_path: Path) -> None:
    content = FILES["model.safetensors"]
    store = f"/store/{hashlib.sha256(content).hexdigest()}"
    hub.resources[store].cut_after = [9000]

    folder = download_repository(SOURCE, tmp_path, progress=_quiet)

    assert (folder / "model.safetensors").read_bytes() == content
    assert hub.requests(store)[-1].headers["Range"] == "bytes=9000-"


def test_weights_that_are_not_what_the_hub_announces_are_refused(hub: LoopbackServer, tmp_path: Path) -> None:
    announced = hashlib.sha256(FILES["model.safetensors"]).hexdigest()
    hub.add(f"/store/{announced}", b"tampered" * 5000)

    with pytest.raises(
        ModelError, match=rf"model\.safetensors of maker/tiny arrived with another SHA-256 than {announced}"
    ):
        download_repository(SOURCE, tmp_path, progress=_quiet)

    assert not list(tmp_path.rglob("model.safetensors"))


def test_weights_of_another_hash_than_the_recipes_are_refused(hub: LoopbackServer, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="instead of 0000"):
        download_repository(Source(repository=REPOSITORY, revision=COMMIT, sha256="0" * 64), tmp_path, progress=_quiet)


def test_hub_without_the_repository_is_named(hub: LoopbackServer, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not list maker/other at cccccccccccc") as caught:
        download_repository(Source(repository="maker/other", revision=COMMIT), tmp_path, progress=_quiet)

    assert "--source" in caught.value.hint


def test_origin_names_repository_and_commit(hub: LoopbackServer, tmp_path: Path, write_recipe) -> None:  # type: ignore[no-untyped-def]
    from edgerag_export.recipe import load_recipe

    path = write_recipe()
    text = path.read_text(encoding="utf-8")
    start, end = text.index("[source]"), text.index("[quantization]")
    source = f'[source]\nrepository = "{REPOSITORY}"\nrevision = "{COMMIT}"\n\n'
    path.write_text(text[:start] + source + text[end:], encoding="utf-8")

    weights = fetch(load_recipe(path), tmp_path / "cache")

    assert weights.origin == {"repository": REPOSITORY, "revision": COMMIT}
    assert weights.key()["model.safetensors"] == hashlib.sha256(FILES["model.safetensors"]).hexdigest()
