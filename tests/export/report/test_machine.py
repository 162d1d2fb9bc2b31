"""What is said about the machine, from files as Linux writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerag_export.report import machine

X86 = """processor\t: 0
model name\t: AMD EPYC
flags\t\t: fpu avx avx2 fma avx512f avx512_vnni

processor\t: 1
model name\t: another
"""
ARM = """processor\t: 0
Features\t: fp asimd asimddp i8mm
CPU implementer\t: 0x41
"""


@pytest.mark.parametrize(
    ("text", "flags"),
    [(X86, ("avx", "fma", "avx2", "avx512f", "avx512_vnni")), (ARM, ("asimd", "asimddp", "i8mm")), ("", ())],
    ids=["x86", "arm64", "empty"],
)
def test_abilities_that_matter_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, flags: tuple[str, ...]
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(machine, "CPUINFO", path)

    assert machine.this_machine().flags == flags


def test_the_first_processor_gives_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(X86, encoding="utf-8")
    monkeypatch.setattr(machine, "CPUINFO", path)

    assert machine.this_machine().cpu == "AMD EPYC"


def test_a_system_without_such_a_file_is_described_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "missing")

    found = machine.this_machine()

    assert found.flags == ()
    assert found.cores >= 1
    assert "onnxruntime" in found.packages
