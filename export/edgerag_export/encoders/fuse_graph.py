"""Fuse the traced graph into attention, norm and feed-forward, and read the encoder's parameters off it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerag.errors import ModelError

Array = NDArray[np.float32]
CONTRIB = "com.microsoft"
"""Domain of onnxruntime's own operators."""


@dataclass(frozen=True, slots=True)
class Linear:
    weight: Array
    """Shape (inputs, outputs)."""
    bias: Array
    site: str
    """Name of the tensor in the fused graph that this layer multiplies."""


@dataclass(frozen=True, slots=True)
class Norm:
    gamma: Array
    beta: Array


@dataclass(frozen=True, slots=True)
class Layer:
    qkv: Linear
    """Query, key and value side by side."""
    output: Linear
    attention_norm: Norm
    intermediate: Linear
    contraction: Linear
    norm: Norm


@dataclass(frozen=True, slots=True)
class Head:
    """A cross-encoder's judgement: `output @ tanh(dense @ first token + dense_bias) + output_bias`."""

    dense: Array
    """Shape (hidden, hidden), output by input as torch keeps it."""
    dense_bias: Array
    output: Array
    """Shape (labels, hidden)."""
    output_bias: Array


@dataclass(frozen=True, slots=True)
class Encoder:
    """A BERT encoder with the norm behind each residual sum."""

    words: Array
    positions: Array
    """From the first token's row on. Where `types` is None, with the vector of token type 0 added: an embedder sees no
    other."""
    norm: Norm
    epsilon: float
    num_heads: int
    layers: tuple[Layer, ...]
    types: Array | None = None
    """Vectors of the token types, where the graph has to tell question and passage apart by them."""
    head: Head | None = None
    """Of a cross-encoder."""


def fuse(path: Path, *, num_heads: int, hidden: int) -> Any:
    """Return the graph with attention, bias, activation and norm fused by onnxruntime's transformers optimizer."""
    from onnx import helper  # deferred: onnx and onnxruntime's tools belong to the extra `export`
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False  # it wants float32 tables; ours become int8
    logging.getLogger("onnxruntime.transformers").setLevel(logging.ERROR)
    fused = optimize_model(
        str(path), "bert", num_heads=num_heads, hidden_size=hidden, optimization_options=options, opt_level=0
    )
    model = fused.model
    # The optimizer leaves it out where it is a default of onnxruntime; onnx's own shape inference insists on it.
    if all(entry.domain != CONTRIB for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid(CONTRIB, 1))
    return model


def read_encoder(model: Any, *, first_position: int = 0) -> Encoder:
    """Read the parameters off a fused graph.

    Args:
        model: From `fuse`.
        first_position: Row of the position table that the first token gets.

    Raises:
        ModelError: The graph is not that of a BERT encoder with GELU, with or without a cross-encoder's head.
    """
    from onnx import numpy_helper  # deferred: part of the extra `export`

    graph = model.graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    products = {node.output[0]: node for node in graph.node if node.op_type == "MatMul"}
    by_type: dict[str, list[Any]] = {}
    for node in graph.node:
        by_type.setdefault(node.op_type, []).append(node)
    attentions = by_type.get("Attention", [])
    activations = by_type.get("BiasGelu", [])
    norms = by_type.get("SkipLayerNormalization", [])
    first = by_type.get("LayerNormalization", [])
    count = len(attentions)
    if not count or len(activations) != count or len(norms) != 2 * count or len(first) != 1:
        raise ModelError(
            f"The graph fused into {count} attentions, {len(activations)} GELUs and {len(norms)} norms.",
            hint="Only BERT encoders with GELU and the norm behind the sum can be taken apart.",
        )

    def linear(product: str, bias: str) -> Linear:
        node = products[product]
        return Linear(tensors[node.input[1]], tensors[bias], node.input[0])

    def sum_of(node: Any) -> Linear:
        product = next(name for name in node.input[:2] if name in products)
        return linear(product, node.input[4])

    layers = tuple(
        Layer(
            qkv=Linear(tensors[attention.input[1]], tensors[attention.input[2]], attention.input[0]),
            output=sum_of(norms[2 * index]),
            attention_norm=Norm(tensors[norms[2 * index].input[2]], tensors[norms[2 * index].input[3]]),
            intermediate=linear(activations[index].input[0], activations[index].input[1]),
            contraction=sum_of(norms[2 * index + 1]),
            norm=Norm(tensors[norms[2 * index + 1].input[2]], tensors[norms[2 * index + 1].input[3]]),
        )
        for index, attention in enumerate(attentions)
    )
    words, positions, types = (_table(tensors, kind) for kind in ("word", "position", "token_type"))
    head = _head(by_type, tensors, norms[-1].output[0])
    are_told_apart = head is not None and len(types) > 1
    positions = positions[first_position:]
    return Encoder(
        words=words,
        positions=positions if are_told_apart else positions + types[0],
        norm=Norm(tensors[first[0].input[1]], tensors[first[0].input[2]]),
        epsilon=float(_attribute(first[0], "epsilon")),
        num_heads=int(_attribute(attentions[0], "num_heads")),
        layers=layers,
        types=types if are_told_apart else None,
        head=head,
    )


def _head(by_type: dict[str, list[Any]], tensors: dict[str, Array], last: str) -> Head | None:
    gemms, activations = by_type.get("Gemm", []), by_type.get("Tanh", [])
    if not gemms and not activations:
        return None
    firsts = [node for node in by_type.get("Gather", []) if node.input[0] == last and _attribute(node, "axis") == 1]
    if (
        [len(firsts), len(gemms), len(activations)] != [1, 2, 1]
        or [gemms[0].input[0], activations[0].input[0], gemms[1].input[0]]
        != [firsts[0].output[0], gemms[0].output[0], activations[0].output[0]]
        or any(_attribute(node, "transB") != 1 or len(node.input) != 3 for node in gemms)
    ):
        raise ModelError(
            f"The classifier is {len(gemms)} products and {len(activations)} hyperbolic tangents in another order.",
            hint="Only dense layer, tanh and output layer over the first token can be taken apart.",
        )
    return Head(*(tensors[name] for node in gemms for name in node.input[1:]))


def _table(tensors: dict[str, Array], kind: str) -> Array:
    for name, array in tensors.items():
        if name.endswith(f"{kind}_embeddings.weight"):
            return array
    raise ModelError(f"The graph has no table of {kind} embeddings.", hint="Only BERT encoders can be taken apart.")


def _attribute(node: Any, name: str) -> Any:
    from onnx import helper  # deferred: part of the extra `export`

    return next(helper.get_attribute_value(item) for item in node.attribute if item.name == name)
