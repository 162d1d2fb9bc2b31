"""Token embeddings packed into a few bits each for storage, and late interaction (MaxSim) over them.

Re-embedding 50 passages for each question costs about a second; their token embeddings fall out of the run
that embeds them anyway, so they are stored. A code is the signs of the embedding after a fixed rotation; the
question stays in float32 (asymmetric scoring). The rotation depends on nothing but the width, so that any
embedder's tokens can be packed. 50 passages of 150 tokens are scored in 2 ms on one core.

NDCG@10 with MaxSim over the 50 best fused candidates (weight 0.3, words only, float32 MiniLM, 256 tokens) on
SciFact test, SciFact train and XQuAD en, and the correlation of the scores with those of float32 tokens.
Differences in NDCG up to 0.002 are noise, those in correlation are not:

| code                                    | bytes/token | test   | train  | XQuAD  | correlation |
|-----------------------------------------|-------------|--------|--------|--------|-------------|
| float32                                 | 1,536       | 0.7332 | 0.7377 | 0.9822 | 1           |
| 384 signs                               | 48          | 0.7330 | 0.7365 | 0.9820 | 0.989       |
| 256 signs                               | 32          | 0.7323 | 0.7360 | 0.9823 | 0.969       |
| 128 signs                               | 16          | 0.7324 | 0.7371 | 0.9815 | 0.911       |
| chosen: 256 signs, query tokens weighed | 32          | 0.7338 | 0.7374 | 0.9824 |             |

Not worth their bytes: 2 and 4 bits a dimension (96 and 192 bytes: 0.997 and 0.9997). Lost: 128 principal
components in 4 bits (64 bytes: 0.93, and tied to one model); 16 singular vectors of the passage (54 bytes:
0.90); averaging the pieces of a word (0.77 of the tokens: 0.96) or neighbouring tokens (half of them: 0.96).
`python -m tests.benchmarks.token_codes FOLDER` compares codes with float tokens on the packaged model.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from edgerag.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray  # 20 ms that only the type checker needs

FORMAT_VERSION = 1
MAX_BITS = 256
MIN_WEIGHT = 0.05
"""Weight of a query token that every candidate holds; more than 0, or a sum of weights could be 0."""
_HEADER = struct.Struct("<BxHHH")
"""Version, number of tokens, width of the embedder, bits a token; rows of `bits / 8` bytes follow."""
_BLOCK_TOKENS = 1024
"""Tokens unpacked at a time: 1 MB of float32, which stays in the processor's cache."""
_ROUNDS = 2
_ROTATION_SEED = b"edgerag token codes, version 1"
_REBUILD_HINT = "`edgerag remove` the source and `edgerag add` it again: its documents are then embedded anew."


def pack_tokens(token_embeddings: NDArray[np.float32]) -> bytes:
    """Pack token embeddings; their lengths do not matter, only their directions.

    Args:
        token_embeddings: Shape (length, dim), at most 65,535 of each.

    Raises:
        ValueError: Another shape.
    """
    if token_embeddings.ndim != 2 or not 0 < token_embeddings.shape[1] < 65_536 > len(token_embeddings):
        raise ValueError(f"token embeddings of shape {token_embeddings.shape}")
    length, dim = token_embeddings.shape
    bits = code_bits(dim)
    rotated = rotate(token_embeddings)[:, :bits]
    return _HEADER.pack(FORMAT_VERSION, length, dim, bits) + np.packbits(rotated > 0, axis=1).tobytes()


def maxsim(query_tokens: NDArray[np.float32], codes: Sequence[bytes]) -> NDArray[np.float32]:
    """Score packed passages: mean over the query's tokens of the best cosine to a token of the passage.

    Args:
        query_tokens: Shape (m, dim), unit rows, not packed; without punctuation and special tokens.
        codes: What `pack_tokens` returned, one for each passage.

    Returns:
        Shape (len(codes),), weighted as `weighted_mean` says, hence comparable within this call only.

    Raises:
        ModelError: A code is of another version or width, or was cut off.

    Source: Khattab and Zaharia, SIGIR 2020, https://arxiv.org/abs/2004.12832 (late interaction); Gao and
    Long, SIGMOD 2024, https://arxiv.org/abs/2405.12497 (signs after a random rotation, the query in full).
    """
    return weighted_mean(best_cosines(query_tokens, codes))


def weighted_mean(best: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average over the query's tokens, each weighted by how little the candidates agree with it on average.

    What every candidate holds tells them apart no better than a stop word: an inverse document frequency
    without the frequencies. Against equal weights it raised NDCG@10 of 256-sign codes on SciFact test from
    0.732 to 0.734, on train from 0.736 to 0.737; and of 199 questions of XQuAD en, the best sentence out of
    the best three passages held the answer to 0.769 instead of 0.739.

    Args:
        best: Shape (m, number of candidates).

    Returns:
        Shape (number of candidates,); zeros for a query without tokens.
    """
    if not best.size:
        return np.zeros(best.shape[1], dtype=np.float32)
    weights = np.maximum(1 - best.mean(axis=1), MIN_WEIGHT)
    result: NDArray[np.float32] = (weights @ best / weights.sum()).astype(np.float32)
    return result


def best_cosines(query_tokens: NDArray[np.float32], codes: Sequence[bytes]) -> NDArray[np.float32]:
    """Estimate, for each query token and packed passage, the best cosine to a token of the passage.

    Returns:
        Shape (m, len(codes)); 0 for a passage without tokens. The largest of many estimates is, by the
        error of one, too large rather than too small.

    Raises:
        ModelError: As `maxsim`.
    """
    if query_tokens.ndim != 2:
        raise ValueError(f"query tokens of shape {query_tokens.shape}")
    dim = query_tokens.shape[1]
    bits = code_bits(dim)
    # A rotated unit vector's parts are near normal with variance 1/dim, so that a part times the other
    # vector's sign is on average cosine * sqrt(2 / (pi * dim)).
    scale = np.float32(math.sqrt(math.pi * dim / 2) / bits)
    query = np.ascontiguousarray((rotate(query_tokens)[:, :bits] * scale).T)
    best = np.zeros((len(query_tokens), len(codes)), dtype=np.float32)
    lengths = np.array([_num_tokens(code, dim, bits) for code in codes], dtype=np.int64)
    for block in _blocks(lengths):
        rows = np.frombuffer(b"".join([codes[index][_HEADER.size :] for index in block]), dtype=np.uint8)
        ones = np.unpackbits(rows.reshape(-1, (bits + 7) // 8), axis=1, count=bits)
        begins = np.concatenate(([0], np.cumsum(lengths[block])[:-1]))
        # A sign is 2 * one - 1, which passes through the maximum.
        largest = np.maximum.reduceat(_products(ones, query), begins, axis=0)
        best[:, block] = (2 * largest - query.sum(axis=0)).T
    return best


def code_bits(dim: int) -> int:
    """Bits a token takes. An unrelated pair's cosine errs by sqrt(pi / 2 / bits - 1 / dim): 0.059 at 384."""
    return min(dim, MAX_BITS)


def rotate(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply the fixed rotation to each row, shape (length, dim): the same on every machine and in every release.

    Signs are flipped at random and a Hadamard transform is applied to the first and the last 2^k columns,
    twice. A random matrix made orthogonal by LAPACK may differ in whole columns' signs from one build to the
    next. BLAS is kept out: OpenBLAS starts threads of its own, which fight the runs that go on beside; on a
    busy machine that cut short texts from 190 a second to 30.
    """
    dim = rows.shape[1]
    width = 1 << (dim.bit_length() - 1)
    columns = np.array(rows.T, dtype=np.float32, order="C")
    for first, second in _flips(dim):
        columns *= first[:, None]
        columns[:width] = _hadamard(columns[:width])
        columns *= second[:, None]
        columns[dim - width :] = _hadamard(columns[dim - width :])
    return columns.T


@lru_cache(maxsize=4)
def _flips(dim: int) -> NDArray[np.float32]:
    """The random signs, shape (rounds, 2, dim)."""
    noise = np.frombuffer(hashlib.shake_256(_ROTATION_SEED).digest(2 * _ROUNDS * dim), dtype=np.uint8)
    return np.where(noise & 1, np.float32(1), np.float32(-1)).reshape(_ROUNDS, 2, dim)


def _hadamard(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Transform along the first axis, whose length is a power of two, keeping lengths."""
    width, count = columns.shape
    step = 1
    while step < width:
        pairs = columns.reshape(width // (2 * step), 2, step, count)
        columns = np.empty_like(pairs)
        np.add(pairs[:, 0], pairs[:, 1], out=columns[:, 0])
        np.subtract(pairs[:, 0], pairs[:, 1], out=columns[:, 1])
        step *= 2
    result: NDArray[np.float32] = columns.reshape(width, count) * np.float32(1 / math.sqrt(width))
    return result


def _products(ones: NDArray[np.uint8], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multiply zeros and ones, shape (length, bits), by the query, shape (bits, m), in small pieces.

    OpenBLAS starts threads above 2^18 multiplications. They gain nothing here (0.15 ms for 1,024 tokens in one
    piece, 0.08 ms in pieces of 32), and on a busy machine waiting for them took 30 times as long as the work.
    """
    length, bits = ones.shape
    piece = max(1, 2**18 // max(bits, query.size))
    padded = np.zeros((-(-length // piece), piece, bits), dtype=np.float32)
    padded.reshape(-1, bits)[:length] = ones
    products: NDArray[np.float32] = np.matmul(padded, query).reshape(len(padded) * piece, query.shape[1])[:length]
    return products


def _num_tokens(code: bytes, dim: int, bits: int) -> int:
    if len(code) < _HEADER.size:
        raise ModelError(f"Token codes of {len(code)} bytes are cut off.", hint=_REBUILD_HINT)
    version, length, own_dim, own_bits = _HEADER.unpack_from(code)
    if version != FORMAT_VERSION:
        raise ModelError(
            f"Token codes have format version {version}; this program reads {FORMAT_VERSION}.",
            hint=_REBUILD_HINT,
        )
    if (own_dim, own_bits) != (dim, bits):
        raise ModelError(
            f"Token codes were made by another embedder ({own_dim} dimensions, not {dim}).",
            hint=_REBUILD_HINT,
        )
    if len(code) != _HEADER.size + int(length) * ((bits + 7) // 8):
        raise ModelError(f"Token codes of {length} tokens have {len(code)} bytes.", hint=_REBUILD_HINT)
    return int(length)


def _blocks(lengths: NDArray[np.int64]) -> Iterator[list[int]]:
    """Group the passages that have tokens, in order, so that a group has about `_BLOCK_TOKENS`."""
    block: list[int] = []
    tokens = 0
    for index, length in enumerate(lengths.tolist()):
        if not length:
            continue
        if block and tokens + length > _BLOCK_TOKENS:
            yield block
            block, tokens = [], 0
        block.append(index)
        tokens += length
    if block:
        yield block
