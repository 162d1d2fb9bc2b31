"""Run the float graph over calibration texts and note what each quantised product will see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerag_export.encoders.fuse_graph import Array, Encoder

Float64 = NDArray[np.float64]
_CHARS_PER_TOKEN = 5.5
"""Generous for English, so that joined texts reach the longest input; what is beyond it is cut off."""


@dataclass(frozen=True, slots=True)
class SiteStatistics:
    """Over all tokens of all calibration texts, by input channel."""

    low: Array
    high: Array
    mean: Float64
    moment: Float64
    """Mean of the outer product, shape (channels, channels)."""

    def channels(self, index: NDArray[np.int64]) -> SiteStatistics:
        """Only these channels, in this order."""
        return SiteStatistics(self.low[index], self.high[index], self.mean[index], self.moment[np.ix_(index, index)])


def sites(encoder: Encoder) -> list[str]:
    """Names of the tensors that the encoder's products multiply."""
    return [
        linear.site
        for layer in encoder.layers
        for linear in (layer.qkv, layer.output, layer.intermediate, layer.contraction)
    ]


def with_long_texts(texts: Sequence[str], *, max_tokens: int) -> list[str]:
    """Return the texts, and once more all of them joined into texts of about the longest input.

    Calibrated on short texts alone, the default embedder lost 2.4 times as much on long ones (1 - cosine 0.0017
    instead of 0.0007): late positions and averages over many tokens had never been seen.
    """
    joined, current = [], ""
    for text in texts:
        current = f"{current} {text}".strip()
        if len(current) > max_tokens * _CHARS_PER_TOKEN:
            joined.append(current)
            current = ""
    return [*texts, *joined, *([current] if current else [])]


def collect(
    fused: Any,
    names: Sequence[str],
    texts: Sequence[str],
    tokenizer: Path,
    *,
    max_tokens: int,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, SiteStatistics]:
    """Return the statistics of the named tensors.

    Args:
        fused: The float graph; it is not changed.
        names: Float32 tensors of shape (batch, length, channels).
        texts: One run each, unpadded, as the runtime works.
        tokenizer: `tokenizer.json`.
        max_tokens: Texts are cut here.
        advance: Called after each text.
    """
    import onnx  # deferred: these belong to the extra `export`
    import onnxruntime
    from tokenizers import Tokenizer

    model = onnx.ModelProto()
    model.CopyFrom(fused)
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the order of float sums, and so the bytes of a build, must not vary
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    encoder = Tokenizer.from_file(str(tokenizer))
    encoder.no_padding()
    encoder.enable_truncation(max_tokens)
    asked = {node.name for node in session.get_inputs()}
    gathered: dict[str, _Sums] = {}
    for text in texts:
        ids = np.array([encoder.encode(text).ids], dtype=np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        values = session.run(list(names), {name: value for name, value in feeds.items() if name in asked})
        for name, value in zip(names, values, strict=True):
            rows = value.reshape(-1, value.shape[-1])
            gathered.setdefault(name, _Sums(rows.shape[1])).add(rows)
        advance()
    return {name: sums.statistics() for name, sums in gathered.items()}


class _Sums:
    def __init__(self, channels: int) -> None:
        self.count = 0
        self.low = np.full(channels, np.inf, np.float32)
        self.high = np.full(channels, -np.inf, np.float32)
        self.total = np.zeros(channels)
        self.products = np.zeros((channels, channels))

    def add(self, rows: Array) -> None:
        self.count += len(rows)
        self.low = np.minimum(self.low, rows.min(axis=0))
        self.high = np.maximum(self.high, rows.max(axis=0))
        self.total += rows.sum(axis=0, dtype=np.float64)
        self.products += rows.T @ rows

    def statistics(self) -> SiteStatistics:
        return SiteStatistics(self.low, self.high, self.total / self.count, self.products / self.count)
