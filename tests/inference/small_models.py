"""Small ONNX models with random weights, and their tokenizers, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from edgerag.inference.manifest import Manifest, Pooling, Task, describe_file, write_manifest

onnx = pytest.importorskip("onnx", reason="`onnx` builds the graphs of these tests")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"the cat dog sat ran on mat red blue moon , . ?".split()]
WORDS += ["##s", "##ning"]


def bert_tokenizer(*, pads: bool = True) -> Tokenizer:
    """Lower-casing WordPiece with [CLS] and [SEP]; `pads` asks for padding and truncation to 8, as some files do."""
    tokenizer = Tokenizer(models.WordPiece({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    if pads:
        tokenizer.enable_padding(length=8)
        tokenizer.enable_truncation(8)
    return tokenizer


def unigram_tokenizer() -> Tokenizer:
    """As XLM-R's: metaspace, `<s> A </s></s> B </s>`, no second token type."""
    pieces = ["▁" + word for word in WORDS[4:14]] + [chr(code) for code in range(33, 127)] + ["▁"]
    vocabulary = [("<s>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)] + [(piece, -2.0) for piece in pieces]
    tokenizer = Tokenizer(models.Unigram(vocabulary, 2, False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer.add_special_tokens(["<s>", "</s>", "<unk>"])
    return tokenizer


def graph(
    nodes: list[Any], inputs: list[str], constants: dict[str, Any], output: list[Any], *, opset: int = 17
) -> bytes:
    """Serialise a graph of int64 (batch, length) inputs and one float output called `out`."""
    helper = onnx.helper
    integer, real = onnx.TensorProto.INT64, onnx.TensorProto.FLOAT
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "small",
            [helper.make_tensor_value_info(name, integer, ["batch", "length"]) for name in inputs],
            [helper.make_tensor_value_info("out", real, output)],
            [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )
    content: bytes = model.SerializeToString()
    return content


def table(dim: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A word embedding table for `WORDS` and more."""
    return np.random.default_rng(seed).standard_normal((256, dim)).astype(np.float32)


def encoder_graph(dim: int = 16, *, scale: float = 1.0, inputs: tuple[str, ...] = ("input_ids",)) -> bytes:
    """Each token's embedding is its row of `table(dim)`, times `scale`."""
    nodes = [onnx.helper.make_node("Gather", ["table", "input_ids"], ["out"])]
    return graph(nodes, list(inputs), {"table": table(dim) * np.float32(scale)}, ["batch", "length", dim])


def cross_encoder_graph(*, num_logits: int, has_types: bool) -> bytes:
    """The last logit sums the token types, or the ids where there are no types; others are the largest id."""
    make = onnx.helper.make_node
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if has_types else [])]
    nodes = [
        make("Cast", ["token_type_ids" if has_types else "input_ids"], ["told"], to=onnx.TensorProto.FLOAT),
        make("ReduceSum", ["told", "axis"], ["sum"], keepdims=1),
        make("Cast", ["input_ids"], ["ids"], to=onnx.TensorProto.FLOAT),
        make("ReduceMax", ["ids"], ["largest"], axes=[1], keepdims=1),
        make("Concat", ["largest"] * (num_logits - 1) + ["sum"], ["out"], axis=1),
    ]
    return graph(nodes, names, {"axis": np.array([1], dtype=np.int64)}, ["batch", num_logits])


def model_folder(
    folder: Path,
    content: bytes,
    tokenizer: Tokenizer,
    *,
    task: Task = "embedding",
    pooling: Pooling = "mean",
    dim: int = 16,
    max_tokens: int = 32,
    query_prefix: str = "",
    document_prefix: str = "",
) -> Path:
    """Write a model folder with its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(content)
    (folder / "tokenizer.json").write_text(json.dumps(json.loads(tokenizer.to_str())), encoding="utf-8")
    files = {
        "model": describe_file(folder, "model.onnx"),
        "tokenizer": describe_file(folder, "tokenizer.json"),
    }
    manifest = Manifest(
        name="small",
        task=task,
        files=files,
        license="CC0-1.0",
        dim=dim if task == "embedding" else 0,
        pooling=pooling,
        query_prefix=query_prefix,
        document_prefix=document_prefix,
        max_tokens=max_tokens,
    )
    write_manifest(folder, manifest)
    return folder
