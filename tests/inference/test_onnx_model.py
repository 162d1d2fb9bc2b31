"""Graphs opened from bytes, and how those that do not fit are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerag.errors import ModelError
from edgerag.inference.manifest import read_manifest
from edgerag.inference.onnx_model import OnnxModel
from tests.inference.small_models import bert_tokenizer, encoder_graph, graph, model_folder, onnx, table

IDS = np.array([[2, 5, 3]], dtype=np.int64)
MASK = np.ones_like(IDS)


def test_a_run_returns_the_first_output() -> None:
    model = OnnxModel(encoder_graph(4), name="small")
    assert np.array_equal(model.run({"input_ids": IDS})[0], table(4)[[2, 5, 3]])


def test_inputs_that_the_graph_does_not_ask_for_are_left_out() -> None:
    model = OnnxModel(encoder_graph(4, inputs=("input_ids", "attention_mask")), name="small")
    assert model.run({"input_ids": IDS, "attention_mask": MASK, "position_ids": MASK}).shape == (1, 3, 4)


def test_an_input_that_is_missing_is_named() -> None:
    model = OnnxModel(encoder_graph(4, inputs=("input_ids", "token_type_ids")), name="small")
    with pytest.raises(ModelError, match="token_type_ids"):
        model.run({"input_ids": IDS})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "cannot be opened", id="empty"),
        pytest.param(b"junk" * 100, "not an ONNX file", id="junk"),
        pytest.param(encoder_graph(4)[:-400], "cannot be opened", id="truncated"),
        pytest.param(encoder_graph(4, inputs=("input_ids", "pixel_values")), "pixel_values", id="other input"),
    ],
)
def test_a_graph_that_cannot_serve_is_refused_with_a_hint(content: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        OnnxModel(content, name="broken")
    assert "broken" in str(caught.value)
    assert caught.value.hint


def test_an_unknown_operator_is_named() -> None:
    node = onnx.helper.make_node("Gather", ["table", "input_ids"], ["rows"])
    unknown = onnx.helper.make_node("Frobnicate", ["rows"], ["out"])
    content = graph([node, unknown], ["input_ids"], {"table": table(4)}, ["batch", "length", 4])
    with pytest.raises(ModelError, match="Frobnicate") as caught:
        OnnxModel(content, name="broken")
    assert "Update onnxruntime" in caught.value.hint


def test_weights_in_a_second_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second file would be read without its hash being known, even where it exists."""
    model = onnx.load_from_string(encoder_graph(4))
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="second file") as caught:
        OnnxModel((tmp_path / "model.onnx").read_bytes(), name="split")
    assert "single file" in caught.value.hint


def test_an_id_outside_the_table_is_a_model_error() -> None:
    model = OnnxModel(encoder_graph(4), name="small")
    with pytest.raises(ModelError, match="failed on 1 tokens"):
        model.run({"input_ids": np.array([[256]], dtype=np.int64)})


def test_out_of_memory_says_so() -> None:
    """A graph that asks for 4 TB at once."""
    make = onnx.helper.make_node
    nodes = [
        make("Shape", ["input_ids"], ["shape"]),
        make("Add", ["shape", "huge"], ["wanted"]),
        make("ConstantOfShape", ["wanted"], ["out"]),
    ]
    huge = np.array([1_000_000, 1_000_000], dtype=np.int64)
    model = OnnxModel(graph(nodes, ["input_ids"], {"huge": huge}, ["a", "b"]), name="greedy")
    with pytest.raises(ModelError, match="not enough memory"):
        model.run({"input_ids": IDS})


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["bit", "cut", "gone"])
def test_a_damaged_file_is_never_opened(tmp_path: Path, name: str, damage: str) -> None:
    from edgerag.inference.embedder import OnnxEmbedder

    folder = model_folder(tmp_path, encoder_graph(), bert_tokenizer())
    content = bytearray((folder / name).read_bytes())
    if damage == "gone":
        (folder / name).unlink()
    else:
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content if damage == "bit" else content[:-1])
    with pytest.raises(ModelError, match=name) as caught:
        OnnxEmbedder.open(folder)
    assert "models remove" in caught.value.hint


def test_opening_without_the_telemetry_switch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    with pytest.raises(RuntimeError, match="ORT_DISABLE_TELEMETRY"):
        OnnxModel(encoder_graph(), name="small")


def test_a_model_opens_from_the_bytes_that_were_checked(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, encoder_graph(4), bert_tokenizer(), dim=4)
    model = OnnxModel.open(folder, read_manifest(folder))
    (folder / "model.onnx").unlink()
    assert model.run({"input_ids": IDS}).shape == (1, 3, 4)
