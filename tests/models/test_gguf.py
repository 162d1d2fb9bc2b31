"""The header reader: what it finds in a sound file, and that a bad one raises ModelError and nothing else."""

from __future__ import annotations

import struct
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgerag.errors import ModelError
from edgerag.models.gguf import read_gguf_header
from tests.models.gguf_writer import F32, KEYS, Q4_1, TENSORS, gguf_bytes, text, write_gguf


def test_header_of_a_sound_file_is_read(tmp_path: Path) -> None:
    header = read_gguf_header(write_gguf(tmp_path / "tiny.gguf"))

    assert header.version == 3
    assert header.architecture == "llama"
    assert header.name == "Tiny"
    assert header.context_tokens == 512
    assert header.file_type == "Q4_1"
    assert header.license == "apache-2.0"
    assert header.chat_template == "{{ messages }}"
    assert header.tokenizer_model == "gpt2"
    assert header.vocab_size == 4
    assert header.parameter_count == 64 * 4 + 64
    assert header.tensor_count == 2
    assert header.metadata["tokenizer.ggml.tokens"] == ["<s>", "</s>", "a", "b"]


def test_version_2_is_read(tmp_path: Path) -> None:
    assert read_gguf_header(write_gguf(tmp_path / "tiny.gguf", version=2)).version == 2


def test_long_vocabulary_is_counted_and_not_kept(tmp_path: Path) -> None:
    keys = KEYS | {"tokenizer.ggml.tokens": (9, (8, [f"t{n}" for n in range(5000)]))}

    header = read_gguf_header(write_gguf(tmp_path / "tiny.gguf", keys=keys))

    assert header.vocab_size == 5000
    assert header.metadata["tokenizer.ggml.tokens"] is None


def test_keys_behind_a_long_vocabulary_are_read(tmp_path: Path) -> None:
    # Longer than a block of the reader, with tokens that lie across its borders.
    keys = {"x": (9, (8, ["t" * (n % 900) for n in range(5000)]))} | KEYS

    header = read_gguf_header(write_gguf(tmp_path / "tiny.gguf", keys=keys))

    assert header.name == "Tiny"
    assert header.vocab_size == 4


def test_one_byte_less_is_reported_as_truncated_with_both_sizes(tmp_path: Path) -> None:
    whole = gguf_bytes(tensors=[("a", [32], F32)])
    path = tmp_path / "short.gguf"
    path.write_bytes(whole[:-1])

    with pytest.raises(
        ModelError, match=rf"truncated: its tensors need {len(whole)} bytes and it has {len(whole) - 1}"
    ) as caught:
        read_gguf_header(path)

    assert "models pull" in caught.value.hint


def _patched(content: bytes, old: bytes, new: bytes) -> bytes:
    assert content.count(old) == 1
    return content.replace(old, new)


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "does not begin"),
    "other magic": (b"GGML" + gguf_bytes()[4:], "does not begin"),
    "html instead of a model": (b"<!DOCTYPE html><html><body>Not found</body></html>", "does not begin"),
    "version 1": (gguf_bytes(version=1), "format version is 1"),
    "big-endian": (b"GGUF" + struct.pack(">I", 3) + gguf_bytes()[8:], "big-endian"),
    "no tensors": (gguf_bytes(tensors=[]), "claims 0 tensors"),
    "more tensors than the file could hold": (
        gguf_bytes()[:8] + struct.pack("<Q", 200_000) + gguf_bytes()[16:],
        "truncated or damaged",
    ),
    "absurd number of tensors": (
        gguf_bytes()[:8] + struct.pack("<Q", 2**63) + gguf_bytes()[16:],
        "claims 9223372",
    ),
    "absurd number of keys": (
        gguf_bytes()[:16] + struct.pack("<Q", 2**40) + gguf_bytes()[24:],
        "claims 1099511",
    ),
    "string longer than the file": (
        _patched(gguf_bytes(), text("Tiny"), struct.pack("<Q", 2**62) + b"Tiny"),
        "truncated or damaged",
    ),
    "array longer than the file": (
        _patched(
            gguf_bytes(KEYS | {"x": (9, (4, [1]))}),
            text("x") + struct.pack("<IIQ", 9, 4, 1),
            text("x") + struct.pack("<IIQ", 9, 4, 2**40),
        ),
        "truncated or damaged",
    ),
    "unknown value type": (
        _patched(
            gguf_bytes(),
            text("general.file_type") + struct.pack("<I", 4),
            text("general.file_type") + struct.pack("<I", 99),
        ),
        "unknown type 99",
    ),
    "array of arrays": (gguf_bytes(KEYS | {"x": (9, (9, []))}), "unknown item type 9"),
    "key twice": (_patched(gguf_bytes(), text("general.type"), text("general.name")), "occurs twice"),
    "alignment of zero": (gguf_bytes(KEYS | {"general.alignment": (4, 0)}), "alignment is 0"),
    "alignment of three": (gguf_bytes(KEYS | {"general.alignment": (4, 3)}), "alignment is 3"),
    "no architecture": (gguf_bytes({"general.name": (8, "Tiny")}), "does not name its architecture"),
    "part of a split model": (gguf_bytes(KEYS | {"split.count": (2, 3)}), "one of 3 parts"),
    "tensor twice": (gguf_bytes(tensors=[("a", [32], F32), ("a", [32], F32)]), "'a' occurs twice"),
    "tensor without a name": (gguf_bytes(tensors=[("", [32], F32)]), "no name"),
    "tensor name too long": (gguf_bytes(tensors=[("x" * 64, [32], F32)]), "64 bytes long"),
    "five dimensions": (gguf_bytes(tensors=[("a", [1, 1, 1, 1, 1], F32)]), "5 dimensions"),
    "empty dimension": (gguf_bytes(tensors=[("a", [0], F32)]), "impossible shape"),
    "shape that overflows": (
        _patched(
            gguf_bytes(tensors=[("a", [32, 7], F32)]),
            struct.pack("<QQ", 32, 7),
            struct.pack("<QQ", 2**40, 2**40),
        ),
        "impossible shape",
    ),
    "rows that are no whole blocks": (
        _patched(
            gguf_bytes(tensors=[("a", [64], Q4_1)]),
            text("a") + struct.pack("<IQ", 1, 64),
            text("a") + struct.pack("<IQ", 1, 65),
        ),
        "cannot store",
    ),
    "removed tensor type": (
        _patched(
            gguf_bytes(tensors=[("a", [32], F32)]),
            struct.pack("<QIQ", 32, 0, 0),
            struct.pack("<QIQ", 32, 4, 0),
        ),
        "llama.cpp has dropped",
    ),
    "unknown tensor type": (
        _patched(
            gguf_bytes(tensors=[("a", [32], F32)]),
            struct.pack("<QIQ", 32, 0, 0),
            struct.pack("<QIQ", 32, 200, 0),
        ),
        "unknown type 200",
    ),
    "overlapping tensors": (
        _patched(
            gguf_bytes(tensors=[("a", [32], F32), ("b", [32], F32)]),
            struct.pack("<QIQ", 32, 0, 128),
            struct.pack("<QIQ", 32, 0, 96),
        ),
        "begins at 96 instead of 128",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_inconsistent_file_is_refused_with_the_reason(tmp_path: Path, case: str) -> None:
    content, reason = BAD[case]
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)

    with pytest.raises(ModelError, match=reason) as caught:
        read_gguf_header(path)

    assert caught.value.hint


def test_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.gguf cannot be read"):
        read_gguf_header(tmp_path / "none.gguf")


def _write_flood(path: Path, num_arrays: int, num_strings: int) -> Path:
    """A sparse file of 8 GiB zeroes: as many empty strings as the header cares to claim."""
    with path.open("wb") as stream:
        stream.write(b"GGUF" + struct.pack("<IQQ", 3, 1, num_arrays))
        for number in range(num_arrays):
            stream.write(text(f"x{number}") + struct.pack("<IIQ", 9, 8, num_strings))
            stream.seek(8 * min(num_strings, 2**21), 1)
        stream.truncate(8 * 2**30)
    return path


@pytest.mark.parametrize(("num_arrays", "num_strings"), [(1, 2**29), (10, 1_500_000), (1, 1_900_000)])
def test_millions_of_empty_strings_cost_little_time(tmp_path: Path, num_arrays: int, num_strings: int) -> None:
    path = _write_flood(tmp_path / "flood.gguf", num_arrays, num_strings)
    started = time.process_time()

    with pytest.raises(ModelError):
        read_gguf_header(path)

    assert time.process_time() - started < 20  # processor time, and generous: 0.6 s where it was measured


def test_strings_that_are_not_kept_cost_no_memory(tmp_path: Path) -> None:
    path = _write_flood(tmp_path / "flood.gguf", 1, 200_000)
    tracemalloc.start()

    with pytest.raises(ModelError):
        read_gguf_header(path)

    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4 * 2**20


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_files_raise_model_errors_only(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(gguf_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["flip", "number", "cut", "insert", "repeat"]))
        if kind == "flip":
            content[start] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "number":
            number = data.draw(st.sampled_from([0, 1, 2**31, 2**32 - 1, 2**62, 2**64 - 1]))
            content[start : start + 8] = struct.pack("<Q", number)
        elif kind == "cut":
            del content[start : start + data.draw(st.integers(1, 64))]
        elif kind == "insert":
            content[start:start] = data.draw(st.binary(max_size=32))
        else:
            content[start:start] = content[start : start + 40]
        if not content:
            break
    path = tmp_path / "mutated.gguf"
    path.write_bytes(bytes(content))
    try:
        header = read_gguf_header(path)
    except ModelError as error:
        assert str(error) and error.hint
    else:
        assert header.parameter_count >= 1
        assert header.tensor_count <= len(content) // 32


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=400))
def test_junk_after_the_magic_raises_model_errors_only(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "junk.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<I", 3) + junk)

    with pytest.raises(ModelError):
        read_gguf_header(path)


def test_every_cut_of_a_sound_file_is_refused(tmp_path: Path) -> None:
    content = gguf_bytes(tensors=[*TENSORS, ("last", [8], F32)])
    path = tmp_path / "cut.gguf"
    # Only the padding behind the last tensor may be missing.
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(ModelError):
            read_gguf_header(path)
