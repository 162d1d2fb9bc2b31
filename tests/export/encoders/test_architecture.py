"""Weights that cannot be built are refused before anything slow begins, by name and with a way on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgerag.errors import ModelError
from edgerag_export.encoders.architecture import FAMILIES, read_architecture
from edgerag_export.encoders.fuse_graph import read_encoder

CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "num_attention_heads": 4,
    "hidden_size": 48,
    "max_position_embeddings": 32,
    "architectures": ["BertForSequenceClassification"],
}


def _write(folder: Path, changes: dict[str, Any]) -> Path:
    config = {key: value for key, value in (CONFIG | changes).items() if value is not None}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def _write_header(folder: Path, shapes: dict[str, list[int]]) -> None:
    header = {name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()}
    raw = json.dumps(header | {"__metadata__": {"format": "pt"}}).encode()
    (folder / "model.safetensors").write_bytes(len(raw).to_bytes(8, "little") + raw)


def test_positions_of_bert_begin_at_the_first_row(tmp_path: Path) -> None:
    found = read_architecture(_write(tmp_path, {}), architecture="bert", task="embedding")

    assert (found.num_heads, found.hidden, found.first_position, found.max_tokens) == (4, 48, 0, 32)


def test_positions_of_xlm_roberta_begin_behind_the_padding(tmp_path: Path) -> None:
    changes = {"model_type": "xlm-roberta", "pad_token_id": 1, "max_position_embeddings": 514}

    found = read_architecture(_write(tmp_path, changes), architecture="xlm-roberta", task="embedding")

    assert (found.first_position, found.max_tokens) == (2, 512)


@pytest.mark.parametrize(
    ("changes", "asked", "complaint", "hint"),
    [
        ({"model_type": "mamba"}, "mamba", "`mamba` is no architecture that can be built", "bert, xlm-roberta"),
        ({"model_type": "t5"}, "bert", "is a `t5` model; the recipe says `bert`", "known are bert"),
        ({"hidden_act": "gelu_new"}, "bert", "the activation `gelu_new`", "GELU"),
        ({"position_embedding_type": "relative_key"}, "bert", "`relative_key` positions", "learned positions"),
        ({"is_decoder": True}, "bert", "attention to the left only", "all tokens"),
        ({"hidden_size": None}, "bert", "lacks 'hidden_size'", "trained model"),
        ({"architectures": ["BertModel"]}, "bert", r"has no classifier \(BertModel\)", "the embedder"),
        ({"architectures": None}, "bert", r"has no classifier \(no `architectures`\)", "the embedder"),
        ({"id2label": {"0": "a", "1": "b", "2": "c"}}, "bert", "tells 3 labels apart", "another task"),
    ],
    ids=["unknown", "other", "activation", "positions", "decoder", "width", "embedder", "no-class", "labels"],
)
def test_weights_that_cannot_be_built_are_refused(
    tmp_path: Path, changes: dict[str, Any], asked: str, complaint: str, hint: str
) -> None:
    with pytest.raises(ModelError, match=complaint) as caught:
        read_architecture(_write(tmp_path, changes), architecture=asked, task="cross-encoder")

    assert hint in caught.value.hint


@pytest.mark.parametrize("content", ["", "[1]"], ids=["empty", "list"])
def test_config_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content, encoding="utf-8")

    with pytest.raises(ModelError, match=r"config\.json (cannot be read|is not a JSON object)"):
        read_architecture(tmp_path, architecture="bert", task="embedding")


def test_classifier_that_the_weights_lack_is_not_made_up(tmp_path: Path) -> None:
    _write_header(_write(tmp_path, {}), {"bert.embeddings.word_embeddings.weight": [100, 48]})

    assert read_architecture(tmp_path, architecture="bert", task="embedding").hidden == 48
    with pytest.raises(ModelError, match="holds no `classifier`; transformers would put random numbers"):
        read_architecture(tmp_path, architecture="bert", task="cross-encoder")


def test_model_too_large_for_one_file_is_refused_before_it_is_exported(tmp_path: Path) -> None:
    _write_header(_write(tmp_path, {}), {"embeddings.word_embeddings.weight": [250_002, 1024], "rest": [400_000_000]})

    with pytest.raises(ModelError, match=r"is 2\.6 GB in float32") as caught:
        read_architecture(tmp_path, architecture="bert", task="embedding")

    assert "GGUF" in caught.value.hint


def test_damaged_safetensors_are_refused(tmp_path: Path) -> None:
    (_write(tmp_path, {}) / "model.safetensors").write_bytes(b"\xff" * 64)

    with pytest.raises(ModelError, match="not in the safetensors form"):
        read_architecture(tmp_path, architecture="bert", task="embedding")


def test_architectures_are_those_that_recipes_may_name() -> None:
    from edgerag_export.recipe import ENCODERS

    assert set(ENCODERS) == set(FAMILIES)


@pytest.mark.parametrize("part", ["BiasGelu", "Tanh", "Attention", "Gather"])
def test_graph_that_fused_otherwise_is_refused(models: Any, part: str) -> None:
    import onnx

    fused = models.workshop("bert-cross-1")._fused()
    assert read_encoder(fused).head is not None
    damaged = onnx.ModelProto()
    damaged.CopyFrom(fused)
    for node in [node for node in damaged.graph.node if node.op_type == part][-1:]:
        node.op_type = "Identity"

    with pytest.raises(ModelError, match=r"graph fused into|classifier is"):
        read_encoder(damaged)
