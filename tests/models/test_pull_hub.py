"""A whole pull from a hub: huggingface_hub against a loopback server that speaks the hub's protocol."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from edgerag.errors import ModelError
from edgerag.inference.manifest import read_manifest
from edgerag.models import store
from edgerag.models.events import PullNote, PullProgress
from tests.models.gguf_writer import gguf_bytes
from tests.models.hub_case import (
    COMMIT,
    GGUF,
    OTHER_COMMIT,
    REPOSITORY,
    SHA256,
    pull_tiny,
    result_of,
    visible,
    write_catalogue,
)
from tests.models.loopback import LoopbackServer
from tests.models.onnx_writer import cross_encoder_bytes, write_tokenizer


@pytest.fixture(autouse=True)
def hub(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> LoopbackServer:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    return server


def test_model_is_downloaded_checked_and_installed(hub: LoopbackServer, tmp_path: Path, models_folder: Path) -> None:
    write_catalogue(tmp_path)
    hub.add_hub_file(REPOSITORY, COMMIT, "tiny.gguf", GGUF, commit=COMMIT)

    events = pull_tiny()

    result = result_of(events)
    assert result.source == f"hub repository {REPOSITORY} at {COMMIT[:12]}"
    assert (result.already_installed, result.pinned) == (False, ())
    assert any(isinstance(event, PullProgress) and event.done_bytes == len(GGUF) for event in events)
    model = store.find("tiny", "generator")
    assert model.file("model").read_bytes() == GGUF
    assert store.verify_model(model) == []
    assert model.manifest.license == "Apache-2.0"
    assert model.manifest.precision == "Q4_1"
    assert model.manifest.max_tokens == 512
    assert model.manifest.source["revision"] == COMMIT
    assert model.manifest.source["repository"] == REPOSITORY
    assert visible(models_folder) == ["tiny"]
    assert not (models_folder / ".staging" / "tiny").exists()


def test_second_pull_downloads_nothing(hub: LoopbackServer, tmp_path: Path) -> None:
    write_catalogue(tmp_path)
    hub.add_hub_file(REPOSITORY, COMMIT, "tiny.gguf", GGUF, commit=COMMIT)
    pull_tiny()
    hub.seen.clear()

    events = pull_tiny()

    assert result_of(events).already_installed
    assert hub.seen == []


def test_damaged_model_is_pulled_again(hub: LoopbackServer, tmp_path: Path) -> None:
    write_catalogue(tmp_path)
    hub.add_hub_file(REPOSITORY, COMMIT, "tiny.gguf", GGUF, commit=COMMIT)
    pull_tiny()
    path = store.find("tiny").file("model")
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    events = pull_tiny()

    assert not result_of(events).already_installed
    assert path.read_bytes() == GGUF


def test_token_is_sent_to_the_hub_and_not_to_its_content_store(
    hub: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_catalogue(tmp_path)
    hub.add_hub_file(REPOSITORY, COMMIT, "tiny.gguf", GGUF, commit=COMMIT)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")

    pull_tiny()

    where = f"/{REPOSITORY}/resolve/{COMMIT}/tiny.gguf"
    for method in ("HEAD", "GET"):
        headers = {name.lower(): value for name, value in hub.requests(where, method)[0].headers.items()}
        assert headers["authorization"] == "Bearer hf_secret"
    (stored,) = hub.requests(f"/store/{SHA256}")
    assert "Authorization" not in stored.headers


def test_interrupted_pull_shows_no_model_and_the_next_one_continues(
    hub: LoopbackServer, tmp_path: Path, models_folder: Path
) -> None:
    write_catalogue(tmp_path)
    resource = hub.add_hub_file(REPOSITORY, COMMIT, "tiny.gguf", GGUF, commit=COMMIT)
    resource.cut_after = [50_000, 0, 0]

    with pytest.raises(ModelError, match="ended after 50000"):
        pull_tiny()
    assert visible(models_folder) == []
    hub.seen.clear()
    pull_tiny()

    assert store.verify_model(store.find("tiny")) == []
    assert [seen.headers.get("Range") for seen in hub.requests(f"/store/{SHA256}")] == ["bytes=50000-"]


def test_file_with_another_hash_is_refused_before_it_is_downloaded(hub: LoopbackServer, tmp_path: Path) -> None:
    write_catalogue(tmp_path, sha256="ab" * 32)
    hub.add_hub_file(REPOSITORY, COMMIT, "tiny.gguf", GGUF, commit=COMMIT)

    with pytest.raises(ModelError, match=r"offers another tiny\.gguf than the catalogue means"):
        pull_tiny()

    assert hub.requests(f"/store/{SHA256}") == []


def test_hub_that_announces_one_hash_and_sends_another_file_is_refused(
    hub: LoopbackServer, tmp_path: Path, models_folder: Path
) -> None:
    write_catalogue(tmp_path)
    resource = hub.add_hub_file(REPOSITORY, COMMIT, "tiny.gguf", GGUF, commit=COMMIT)
    resource.content = gguf_bytes(
        tensors=[("token_embd.weight", [64, 4000], 3), ("output_norm.weight", [64], 0)], fill=8
    )

    with pytest.raises(ModelError, match=f"was refused: its SHA-256 is .* and the catalogue's is {SHA256}") as caught:
        pull_tiny()

    assert "Try again" in caught.value.hint
    assert visible(models_folder) == []
    assert list((models_folder / ".staging").rglob("*.gguf")) == []


def test_file_without_a_known_hash_is_pinned_and_said_so(
    hub: LoopbackServer, tmp_path: Path, models_folder: Path
) -> None:
    write_catalogue(tmp_path, revision="main", sha256="")
    hub.add_hub_file(REPOSITORY, "main", "tiny.gguf", GGUF, commit=COMMIT)

    events = pull_tiny()

    warnings = [event.text for event in events if isinstance(event, PullNote) and event.is_warning]
    assert len(warnings) == 1
    assert f"Pinned to this first download: SHA-256 {SHA256}" in warnings[0]
    assert any("`main` is no commit" in event.text for event in events if isinstance(event, PullNote))
    key = f"hub:{REPOSITORY}@main:tiny.gguf"
    assert result_of(events).pinned == (key,)
    pins = json.loads((models_folder / "pins.json").read_text())["pins"]
    assert pins == {key: {"sha256": SHA256, "size_bytes": len(GGUF), "commit": COMMIT}}


def test_later_pull_asks_for_the_pinned_commit_even_when_the_branch_moves(hub: LoopbackServer, tmp_path: Path) -> None:
    write_catalogue(tmp_path, revision="main", sha256="")
    hub.add_hub_file(REPOSITORY, "main", "tiny.gguf", GGUF, commit=COMMIT)
    pull_tiny()
    store.find("tiny").file("model").unlink()
    hub.add_hub_file(REPOSITORY, "main", "tiny.gguf", gguf_bytes(fill=9), commit=OTHER_COMMIT)

    pull_tiny()

    assert store.find("tiny").file("model").read_bytes() == GGUF


def test_file_that_differs_from_its_pin_is_refused_until_it_is_pinned_anew(hub: LoopbackServer, tmp_path: Path) -> None:
    write_catalogue(tmp_path, revision="main", sha256="")
    hub.add_hub_file(REPOSITORY, "main", "tiny.gguf", GGUF, commit=COMMIT)
    pull_tiny()
    store.find("tiny").file("model").unlink()
    changed = gguf_bytes(fill=9)
    for commit in (COMMIT, OTHER_COMMIT):
        hub.add_hub_file(REPOSITORY, "main", "tiny.gguf", changed, commit=commit)

    with pytest.raises(ModelError, match=f"that of its first download is {SHA256}") as caught:
        pull_tiny()
    assert "--repin" in caught.value.hint
    assert hub.requests(f"/store/{hashlib.sha256(changed).hexdigest()}") == []
    pull_tiny(repin=True)

    assert store.find("tiny").file("model").read_bytes() == changed


def test_file_that_is_no_gguf_is_refused_and_not_pinned(
    hub: LoopbackServer, tmp_path: Path, models_folder: Path
) -> None:
    write_catalogue(tmp_path, sha256="")
    hub.add_hub_file(REPOSITORY, COMMIT, "tiny.gguf", b"<html>quota exceeded</html>" * 10, commit=COMMIT)

    with pytest.raises(ModelError, match="does not begin as a GGUF file does"):
        pull_tiny()

    assert not (models_folder / "pins.json").exists()
    assert visible(models_folder) == []


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("RepoNotFound", 404, "or it is private"),
        ("RevisionNotFound", 404, r"has no file tiny\.gguf"),
        ("EntryNotFound", 404, r"has no file tiny\.gguf"),
        ("GatedRepo", 403, "accepted its licence"),
        ("", 500, r"refuses tiny\.gguf"),
    ],
)
def test_what_the_hub_refuses_is_explained(
    hub: LoopbackServer, tmp_path: Path, code: str, status: int, message: str
) -> None:
    write_catalogue(tmp_path)
    where = f"/{REPOSITORY}/resolve/{COMMIT}/tiny.gguf"
    hub.add(where, b"", status=status, etag=None, headers={"X-Error-Code": code} if code else {})

    with pytest.raises(ModelError, match=message) as caught:
        pull_tiny()

    assert caught.value.hint


def test_hub_that_cannot_be_reached_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_catalogue(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(ModelError, match=r"The hub at 127\.0\.0\.1:9 does not answer") as caught:
        pull_tiny()

    assert "HF_ENDPOINT" in caught.value.hint


def test_cross_encoder_is_pulled_with_its_tokenizer(hub: LoopbackServer, tmp_path: Path, models_folder: Path) -> None:
    (tmp_path / "config" / "models.toml").write_text(
        f"""
        [tiny]
        task = "cross-encoder"
        license = "MIT"
        max_tokens = 64
        languages = ["en"]
        [[tiny.source]]
        kind = "hub"
        repository = "someone/judge"
        revision = "{COMMIT}"
        files = [
            {{ role = "model", path = "onnx/model.onnx" }},
            {{ role = "tokenizer", path = "tokenizer.json" }},
        ]
        """
    )
    tokenizer = write_tokenizer(tmp_path / "tokenizer.json").read_bytes()
    hub.add_hub_file("someone/judge", COMMIT, "onnx/model.onnx", cross_encoder_bytes(), commit=COMMIT)
    hub.add_hub_file("someone/judge", COMMIT, "tokenizer.json", tokenizer, commit=COMMIT, is_large=False)

    events = pull_tiny()

    manifest = read_manifest(models_folder / "tiny")
    assert (manifest.task, manifest.max_tokens, manifest.languages) == ("cross-encoder", 64, ("en",))
    assert sorted(file.path for file in manifest.files.values()) == ["model.onnx", "tokenizer.json"]
    assert len(result_of(events).pinned) == 2


def test_nothing_is_written_outside_the_models_folder(hub: LoopbackServer, tmp_path: Path, models_folder: Path) -> None:
    write_catalogue(tmp_path)
    hub.add_hub_file(REPOSITORY, COMMIT, "tiny.gguf", GGUF, commit=COMMIT)

    pull_tiny()

    assert list((tmp_path / "home").rglob("*")) == []
