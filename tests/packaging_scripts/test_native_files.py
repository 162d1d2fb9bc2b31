"""Native libraries leave the build machine without its symbols and paths, and still load."""

from __future__ import annotations

import ctypes
import platform
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.packaging_scripts.loading import load

native_files = load("native_files")
COMPILER = shutil.which("cc") or shutil.which("gcc")
needs_compiler = pytest.mark.skipif(
    COMPILER is None or shutil.which("strip") is None or platform.system() != "Linux",
    reason="needs cc and strip on Linux",
)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    source = tmp_path / "answer.c"
    source.write_text(
        "static int hidden_helper(int n) { return n + 1; }\nint answer(void) { return hidden_helper(41); }\n"
    )
    target = tmp_path / "libanswer.so.1"
    flags = ["-shared", "-fPIC", "-g", "-O0", "-Wl,--no-as-needed", "-Wl,-soname,libanswer.so.1"]
    flags += ["-Wl,-rpath,/home/builder/lib:$ORIGIN/../libs"]
    subprocess.run([str(COMPILER), *flags, "-o", str(target), str(source)], check=True)
    return target


@needs_compiler
def test_folders_of_the_build_machine_go_and_those_beside_the_library_stay(library: Path) -> None:
    assert native_files.forget_search_paths(library) == ["/home/builder/lib"]
    section = native_files.read_dynamic(library)
    assert section.search_paths == ("$ORIGIN/../libs",)
    assert section.soname == "libanswer.so.1"
    assert "libc.so.6" in section.needed
    assert b"/home/builder" not in library.read_bytes()
    assert native_files.forget_search_paths(library) == []
    assert ctypes.CDLL(str(library)).answer() == 42


@needs_compiler
def test_a_stripped_library_is_smaller_and_does_the_same(library: Path) -> None:
    before = library.stat().st_size
    assert b"hidden_helper" in library.read_bytes()
    saved = native_files.strip_symbols(library)
    assert saved == before - library.stat().st_size > 0
    assert b"hidden_helper" not in library.read_bytes()
    assert ctypes.CDLL(str(library)).answer() == 42


@needs_compiler
def test_a_library_that_stripping_would_spoil_stays_as_it_is(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_files, "loads_everywhere", lambda data: False)
    before = library.read_bytes()
    assert native_files.strip_symbols(library) == 0
    assert library.read_bytes() == before
    assert [path.name for path in library.parent.iterdir() if "stripped" in path.name] == []


@needs_compiler
def test_a_segment_off_its_page_is_noticed(library: Path) -> None:
    data = bytearray(library.read_bytes())
    assert native_files.loads_everywhere(bytes(data))
    (table,) = struct.unpack_from("<Q", data, 0x20)
    struct.pack_into("<Q", data, table + 8, 0x98)  # the first segment's place in the file
    assert not native_files.loads_everywhere(bytes(data))


@needs_compiler
def test_without_strip_the_message_says_what_to_install(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(native_files.ToolMissingError, match="apt install binutils"):
        native_files.strip_symbols(library)


def test_the_newest_glibc_symbol_decides(tmp_path: Path) -> None:
    file = tmp_path / "lib.so"
    file.write_bytes(b"\0GLIBC_2.17\0GLIBC_2.9\0GLIBC_2.34\0GLIBC_2.2.5\0other\0")
    assert native_files.needed_glibc(file) == (2, 34)
    file.write_bytes(b"nothing")
    assert native_files.needed_glibc(file) == (0, 0)


def test_what_is_no_library_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "text.so"
    file.write_bytes(b"no library at all")
    assert not native_files.is_elf(file)
    with pytest.raises(ValueError, match=r"text\.so is no sound ELF file"):
        native_files.read_dynamic(file)
