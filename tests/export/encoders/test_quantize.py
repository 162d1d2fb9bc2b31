"""The arithmetic of quantisation, on products small enough to check by hand or by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerag_export.encoders.calibrate import SiteStatistics, with_long_texts
from edgerag_export.encoders.fuse_graph import Linear, Norm
from edgerag_export.encoders.quantize import Int8Linear, _fold_into_norm, quantize_linear
from edgerag_export.encoders.shrink_embeddings import shrink
from edgerag_export.recipe import Quantization

OPTIONS = Quantization(calibration="")


def _seen(rows: NDArray[np.float32]) -> SiteStatistics:
    wide = rows.astype(np.float64)
    return SiteStatistics(rows.min(axis=0), rows.max(axis=0), wide.mean(axis=0), wide.T @ wide / len(wide))


def _run(linear: Int8Linear, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    codes = np.clip(np.rint(rows / linear.input_scale) + linear.input_zero, 0, 255) - linear.input_zero
    product = codes.astype(np.int64) @ linear.weight.astype(np.int64)
    return product * (float(linear.input_scale) * linear.weight_scale.astype(np.float64)) + linear.bias


def _example(seed: int = 3) -> tuple[Linear, NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(32, 32)) * np.exp(random.normal(size=32))
    rows = (random.normal(size=(600, 32)) @ mixing + random.normal(size=32)).astype(np.float32)
    weight = (random.normal(size=(32, 16)) * np.exp(random.normal(size=16))).astype(np.float32)
    return Linear(weight, random.normal(size=16).astype(np.float32), "x"), rows


def test_product_by_hand() -> None:
    linear = Linear(np.array([[1.0, -0.5], [0.25, 0.25]], np.float32), np.array([0.0, 10.0], np.float32), "x")
    rows = np.array([[0.0, 0.0], [25.5, 25.5]], np.float32)

    small = quantize_linear(linear, _seen(rows), Quantization(calibration="", fits_pairs=False, error_feedback=False))

    assert small.input_scale == pytest.approx(0.1)
    assert small.input_zero == 0
    assert small.weight.tolist() == [[127, -127], [32, 64]]
    assert small.weight_scale == pytest.approx([1 / 127, 0.5 / 127])
    assert _run(small, rows)[0] == pytest.approx([0.0, 10.0], abs=0.05)
    assert _run(small, rows)[1] == pytest.approx([31.875, 3.625], abs=0.05)


def test_pairs_of_weights_leave_room_for_sixteen_bits() -> None:
    linear, rows = _example()

    free = quantize_linear(linear, _seen(rows), Quantization(calibration="", fits_pairs=False))
    fitted = quantize_linear(linear, _seen(rows), OPTIONS)

    def widest(weight: NDArray[np.int8]) -> int:
        pairs = weight.astype(int).reshape(-1, 2, weight.shape[1])
        return int(max(np.maximum(pairs, 0).sum(axis=1).max(), np.maximum(-pairs, 0).sum(axis=1).max()))

    assert widest(free.weight) > 128
    assert widest(fitted.weight) <= 128


def test_error_feedback_loses_less_than_plain_rounding() -> None:
    linear, rows = _example()
    exact = rows.astype(np.float64) @ linear.weight + linear.bias
    coarse = {"weight_max": 7, "fits_pairs": False}

    plain = quantize_linear(linear, _seen(rows), Quantization(calibration="", error_feedback=False, **coarse))
    fed = quantize_linear(linear, _seen(rows), Quantization(calibration="", **coarse))

    losses = [float(np.square(_run(small, rows) - exact).mean()) for small in (plain, fed)]
    assert losses[1] < 0.7 * losses[0]


def test_mean_of_the_outputs_is_kept() -> None:
    linear, rows = _example()
    exact = rows.astype(np.float64) @ linear.weight + linear.bias

    small = quantize_linear(linear, _seen(rows), Quantization(calibration="", weight_max=3, error_feedback=False))

    drift = np.abs(_run(small, rows).mean(axis=0) - exact.mean(axis=0)) / exact.std(axis=0)
    assert drift.max() < 0.01


def test_scale_per_tensor_loses_the_narrow_outputs() -> None:
    linear, rows = _example()
    exact = rows.astype(np.float64) @ linear.weight + linear.bias

    def worst(options: Quantization) -> float:
        error = np.square(_run(quantize_linear(linear, _seen(rows), options), rows) - exact).mean(axis=0)
        return float((error / exact.var(axis=0)).max())

    per_tensor = Quantization(calibration="", per_channel=False, weight_max=63, error_feedback=False)
    assert worst(per_tensor) > 4 * worst(Quantization(calibration="", error_feedback=False))


def test_folding_into_a_norm_changes_no_value() -> None:
    linear, rows = _example()
    gamma, beta = np.full(32, 2.0, np.float32), np.linspace(-1, 1, 32, dtype=np.float32)
    plain = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
    inputs = plain * gamma + beta

    norm, moved, seen = _fold_into_norm(Norm(gamma, beta), linear, _seen(inputs), OPTIONS)

    shifted = plain * norm.gamma + norm.beta
    assert shifted @ moved.weight + moved.bias == pytest.approx(inputs @ linear.weight + linear.bias, abs=1e-3)
    assert seen.low == pytest.approx(shifted.min(axis=0), abs=1e-4)
    assert seen.mean == pytest.approx(shifted.mean(axis=0), abs=1e-4)
    assert seen.moment == pytest.approx(shifted.T @ shifted / len(shifted), rel=1e-2, abs=1e-2)


def test_channel_that_never_moved_does_no_harm() -> None:
    linear, rows = _example()
    rows[:, 5] = 0.0

    small = quantize_linear(linear, _seen(rows), OPTIONS)
    norm, moved, _ = _fold_into_norm(
        Norm(np.ones(32, np.float32), np.zeros(32, np.float32)), linear, _seen(rows), OPTIONS
    )

    assert np.isfinite(small.bias).all()
    assert np.isfinite(norm.gamma).all()
    assert np.isfinite(moved.weight).all()


def test_table_rows_keep_their_direction() -> None:
    table = np.random.default_rng(0).normal(size=(50, 64)).astype(np.float32) * np.linspace(1e-3, 10, 50)[:, None]
    table[7] = 0

    small = shrink(table.astype(np.float32))

    assert small.rows.dtype == np.int8
    assert small.rows.nbytes * 4 == table.astype(np.float32).nbytes
    # Half a step of 1/127 of the row's largest value.
    assert (np.abs(small.rows * small.scales - table) <= 0.5001 * small.scales).all()


def test_short_texts_are_also_calibrated_on_as_long_ones() -> None:
    texts = ["a" * 30, "b" * 30, "c" * 10]

    assert with_long_texts(texts, max_tokens=10) == [*texts, f"{'a' * 30} {'b' * 30}", "c" * 10]
