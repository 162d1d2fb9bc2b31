"""Does an ONNX graph keep weights in a second file?

onnxruntime 1.31.1 reads such a file from the working folder even for a graph that is given as bytes, and no
hash of it has been checked. So it has to be found out beforehand.

Field numbers: onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 100
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
# Which fields of a message lead to tensors, and to what kind of message.
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}


def has_external_data(content: bytes) -> bool:
    """Whether any tensor of an ONNX file, however deep, names another file; False for what is not ONNX."""
    try:
        return _search(memoryview(content), "model", 0)
    except (ValueError, IndexError):
        return False  # damaged: onnxruntime says in what way


def _search(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    children = _CHILDREN[kind]
    for number, value in _fields(message):
        if kind == "tensor":
            if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value == 1):
                return True
        elif number in children and isinstance(value, memoryview) and _search(value, children[number], depth + 1):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        wire_type = tag & 7
        if wire_type == _VARINT:
            value, place = _varint(message, place)
            yield tag >> 3, value
            continue
        if wire_type == _BYTES:
            length, place = _varint(message, place)
        elif wire_type in (_FIXED32, _FIXED64):
            length = 4 if wire_type == _FIXED32 else 8
        else:
            raise ValueError("groups are not used by ONNX")
        if place + length > len(message):
            raise ValueError("a field is longer than its message")
        yield tag >> 3, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")
