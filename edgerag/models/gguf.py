"""Read and check the header of a GGUF file without llama.cpp, which trusts what it reads.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from edgerag.coded_text import coded
from edgerag.errors import ModelError, os_reason
from edgerag.models.gguf_types import (
    ARRAY,
    BOOL,
    FILE_TYPES,
    REMOVED_TENSOR_TYPES,
    SCALAR_FORMATS,
    STRING,
    TENSOR_BLOCKS,
)

MAGIC = b"GGUF"
VERSIONS = (2, 3)
AGAIN_HINT = coded(
    "hint.download_again", "Download it again: `edgerag models pull NAME`; or import another copy of the file."
)
# Limits that no real model comes near (the largest vocabularies hold some 260,000 tokens, the largest models
# some 3,000 tensors); they bound what a hostile header can cost in time and memory.
MAX_HEADER_BYTES = 128 * 2**20
MAX_KEYS = 65_536
MAX_TENSORS = 262_144
MAX_KEY_BYTES = 65_535
MAX_STRINGS = 2_000_000
MAX_KEPT_STRING_BYTES = 2**20
MAX_KEPT_ITEMS = 64
MAX_TENSOR_NAME_BYTES = 63  # GGML_MAX_NAME counts the closing NUL
MAX_DIMS = 4
BLOCK_BYTES = 2**20
_LENGTH = struct.Struct("<Q")

Scalar = str | int | float | bool
Value = Scalar | list[Scalar] | None


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What the header says about the model; the tensors' places in the file have been checked."""

    version: int
    architecture: str
    """E.g. `llama`, `qwen3`, `gemma3`; names the metadata keys of the model."""
    name: str
    context_tokens: int
    """Longest context the model was made for; 0 where the header does not say."""
    file_type: str
    """What most weights are stored as, e.g. `Q4_K_M`; empty where the header does not say."""
    license: str
    chat_template: str
    """Only to be compared with known ones: a template is code and is never run."""
    tokenizer_model: str
    """E.g. `gpt2`; empty for a file that is no language model of its own."""
    vocab_size: int
    parameter_count: int
    tensor_count: int
    metadata: dict[str, Value] = field(repr=False)
    """All keys; None for a value too long to keep (vocabularies)."""


class _Reader:
    """Reads numbers and strings, never past the end of the file or of the longest plausible header."""

    def __init__(self, stream: BinaryIO, size_bytes: int, path: Path) -> None:
        self._stream = stream
        self._limit = min(size_bytes, MAX_HEADER_BYTES)
        self.size_bytes = size_bytes
        self.path = path
        self.position = 0
        self.strings_left = MAX_STRINGS

    def fail(self, what: str, *, hint: str = AGAIN_HINT) -> ModelError:
        return ModelError(
            coded("gguf.refused", "{name} is not a usable GGUF file: {problem}.", name=self.path.name, problem=what),
            hint=hint,
        )

    def require(self, num_bytes: int, what: str) -> None:
        """Refuse a length that the rest of the header cannot hold, before anything is allocated for it."""
        if num_bytes <= self._limit - self.position:
            return
        if self._limit < self.size_bytes:
            raise self.fail(f"{what} makes the header longer than {MAX_HEADER_BYTES // 2**20} MiB")
        raise self.fail(coded("gguf.truncated", "the file ends inside {what}: it is truncated or damaged", what=what))

    def take(self, num_bytes: int, what: str) -> bytes:
        self.require(num_bytes, what)
        content = self._stream.read(num_bytes)
        if len(content) != num_bytes:
            raise self.fail(f"the file ends inside {what}: it was cut while it was read")
        self.position += num_bytes
        return content

    def skip(self, num_bytes: int, what: str) -> None:
        self.require(num_bytes, what)
        self._stream.seek(num_bytes, 1)
        self.position += num_bytes

    def skip_strings(self, count: int, what: str) -> None:
        """Skip strings a block at a time: one by one a vocabulary would take a second."""
        while count:
            self.require(8, what)
            block = self._stream.read(min(BLOCK_BYTES, self._limit - self.position))
            place = 0
            while count and place + 8 <= len(block):
                place += 8 + _LENGTH.unpack_from(block, place)[0]
                count -= 1
            if not place:
                raise self.fail(f"the file ends inside {what}: it was cut while it was read")
            self.require(place, what)
            self.position += place
            self._stream.seek(self.position)

    def number(self, form: str, what: str) -> int:
        value: int = struct.unpack(form, self.take(struct.calcsize(form), what))[0]
        return value

    def text(self, what: str, *, max_bytes: int) -> str:
        length = self.number("<Q", what)
        self.require(length, what)
        if length > max_bytes:
            raise self.fail(f"{what} is {length} bytes long")
        try:
            return self.take(length, what).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fail(f"{what} is not UTF-8") from error


def read_gguf_header(path: Path) -> GgufHeader:
    """Read the header and check that every tensor it names lies whole within the file.

    Raises:
        ModelError: Not GGUF, of an unknown version, truncated, or with numbers that contradict each other.
    """
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as stream:
            return _read_header(_Reader(stream, size_bytes, path))
    except OSError as error:
        raise ModelError(
            coded("model.unreadable", "{path} cannot be read: {problem}.", path=path, problem=os_reason(error)),
            hint=AGAIN_HINT,
        ) from error


def _read_header(reader: _Reader) -> GgufHeader:
    if reader.size_bytes < 24 or reader.take(4, "the magic number") != MAGIC:
        raise reader.fail(coded("gguf.magic", "it does not begin as a GGUF file does"))
    version = reader.number("<I", "the version")
    if version not in VERSIONS:
        if version & 0xFFFF == 0:
            raise reader.fail("it was made for a big-endian machine", hint="Get the little-endian file.")
        raise reader.fail(
            coded("gguf.version", "its format version is {version}, and 2 and 3 are known", version=version),
            hint=coded("hint.newer_file", "Get a newer file, or update edgerag."),
        )
    tensor_count = reader.number("<Q", "the number of tensors")
    key_count = reader.number("<Q", "the number of keys")
    if not 1 <= tensor_count <= MAX_TENSORS:
        raise reader.fail(f"it claims {tensor_count} tensors")
    if key_count > MAX_KEYS:
        raise reader.fail(f"it claims {key_count} keys")
    # The shortest possible key and tensor: refuses absurd counts before the first of them is read.
    reader.require(key_count * 13 + tensor_count * 32, f"{key_count} keys and {tensor_count} tensors")
    metadata: dict[str, Value] = {}
    lengths: dict[str, int] = {}
    for _ in range(key_count):
        key = reader.text("a key", max_bytes=MAX_KEY_BYTES)
        if not key or key in metadata:
            raise reader.fail(f"the key {key!r} occurs twice" if key else "a key is empty")
        metadata[key], lengths[key] = _read_value(reader, reader.number("<I", f"the type of {key}"), key)
    parameter_count = _check_tensors(reader, tensor_count, _alignment(reader, metadata))
    architecture = _text(metadata, "general.architecture")
    if not architecture:
        raise reader.fail("it does not name its architecture")
    if _number(metadata, "split.count") > 1:
        raise reader.fail(
            coded("gguf.part", "it is one of {number} parts of a model", number=_number(metadata, "split.count")),
            hint=coded("hint.join", "Get the model as a single file, or join the parts with llama-gguf-split."),
        )
    vocab_size = _number(metadata, f"{architecture}.vocab_size") or lengths.get("tokenizer.ggml.tokens", 0)
    file_type = FILE_TYPES.get(_number(metadata, "general.file_type", absent=-1), "")
    return GgufHeader(
        version=version,
        architecture=architecture,
        name=_text(metadata, "general.name"),
        context_tokens=_number(metadata, f"{architecture}.context_length"),
        file_type=file_type,
        license=_text(metadata, "general.license"),
        chat_template=_text(metadata, "tokenizer.chat_template"),
        tokenizer_model=_text(metadata, "tokenizer.ggml.model"),
        vocab_size=vocab_size,
        parameter_count=parameter_count,
        tensor_count=tensor_count,
        metadata=metadata,
    )


def _read_value(reader: _Reader, kind: int, key: str) -> tuple[Value, int]:
    """The value (None if too long to keep) and its number of items, 1 for a scalar."""
    if kind == ARRAY:
        return _read_array(reader, key)
    return _read_scalar(reader, kind, key), 1


def _read_scalar(reader: _Reader, kind: int, key: str) -> Scalar | None:
    if kind == STRING:
        length = reader.number("<Q", f"the value of {key}")
        reader.require(length, f"the value of {key}")
        if length > MAX_KEPT_STRING_BYTES:
            reader.skip(length, f"the value of {key}")
            return None
        # Tokens of byte-level vocabularies need not be whole code points.
        return reader.take(length, f"the value of {key}").decode("utf-8", errors="replace")
    if kind not in SCALAR_FORMATS:
        raise reader.fail(f"the key {key} has the unknown type {kind}")
    form = SCALAR_FORMATS[kind]
    value: int | float = struct.unpack(form, reader.take(struct.calcsize(form), f"the value of {key}"))[0]
    return bool(value) if kind == BOOL else value


def _read_array(reader: _Reader, key: str) -> tuple[Value, int]:
    kind = reader.number("<I", f"the type of {key}")
    count = reader.number("<Q", f"the length of {key}")
    what = f"the {count} items of {key}"
    if kind in SCALAR_FORMATS:
        reader.require(count * struct.calcsize(SCALAR_FORMATS[kind]), what)
    elif kind == STRING:
        reader.require(count * 8, what)
        reader.strings_left -= count
        if reader.strings_left < 0:
            raise reader.fail(f"with {key} it claims more than {MAX_STRINGS} strings")
    else:
        # llama.cpp knows no arrays of arrays either.
        raise reader.fail(f"the array {key} has the unknown item type {kind}")
    if count <= MAX_KEPT_ITEMS:
        items = [_read_scalar(reader, kind, key) for _ in range(count)]
        kept = [item for item in items if item is not None]
        return (kept if len(kept) == count else None), count
    if kind == STRING:
        reader.skip_strings(count, what)
    else:
        reader.skip(count * struct.calcsize(SCALAR_FORMATS[kind]), what)
    return None, count


def _alignment(reader: _Reader, metadata: dict[str, Value]) -> int:
    alignment = _number(metadata, "general.alignment", absent=32)
    if not 1 <= alignment <= 65_536 or alignment & (alignment - 1):
        raise reader.fail(f"its alignment is {alignment}, which is no power of two up to 65536")
    return alignment


def _check_tensors(reader: _Reader, tensor_count: int, alignment: int) -> int:
    """Check names, shapes and places of all tensors; returns the number of weights."""
    names: set[str] = set()
    expected_offset = parameter_count = end = 0
    for _ in range(tensor_count):
        name = reader.text("a tensor's name", max_bytes=MAX_TENSOR_NAME_BYTES)
        if not name or name in names:
            raise reader.fail(f"the tensor {name!r} occurs twice" if name else "a tensor has no name")
        names.add(name)
        num_dims = reader.number("<I", f"the shape of {name}")
        if not 1 <= num_dims <= MAX_DIMS:
            raise reader.fail(f"the tensor {name} has {num_dims} dimensions")
        shape = [reader.number("<Q", f"the shape of {name}") for _ in range(num_dims)]
        kind = reader.number("<I", f"the type of {name}")
        offset = reader.number("<Q", f"the place of {name}")
        num_bytes, weights = _tensor_size(reader, name, kind, shape)
        # llama.cpp lays tensors out without gaps and refuses anything else.
        if offset != expected_offset:
            raise reader.fail(f"the tensor {name} begins at {offset} instead of {expected_offset}")
        end = offset + num_bytes
        expected_offset = -(-end // alignment) * alignment
        parameter_count += weights
    data_start = -(-reader.position // alignment) * alignment
    if data_start + end > reader.size_bytes:
        raise reader.fail(
            coded(
                "gguf.too_short",
                "it is truncated: its tensors need {needed} bytes and it has {size}",
                needed=data_start + end,
                size=reader.size_bytes,
            )
        )
    return parameter_count


def _tensor_size(reader: _Reader, name: str, kind: int, shape: list[int]) -> tuple[int, int]:
    if kind in REMOVED_TENSOR_TYPES:
        raise reader.fail(f"the tensor {name} is stored in a form that llama.cpp has dropped", hint="Get a newer file.")
    if kind not in TENSOR_BLOCKS:
        raise reader.fail(f"the tensor {name} has the unknown type {kind}", hint=f"{AGAIN_HINT} Or update edgerag.")
    per_block, block_bytes = TENSOR_BLOCKS[kind]
    weights = 1
    for length in shape:
        weights *= length
    if weights < 1 or weights >= 2**63:
        raise reader.fail(f"the tensor {name} has the impossible shape {shape}")
    if shape[0] % per_block:
        raise reader.fail(f"the tensor {name} has rows of {shape[0]}, which its type cannot store")
    return weights // per_block * block_bytes, weights


def _text(metadata: dict[str, Value], key: str) -> str:
    value = metadata.get(key)
    return value if isinstance(value, str) else ""


def _number(metadata: dict[str, Value], key: str, *, absent: int = 0) -> int:
    value = metadata.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else absent
