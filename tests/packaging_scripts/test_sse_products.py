"""The products that llama.cpp is given for processors without AVX are exact, compiled as they stand in the script."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess

import numpy as np
import pytest

from tests.packaging_scripts.loading import load

llama_edits = load("llama_edits")
COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(
    COMPILER is None or platform.machine() not in ("x86_64", "AMD64"), reason="needs a C compiler for x86-64"
)

# ggml's blocks of 32 numbers, with float32 in place of float16 for the scales.
AROUND = """
#include <stdint.h>
#include <tmmintrin.h>
#define GGML_CPU_FP16_TO_FP32(x) (x)
typedef struct { float d, m; uint8_t qs[16]; } block_q4_1;
typedef struct { float d, s; int8_t qs[32]; } block_q8_1;
typedef struct { float d; int8_t qs[32]; } block_q8_0;
static __m128i mul_sum_i8_pairs(__m128i x, __m128i y) {
    const __m128i pairs = _mm_maddubs_epi16(_mm_sign_epi8(x, x), _mm_sign_epi8(y, x));
    return _mm_madd_epi16(_mm_set1_epi16(1), pairs);
}
void ggml_vec_dot_q4_1_q8_1(int nb, float *s, const block_q4_1 *x, const block_q8_1 *y) {
    int ib = 0;
#if 0
Q4_1
#endif
}
void ggml_vec_dot_q8_0_q8_0(int nb, float *s, const block_q8_0 *x, const block_q8_0 *y) {
    int ib = 0;
    float sumf = 0;
#if 0
Q8_0
#endif
    *s = sumf;
}
"""
NUM_BLOCKS = 7


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    branches = {name: branch for name, (_, branch) in llama_edits.SSE_PRODUCTS.items()}
    source = AROUND.replace("Q4_1\n", branches["ggml_vec_dot_q4_1_q8_1"]).replace(
        "Q8_0\n", branches["ggml_vec_dot_q8_0_q8_0"]
    )
    target = tmp_path_factory.mktemp("sse") / "products.so"
    command = [
        str(COMPILER),
        "-shared",
        "-fPIC",
        "-O2",
        "-mssse3",
        "-Wall",
        "-Werror",
        "-x",
        "c",
        "-",
        "-o",
        str(target),
    ]
    subprocess.run(command, input=source, text=True, check=True)
    return ctypes.CDLL(str(target))


def product(function: ctypes._NamedFuncPointer, x: np.ndarray, y: np.ndarray) -> float:
    result = ctypes.c_float()
    function(NUM_BLOCKS, ctypes.byref(result), x.ctypes.data_as(ctypes.c_void_p), y.ctypes.data_as(ctypes.c_void_p))
    return result.value


@pytest.mark.parametrize("extreme", [False, True], ids=["random", "largest"])
def test_four_bits_by_eight(products: ctypes.CDLL, extreme: bool) -> None:
    random = np.random.default_rng(5)
    x = np.zeros(NUM_BLOCKS, dtype=[("d", "f4"), ("m", "f4"), ("qs", "u1", 16)])
    y = np.zeros(NUM_BLOCKS, dtype=[("d", "f4"), ("s", "f4"), ("qs", "i1", 32)])
    nibbles = np.full((NUM_BLOCKS, 32), 15) if extreme else random.integers(0, 16, (NUM_BLOCKS, 32))
    x["qs"] = nibbles[:, :16] | nibbles[:, 16:] << 4
    y["qs"] = -127 if extreme else random.integers(-127, 128, (NUM_BLOCKS, 32))
    x["d"], x["m"], y["d"], y["s"] = (2.0 ** random.integers(-3, 3, NUM_BLOCKS) for _ in range(4))
    sums = (nibbles * y["qs"].astype(np.int64)).sum(axis=1)
    expected = float((sums * x["d"] * y["d"] + x["m"] * y["s"]).sum())
    assert product(products.ggml_vec_dot_q4_1_q8_1, x, y) == expected


@pytest.mark.parametrize("extreme", [False, True], ids=["random", "largest"])
def test_eight_bits_by_eight(products: ctypes.CDLL, extreme: bool) -> None:
    random = np.random.default_rng(6)
    x = np.zeros(NUM_BLOCKS, dtype=[("d", "f4"), ("qs", "i1", 32)])
    y = x.copy()
    x["qs"] = 127 if extreme else random.integers(-127, 128, (NUM_BLOCKS, 32))
    y["qs"] = -127 if extreme else random.integers(-127, 128, (NUM_BLOCKS, 32))
    x["d"], y["d"] = (2.0 ** random.integers(-3, 3, NUM_BLOCKS) for _ in range(2))
    sums = (x["qs"].astype(np.int64) * y["qs"]).sum(axis=1)
    assert product(products.ggml_vec_dot_q8_0_q8_0, x, y) == float((sums * x["d"] * y["d"]).sum())
