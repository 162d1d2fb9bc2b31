"""Weights alone in 8 or 4 bits, in blocks with a scale each; the products are onnxruntime's MatMulNBits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgerag_export.encoders.fuse_graph import CONTRIB, Array, Encoder, Layer, Linear
from edgerag_export.encoders.graph_writer import GraphWriter
from edgerag_export.encoders.shrink_embeddings import Int8Table

BLOCK = 32
"""Weights of one output that share a scale. all-MiniLM-L6-v2, 52 texts, mean cosine to float32 and size, blocks of 16,
32, 64: with 4 bits 0.977, 0.971, 0.964 and 20.7, 19.4, 18.7 MB; with 8 bits 0.9998, 0.9997, 0.9995."""
OLDEST_RUNTIME = {4: "1.20", 8: "1.22"}
"""First onnxruntime whose processor kernels take so many bits: 1.20.1 and 1.21.1 refuse 8."""
_INT8_INPUTS = 4
"""`accuracy_level`: inputs are rounded to int8, row by row and block by block, so that batches do not matter."""


def pack_blocks(weight: Array, bits: int, block: int = BLOCK) -> tuple[NDArray[np.uint8], Array]:
    """Round weights to `bits` in blocks along the inputs.

    The weight of largest size becomes exactly the lowest code, the only one without a counterpart of the other sign.

    Args:
        weight: Shape (inputs, outputs).
        bits: 8 or 4.
        block: A power of two, at least 16.

    Returns:
        Codes, shape (outputs, blocks, block * bits / 8), two 4-bit codes to a byte, the earlier one low; and scales,
        shape (outputs * blocks,): `weight ~ (code - 2 ** (bits - 1)) * scale`.
    """
    half = 1 << (bits - 1)
    rows = weight.T
    blocks = -(-rows.shape[1] // block)
    rows = np.pad(rows, ((0, 0), (0, blocks * block - rows.shape[1]))).reshape(len(rows), blocks, block)
    place = np.abs(rows).argmax(axis=2, keepdims=True)
    scales = (-np.take_along_axis(rows, place, axis=2) / half).astype(np.float32)
    codes = np.rint(np.divide(rows, scales, out=np.zeros_like(rows), where=scales != 0))
    codes = (np.clip(codes, -half, half - 1) + half).astype(np.uint8)
    if bits == 4:
        codes = codes[:, :, 0::2] | codes[:, :, 1::2] << 4
    return np.ascontiguousarray(codes), scales.reshape(-1)


def write_block_graph(encoder: Encoder, words: Int8Table, *, bits: int, block: int = BLOCK) -> bytes:
    """Return a serialised graph with weights of `bits`; inputs and outputs as `int8_graph.write_graph`."""
    graph = _BlockGraph(encoder, bits, block)
    current = graph.embed(words)
    for index, layer in enumerate(encoder.layers):
        current = graph.layer(index, current, layer)
    return graph.finish(current)


class _BlockGraph(GraphWriter):
    def __init__(self, encoder: Encoder, bits: int, block: int) -> None:
        super().__init__(encoder)
        self.bits, self.block = bits, block

    def product(self, name: str, source: str, linear: Linear, columns: slice = slice(None)) -> str:
        weight = linear.weight[:, columns]
        codes, scales = pack_blocks(weight, self.bits, self.block)
        product = self.node(
            "MatMulNBits",
            [source, self.tensor(f"{name}.codes", codes), self.tensor(f"{name}.scales", scales)],
            f"{name}.product",
            domain=CONTRIB,
            K=weight.shape[0],
            N=weight.shape[1],
            bits=self.bits,
            block_size=self.block,
            accuracy_level=_INT8_INPUTS,
        )
        return self.node("Add", [product, self.tensor(f"{name}.bias", linear.bias[columns])], name)

    def layer(self, index: int, before_norm: str, layer: Layer) -> str:
        """Return the sum in front of the layer's last norm."""
        name = f"layer{index}"
        norm = self.encoder.norm if index == 0 else self.encoder.layers[index - 1].norm
        inputs = self.norm(f"{name}.input", before_norm, norm)
        asking = self.first_token(inputs) if self.needs_first_only(index) else inputs
        width = layer.output.weight.shape[0]
        heads = [
            self.product(f"{name}.{part}", source, layer.qkv, slice(place * width, (place + 1) * width))
            for place, (part, source) in enumerate((("query", asking), ("key", inputs), ("value", inputs)))
        ]
        output = self.product(f"{name}.output", self.attention(f"{name}.attention", heads), layer.output)
        middle = self.norm(f"{name}.wide_input", self.sum(f"{name}.middle", [output, asking]), layer.attention_norm)
        wide = self.product(f"{name}.wide", middle, layer.intermediate)
        active = self.node("Gelu", [wide], f"{name}.active", domain=CONTRIB)
        return self.sum(f"{name}.sum", [self.product(f"{name}.narrow", active, layer.contraction), middle])
