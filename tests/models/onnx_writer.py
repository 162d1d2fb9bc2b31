"""Write tiny ONNX encoders and tokenizers, without the onnx package (the runtime does not have it).

Field numbers: onnx/onnx.proto.
"""

from __future__ import annotations

import struct
from pathlib import Path

FLOAT, INT64 = 1, 7
WORDS = ["[PAD]", "[UNK]", "a", "question", "and", "an", "answer"]


def embedder_bytes(dim: int = 4, *, external: bool = False) -> bytes:
    """input_ids (1, length) -> (1, length, dim): a table looked up."""
    table = _varint(1, len(WORDS)) + _varint(1, dim) + _varint(2, FLOAT) + _bytes(8, b"table")
    if external:
        table += _bytes(13, _bytes(1, b"location") + _bytes(2, b"model.onnx_data")) + _varint(14, 1)
    else:
        table += _bytes(9, struct.pack(f"<{len(WORDS) * dim}f", *range(len(WORDS) * dim)))
    node = _node("Gather", [b"table", b"input_ids"], [b"last_hidden_state"])
    return _model([node], [table], "last_hidden_state", 3)


def cross_encoder_bytes(*, num_scores: int = 1) -> bytes:
    """input_ids (1, length) -> (1, 1): the mean of the ids; or (1, length) if `num_scores` is not 1."""
    cast = _node("Cast", [b"input_ids"], [b"numbers"], _attribute("to", number=FLOAT))
    if num_scores != 1:
        cast = _node("Cast", [b"input_ids"], [b"logits"], _attribute("to", number=FLOAT))
        return _model([cast], [], "logits", 2)
    mean = _node(
        "ReduceMean",
        [b"numbers"],
        [b"logits"],
        _attribute("axes", numbers=[1]),
        _attribute("keepdims", number=1),
    )
    return _model([cast, mean], [], "logits", 2)


def write_tokenizer(path: Path) -> Path:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(path))
    return path


def _model(nodes: list[bytes], initializers: list[bytes], output: str, output_rank: int) -> bytes:
    graph = b"".join(_bytes(1, node) for node in nodes) + _bytes(2, b"tiny")
    graph += b"".join(_bytes(5, tensor) for tensor in initializers)
    graph += _bytes(11, _value_info(b"input_ids", INT64, 2)) + _bytes(
        12, _value_info(output.encode(), FLOAT, output_rank)
    )
    return _varint(1, 8) + _bytes(7, graph) + _bytes(8, _varint(2, 13))


def _value_info(name: bytes, kind: int, rank: int) -> bytes:
    dims = b"".join(_bytes(1, _bytes(2, f"{name.decode()}_{axis}".encode())) for axis in range(rank))
    return _bytes(1, name) + _bytes(2, _bytes(1, _varint(1, kind) + _bytes(2, dims)))


def _node(operator: str, inputs: list[bytes], outputs: list[bytes], *attributes: bytes) -> bytes:
    content = b"".join(_bytes(1, name) for name in inputs) + b"".join(_bytes(2, name) for name in outputs)
    return content + _bytes(4, operator.encode()) + b"".join(_bytes(5, attribute) for attribute in attributes)


def _attribute(name: str, *, number: int | None = None, numbers: list[int] | None = None) -> bytes:
    if number is not None:
        return _bytes(1, name.encode()) + _varint(3, number) + _varint(20, 2)
    return _bytes(1, name.encode()) + b"".join(_varint(8, item) for item in numbers or []) + _varint(20, 7)


def _bytes(field: int, content: bytes) -> bytes:
    return _number(field << 3 | 2) + _number(len(content)) + content


def _varint(field: int, value: int) -> bytes:
    return _number(field << 3) + _number(value)


def _number(value: int) -> bytes:
    content = b""
    while value >= 0x80:
        content += bytes([value & 0x7F | 0x80])
        value >>= 7
    return content + bytes([value])
