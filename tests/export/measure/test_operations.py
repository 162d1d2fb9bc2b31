"""Products of a graph for a text of given length, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerag.inference.manifest import Manifest, describe_file, write_manifest
from edgerag.paths import BUNDLED_MODELS
from edgerag_export.measure.operations import count_operations

onnx = pytest.importorskip("onnx", reason="onnx is not installed: run `make test-export`")


def _folder(folder: Path, nodes: list[Any], tensors: dict[str, Any]) -> Path:
    graph = onnx.helper.make_graph(
        nodes, "g", [], [], [onnx.numpy_helper.from_array(value, name) for name, value in tensors.items()]
    )
    folder.mkdir()
    (folder / "model.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    write_manifest(folder, Manifest("m", "embedding", {"model": describe_file(folder, "model.onnx")}, "CC0-1.0"))
    return folder


def _weight(*shape: int) -> Any:
    return np.zeros(shape, np.float32)


def test_weights_count_once_a_token_and_attention_once_a_pair(tmp_path: Path) -> None:
    make = onnx.helper.make_node
    nodes = [
        make("MatMul", ["x", "query"], ["q"]),
        make("MatMul", ["x", "key"], ["k"]),
        make("MatMul", ["q", "k"], ["scores"]),  # no stored weight: attention, counted by its Softmax
        make("Softmax", ["scores"], ["shares"]),
        make("MatMulIntegerToFloat", ["bytes", "wide", "s", "t"], ["w"], domain="com.microsoft"),
        make("Shape", ["x"], ["sizes"]),
        make("Gather", ["sizes", "two"], ["width"]),  # no row, but a number
        make("MatMul", ["w", "out"], ["hidden"]),
        make("Gather", ["hidden", "zero"], ["first"], axis=1),
        make("DynamicQuantizeLinear", ["first"], ["f", "fs", "fz"]),
        make("MatMulInteger", ["f", "pooler"], ["pooled"]),
        make("Tanh", ["pooled"], ["active"]),
        make("Gemm", ["active", "head"], ["logit"], transB=1),
    ]
    tensors = {"query": _weight(8, 8), "key": _weight(8, 8), "wide": np.zeros((8, 32), np.int8), "head": _weight(2, 8),
               "out": _weight(32, 8), "pooler": np.zeros((8, 8), np.int8)}  # fmt: skip

    found = count_operations(_folder(tmp_path / "m", nodes, tensors))

    assert (found.per_token, found.per_token_integer, found.per_text) == (64 + 64 + 256 + 256, 256, 64 + 16)
    # Scores and weighted sums: 8 products each for every pair of tokens.
    assert found.per_token_pair == 16
    assert found.of_text(10) == 2 * (10 * 640 + 80 + 100 * 16)
    assert found.integer_share(10) == pytest.approx(2 * 10 * 256 / 16160)


def test_weights_behind_a_dequantisation_and_in_blocks_count_too(tmp_path: Path) -> None:
    make = onnx.helper.make_node
    nodes = [
        make("DequantizeLinear", ["codes", "s"], ["floats"]),
        make("MatMul", ["x", "floats"], ["y"]),
        make("MatMulNBits", ["x", "blocks", "s"], ["z"], domain="com.microsoft", K=8, N=24, bits=8, block_size=16),
    ]
    tensors = {"codes": np.zeros((8, 4), np.int8), "blocks": np.zeros((24, 1, 16), np.uint8)}

    assert count_operations(_folder(tmp_path / "m", nodes, tensors)).per_token == 32 + 192


@pytest.mark.models
def test_products_of_the_default_embedder() -> None:
    found = count_operations(BUNDLED_MODELS / "all-MiniLM-L6-v2")

    # Six layers: four tables of 384 x 384 and two of 384 x 1536; attention over 384 channels.
    assert found.per_token == found.per_token_integer == 6 * (4 * 384 * 384 + 2 * 384 * 1536)
    assert found.per_token_pair == 6 * 2 * 384
