"""Write the quantised encoder as one ONNX graph, the same bytes for the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerag_export.encoders.fuse_graph import Array, Encoder, Norm
from edgerag_export.encoders.quantize import Int8Layer, Int8Linear
from edgerag_export.encoders.shrink_embeddings import Int8Table

OPSET, IR_VERSION = 17, 8
"""The oldest that have all operators used here: any onnxruntime since 1.20 and many before can read them."""
_CONTRIB = "com.microsoft"


def write_graph(encoder: Encoder, layers: tuple[Int8Layer, ...], words: Int8Table) -> bytes:
    """Return a serialised graph: token ids and mask in, last hidden state out.

    `MatMulIntegerToFloat` is written out instead of a pair of QuantizeLinear and DequantizeLinear around a MatMul,
    because what onnxruntime makes of that pair changed from version to version: 1.31 turned it into weight-only
    products that are slower than float32.
    """
    from onnx import TensorProto, helper  # deferred: part of the extra `export`

    graph = _Graph(encoder)
    current = graph.embed(words)
    for index, layer in enumerate(layers):
        current = graph.layer(f"layer{index}", current, layer)
    graph.node("LayerNormalization", graph.norm_inputs("last", current, encoder.layers[-1].norm), "last_hidden_state",
               axis=-1, epsilon=encoder.epsilon)  # fmt: skip
    shape = ["batch", "length"]
    proto = helper.make_graph(
        graph.nodes,
        "encoder",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, encoder.words.shape[1]])],
        graph.tensors,
    )
    model = helper.make_model(
        proto,
        producer_name="edgerag",
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(_CONTRIB, 1)],
        ir_version=IR_VERSION,
    )
    content: bytes = model.SerializeToString(deterministic=True)
    return content


class _Graph:
    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []

    def node(self, kind: str, inputs: list[str], name: str, *, domain: str = "", **attributes: Any) -> str:
        from onnx import helper  # deferred: part of the extra `export`

        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def tensor(self, name: str, values: Any) -> str:
        from onnx import numpy_helper  # deferred: part of the extra `export`

        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(values).reshape(np.shape(values)), name))
        return name

    def embed(self, words: Int8Table) -> str:
        """Return the sum before the first norm; also makes the attention mask."""
        rows = self.node("Gather", [self.tensor("words", words.rows), "input_ids"], "word_rows")
        rows = self.node("Cast", [rows], "word_rows_float", to=1)
        scales = self.node("Gather", [self.tensor("word_scales", words.scales), "input_ids"], "word_row_scales")
        embedded = self.node("Mul", [rows, scales], "word_embeddings")
        length = self.node("Shape", ["input_ids"], "length", start=1, end=2)
        zero = self.tensor("zero", np.array([0], dtype=np.int64))
        positions = self.node(
            "Slice", [self.tensor("positions", self.encoder.positions), zero, length, zero], "position_embeddings"
        )
        self.node("Cast", ["attention_mask"], "mask", to=6)
        return self.node("Add", [embedded, positions], "embeddings")

    def norm_inputs(self, name: str, source: str, norm: Norm) -> list[str]:
        return [source, self.tensor(f"{name}.gamma", norm.gamma), self.tensor(f"{name}.beta", norm.beta)]

    def norm(self, name: str, source: str, norm: Norm) -> str:
        return self.node(
            "LayerNormalization", self.norm_inputs(name, source, norm), name, axis=-1, epsilon=self.encoder.epsilon
        )

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
            domain=_CONTRIB,
        )

    def layer(self, name: str, before_norm: str, layer: Int8Layer) -> str:
        """Return the sum in front of the layer's last norm, which the next layer needs twice."""
        index = int(name.removeprefix("layer"))
        norm = self.encoder.norm if index == 0 else self.encoder.layers[index - 1].norm
        residual = self.norm(f"{name}.residual", before_norm, norm)
        codes = self.quantized(f"{name}.qkv", self.norm(f"{name}.input", before_norm, layer.input_norm), layer.qkv)
        width = layer.output.weight.shape[0]
        heads = [
            self.product(f"{name}.{part}", codes, layer.qkv, slice(place * width, (place + 1) * width))
            for place, part in enumerate(("query", "key", "value"))
        ]
        attention = self.node(
            "MultiHeadAttention",
            [*heads, "", "mask"],
            f"{name}.attention",
            domain=_CONTRIB,
            num_heads=self.encoder.num_heads,
        )
        output = self.product(f"{name}.output", self.quantized(f"{name}.output", attention, layer.output), layer.output)
        middle = self.sum(f"{name}.middle", [output, residual])
        residual = self.norm(f"{name}.middle_residual", middle, layer.attention_norm)
        source = self.norm(f"{name}.wide_input", middle, layer.intermediate_norm)
        codes = self.quantized(f"{name}.wide", source, layer.groups[0].intermediate)
        parts = []
        for place, group in enumerate(layer.groups):
            part = f"{name}.group{place}"
            wide = self.product(f"{part}.wide", codes, group.intermediate)
            active = self.node("Gelu", [wide], f"{part}.active", domain=_CONTRIB)
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

    def sum(self, name: str, inputs: list[str]) -> str:
        # Sum, not Add: onnxruntime fuses Add and the norm behind it into SkipLayerNormalization, whose CPU kernel
        # took 0.5 ms for 256 x 384 values where the two apart take 0.2 ms (1.31.1).
        return self.node("Sum", inputs, name)
