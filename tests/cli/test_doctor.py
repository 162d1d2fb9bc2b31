"""The doctor names the processor, what computes on it, and the way round where something is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from edgerag.cli import doctor as doctor_command
from edgerag.cli.fallbacks import distance_way, extensions_in_words, generator_way, int8_way, is_slow
from edgerag.cli.root import run
from edgerag.coded_text import coded
from edgerag.cpu import Processor, this_processor
from edgerag.errors import ModelError
from edgerag.inference import generator_native, ggml_variants
from edgerag.inference.ggml_variants import Arithmetic

SSE = ("SSE3", "SSSE3", "SSE4.1", "SSE4.2", "POPCNT")
HASWELL = (*SSE, "AVX", "F16C", "FMA", "AVX2", "BMI2")


def x86(*extensions: str) -> Processor:
    return Processor("x86_64", frozenset(extensions), "cpuid")


def arm(*extensions: str) -> Processor:
    return Processor("aarch64", frozenset({"ASIMD", *extensions}), "auxv")


UNKNOWN = Processor("riscv64", frozenset(), "")


@pytest.mark.parametrize(
    ("processor", "way"),
    [
        (x86(*HASWELL, "AVX512F", "AVX512BW", "AVX512-VNNI", "AMX-INT8"), "INT8 by AMX"),
        (x86(*HASWELL, "AVX512F", "AVX512BW", "AVX512-VNNI"), "INT8 by AVX512-VNNI"),
        (x86(*HASWELL, "AVX-VNNI"), "INT8 by AVX-VNNI"),
        (x86(*HASWELL, "AVX512F", "AVX512BW"), "no VNNI: INT8 by AVX512BW in sums of 16 bits"),
        (x86(*HASWELL), "no VNNI: INT8 by AVX2 in sums of 16 bits"),
        (x86(*SSE, "AVX"), "no AVX2: INT8 by SSE4.1"),
        (arm("DOTPROD", "I8MM"), "INT8 by i8mm"),
        (arm("DOTPROD"), "INT8 by dotprod"),
        (arm(), "no dotprod: INT8 by NEON"),
        (UNKNOWN, ""),
        (Processor("x86_64", frozenset(), ""), ""),
    ],
)
def test_the_way_of_int8_products_is_named(processor: Processor, way: str) -> None:
    assert int8_way(processor) == way


def test_extensions_are_listed_oldest_first_and_only_those_that_matter() -> None:
    assert extensions_in_words(x86(*HASWELL)) == "x86_64 with SSE4.2, AVX, F16C, FMA, AVX2 (asked: cpuid)"
    assert extensions_in_words(arm("I8MM", "DOTPROD")) == "aarch64 with ASIMD, DOTPROD, I8MM (asked: auxv)"
    assert extensions_in_words(UNKNOWN) == "riscv64; which extensions it has cannot be asked on this system"


def test_distances_are_named_for_a_portable_build_alone() -> None:
    assert distance_way(x86(*HASWELL), is_portable=True) == "distances by SSE"
    assert distance_way(arm(), is_portable=True) == "distances in plain C++"
    assert distance_way(x86(*HASWELL), is_portable=False) == ""


def test_the_plugin_is_named_with_what_it_was_compiled_for() -> None:
    assert generator_way("haswell", ("SSE3", "AVX", "AVX2", "BMI2")) == "plug-in haswell (AVX, AVX2)"
    assert generator_way("", ("SSE3", "AVX", "AVX2")) == "compiled in (AVX, AVX2)"
    assert generator_way("armv8.0_1", ("ASIMD",)) == "plug-in armv8.0_1 (ASIMD)"
    assert generator_way("sse42", ("SSE3", "SSSE3")).startswith(
        "plug-in sse42 (SSSE3). Without AVX, models in other formats than Q4_0, Q4_1"
    )
    assert not is_slow(("ASIMD",))


@pytest.fixture
def findings(capsys: pytest.CaptureFixture[str]) -> Callable[[], dict[str, Any]]:
    def find() -> dict[str, Any]:
        capsys.readouterr()
        run(["--json", "doctor"])
        return {found["name"]: found for found in json.loads(capsys.readouterr().out)["findings"]}

    return find


@pytest.mark.models
def test_every_check_is_there_under_its_stable_name(findings: Callable[[], dict[str, Any]]) -> None:
    found = findings()
    assert list(found) == [
        "edgerag", "settings", "sqlite", "library", "disk", "processor", "onnxruntime", "embedder", "hnswlib",
        "llama.cpp", "generator", "threads",
    ]  # fmt: skip
    assert found["processor"]["text"] == extensions_in_words(this_processor())
    assert found["onnxruntime"]["text"].endswith(int8_way(this_processor()))
    assert found["hnswlib"]["text"] == "used above 50000 chunks; up to that, all vectors are compared"


@pytest.mark.models
def test_a_bundle_names_the_distances_of_its_portable_index(
    findings: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_command, "IS_BUNDLE", True)
    monkeypatch.setattr(doctor_command, "this_processor", lambda: x86(*HASWELL))
    text = "used above 50000 chunks, distances by SSE; up to that, all vectors are compared"
    assert findings()["hnswlib"]["text"] == text


@pytest.mark.models
@pytest.mark.parametrize(
    ("free", "verdict", "told"),
    [
        (9_000_000_000, "ok", "9.0 GB free at "),
        (429_000_000, "note", ": reading many files may fill it"),
        (9_000_000, "problem", ": too little to read files; free some"),
    ],
    ids=["a disk", "a small stick", "full"],
)
def test_a_small_disk_is_no_fault_until_it_is_full(
    free: int, verdict: str, told: str, findings: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_command.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    disk = findings()["disk"]
    assert disk["verdict"] == verdict
    assert told in disk["text"]


class _LlamaCpp:
    __version__ = "0.3.36"


@pytest.mark.models
@pytest.mark.parametrize(
    ("arithmetic", "verdict", "text"),
    [
        (Arithmetic("zen4", ("SSE3", "AVX")), "ok", "llama-cpp-python 0.3.36, plug-in zen4 (AVX)"),
        (Arithmetic("sse42", ("SSE3",)), "note", "llama-cpp-python 0.3.36, plug-in sse42 (SSE3). Without AVX"),
    ],
    ids=["fast", "slow"],
)
def test_the_plugin_in_use_is_found(
    arithmetic: Arithmetic,
    verdict: str,
    text: str,
    findings: Callable[[], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(generator_native, "load_library", _LlamaCpp)
    monkeypatch.setattr(ggml_variants, "_prepared", arithmetic)
    found = findings()["llama.cpp"]
    assert found["verdict"] == verdict
    assert found["text"].startswith(text)


@pytest.mark.models
def test_a_missing_generator_library_is_a_note_and_an_unusable_one_a_problem(
    findings: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(code: str) -> Callable[[], Any]:
        def load() -> Any:
            raise ModelError(coded(code, "llama.cpp is not there."), hint="Do this.")

        return load

    monkeypatch.setattr(generator_native, "load_library", fails("generator.not_installed"))
    assert findings()["llama.cpp"] == {
        "name": "llama.cpp",
        "verdict": "note",
        "text": 'not installed: answers are extractive. pip install "edgerag[llm]" adds it',
    }
    monkeypatch.setattr(generator_native, "load_library", fails("generator.other_processor"))
    assert findings()["llama.cpp"] == {
        "name": "llama.cpp",
        "verdict": "problem",
        "text": "llama.cpp is not there. Do this.",
    }
