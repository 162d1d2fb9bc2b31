"""llama.cpp's arithmetic fits the processor: the best plug-in is loaded, and what would die is refused in words."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from edgerag.cpu import Processor, this_processor
from edgerag.errors import ModelError
from edgerag.inference import ggml_variants
from edgerag.inference.ggml_variants import Arithmetic, find_plugins, is_usable, plugin_folders, prepare_arithmetic

CHECKOUT = Path(__file__).parents[2]
COMPILER = shutil.which("cc")
HASWELL = Processor("x86_64", frozenset({"SSE4.2", "AVX", "F16C", "FMA", "AVX2", "BMI2"}), "cpuid")
NEHALEM = Processor("x86_64", frozenset({"SSE4.2"}), "cpuid")

GGML = """
#include <stddef.h>
static int loaded;
int loads(void) { return loaded; }
void *ggml_backend_load(const char *path) { (void) path; loaded++; return LOADS ? &loaded : NULL; }
"""
PLUGIN = "int ggml_backend_score(void) { return SCORE; }"

needs_compiler = pytest.mark.skipif(COMPILER is None or sys.platform == "win32", reason="needs a C compiler")


def compiled(source: str, target: Path, **defines: int) -> Path:
    assert COMPILER is not None
    flags = [f"-D{name}={value}" for name, value in defines.items()]
    subprocess.run(
        [COMPILER, "-shared", "-fPIC", *flags, "-x", "c", "-", "-o", target], input=source, text=True, check=True
    )
    return target


def package(folder: Path, library: Path) -> Any:
    """What `import llama_cpp` gives, as far as it is looked at here."""
    return types.SimpleNamespace(
        llama_cpp=types.SimpleNamespace(_lib=ctypes.CDLL(str(library)), _base_path=str(folder))
    )


@pytest.fixture(autouse=True)
def forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ggml_variants, "_prepared", None)
    monkeypatch.setattr(ggml_variants, "this_processor", lambda: HASWELL)


def folder_of_plugins(folder: Path, *, loads: int = 1, **scores: int) -> Any:
    for name, score in scores.items():
        compiled(PLUGIN, folder / f"libggml-cpu-{name}.so", SCORE=score)
    return package(folder, compiled(GGML, folder / "libllama.so", LOADS=loads))


@needs_compiler
def test_the_plugin_with_the_highest_score_is_loaded(tmp_path: Path) -> None:
    llama_cpp = folder_of_plugins(tmp_path, sse42=5, haswell=64, sandybridge=21)
    assert prepare_arithmetic(llama_cpp) == Arithmetic("haswell", ())
    assert llama_cpp.llama_cpp._lib.loads() == 1
    assert ggml_variants.prepared_arithmetic() == Arithmetic("haswell", ())


@needs_compiler
def test_a_plugin_whose_registers_the_system_does_not_keep_is_passed_over(tmp_path: Path) -> None:
    assert prepare_arithmetic(folder_of_plugins(tmp_path, sse42=5, haswell=64, zen4=1900)).variant == "haswell"


@needs_compiler
def test_where_no_plugin_runs_the_error_names_the_processor_and_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no code that runs on this processor \(x86_64\); it has haswell, sse42"):
        prepare_arithmetic(folder_of_plugins(tmp_path, sse42=0, haswell=0))


@needs_compiler
def test_a_plugin_that_ggml_refuses_gives_way_to_the_next(tmp_path: Path) -> None:
    llama_cpp = folder_of_plugins(tmp_path, loads=0, sse42=5, haswell=64)
    with pytest.raises(ModelError, match="no code that runs"):
        prepare_arithmetic(llama_cpp)
    assert llama_cpp.llama_cpp._lib.loads() == 2


@needs_compiler
def test_missing_plugins_are_named_with_their_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"not in {tmp_path}") as caught:
        prepare_arithmetic(folder_of_plugins(tmp_path))
    assert "extractive" in caught.value.hint


@needs_compiler
def test_a_damaged_plugin_is_passed_over(tmp_path: Path) -> None:
    llama_cpp = folder_of_plugins(tmp_path, sse42=5)
    (tmp_path / "libggml-cpu-haswell.so").write_bytes(b"\x7fELF")
    assert prepare_arithmetic(llama_cpp).variant == "sse42"


def linked_in(folder: Path, *extensions: str) -> Any:
    functions = ggml_variants._FUNCTIONS
    source = "".join(
        f"int ggml_cpu_has_{functions[name]}(void) {{ return {int(name in extensions)}; }}" for name in functions
    )
    return package(folder, compiled(source, folder / "libllama.so"))


@needs_compiler
def test_linked_in_arithmetic_that_fits_is_left_alone(tmp_path: Path) -> None:
    assert prepare_arithmetic(linked_in(tmp_path, "AVX", "AVX2")) == Arithmetic("", ("AVX", "AVX2"))


@needs_compiler
def test_linked_in_arithmetic_for_another_processor_is_refused_before_it_runs(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="this one lacks AVX512F, AVX512-VNNI"):
        prepare_arithmetic(linked_in(tmp_path, "AVX2", "AVX512F", "AVX512-VNNI"))


def test_plugins_are_found_beside_the_library_and_in_a_frozen_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plugin_folders(tmp_path) == [tmp_path]
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path / "frozen"), raising=False)
    folders = plugin_folders(tmp_path / "lib")
    assert folders == [tmp_path / "lib", tmp_path / "frozen/llama_cpp/lib", tmp_path / "frozen"]
    for name in ("frozen/llama_cpp/lib/libggml-cpu-zen4.so", "frozen/libggml-cpu-x64.so", "frozen/libggml-base.so"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(ggml_variants, "PREFIX", "libggml-cpu-")
    monkeypatch.setattr(ggml_variants, "SUFFIX", ".so")
    assert find_plugins(folders) == {"zen4": tmp_path / "frozen/llama_cpp/lib/libggml-cpu-zen4.so"}


@pytest.mark.parametrize(
    ("name", "processor", "usable"),
    [
        ("haswell", NEHALEM, False),
        ("sse42", NEHALEM, True),
        ("icelake", HASWELL, False),
        ("alderlake", HASWELL, True),
        ("icelake", Processor("x86_64", frozenset(), ""), True),
        ("armv8.2_2", Processor("aarch64", frozenset({"ASIMD"}), "auxv"), True),
    ],
)
def test_only_the_registers_decide_what_is_usable(name: str, processor: Processor, usable: bool) -> None:
    assert is_usable(name, processor) is usable


ASK = """
from edgerag.inference.generator_native import load_library
from edgerag.inference.ggml_variants import prepared_arithmetic
from edgerag.errors import ModelError
try:
    load_library()
    print(prepared_arithmetic().variant, *prepared_arithmetic().extensions)
except ModelError as error:
    print("refused:", error)
"""


def real(*command: str) -> str:
    done = subprocess.run(
        [*command, sys.executable, "-c", ASK],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr[-500:]}"
    return done.stdout


@pytest.fixture
def _llama_cpp() -> None:
    try:
        importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("llama-cpp-python is not installed")


@pytest.mark.usefixtures("_llama_cpp")
def test_the_installed_llama_cpp_uses_nothing_that_this_processor_lacks() -> None:
    extensions = set(real().split()) & set(ggml_variants._FUNCTIONS)
    assert extensions
    assert extensions <= this_processor().extensions


@pytest.mark.usefixtures("_llama_cpp")
@pytest.mark.skipif(shutil.which("qemu-x86_64-static") is None, reason="needs qemu-x86_64-static")
@pytest.mark.skipif(this_processor().architecture != "x86_64", reason="x86-64")
def test_the_installed_llama_cpp_does_not_die_on_a_processor_of_2008() -> None:
    said = real("qemu-x86_64-static", "-cpu", "Nehalem")
    assert said.startswith(
        ("sse42", "refused: llama.cpp was compiled for another processor: this one lacks AVX", " SSE3")
    )
