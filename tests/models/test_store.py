"""Which models are installed, how they are found, verified and removed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import edgerag
from edgerag import paths
from edgerag.errors import ModelError
from edgerag.inference.manifest import Manifest, describe_file, write_manifest
from edgerag.models import store
from edgerag.models.install import remove_model
from tests.models.gguf_writer import write_gguf


def _install(parent: Path, name: str, task: str = "generator", folder_name: str = "") -> Path:
    folder = parent / (folder_name or name)
    folder.mkdir(parents=True)
    write_gguf(folder / "model.gguf")
    files = {"model": describe_file(folder, "model.gguf")}
    write_manifest(folder, Manifest(name=name, task=task, files=files, license="MIT"))  # type: ignore[arg-type]
    return folder


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bundled"
    monkeypatch.setattr(paths, "BUNDLED_MODELS", folder)
    _install(folder, "Built-in", "embedding")
    return folder


def test_bundled_models_come_first_and_the_others_by_name(bundled: Path, models_folder: Path) -> None:
    for name in ("zeta", "Alpha"):
        _install(models_folder, name)

    found = store.installed()

    assert [(model.name, model.bundled) for model in found] == [
        ("Built-in", True),
        ("Alpha", False),
        ("zeta", False),
    ]
    assert [model.name for model in store.installed("generator")] == ["Alpha", "zeta"]


def test_no_models_folder_means_no_models(bundled: Path) -> None:
    assert [model.name for model in store.installed()] == ["Built-in"]


def test_folder_of_a_running_install_is_not_a_model(bundled: Path, models_folder: Path) -> None:
    _install(models_folder / ".staging" / "half", "half")
    _install(models_folder, "half", folder_name=".half")
    (models_folder / "notes").mkdir()

    assert [model.name for model in store.installed()] == ["Built-in"]
    assert store.scan()[1] == []


def test_installed_model_never_shadows_a_bundled_one(bundled: Path, models_folder: Path) -> None:
    _install(models_folder, "built-IN", "generator")

    models, broken = store.scan()

    assert [(model.name, model.bundled) for model in models] == [("Built-in", True)]
    assert "called built-IN already" in broken[0].reason


def test_broken_folder_is_left_out_and_explained(bundled: Path, models_folder: Path) -> None:
    folder = _install(models_folder, "tiny")
    (folder / "manifest.json").write_text("{")

    assert [model.name for model in store.installed()] == ["Built-in"]
    with pytest.raises(ModelError, match="The model tiny cannot be used") as caught:
        store.find("tiny")
    assert "models remove tiny" in caught.value.hint


def test_model_is_found_whatever_the_case(bundled: Path, models_folder: Path) -> None:
    folder = _install(models_folder, "Tiny")

    assert store.find("tINY", "generator").folder == folder


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("SMOLLM2-135M", "Type `edgerag models pull smollm2-135m`."),
        ("smolm2-135m", "Did you mean smollm2-135m? Type `edgerag models pull smollm2-135m`."),
        ("tinny", "Did you mean tiny, which is installed?"),
        ("something-else-entirely", "`edgerag models list` shows what is installed and what can be pulled."),
    ],
)
def test_missing_model_says_what_to_type(bundled: Path, models_folder: Path, name: str, hint: str) -> None:
    _install(models_folder, "tiny")

    with pytest.raises(ModelError, match=f"No model called {name} is installed") as caught:
        store.find(name, "generator")

    assert caught.value.hint == hint


def test_model_of_another_task_names_those_that_fit(bundled: Path, models_folder: Path) -> None:
    _install(models_folder, "tiny")

    with pytest.raises(ModelError, match=r"tiny is a generator; an embedding model is needed here\.") as caught:
        store.find("tiny", "embedding")

    assert caught.value.hint == "Installed for that: Built-in."


def test_flipped_byte_missing_file_and_wrong_length_are_detected(bundled: Path, models_folder: Path) -> None:
    folder = _install(models_folder, "tiny")
    model = store.find("tiny")
    assert store.verify_model(model) == []
    assert store.verified_file(model) == folder / "model.gguf"
    content = bytearray((folder / "model.gguf").read_bytes())

    content[-5] ^= 1
    (folder / "model.gguf").write_bytes(content)
    assert store.verify_model(model) == ["model.gguf is damaged: its hash is not the manifest's"]
    with pytest.raises(ModelError, match="The model tiny is damaged") as caught:
        store.verified_file(model)
    assert "models remove tiny" in caught.value.hint

    (folder / "model.gguf").write_bytes(content[:-1])
    assert store.verify_model(model) == [f"model.gguf has {len(content) - 1} bytes instead of {len(content)}"]

    (folder / "model.gguf").unlink()
    assert store.verify_model(model) == ["model.gguf is missing"]


def test_removed_model_is_gone_and_the_others_stay(bundled: Path, models_folder: Path) -> None:
    for name in ("tiny", "other"):
        _install(models_folder, name)

    assert remove_model("TINY") is True

    assert [model.name for model in store.installed()] == ["Built-in", "other"]
    assert not (models_folder / "tiny").exists()
    assert remove_model("tiny") is False


def test_broken_model_can_be_removed(bundled: Path, models_folder: Path) -> None:
    folder = _install(models_folder, "tiny")
    (folder / "manifest.json").write_text("{")

    assert remove_model("tiny") is True
    assert not folder.exists()


def test_bundled_model_cannot_be_removed(bundled: Path) -> None:
    with pytest.raises(ModelError, match="part of edgerag"):
        remove_model("Built-in")

    assert (bundled / "Built-in" / "model.gguf").is_file()


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "ä", "con", "NUL.gguf", "a.", "x" * 81]
)
def test_name_that_is_no_folder_name_everywhere_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="cannot name a model"):
        store.check_name(name)


def test_what_the_engine_imports_holds_no_network_client() -> None:
    code = """
import sys
from edgerag.models import catalogue, store
store.installed()
catalogue.load_catalogue()
clients = ("huggingface_hub", "urllib.request", "http.client", "socket", "ssl")
print([module for module in clients if module in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(edgerag.__file__).parents[1],
    )

    assert done.stdout.strip() == "[]"
