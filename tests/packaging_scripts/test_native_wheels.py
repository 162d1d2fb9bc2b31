"""Portable wheels of the packages that come as source: what is pinned, what is changed, what is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.packaging_scripts.loading import SCRIPTS, load

native_wheels = load("native_wheels")
source_wheels = sys.modules["source_wheels"]
llama_edits = load("llama_edits")
REQUIREMENTS = SCRIPTS.parent / "requirements"

PINNED = """anyio==4.0 \\
    --hash=sha256:aa
hnswlib==0.8.0 \\
    --hash=sha256:bb
    # via edgerag (pyproject.toml)
llama-cpp-python==0.3.36 ; sys_platform != 'emscripten' \\
    --hash=sha256:cc \\
    --hash=sha256:dd
lxml==6.1.3 \\
    --hash=sha256:ee
"""

CMAKE_LIST = """if (GGML_SYSTEM_ARCH STREQUAL "x86")
    ggml_add_cpu_backend_variant(x64)
    ggml_add_cpu_backend_variant(sse42              SSE42)
    ggml_add_cpu_backend_variant(haswell            SSE42 AVX F16C)
elseif (GGML_SYSTEM_ARCH STREQUAL "ARM")
        ggml_add_cpu_backend_variant(armv9.2_1    DOTPROD SME)
endif()
function(ggml_add_cpu_backend_variant tag_name)
"""

QUANTS = """
void ggml_vec_dot_q4_1_q8_1(int n, float * s) {
#if defined(__AVX2__) || defined(__AVX__)
    *s = 1;
#else
    UNUSED(nb);
    ggml_vec_dot_q4_1_q8_1_generic(n, s);
#endif
}

void ggml_vec_dot_q5_0_q8_0(int n, float * s) {
#else
    UNUSED(nb);
#endif
}

void ggml_vec_dot_q8_0_q8_0(int n, float * s) {
#if defined(__AVX2__)
    sumf = 1;
#endif
    for (; ib < nb; ++ib) {
    }
}

void last(void) {}
"""


def test_both_packages_are_pinned_with_all_their_hashes() -> None:
    hnswlib, llama = native_wheels.read_pins(PINNED, native_wheels.PACKAGES)
    assert hnswlib.requirement == "hnswlib==0.8.0 \\\n    --hash=sha256:bb\n"
    assert llama.version == "0.3.36"
    assert llama.requirement.count("--hash") == 2
    assert "lxml" not in llama.requirement
    assert "sys_platform" in llama.requirement


@pytest.mark.parametrize("text", [PINNED.replace("hnswlib", "other"), "hnswlib==0.8.0\nllama-cpp-python==0.3.36\n"])
def test_a_package_without_version_and_hash_is_refused(text: str) -> None:
    with pytest.raises(native_wheels.BuildError, match="hnswlib is not in the requirements file"):
        native_wheels.read_pins(text, native_wheels.PACKAGES)


@pytest.mark.parametrize("name", ["llm", "tui", "test"])
def test_every_set_of_requirements_pins_both(name: str) -> None:
    pins = native_wheels.read_pins((REQUIREMENTS / f"{name}.txt").read_text(), native_wheels.PACKAGES)
    assert [pin.name for pin in pins] == ["hnswlib", "llama-cpp-python"]


def test_the_tools_are_pinned() -> None:
    text = (REQUIREMENTS / "native.txt").read_text()
    pins = native_wheels.read_pins(text, ("cmake", "ninja", "numpy", "pybind11", "scikit-build-core", "setuptools"))
    assert all("--hash=sha256:" in pin.requirement for pin in pins)


def test_variants_are_left_out_and_the_others_stay() -> None:
    text, kept = llama_edits.leave_out_variants(CMAKE_LIST, {"x64", "armv9.2_1"})
    assert kept == ["sse42", "haswell"]
    assert "(x64)" not in text
    assert "SME" not in text
    assert "function(ggml_add_cpu_backend_variant tag_name)" in text


@pytest.mark.skipif(sys.platform == "win32", reason="the compiler is another")
def test_variants_that_an_old_compiler_does_not_know_are_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compiler = tmp_path / "gcc-10"
    compiler.write_text('#!/bin/sh\nif [ "$1" = -mavxvnni ]; then echo "unrecognized option" >&2; exit 1; fi\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    monkeypatch.setattr(native_wheels.platform, "machine", lambda: "x86_64")
    assert native_wheels.unknown_variants() == ["alderlake"]
    assert capsys.readouterr().err == "left out: alderlake, the compiler does not know -mavxvnni\n"
    monkeypatch.setattr(native_wheels.platform, "machine", lambda: "aarch64")
    assert native_wheels.unknown_variants() == []


def test_a_variant_that_ggml_no_longer_has_is_an_error() -> None:
    with pytest.raises(llama_edits.EditError, match=r"no variant cooperlake; it has x64, sse42, haswell, armv9\.2_1"):
        llama_edits.leave_out_variants(CMAKE_LIST, {"cooperlake"})


def test_the_library_of_the_command_line_tools_is_switched_off() -> None:
    line = '    set(LLAMA_BUILD_COMMON ON CACHE BOOL "Build llama.cpp common library" FORCE)\n'
    assert llama_edits.without_common(line) == line.replace(" ON ", " OFF ")
    with pytest.raises(llama_edits.EditError):
        llama_edits.without_common("set(LLAMA_BUILD_COMMON OFF)")


def test_products_for_sse_go_into_their_functions_alone() -> None:
    changed = llama_edits.with_sse_products(QUANTS)
    first, other, last = changed.split("\nvoid ")[1:4]
    assert first.index("#elif defined(__SSSE3__)") < first.index("#else\n    UNUSED(nb);")
    assert "__SSSE3__" not in other
    assert last.index("#elif defined(__SSSE3__)") < last.index("#endif\n    for (;")


@pytest.mark.parametrize(
    "source",
    [
        QUANTS.replace("ggml_vec_dot_q8_0_q8_0", "ggml_vec_dot_q9"),
        QUANTS.replace("__AVX2__)\n    sumf", "__SSSE3__)\n    sumf"),
        QUANTS.replace("#endif\n    for", "#endif\n    while"),
    ],
    ids=["function gone", "has one by now", "changed"],
)
def test_a_source_that_has_changed_is_an_error(source: str) -> None:
    with pytest.raises(llama_edits.EditError, match="ggml_vec_dot_q8_0_q8_0 of ggml has changed"):
        llama_edits.with_sse_products(source)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("llama_cpp/lib/libllama.so", True),
        ("llama_cpp/lib/libggml-cpu-haswell.so", True),
        ("llama_cpp/llama_cpp.py", True),
        ("llama_cpp_python-0.3.36.dist-info/METADATA", True),
        ("llama_cpp_python-0.3.36.dist-info/licenses/LICENSE.md", True),
        ("llama_cpp/lib/cmake/ggml/ggml-config.cmake", False),
        ("llama_cpp/lib/pkgconfig/llama.pc", False),
        ("llama_cpp/lib/libllama.a", False),
        ("llama_cpp/include/llama.h", False),
        ("llama_cpp/server/app.py", False),
        ("lib/libllama.so", False),
        ("bin/convert_hf_to_gguf.py", False),
    ],
)
def test_the_wheel_holds_what_runs_and_its_licence(path: str, wanted: bool) -> None:
    assert native_wheels.is_wanted(path) is wanted


def test_settings_of_the_caller_for_this_processor_do_not_get_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CFLAGS", "-march=native")
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_NATIVE=ON")
    monkeypatch.setenv("SKBUILD_CMAKE_ARGS", "-DGGML_NATIVE=ON")
    monkeypatch.setenv("CPPFLAGS", "-march=native")
    variables = native_wheels.environment(tmp_path / "source", tmp_path)
    assert not [name for name, value in variables.items() if "march=native" in value or "GGML_NATIVE=ON" in value]
    assert "-DGGML_NATIVE=OFF" in variables["CMAKE_ARGS"].split()
    assert "-DGGML_CPU_ALL_VARIANTS=ON" in variables["CMAKE_ARGS"].split()
    assert variables["HNSWLIB_NO_NATIVE"] == "1"


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands in for pip and the compilers; tells which packages were compiled."""
    wheel_files = load("wheel_files")
    compiled: list[str] = []

    def compile_(python: Path, source: Path, work: Path, variables: dict[str, str]) -> Path:
        compiled.append(source.name)
        target = work / "raw" / source.name
        target.mkdir(parents=True, exist_ok=True)
        raw = target / f"{source.name.replace('-', '_')}-cp311-none-any.whl"
        with wheel_files.zipfile.ZipFile(raw, "w") as wheel:
            wheel.writestr(f"{source.name}.dist-info/RECORD", "")
            wheel.writestr("module.so", b"native" * 5000)
        return raw

    monkeypatch.setattr(native_wheels, "edit_source", lambda folder, left_out: None)
    monkeypatch.setattr(source_wheels, "need_compilers", lambda: None)
    monkeypatch.setattr(source_wheels, "make_tools", lambda folder, tools: Path("python"))
    monkeypatch.setattr(source_wheels, "fetch", lambda python, pins, work: work)
    monkeypatch.setattr(source_wheels, "unpack", lambda sources, pin, work: work / pin.name)
    monkeypatch.setattr(source_wheels, "compile_wheel", compile_)
    return compiled


def build(folder: Path, **changes: Any) -> list[Path]:
    inputs = {"requirements": PINNED, "tools": "cmake==4"} | changes
    for name, text in inputs.items():
        (folder / name).write_text(text)
    made: list[Path] = native_wheels.build(
        folder / "out", folder / "work", folder / "requirements", folder / "tools"
    )  # fmt: skip
    return made


def test_what_is_there_is_kept_until_something_it_was_made_from_changes(tmp_path: Path, stages: list[str]) -> None:
    first = build(tmp_path)
    assert [wheel.name.partition("-cp311")[0] for wheel in first] == ["hnswlib", "llama_cpp_python"]
    assert build(tmp_path) == first
    assert stages == ["hnswlib", "llama-cpp-python"]
    build(tmp_path, tools="cmake==5")
    assert len(stages) == 4
    build(tmp_path, requirements=PINNED.replace(":dd", ":ff"), tools="cmake==5")
    assert len(stages) == 6


def test_a_damaged_wheel_is_made_again(tmp_path: Path, stages: list[str]) -> None:
    first, _ = build(tmp_path)
    first.write_bytes(first.read_bytes()[:-1])
    build(tmp_path)
    assert len(stages) == 4
    (tmp_path / "out" / native_wheels.NATIVE_RECORD).write_text(json.dumps({"inputs": 1}))
    build(tmp_path)
    assert len(stages) == 6


def test_wheels_of_another_version_or_python_do_not_stay_beside_the_new_ones(tmp_path: Path, stages: list[str]) -> None:
    old = ("hnswlib-0.7.0-cp310-none-any.whl", "llama_cpp_python-0.3.35-py3-none-any.whl")
    others = ("pysqlite3-0.6.0-cp311-none-any.whl", "hnswlib_extra-1.0-py3-none-any.whl", "notes.txt")
    (tmp_path / "out").mkdir()
    for name in (*old, *others):
        (tmp_path / "out" / name).touch()
    first = build(tmp_path)
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {*others, native_wheels.NATIVE_RECORD, *(wheel.name for wheel in first)}
    (tmp_path / "out" / old[0]).touch()
    assert build(tmp_path) == first
    assert not (tmp_path / "out" / old[0]).exists()


@pytest.mark.parametrize("script", ["native_wheels.py", "sqlite_wheel.py"])
@pytest.mark.parametrize("version", [(3, 9, 2), (3, 10, 13)], ids=["3.9", "3.10"])
def test_a_python_that_is_too_old_is_told_before_anything_is_loaded(script: str, version: tuple[int, int, int]) -> None:
    program = (
        f"import argparse, dataclasses, runpy, sys, zipfile; sys.version_info = {version}; "
        f"sys.path.insert(0, {str(SCRIPTS)!r}); runpy.run_path({str(SCRIPTS / script)!r}, run_name='__main__'); "
    )
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("edgerag needs Python 3.11 or newer; this is ")
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_compiler_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(native_wheels.BuildError, match=r"There is no no-such-compiler\. On Debian"):
        build(tmp_path)
