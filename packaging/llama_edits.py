"""Changes to llama.cpp's source before it is compiled: less of it, and two products for processors without AVX.

Each change names the place that it expects. The source is fixed by its hash, so a place that is missing means another
version of llama-cpp-python, and the change has to be looked at again: an error, never a build without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path

LEFT_OUT = {
    "x64": "numpy and onnxruntime need SSE4.2 themselves, so a processor without it never gets as far",
    "cannonlake": "one laptop processor of 2018 has VBMI and no VNNI; it gets skylakex",
    "cooperlake": "four-socket servers of 2020; they get cascadelake",
    "armv9.2_1": "SME is used by KleidiAI alone, which is not built in, and gcc before 14 does not know it",
    "armv9.2_2": "as armv9.2_1; both get the armv8.6 of the same SVE",
}
"""Variants of the processor code that are not compiled, each 1 MB and a minute, with the reason."""

NEEDED_FLAGS = {"alderlake": "-mavxvnni", "sapphirerapids": "-mamx-int8"}
"""Options that compilers of older systems do not know (gcc since 11); without them these variants are left out too."""

_VARIANT = re.compile(r"^[ \t]*ggml_add_cpu_backend_variant\(([\w.]+)[^)\n]*\)[ \t]*$", re.MULTILINE)
_COMMON = "set(LLAMA_BUILD_COMMON ON CACHE"

# ggml has code for these two formats from AVX on; below, a loop goes over single numbers. Celeron and Pentium
# had no AVX until 2020. The products are whole numbers, exact in 16 bits: 4 * 15 * 127 and 2 * 127 * 127 below 2^15.
_SSE_SUM = """
    total = _mm_add_ps(total, _mm_movehl_ps(total, total));
    total = _mm_add_ss(total, _mm_shuffle_ps(total, total, 1));
"""
SSE_PRODUCTS = {
    "ggml_vec_dot_q4_1_q8_1": (
        "#else\n    UNUSED(nb);",
        """#elif defined(__SSSE3__)
    const __m128i ones = _mm_set1_epi16(1);
    const __m128i mask = _mm_set1_epi8(15);
    __m128 total = _mm_setzero_ps();
    float offsets = 0;
    for (; ib < nb; ++ib) {
        const __m128i both = _mm_loadu_si128((const __m128i *)x[ib].qs);
        const __m128i y_first = _mm_loadu_si128((const __m128i *)y[ib].qs);
        const __m128i y_second = _mm_loadu_si128((const __m128i *)y[ib].qs + 1);
        const __m128i first = _mm_maddubs_epi16(_mm_and_si128(both, mask), y_first);
        const __m128i second = _mm_maddubs_epi16(_mm_and_si128(_mm_srli_epi16(both, 4), mask), y_second);
        const __m128 products = _mm_cvtepi32_ps(_mm_madd_epi16(_mm_add_epi16(first, second), ones));
        const __m128 scale = _mm_set1_ps(GGML_CPU_FP16_TO_FP32(x[ib].d) * GGML_CPU_FP16_TO_FP32(y[ib].d));
        total = _mm_add_ps(total, _mm_mul_ps(products, scale));
        offsets += GGML_CPU_FP16_TO_FP32(x[ib].m) * GGML_CPU_FP16_TO_FP32(y[ib].s);
    }
"""
        + _SSE_SUM
        + "    *s = _mm_cvtss_f32(total) + offsets;\n",
    ),
    "ggml_vec_dot_q8_0_q8_0": (
        "#endif\n    for (; ib < nb; ++ib) {",
        """#elif defined(__SSSE3__)
    __m128 total = _mm_setzero_ps();
    for (; ib < nb; ++ib) {
        const __m128i *from_x = (const __m128i *)x[ib].qs;
        const __m128i *from_y = (const __m128i *)y[ib].qs;
        const __m128i first = mul_sum_i8_pairs(_mm_loadu_si128(from_x), _mm_loadu_si128(from_y));
        const __m128i second = mul_sum_i8_pairs(_mm_loadu_si128(from_x + 1), _mm_loadu_si128(from_y + 1));
        const __m128 scale = _mm_set1_ps(GGML_CPU_FP16_TO_FP32(x[ib].d) * GGML_CPU_FP16_TO_FP32(y[ib].d));
        total = _mm_add_ps(total, _mm_mul_ps(_mm_cvtepi32_ps(_mm_add_epi32(first, second)), scale));
    }
"""
        + _SSE_SUM
        + "    sumf = _mm_cvtss_f32(total);\n",
    ),
}
"""Function of ggml/src/ggml-cpu/arch/x86/quants.c: the text before which its new branch goes, and the branch."""


class EditError(Exception):
    """A place that a change expects is not there."""


def edit_source(folder: Path, also_left_out: Collection[str] = ()) -> None:
    """Change an unpacked source of llama-cpp-python.

    Args:
        folder: Of the source.
        also_left_out: Variants that are not compiled, besides `LEFT_OUT`.

    Raises:
        EditError: It is another version than the one that these changes were written for.
    """
    ggml = folder / "vendor/llama.cpp/ggml/src"
    _edit(folder / "CMakeLists.txt", without_common)
    _edit(ggml / "CMakeLists.txt", lambda text: leave_out_variants(text, {*LEFT_OUT, *also_left_out})[0])
    _edit(ggml / "ggml-cpu/arch/x86/quants.c", with_sse_products)


def leave_out_variants(cmake: str, names: Collection[str]) -> tuple[str, list[str]]:
    """Take variants out of ggml's list of them.

    Args:
        cmake: Text of ggml/src/CMakeLists.txt.
        names: Those to leave out.

    Returns:
        The text without them, and the names that stay, of all architectures, in the file's order.

    Raises:
        EditError: A name is not in the list.
    """
    listed = [match[1] for match in _VARIANT.finditer(cmake)]
    if unknown := sorted(set(names) - set(listed)):
        raise EditError(f"ggml has no variant {', '.join(unknown)}; it has {', '.join(listed)}.")
    text = _VARIANT.sub(lambda match: "" if match[1] in names else match[0], cmake)
    return text, [name for name in listed if name not in names]


def without_common(cmake: str) -> str:
    """Switch off llama.cpp's library of its command line tools, which the package's CMakeLists.txt switches on.

    Raises:
        EditError: The line is not there.
    """
    if cmake.count(_COMMON) != 1:
        raise EditError(f"The package's CMakeLists.txt no longer says `{_COMMON} ...`.")
    return cmake.replace(_COMMON, _COMMON.replace(" ON ", " OFF "))


def with_sse_products(source: str) -> str:
    """Give quants.c for x86 the products of `SSE_PRODUCTS`.

    Raises:
        EditError: A function is not there, has such a branch by now, or has changed.
    """
    for function, (place, branch) in SSE_PRODUCTS.items():
        start = source.find(f"void {function}(")
        end = source.find("\nvoid ", start + 1)
        body = source[start:end]
        if start < 0 or body.count(place) != 1 or "__SSSE3__" in body:
            raise EditError(f"{function} of ggml has changed; look at SSE_PRODUCTS again.")
        source = source[:start] + body.replace(place, branch + place) + source[end:]
    return source


def _edit(file: Path, change: Callable[[str], str]) -> None:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise EditError(f"llama-cpp-python's source has no {file.name} where it was.") from error
    file.write_text(change(text), encoding="utf-8")
