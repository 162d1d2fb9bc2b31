"""Write small GGUF files, valid unless asked otherwise."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

F32, Q4_1 = 0, 3
_FORMATS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}

KEYS: dict[str, tuple[int, Any]] = {
    "general.architecture": (8, "llama"),
    "general.type": (8, "model"),
    "general.name": (8, "Tiny"),
    "general.license": (8, "apache-2.0"),
    "general.file_type": (4, 3),
    "llama.context_length": (4, 512),
    "tokenizer.ggml.model": (8, "gpt2"),
    "tokenizer.ggml.tokens": (9, (8, ["<s>", "</s>", "a", "b"])),
    "tokenizer.chat_template": (8, "{{ messages }}"),
}
TENSORS: list[tuple[str, list[int], int]] = [
    ("token_embd.weight", [64, 4], Q4_1),
    ("output_norm.weight", [64], F32),
]
BLOCKS = {F32: (1, 4), Q4_1: (32, 20)}


def gguf_bytes(
    keys: dict[str, tuple[int, Any]] | None = None,
    tensors: list[tuple[str, list[int], int]] | None = None,
    *,
    version: int = 3,
    alignment: int = 32,
    fill: int = 7,
) -> bytes:
    """A whole file: header, padding, tensor data."""
    keys = KEYS if keys is None else keys
    tensors = TENSORS if tensors is None else tensors
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    for key, (kind, value) in keys.items():
        header += text(key) + struct.pack("<I", kind) + _value(kind, value)
    offset = 0
    for name, shape, kind in tensors:
        header += text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in shape)
        header += struct.pack("<IQ", kind, offset)
        size = 1
        for length in shape:
            size *= length
        per_block, block_bytes = BLOCKS[kind]
        offset += -(-(size // per_block * block_bytes) // alignment) * alignment
    header += b"\0" * (-len(header) % alignment)
    return header + bytes([fill]) * offset


def write_gguf(path: Path, **options: Any) -> Path:
    path.write_bytes(gguf_bytes(**options))
    return path


def text(value: str) -> bytes:
    content = value.encode()
    return struct.pack("<Q", len(content)) + content


def _value(kind: int, value: Any) -> bytes:
    if kind == 8:
        return text(value)
    if kind == 9:
        item_kind, items = value
        body = b"".join(_value(item_kind, item) for item in items)
        return struct.pack("<IQ", item_kind, len(items)) + body
    return struct.pack(_FORMATS[kind], value)
