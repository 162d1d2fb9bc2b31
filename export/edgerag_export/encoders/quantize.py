"""Float products into int8 ones: fixed input scales, a weight scale per output channel, errors fed forward."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgerag_export.encoders.calibrate import Float64, SiteStatistics
from edgerag_export.encoders.fuse_graph import Array, Encoder, Layer, Linear, Norm
from edgerag_export.encoders.input_ranges import INPUT_MAX, entropy_range, percentile_range
from edgerag_export.recipe import Quantization

PAIR_MAX = 128
"""Largest sum of two neighbouring weights of one sign: 255 * 128 still fits the 16 bits into which x86 without VNNI
adds two products (vpmaddubsw), so that such a machine computes what all others do."""
_BLOCK = 64
_FLOOR = 1e-3
"""Smallest channel range taken seriously, as a share of the widest: channels that never move are left alone."""


@dataclass(frozen=True, slots=True)
class Int8Linear:
    """`y = (quantize(x) - input_zero) * input_scale @ weight * weight_scale + bias`."""

    weight: NDArray[np.int8]
    """Shape (inputs, outputs)."""
    weight_scale: Array
    """Shape (outputs,)."""
    bias: Array
    input_scale: np.float32
    input_zero: np.uint8


@dataclass(frozen=True, slots=True)
class Int8Group:
    """Some channels between the feed-forward layers, which share one input scale."""

    intermediate: Int8Linear
    factor: Array
    """The activations are multiplied by it before they are quantised."""
    contraction: Int8Linear


@dataclass(frozen=True, slots=True)
class Int8Layer:
    qkv: Int8Linear
    input_norm: Norm
    """Beside the norm that feeds the residual: the same values, shifted and scaled for `qkv`."""
    output: Int8Linear
    attention_norm: Norm
    intermediate_norm: Norm
    """As `input_norm`, for the feed-forward layer."""
    groups: tuple[Int8Group, ...]
    norm: Norm


def quantize(
    encoder: Encoder, statistics: dict[str, SiteStatistics], options: Quantization, ranges: str = "min-max"
) -> tuple[Int8Layer, ...]:
    """Quantise every product of the encoder.

    Per-tensor input scales suffer from a few channels that are ten times wider than the rest. Three exact rewrites
    take that width away first: channels are centred and scaled, with the inverse in the weights (SmoothQuant, Xiao et
    al. 2023, https://arxiv.org/abs/2211.10438), for free, because a second norm or the value weights take it up; and
    the widest channels between the feed-forward layers get a scale of their own.

    Args:
        encoder: The float parameters.
        statistics: Of every site; with rows where `ranges` is not `min-max`.
        options: As in the recipe.
        ranges: One of `edgerag_export.variant.RANGES`.
    """
    norms = (encoder.norm, *(layer.norm for layer in encoder.layers))
    return tuple(_layer(layer, norms[index], statistics, options, ranges) for index, layer in enumerate(encoder.layers))


def _layer(
    layer: Layer, input_norm: Norm, statistics: dict[str, SiteStatistics], options: Quantization, ranges: str
) -> Int8Layer:
    values, output, seen = _fold_into_values(layer.qkv, layer.output, statistics[layer.output.site], options)
    qkv_norm, qkv, qkv_seen = _fold_into_norm(input_norm, values, statistics[values.site], options)
    wide_norm, wide, wide_seen = _fold_into_norm(
        layer.attention_norm, layer.intermediate, statistics[layer.intermediate.site], options
    )
    return Int8Layer(
        qkv=quantize_linear(qkv, qkv_seen, options, ranges),
        input_norm=qkv_norm,
        output=quantize_linear(output, seen, options, ranges),
        attention_norm=layer.attention_norm,
        intermediate_norm=wide_norm,
        groups=_groups(wide, wide_seen, layer.contraction, statistics[layer.contraction.site], options, ranges),
        norm=layer.norm,
    )


def _groups(
    wide: Linear, wide_seen: SiteStatistics, narrow: Linear, seen: SiteStatistics, options: Quantization, ranges: str
) -> tuple[Int8Group, ...]:
    reach = np.maximum(-seen.low, seen.high)
    order = np.argsort(-reach, kind="stable")
    cut = min(options.outlier_channels, len(order) - 1)
    groups: list[Int8Group] = []
    # The input side is quantised whole, so that its rounding errors are fed forward over all inputs only once.
    whole = quantize_linear(wide, wide_seen, options, ranges)
    for index in (np.sort(order[:cut]), np.sort(order[cut:])):
        if not len(index):
            continue
        part = replace(
            narrow, weight=narrow.weight[index], bias=narrow.bias if not groups else np.zeros_like(narrow.bias)
        )
        scale = _smoothing(part.weight, seen.channels(index), options.smoothing)
        part, part_seen = _rescale(part, seen.channels(index), scale, np.zeros_like(scale))
        groups.append(
            Int8Group(
                replace(
                    whole,
                    weight=np.ascontiguousarray(whole.weight[:, index]),
                    weight_scale=whole.weight_scale[index],
                    bias=whole.bias[index],
                ),
                (1 / scale).astype(np.float32),
                quantize_linear(part, part_seen, options, ranges),
            )
        )
    return tuple(groups)


def quantize_linear(linear: Linear, seen: SiteStatistics, options: Quantization, ranges: str = "min-max") -> Int8Linear:
    """Quantise one product whose inputs were seen to have these statistics."""
    low, high = _input_range(seen, options, ranges)
    input_scale = np.float32(max(high - low, 1e-8) / INPUT_MAX)
    input_zero = np.uint8(np.clip(np.rint(-low / input_scale), 0, INPUT_MAX))
    weight_scale = _weight_scale(linear.weight, options)
    rounded = _round_weights(linear.weight.astype(np.float64), weight_scale, seen, options)
    # What rounding shifts on average goes into the bias.
    shift = seen.mean @ (linear.weight - rounded * weight_scale)
    return Int8Linear(
        rounded.astype(np.int8),
        weight_scale,
        (linear.bias + shift).astype(np.float32),
        input_scale,
        input_zero,
    )


def _input_range(seen: SiteStatistics, options: Quantization, ranges: str) -> tuple[float, float]:
    if ranges == "min-max":
        return min(0.0, float(seen.low.min())), max(0.0, float(seen.high.max()))
    if seen.rows is None:
        raise ValueError(f"{ranges} needs the rows that were seen")
    return percentile_range(seen.rows, options.percentile) if ranges == "percentile" else entropy_range(seen.rows)


def _round_weights(weight: Float64, scale: Array, seen: SiteStatistics, options: Quantization) -> Float64:
    """Round input channel by input channel; the channels still to come make up for each error.

    Source: GPTQ, Frantar et al. 2023, https://arxiv.org/abs/2210.17323, with the covariance in place of the
    second moment, because the bias takes care of the mean.
    """
    if not options.error_feedback:
        rounded = np.zeros_like(weight)
        for row in range(len(weight)):
            rounded[row] = _round_row(weight[row] / scale, rounded, row, options)
        return rounded
    covariance = seen.moment - np.outer(seen.mean, seen.mean)
    spread = np.diag(covariance)
    order = np.argsort(-spread, kind="stable")
    damped = covariance[np.ix_(order, order)] + np.eye(len(order)) * max(options.damping * spread.mean(), 1e-12)
    factor = np.linalg.cholesky(np.linalg.inv(damped)).T
    left = weight[order]
    rounded = np.zeros_like(left)
    for start in range(0, len(left), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(left)))
        errors = np.empty_like(left[block])
        for row in range(block.start, block.stop):
            rounded[order[row]] = _round_row(left[row] / scale, rounded, int(order[row]), options)
            error = (left[row] - rounded[order[row]] * scale) / factor[row, row]
            left[row + 1 : block.stop] -= np.outer(factor[row, row + 1 : block.stop], error)
            errors[row - start] = error
        # The rows behind the block get all its errors in one product: ten times faster than one by one.
        left[block.stop :] -= factor[block, block.stop :].T @ errors
    return rounded


def _round_row(row: Float64, rounded: Float64, index: int, options: Quantization) -> Float64:
    """Round one input channel's weights; its neighbour's, if already rounded, leave it less room (0 if not)."""
    low: Float64 | float = -float(options.weight_max)
    high: Float64 | float = float(options.weight_max)
    if options.fits_pairs and index ^ 1 < len(rounded):
        neighbour = rounded[index ^ 1]
        low = np.maximum(low, -PAIR_MAX - np.minimum(neighbour, 0))
        high = np.minimum(high, PAIR_MAX - np.maximum(neighbour, 0))
    return np.asarray(np.clip(np.rint(row), low, high))


def _weight_scale(weight: Array, options: Quantization) -> Array:
    """Return the scale of each output channel: its largest weight, or pair of weights, just fits."""
    reach = np.abs(weight).max(axis=0) / options.weight_max
    if options.fits_pairs:
        whole = weight[: len(weight) // 2 * 2].reshape(-1, 2, weight.shape[1])
        for sign in (1, -1):
            sums = np.maximum(sign * whole, 0).sum(axis=1)
            reach = np.maximum(reach, sums.max(axis=0) / PAIR_MAX)
    if not options.per_channel:
        reach = np.full_like(reach, reach.max())
    return np.asarray(np.maximum(reach, 1e-8 / options.weight_max), dtype=np.float32)


def _smoothing(weight: Array, seen: SiteStatistics, share: float) -> Array:
    """Return by what each input channel is divided; its geometric mean is 1."""
    reach = np.maximum(np.abs(seen.low), np.abs(seen.high))
    reach = np.maximum(reach, max(float(reach.max()) * _FLOOR, 1e-8))
    strength = np.abs(weight).max(axis=1)
    strength = np.maximum(strength, max(float(strength.max()) * _FLOOR, 1e-8))
    scale = reach**share / strength ** (1 - share) if share else np.ones_like(reach)
    return np.asarray(scale / np.exp(np.log(scale).mean()), dtype=np.float32)


def _rescale(linear: Linear, seen: SiteStatistics, scale: Array, centre: Array) -> tuple[Linear, SiteStatistics]:
    """Express a product and its statistics in inputs `(x - centre) / scale`."""
    moment = seen.moment - np.outer(centre, seen.mean) - np.outer(seen.mean, centre) + np.outer(centre, centre)
    return (
        replace(linear, weight=linear.weight * scale[:, None], bias=linear.bias + centre @ linear.weight),
        SiteStatistics(
            ((seen.low - centre) / scale).astype(np.float32),
            ((seen.high - centre) / scale).astype(np.float32),
            (seen.mean - centre) / scale,
            moment / np.outer(scale, scale),
            None if seen.rows is None else ((seen.rows - centre) / scale).astype(np.float32),
        ),
    )


def _centre_and_scale(linear: Linear, seen: SiteStatistics, options: Quantization) -> tuple[Array, Array]:
    if not options.smoothing:
        return np.zeros_like(seen.low), np.ones_like(seen.low)
    centre: Array = np.asarray((seen.low + seen.high) / 2, dtype=np.float32)
    moved = replace(seen, low=seen.low - centre, high=seen.high - centre)
    return centre, _smoothing(linear.weight, moved, options.smoothing)


def _fold_into_norm(
    norm: Norm, linear: Linear, seen: SiteStatistics, options: Quantization
) -> tuple[Norm, Linear, SiteStatistics]:
    centre, scale = _centre_and_scale(linear, seen, options)
    moved, moved_seen = _rescale(linear, seen, scale, centre)
    return Norm(norm.gamma / scale, (norm.beta - centre) / scale), moved, moved_seen


def _fold_into_values(
    qkv: Linear, output: Linear, seen: SiteStatistics, options: Quantization
) -> tuple[Linear, Linear, SiteStatistics]:
    """Attention only averages values with weights that sum to 1: what is done to values is done to its output."""
    centre, scale = _centre_and_scale(output, seen, options)
    moved, moved_seen = _rescale(output, seen, scale, centre)
    width = len(scale)
    weight, bias = qkv.weight.copy(), qkv.bias.copy()
    weight[:, -width:] /= scale
    bias[-width:] = (bias[-width:] - centre) / scale
    return replace(qkv, weight=weight, bias=bias), moved, moved_seen
