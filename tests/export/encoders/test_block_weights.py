"""Weights in blocks: the codes by hand, and what they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from edgerag_export.encoders.block_weights import pack_blocks


def test_four_bits_by_hand() -> None:
    weight = np.zeros((32, 1), np.float32)
    weight[:4, 0] = [-8.0, 7.0, 1.0, 0.4]

    codes, scales = pack_blocks(weight, 4)

    # -8 is code 0, 0 is code 8; the earlier of two shares a byte's low half.
    assert scales.tolist() == [1.0]
    assert codes.shape == (1, 1, 16)
    assert codes[0, 0, :3].tolist() == [0 | 15 << 4, 9 | 8 << 4, 8 | 8 << 4]


def test_widest_weight_is_exact_whatever_its_sign() -> None:
    weight = np.zeros((32, 2), np.float32)
    weight[5] = [3.0, -3.0]

    for bits in (4, 8):
        codes, scales = pack_blocks(weight, bits)
        half = 1 << (bits - 1)
        plain = np.stack([codes & 15, codes >> 4], axis=3).reshape(2, 1, 32) if bits == 4 else codes
        values = (plain.astype(int) - half) * scales.reshape(2, 1, 1)
        assert values[:, 0, 5].tolist() == [3.0, -3.0]
        assert np.abs(np.delete(values, 5, axis=2)).max() == 0


@pytest.mark.parametrize(("bits", "bound"), [(8, 0.5 / 127), (4, 0.5 / 7)])
def test_error_is_at_most_half_a_step(bits: int, bound: float) -> None:
    weight = np.random.default_rng(0).normal(size=(80, 24)).astype(np.float32)

    codes, scales = pack_blocks(weight, bits)

    plain = np.stack([codes & 15, codes >> 4], axis=3).reshape(24, 3, 32) if bits == 4 else codes
    values = ((plain.astype(np.float32) - (1 << (bits - 1))) * scales.reshape(24, 3, 1)).reshape(24, 96)[:, :80].T
    widest = np.abs(np.pad(weight, ((0, 16), (0, 0))).reshape(3, 32, 24)).max(axis=1).repeat(32, axis=0)[:80]
    # The one code without a counterpart costs the other sign up to a whole step of the widest weight.
    assert (np.abs(values - weight) <= 2 * bound * widest * 1.001).all()
    assert np.abs(values - weight).mean() < 0.5 * bound * widest.mean()


def test_block_of_zeros_stays_zero() -> None:
    codes, scales = pack_blocks(np.zeros((32, 3), np.float32), 8)

    assert scales.tolist() == [0.0, 0.0, 0.0]
    assert (codes == 128).all()
