"""Run the float graph over calibration texts and note what each quantised product will see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerag.inference.tokenizer import ModelTokenizer
from edgerag_export.encoders.fuse_graph import Array, Encoder

Float64 = NDArray[np.float64]
_CHARS_PER_TOKEN = 5.5
"""Generous for English, so that joined texts reach the longest input; what is beyond it is cut off."""
SAMPLE_ROWS = 1024
"""Rows kept of each tensor for percentiles and entropy; of 384 channels that is 400,000 values."""
_QUESTION_CHARS = 96


@dataclass(frozen=True, slots=True)
class SiteStatistics:
    """Over all tokens of all calibration texts, by input channel."""

    low: Array
    high: Array
    mean: Float64
    moment: Float64
    """Mean of the outer product, shape (channels, channels)."""
    rows: Array | None = None
    """Some of the tokens, evenly spread over the texts, shape (at most `SAMPLE_ROWS`, channels)."""

    def channels(self, index: NDArray[np.int64]) -> SiteStatistics:
        """Only these channels, in this order."""
        return SiteStatistics(
            self.low[index],
            self.high[index],
            self.mean[index],
            self.moment[np.ix_(index, index)],
            None if self.rows is None else self.rows[:, index],
        )


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


def calibration_pairs(texts: Sequence[str], *, max_tokens: int) -> list[tuple[str, str]]:
    """Make pairs of question and passage for a cross-encoder.

    Each question meets its own passage and the next one's: what is judged is mostly not relevant. Passages are then
    joined to about the longest input, as in `with_long_texts`.

    Args:
        texts: Question, tab, passage; of a text without a tab the first words are the question.
        max_tokens: Longest pair.
    """
    own = [_question_and_passage(text) for text in texts]
    passages = [passage for _, passage in own]
    pairs = own + [
        (question, passages[(place + 1) % len(own)]) for place, (question, _) in enumerate(own) if len(own) > 1
    ]
    joined = with_long_texts(passages, max_tokens=max_tokens)[len(passages) :]
    return pairs + [(own[place % len(own)][0], text) for place, text in enumerate(joined)]


def _question_and_passage(text: str) -> tuple[str, str]:
    question, tab, passage = text.partition("\t")
    if tab:
        return question, passage
    opening = text[: min(_QUESTION_CHARS, max(1, len(text) // 2))]
    return opening[: opening.rfind(" ")] if " " in opening.strip() else opening, text


def collect(
    fused: Any,
    names: Sequence[str],
    texts: Sequence[str | tuple[str, str]],
    tokenizer: Path,
    *,
    max_tokens: int,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, SiteStatistics]:
    """Return the statistics of the named tensors.

    Args:
        fused: The float graph; it is not changed.
        names: Float32 tensors of shape (batch, length, channels).
        texts: One run each, unpadded, as the runtime works; a pair is a question and a passage.
        tokenizer: `tokenizer.json`.
        max_tokens: Texts, and of pairs the passages, are cut here.
        advance: Called after each text.

    Raises:
        ModelError: The tokenizer cannot be read.
    """
    import onnx  # deferred: these belong to the extra `export`
    import onnxruntime

    model = onnx.ModelProto()
    model.CopyFrom(fused)
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the order of float sums, and so the bytes of a build, must not vary
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    encoder = ModelTokenizer(tokenizer.read_bytes(), name=tokenizer.parent.name)
    asked = {node.name for node in session.get_inputs()}
    gathered: dict[str, _Sums] = {}
    for text in texts:
        if isinstance(text, str):
            row = encoder.encode(text, max_tokens=max_tokens)
        else:
            row = encoder.encode_pair(*text, max_tokens=max_tokens)
        feeds = {name: value for name, value in row.inputs().items() if name in asked}
        for name, value in zip(names, session.run(list(names), feeds), strict=True):
            rows = value.reshape(-1, value.shape[-1])
            gathered.setdefault(name, _Sums(rows.shape[1])).add(rows)
        advance()
    return {name: sums.statistics() for name, sums in gathered.items()}


def save_statistics(path: Path, statistics: Mapping[str, SiteStatistics]) -> None:
    """Write what `load_statistics` reads back bit by bit; every site must have `rows`."""
    arrays: dict[str, NDArray[Any]] = {"sites": np.array(list(statistics))}
    for place, seen in enumerate(statistics.values()):
        arrays |= {f"{place}.{part}": getattr(seen, part) for part in _PARTS}
    with path.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for its own option


def load_statistics(path: Path) -> dict[str, SiteStatistics]:
    """Read what `save_statistics` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return {
            str(site): SiteStatistics(*(arrays[f"{place}.{part}"] for part in _PARTS))
            for place, site in enumerate(arrays["sites"])
        }


_PARTS = ("low", "high", "mean", "moment", "rows")


class _Sample:
    """Every n-th row of a stream of unknown length, n doubling whenever twice the wanted rows have come together."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.stride = 1
        self.seen = 0
        self.kept: list[Array] = []

    def add(self, rows: Array) -> None:
        self.kept += [row.copy() for row in rows[-self.seen % self.stride :: self.stride]]
        self.seen += len(rows)
        while len(self.kept) > 2 * self.wanted:
            self.kept = self.kept[::2]
            self.stride *= 2

    def rows(self) -> Array:
        step = -(-len(self.kept) // self.wanted)
        return np.stack(self.kept[::step])


class _Sums:
    def __init__(self, channels: int) -> None:
        self.count = 0
        self.low = np.full(channels, np.inf, np.float32)
        self.high = np.full(channels, -np.inf, np.float32)
        self.total = np.zeros(channels)
        self.products = np.zeros((channels, channels))
        self.sample = _Sample(SAMPLE_ROWS)

    def add(self, rows: Array) -> None:
        self.count += len(rows)
        self.low = np.minimum(self.low, rows.min(axis=0))
        self.high = np.maximum(self.high, rows.max(axis=0))
        self.total += rows.sum(axis=0, dtype=np.float64)
        self.products += rows.T @ rows
        self.sample.add(rows)

    def statistics(self) -> SiteStatistics:
        return SiteStatistics(
            self.low, self.high, self.total / self.count, self.products / self.count, self.sample.rows()
        )
