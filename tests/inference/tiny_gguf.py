"""Make a tiny llama model with random weights: llama.cpp runs it in microseconds a token, and nothing is downloaded.

Its vocabulary is the 256 bytes (as GPT-2 writes them), three control tokens, and one that a careless converter would
declare `user defined`. What it says is noise, yet the same noise every time, and rarely whole characters.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerag.inference.manifest import Manifest, describe_file, write_manifest

DIM, LAYERS, HEADS, FEED_FORWARD, CONTEXT = 32, 2, 2, 64, 512
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4
START, END, UNKNOWN, TURN = 256, 257, 258, 259
"""Ids of `<|im_start|>`, `<|im_end|>`, `<unk>`, and the user-defined `<|turn|>`."""
TEMPLATE = "{{ '<|im_start|>user' }}{{ '<|turn|>' }}"


def byte_characters() -> list[str]:
    """GPT-2's printable character for each byte: https://github.com/openai/gpt-2/blob/master/src/encoder.py"""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def write_tiny_model(folder: Path, *, seed: int = 0, favoured: dict[int, float] | None = None) -> Path:
    """Write a model folder with its manifest.

    Args:
        favoured: By token: how much more likely than the others it is at every step.

    Returns:
        The GGUF file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "tiny.gguf"
    file.write_bytes(_gguf(_metadata(), _tensors(seed, favoured or {})))
    manifest = Manifest("tiny", "generator", {"model": describe_file(folder, file.name)}, "CC0-1.0")
    write_manifest(folder, manifest)
    return file


def _metadata() -> dict[str, Any]:
    tokens = [*byte_characters(), "<|im_start|>", "<|im_end|>", "<unk>", "<|turn|>"]
    return {
        "general.architecture": "llama",
        "llama.block_count": LAYERS,
        "llama.context_length": CONTEXT,
        "llama.embedding_length": DIM,
        "llama.feed_forward_length": FEED_FORWARD,
        "llama.attention.head_count": HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": DIM // HEADS,
        "llama.vocab_size": len(tokens),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [NORMAL] * 256 + [CONTROL] * 3 + [USER_DEFINED],
        "tokenizer.ggml.merges": ["Ġ t"],
        "tokenizer.ggml.bos_token_id": START,
        "tokenizer.ggml.eos_token_id": END,
        "tokenizer.ggml.unknown_token_id": UNKNOWN,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE,
    }


def _tensors(seed: int, favoured: dict[int, float]) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(seed)

    def weights(rows: int, columns: int) -> NDArray[np.float32]:
        return (random.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)

    vocabulary = len(byte_characters()) + 4
    ones = np.ones(DIM, dtype=np.float32)
    output = 4 * weights(vocabulary, DIM)
    # The normalised state has a fixed first entry, through which a token can be favoured at will.
    output[:, 0] = 0.0
    for token, amount in favoured.items():
        output[token] = 0.0
        output[token, 0] = amount
    embedding = weights(vocabulary, DIM)
    embedding[:, 0] = 1.0
    tensors = {"token_embd.weight": embedding, "output_norm.weight": ones, "output.weight": output}
    for layer in range(LAYERS):
        prefix = f"blk.{layer}."
        tensors |= {
            f"{prefix}attn_norm.weight": ones,
            f"{prefix}attn_q.weight": weights(DIM, DIM),
            f"{prefix}attn_k.weight": weights(DIM, DIM),
            f"{prefix}attn_v.weight": weights(DIM, DIM),
            f"{prefix}attn_output.weight": _without_first(weights(DIM, DIM)),
            f"{prefix}ffn_norm.weight": ones,
            f"{prefix}ffn_gate.weight": weights(FEED_FORWARD, DIM),
            f"{prefix}ffn_up.weight": weights(FEED_FORWARD, DIM),
            f"{prefix}ffn_down.weight": _without_first(weights(DIM, FEED_FORWARD)),
        }
    return tensors


def _without_first(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keep a layer from writing to the first entry of the state."""
    matrix[0] = 0.0
    return matrix


def _gguf(metadata: dict[str, Any], tensors: dict[str, NDArray[np.float32]]) -> bytes:
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        header += _text(key) + _typed(value)
    data = b""
    for name, tensor in tensors.items():
        shape = tensor.shape[::-1]
        header += _text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        header += struct.pack("<IQ", 0, len(data))
        data += _padded(tensor.tobytes())
    return _padded(header) + data


def _typed(value: Any) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    kind = 8 if isinstance(value[0], str) else 5
    items = b"".join(_text(item) if kind == 8 else struct.pack("<i", item) for item in value)
    return struct.pack("<IIQ", 9, kind, len(value)) + items


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _padded(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % 32)
