"""How many products a graph computes for a text of given length, read off its weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgerag.inference.manifest import read_manifest, verified_bytes

INTEGER = frozenset(
    "MatMulInteger MatMulIntegerToFloat DynamicQuantizeMatMul QLinearMatMul QGemm QAttention ConvInteger".split()
)
"""Operators that multiply bytes. MatMulNBits is none of them: whether it does is the runtime's choice."""
_FLOAT = frozenset("MatMul FusedMatMul Gemm FusedGemm Attention MatMulNBits".split())
_ATTENTION = frozenset("Attention QAttention MultiHeadAttention".split())
_CARRIERS = frozenset("DequantizeLinear Cast Transpose Identity Reshape".split())
"""Stand between a stored weight and its product without changing how many values it has."""


@dataclass(frozen=True, slots=True)
class Operations:
    """Multiplications with an addition each."""

    per_token: int
    """Of a token's row with weights."""
    per_token_integer: int
    """Those among `per_token` that multiply bytes."""
    per_text: int
    """Independent of the text's length."""
    per_token_pair: int
    """Of attention, for each two tokens of a text: scores and weighted sums, over all heads and layers."""

    def of_text(self, num_tokens: int) -> int:
        """Operations for one text: a multiply and an add are two."""
        return 2 * (num_tokens * self.per_token + self.per_text + num_tokens**2 * self.per_token_pair)

    def integer_share(self, num_tokens: int) -> float:
        """Share of a text's operations that multiply bytes, 0 to 1."""
        total = self.of_text(num_tokens)
        return 2 * num_tokens * self.per_token_integer / total if total else 0.0


def count_operations(folder: Path) -> Operations:
    """Count the products of a model folder's graph.

    All heads together are taken to be as wide as the hidden state, as they are in BERT and its relatives.

    Raises:
        ModelError: The graph is missing or damaged.
    """
    import onnx  # deferred: part of the extra `export`

    graph = onnx.load_from_string(verified_bytes(folder, read_manifest(folder), "model")).graph
    sizes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    single = _one_row_a_text(graph.node, sizes, makers)
    per_token = integer = per_text = fused = softmax = 0
    widths: Counter[int] = Counter()
    for node in graph.node:
        fused += node.op_type in _ATTENTION
        softmax += node.op_type == "Softmax"
        shape = _weight_shape(node, sizes, makers)
        if shape is None:
            continue
        product = math.prod(shape)
        if node.input[0] in single:
            per_text += product
            continue
        per_token += product
        integer += product * (node.op_type in INTEGER)
        widths[shape[0]] += 1
    hidden = widths.most_common(1)[0][0] if widths else 0
    return Operations(per_token, integer, per_text, 2 * (fused or softmax) * hidden)


def _one_row_a_text(nodes: Sequence[Any], sizes: Mapping[str, Any], makers: Mapping[str, Any]) -> set[str]:
    """Names of what is computed for the first token alone: the head of a classifier."""
    found: set[str] = set()
    for node in nodes:
        if not node.input:
            continue
        source = _stored(node.input[0], sizes, makers)
        # Rows of a stored table are words; an entry of a shape is a number.
        takes_one = node.op_type == "Gather" and source in makers and makers[source].op_type != "Shape"
        if takes_one or node.input[0] in found:
            found.update(node.output)
    return found


def _stored(name: str, sizes: Mapping[str, Any], makers: Mapping[str, Any]) -> str:
    """Follow a value back through `_CARRIERS`, to a stored weight if it is one."""
    while name not in sizes and name in makers and makers[name].op_type in _CARRIERS:
        name = makers[name].input[0]
    return name


def _weight_shape(node: Any, sizes: Mapping[str, tuple[int, ...]], makers: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return (inner, columns) of a product with stored weights; None for anything else."""
    if node.op_type == "MatMulNBits":
        values = {attribute.name: attribute.i for attribute in node.attribute}
        return values["K"], values["N"]
    if node.op_type not in INTEGER | _FLOAT:
        return None
    place = 3 if node.op_type == "QLinearMatMul" else 1
    shape = sizes.get(_stored(node.input[place], sizes, makers), ())
    if len(shape) != 2:
        return None
    transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    return (shape[1], shape[0]) if transposed else (shape[0], shape[1])
