"""Model folders so small that their results can be worked out by hand: a table of numbers, looked up by word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerag.inference.manifest import Manifest, describe_file, write_manifest

WORDS = "river bank stone water cell gene mouse protein".split()
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def write_embedder(
    folder: Path, rows: dict[str, list[float]], *, depends_on_batch: bool = False, **fields: Any
) -> Path:
    """A model whose hidden state is each word's row; special tokens and other words are 0.

    Args:
        rows: By word; all of one width.
        depends_on_batch: The longest row of a batch decides what is added to all.
    """
    width = len(next(iter(rows.values())))
    table = np.zeros((len(SPECIAL) + len(WORDS), width), np.float32)
    for word, row in rows.items():
        table[len(SPECIAL) + WORDS.index(word)] = row
    return _write(folder, table, "embedding", depends_on_batch, pooling="mean", dim=width, **fields)


def write_judge(folder: Path, weights: dict[str, float], *, depends_on_batch: bool = False, **fields: Any) -> Path:
    """A cross-encoder whose score is the sum of its words' weights, in question and passage."""
    table = np.zeros((len(SPECIAL) + len(WORDS), 1), np.float32)
    for word, weight in weights.items():
        table[len(SPECIAL) + WORDS.index(word)] = weight
    return _write(folder, table, "cross-encoder", depends_on_batch, **fields)


def _write(folder: Path, table: Any, task: Any, depends_on_batch: bool, *, marked: bool = False, **fields: Any) -> Path:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: run `make test-export`")
    from onnx import TensorProto, helper, numpy_helper

    make = helper.make_node
    nodes = [make("Gather", ["table", "input_ids"], ["looked_up"])]
    found = "looked_up"
    if depends_on_batch:
        # The number of columns, a thousandth of it added to every value.
        nodes += [
            make("Shape", ["input_ids"], ["columns"], start=1, end=2),
            make("Cast", ["columns"], ["columns_float"], to=TensorProto.FLOAT),
            make("Mul", ["columns_float", "thousandth"], ["shift"]),
            make("Add", ["looked_up", "shift"], ["shifted"]),
        ]
        found = "shifted"
    nodes += [
        make("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        make("Unsqueeze", ["mask", "last"], ["mask_column"]),
        make("Mul", [found, "mask_column"], ["last_hidden_state"]),
    ]
    output, shape = "last_hidden_state", ["batch", "length", int(table.shape[1])]
    if task == "cross-encoder":
        nodes.append(make("ReduceSum", ["last_hidden_state", "inner"], ["logits"], keepdims=0))
        output, shape = "logits", ["batch", 1]
    tensors = {
        "table": table,
        "thousandth": np.array([0.001], np.float32),
        "last": np.array([-1], np.int64),
        "inner": np.array([1], np.int64),
    }
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
         for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    _tokenizer(marked=marked).save(str(folder / "tokenizer.json"))
    manifest = Manifest(
        name="small",
        task=task,
        files={"model": describe_file(folder, "model.onnx"), "tokenizer": describe_file(folder, "tokenizer.json")},
        license="CC0-1.0",
        **{"max_tokens": 24, **fields},
    )
    write_manifest(folder, manifest)
    return folder


def _tokenizer(*, marked: bool) -> Any:
    """By words; `marked`: as SentencePiece has them, so that a space at the end is a token of its own."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = [f"▁{word}" for word in WORDS] if marked else WORDS
    vocabulary = {word: place for place, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace() if marked else pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer
