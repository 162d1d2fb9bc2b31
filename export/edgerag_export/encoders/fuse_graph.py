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
class Encoder:
    """A BERT encoder with the norm behind each residual sum."""

    words: Array
    positions: Array
    """With the vector of token type 0 added: a retrieval embedder sees no other."""
    norm: Norm
    epsilon: float
    num_heads: int
    layers: tuple[Layer, ...]


def fuse(path: Path, *, num_heads: int, hidden: int) -> Any:
    """Return the graph with attention, bias, activation and norm fused by onnxruntime's transformers optimizer."""
    # deferred: onnxruntime's tools belong to the extra `export`
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False  # it wants float32 tables; ours become int8
    logging.getLogger("onnxruntime.transformers").setLevel(logging.ERROR)
    fused = optimize_model(
        str(path), "bert", num_heads=num_heads, hidden_size=hidden, optimization_options=options, opt_level=0
    )
    return fused.model


def read_encoder(model: Any) -> Encoder:
    """Read the parameters off a fused graph.

    Raises:
        ModelError: The graph is not that of a BERT encoder with GELU.
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
    return Encoder(
        words=words,
        positions=positions + types[0],
        norm=Norm(tensors[first[0].input[1]], tensors[first[0].input[2]]),
        epsilon=float(_attribute(first[0], "epsilon")),
        num_heads=int(_attribute(attentions[0], "num_heads")),
        layers=layers,
    )


def _table(tensors: dict[str, Array], kind: str) -> Array:
    for name, array in tensors.items():
        if name.endswith(f"{kind}_embeddings.weight"):
            return array
    raise ModelError(f"The graph has no table of {kind} embeddings.", hint="Only BERT encoders can be taken apart.")


def _attribute(node: Any, name: str) -> Any:
    from onnx import helper  # deferred: part of the extra `export`

    return next(helper.get_attribute_value(item) for item in node.attribute if item.name == name)
