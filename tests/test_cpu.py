"""The processor is asked itself, and one that cannot run edgerag is refused in words."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from edgerag import cpu
from edgerag.cpu import Processor
from edgerag.errors import EdgeragError

NEHALEM = frozenset({"SSE3", "SSSE3", "CX16", "SSE4.1", "SSE4.2", "POPCNT", "LAHF"})
CHECKOUT = Path(__file__).parents[1]
OSXSAVE, AVX, FMA = 1 << 27, 1 << 28, 1 << 12
QEMU = shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")

needs_qemu = pytest.mark.skipif(
    QEMU is None or os.uname().machine != "x86_64", reason="needs qemu-x86_64-static (Debian: qemu-user-static)"
)


def answers(leaves: Mapping[tuple[int, int], tuple[int, int, int, int]], *, xcr0: int = 7) -> set[str]:
    return cpu.read_cpuid(lambda leaf, subleaf: leaves.get((leaf, subleaf), (0, 0, 0, 0)), lambda: xcr0)


def test_bits_of_cpuid_become_names() -> None:
    found = answers({(0, 0): (1, 0, 0, 0), (1, 0): (0, 0, 1 << 20 | 1 << 23 | 1 << 9, 0)})
    assert found == {"SSE4.2", "POPCNT", "SSSE3"}


def test_avx_counts_only_where_the_system_keeps_its_registers() -> None:
    leaves = {(0, 0): (7, 0, 0, 0), (1, 0): (0, 0, OSXSAVE | AVX | FMA, 0), (7, 0): (0, 1 << 5 | 1 << 16, 0, 0)}
    assert answers(leaves, xcr0=0xE7) == {"AVX", "FMA", "AVX2", "AVX512F"}
    assert answers(leaves, xcr0=0x7) == {"AVX", "FMA", "AVX2"}
    assert answers(leaves, xcr0=0x3) == set()
    without_xsave = {**leaves, (1, 0): (0, 0, AVX | FMA, 0)}
    assert answers(without_xsave, xcr0=0xE7) == set()


def test_leaves_that_an_old_processor_lacks_are_not_asked() -> None:
    # Such a processor answers with the data of its highest leaf instead.
    everything = (2**32 - 1,) * 4
    asked: list[int] = []

    def cpuid(leaf: int, subleaf: int) -> tuple[int, int, int, int]:
        asked.append(leaf)
        return {0: (1, 0, 0, 0), 0x80000000: (0x80000000, 0, 0, 0)}.get(leaf, everything)

    assert "AVX2" not in cpu.read_cpuid(cpuid, lambda: 7)
    assert set(asked) == {0, 1, 0x80000000}


def test_the_list_of_linux_is_read_in_its_own_spelling(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(
        "processor\t: 0\nflags\t\t: fpu pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm avx512_vnni\nflags: none\n"
    )
    assert cpu.read_cpuinfo(file) == NEHALEM | {"AVX512-VNNI"}


def test_the_auxiliary_vector_of_arm_is_read() -> None:
    def words(*numbers: int) -> bytes:
        return b"".join(number.to_bytes(8, sys.byteorder) for number in numbers)

    assert cpu.read_auxv(words(6, 4096, 16, 1 << 1 | 1 << 20, 26, 1 << 13, 0, 0)) == {"ASIMD", "DOTPROD", "I8MM"}
    assert cpu.read_auxv(words(16, 0xFF, 0, 0)) == {"ASIMD"}  # Cortex-A53
    assert cpu.read_auxv(b"") == set()


@pytest.mark.skipif(sys.platform != "linux", reason="compares with /proc/cpuinfo")
def test_this_machine_says_the_same_of_itself_as_the_system_does() -> None:
    processor = cpu.this_processor()
    assert processor.source in ("cpuid", "auxv")
    if processor.architecture == "x86_64":
        assert processor.extensions == cpu.read_cpuinfo(cpu.CPUINFO)


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="x86-64 Linux")
def test_where_code_may_not_be_run_from_memory_the_system_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> set[str]:
        raise PermissionError(13, "mprotect")

    monkeypatch.setattr(cpu, "_ask_cpuid", refuse)
    processor = cpu.this_processor.__wrapped__()
    assert processor.source == "cpuinfo"
    assert processor.has("SSE4.2")


def test_a_python_of_32_bits_is_given_no_code_of_64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    processor = cpu.this_processor.__wrapped__()
    assert processor.architecture.endswith(", 32 bits")
    assert processor.source == ""


def test_a_processor_that_nobody_can_ask_is_not_refused() -> None:
    cpu.require_processor(Processor("riscv64", frozenset(), ""))
    cpu.require_processor(Processor("x86_64", frozenset(), ""))
    cpu.require_processor(Processor("x86_64", frozenset({"SSE3"}), "sysctl"))  # macOS may spell the others otherwise


def test_the_oldest_processor_that_suffices_is_not_refused() -> None:
    cpu.require_processor(Processor("x86_64", NEHALEM, "cpuid"))
    cpu.require_processor(Processor("aarch64", frozenset({"ASIMD"}), "auxv"))


@pytest.mark.parametrize(
    ("processor", "said"),
    [
        (Processor("x86_64", NEHALEM - {"SSE4.2", "POPCNT"}, "cpuid"), "lacks SSE4.2 and POPCNT, which"),
        (Processor("x86_64", NEHALEM - {"POPCNT"}, "cpuid"), "lacks POPCNT, which"),
        (
            Processor("x86_64", frozenset({"SSE3"}), "cpuinfo"),
            "lacks SSSE3, SSE4.1, SSE4.2, POPCNT, CX16 and LAHF, which",
        ),
        (Processor("aarch64", frozenset({"FP16"}), "auxv"), "lacks ASIMD, which"),
    ],
    ids=["Penryn", "masked", "virtual", "ARM without NEON"],
)
def test_what_is_missing_is_said_in_words(processor: Processor, said: str) -> None:
    with pytest.raises(EdgeragError, match=said) as caught:
        cpu.require_processor(processor)
    assert "emulator" in caught.value.hint


def run_on(processor: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert QEMU is not None
    return subprocess.run(
        [QEMU, "-cpu", processor, sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


@needs_qemu
@pytest.mark.parametrize("processor", ["core2duo", "Penryn"])
def test_on_a_processor_too_old_every_command_ends_with_2_and_a_reason(processor: str) -> None:
    done = run_on(processor, "-m", "edgerag", "--json", "search", "rain gauge")
    assert done.returncode == 2
    assert "edgerag: This processor lacks SSE4." in done.stderr
    assert "x86-64-v2" in json.loads(done.stdout)["error"]["hint"]


@needs_qemu
def test_numpy_is_what_needs_the_extensions() -> None:
    # Once this fails, numpy runs on less, and REQUIRED can shrink.
    done = run_on("Penryn", "-c", "import numpy")
    assert done.returncode == 1
    assert "X86_V2" in done.stderr


@needs_qemu
@pytest.mark.parametrize(
    ("processor", "has", "lacks"),
    [("Nehalem", "SSE4.2", "AVX"), ("IvyBridge", "F16C", "AVX2"), ("Haswell", "AVX2", "AVX512F")],
)
def test_the_emulated_processor_is_asked_not_the_machine_around_it(processor: str, has: str, lacks: str) -> None:
    done = run_on(processor, "-c", "from edgerag.cpu import this_processor; print(*this_processor().extensions)")
    assert has in done.stdout.split()
    assert lacks not in done.stdout.split()
