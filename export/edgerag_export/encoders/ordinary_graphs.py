"""The variants that onnxruntime's own tools make of the fused graph: float16, and int8 with dynamic input scales."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edgerag_export.encoders.fuse_graph import Array
from edgerag_export.encoders.shrink_embeddings import shrink

_WORDS = "word_embeddings.weight"


def float16_graph(fused: Any) -> bytes:
    """Return the graph with weights and arithmetic in float16; its output stays float32.

    On processors without float16 arithmetic onnxruntime widens it on loading: small on disk, neither small in memory
    nor faster.
    """
    import onnx  # deferred: onnx and onnxruntime's tools belong to the extra `export`
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = onnx.ModelProto()
    model.CopyFrom(fused)
    half = convert_float_to_float16(model, keep_io_types=True, disable_shape_infer=True)
    content: bytes = half.SerializeToString(deterministic=True)
    return content


def dynamic_graph(fused: Any, *, reduce_range: bool) -> bytes:
    """Return the graph with int8 products whose input scales are taken from each batch, and an int8 word table.

    Args:
        fused: The float graph; it is not changed.
        reduce_range: Weights in seven bits, so that x86 without VNNI cannot overflow.
    """
    import onnx  # deferred: onnx and onnxruntime's tools belong to the extra `export`
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory(prefix="edgerag-dynamic-") as scratch:
        source, target = Path(scratch) / "fused.onnx", Path(scratch) / "dynamic.onnx"
        onnx.save(fused, source)
        level = logging.getLogger().level
        logging.getLogger().setLevel(logging.ERROR)  # the tool advises, on the root logger, what was done already
        try:
            quantize_dynamic(
                source,
                target,
                op_types_to_quantize=["Attention", "MatMul"],
                per_channel=True,
                reduce_range=reduce_range,
                weight_type=QuantType.QInt8,
                # Fused operators have no shape inference, so that the tool does not know their type by itself.
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT, "MatMulConstBOnly": True},
            )
        finally:
            logging.getLogger().setLevel(level)
        model = onnx.load(target)
    _shrink_words(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _shrink_words(model: Any) -> None:
    """Store the word table in int8, a scale to a row: the tool's own scale for the whole table loses rare words."""
    from onnx import TensorProto, helper, numpy_helper  # deferred: as above

    graph = model.graph
    table = next(tensor for tensor in graph.initializer if tensor.name.endswith(_WORDS))
    place = next(index for index, node in enumerate(graph.node) if list(node.input[:1]) == [table.name])
    lookup = graph.node[place]
    words: Array = np.asarray(numpy_helper.to_array(table), dtype=np.float32)
    small = shrink(words)
    ids, output = lookup.input[1], lookup.output[0]
    nodes = [
        helper.make_node("Gather", ["words", ids], ["word_rows"], name="word_rows"),
        helper.make_node("Cast", ["word_rows"], ["word_rows_float"], name="word_rows_float", to=TensorProto.FLOAT),
        helper.make_node("Gather", ["word_scales", ids], ["word_row_scales"], name="word_row_scales"),
        helper.make_node("Mul", ["word_rows_float", "word_row_scales"], [output], name="word_embeddings"),
    ]
    del graph.node[place]
    for offset, node in enumerate(nodes):
        graph.node.insert(place + offset, node)
    graph.initializer.remove(table)
    graph.initializer.extend([numpy_helper.from_array(small.rows, "words"),
                              numpy_helper.from_array(small.scales, "word_scales")])  # fmt: skip
