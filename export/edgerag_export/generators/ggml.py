"""The part of ggml that llama_cpp does not wrap: how a tensor lies in memory, and what a GGUF file holds."""

from __future__ import annotations

import ctypes
from collections import Counter
from pathlib import Path
from typing import Any

from edgerag.errors import ModelError

F32 = 0
"""GGML_TYPE_F32"""


class GgmlTensor(ctypes.Structure):
    """`struct ggml_tensor` of ggml.h of llama-cpp-python 0.3.36; `check_layout` compares it with the library's."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),
        ("nb", ctypes.c_size_t * 4),
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", ctypes.c_void_p * 10),
        ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 64),
        ("extra", ctypes.c_void_p),
        ("padding", ctypes.c_char * 8),
    )


class _InitParams(ctypes.Structure):
    _fields_ = (("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool))


class _GgufParams(ctypes.Structure):
    _fields_ = (("no_alloc", ctypes.c_bool), ("context", ctypes.c_void_p))


_OBJECT_BYTES = 32
"""sizeof(struct ggml_object), which `ggml_tensor_overhead` counts too."""


def load_ggml(api: Any) -> Any:
    """The shared library of ggml that llama_cpp has loaded.

    Raises:
        ModelError: It is not where this version puts it.
    """
    folder = Path(api.__file__).parent / "lib"
    names = [
        path for pattern in ("libggml-base.so", "libggml-base.dylib", "ggml-base.dll") for path in folder.glob(pattern)
    ]
    if not names:
        raise ModelError(
            f"There is no ggml library in {folder}.", hint="Build the ladder without an importance matrix."
        )
    ggml = ctypes.CDLL(str(names[0]))
    for name, result, arguments in (
        ("ggml_init", ctypes.c_void_p, [_InitParams]),
        ("ggml_free", None, [ctypes.c_void_p]),
        ("ggml_tensor_overhead", ctypes.c_size_t, []),
        ("ggml_new_tensor_2d", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]),
        ("ggml_mul_mat", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]),
        ("ggml_set_name", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
        ("ggml_get_data", ctypes.c_void_p, [ctypes.c_void_p]),
        ("ggml_op_name", ctypes.c_char_p, [ctypes.c_int]),
        ("ggml_type_name", ctypes.c_char_p, [ctypes.c_int]),
        ("gguf_init_from_file", ctypes.c_void_p, [ctypes.c_char_p, _GgufParams]),
        ("gguf_get_n_tensors", ctypes.c_int64, [ctypes.c_void_p]),
        ("gguf_get_tensor_type", ctypes.c_int, [ctypes.c_void_p, ctypes.c_int64]),
        ("gguf_free", None, [ctypes.c_void_p]),
    ):
        function = getattr(ggml, name)
        function.restype, function.argtypes = result, arguments
    return ggml


def check_layout(ggml: Any) -> None:
    """Build a product in ggml itself, and find its parts where `GgmlTensor` says they are.

    Raises:
        ModelError: They are elsewhere: this is another ggml.
    """
    context = ggml.ggml_init(_InitParams(2**20, None, False))
    try:
        table, rows = ggml.ggml_new_tensor_2d(context, F32, 48, 7), ggml.ggml_new_tensor_2d(context, F32, 48, 5)
        ggml.ggml_set_name(table, b"blk.0.trial.weight")
        product = ggml.ggml_mul_mat(context, table, rows)
        is_known = ggml.ggml_tensor_overhead() == ctypes.sizeof(GgmlTensor) + _OBJECT_BYTES
        if is_known:
            first, second, third = (GgmlTensor.from_address(address) for address in (table, rows, product))
            is_known = (
                first.name == b"blk.0.trial.weight"
                and list(first.ne) == [48, 7, 1, 1]
                and list(second.ne) == [48, 5, 1, 1]
                and list(third.ne) == [7, 5, 1, 1]
                and list(second.nb[:2]) == [4, 192]
                and second.data == ggml.ggml_get_data(rows)
                and list(third.src[:3]) == [table, rows, None]
                and ggml.ggml_op_name(third.op) == b"MUL_MAT"
            )
    finally:
        ggml.ggml_free(context)
    if not is_known:
        raise ModelError(
            "This llama-cpp-python keeps its tensors in another layout than the one known here (0.3.36).",
            hint="Build the ladder without an importance matrix, or install llama-cpp-python 0.3.36.",
        )


def tensor_types(ggml: Any, file: Path) -> dict[str, int]:
    """Number of tensors by type (`q4_0`), the most common first. The `gguf` package needs seconds for a vocabulary."""
    reader = ggml.gguf_init_from_file(str(file).encode(), _GgufParams(True, None))
    if not reader:
        raise ModelError(f"{file.name} is not a usable GGUF file.")
    try:
        kinds = [ggml.gguf_get_tensor_type(reader, place) for place in range(ggml.gguf_get_n_tensors(reader))]
        return dict(Counter(ggml.ggml_type_name(kind).decode() for kind in kinds).most_common())
    finally:
        ggml.gguf_free(reader)
