"""Write the quantised encoder as one ONNX graph of integer products, the same bytes for the same numbers."""

from __future__ import annotations

import numpy as np

from edgerag_export.encoders.fuse_graph import CONTRIB, Array, Encoder
from edgerag_export.encoders.graph_writer import GraphWriter
from edgerag_export.encoders.quantize import Int8Layer, Int8Linear
from edgerag_export.encoders.shrink_embeddings import Int8Table


def write_graph(encoder: Encoder, layers: tuple[Int8Layer, ...], words: Int8Table) -> bytes:
    """Return a serialised graph: token ids and mask in, last hidden state (of a cross-encoder: logits) out.

    `MatMulIntegerToFloat` is written out instead of a pair of QuantizeLinear and DequantizeLinear around a MatMul,
    because what onnxruntime makes of that pair changed from version to version: 1.31 turned it into weight-only
    products that are slower than float32.
    """
    graph = _Int8Graph(encoder)
    current = graph.embed(words)
    for index, layer in enumerate(layers):
        current = graph.layer(index, current, layer)
    return graph.finish(current)


class _Int8Graph(GraphWriter):
    def quantized(self, name: str, source: str, linear: Int8Linear) -> list[str]:
        """Return the uint8 inputs, their scale and their zero point."""
        scale = self.tensor(f"{name}.input_scale", linear.input_scale)
        zero = self.tensor(f"{name}.input_zero", linear.input_zero)
        return [self.node("QuantizeLinear", [source, scale, zero], f"{name}.quantized"), scale, zero]

    def product(self, name: str, quantized: list[str], linear: Int8Linear, columns: slice = slice(None)) -> str:
        codes, scale, zero = quantized
        return self.node(
            "MatMulIntegerToFloat",
            [
                codes,
                self.tensor(f"{name}.weight", linear.weight[:, columns]),
                scale,
                self.tensor(f"{name}.weight_scale", linear.weight_scale[columns]),
                zero,
                "",
                self.tensor(f"{name}.bias", linear.bias[columns]),
            ],
            name,
            domain=CONTRIB,
        )

    def layer(self, index: int, before_norm: str, layer: Int8Layer) -> str:
        """Return the sum in front of the layer's last norm, which the next layer needs twice."""
        name = f"layer{index}"
        norm = self.encoder.norm if index == 0 else self.encoder.layers[index - 1].norm
        residual = self.norm(f"{name}.residual", before_norm, norm)
        codes = self.quantized(f"{name}.qkv", self.norm(f"{name}.input", before_norm, layer.input_norm), layer.qkv)
        asking = codes
        if self.needs_first_only(index):
            residual, asking = self.first_token(residual), [self.first_token(codes[0]), *codes[1:]]
        width = layer.output.weight.shape[0]
        heads = [
            self.product(f"{name}.{part}", source, layer.qkv, slice(place * width, (place + 1) * width))
            for place, (part, source) in enumerate((("query", asking), ("key", codes), ("value", codes)))
        ]
        attention = self.attention(f"{name}.attention", heads)
        output = self.product(f"{name}.output", self.quantized(f"{name}.output", attention, layer.output), layer.output)
        middle = self.sum(f"{name}.middle", [output, residual])
        residual = self.norm(f"{name}.middle_residual", middle, layer.attention_norm)
        source = self.norm(f"{name}.wide_input", middle, layer.intermediate_norm)
        codes = self.quantized(f"{name}.wide", source, layer.groups[0].intermediate)
        parts = []
        for place, group in enumerate(layer.groups):
            part = f"{name}.group{place}"
            wide = self.product(f"{part}.wide", codes, group.intermediate)
            active = self.node("Gelu", [wide], f"{part}.active", domain=CONTRIB)
            scaled = self.scaled(part, active, group.factor)
            parts.append(
                self.product(
                    f"{part}.narrow", self.quantized(f"{part}.narrow", scaled, group.contraction), group.contraction
                )
            )
        return self.sum(f"{name}.sum", [*parts, residual])

    def scaled(self, name: str, source: str, factor: Array) -> str:
        if np.all(factor == 1):
            return source
        return self.node("Mul", [source, self.tensor(f"{name}.factor", factor)], f"{name}.scaled")
