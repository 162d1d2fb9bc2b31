"""Emulation: which executables the kernel hands to QEMU, and that a program's children are emulated too."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.packaging_scripts.loading import load

self_test = load("self_test")
emulation = sys.modules["emulation"]

HEADER = bytes.fromhex("7f454c4602010100000000000000000003003e00")
"""The first 20 bytes of a position-independent x86-64 executable."""


def matches(rule: str, header: bytes) -> bool:
    """As the kernel compares: `(file ^ magic) & mask` is zero."""
    _, name, kind, offset, magic, mask, _, flags = rule.split(":")
    assert (name, kind, offset, flags) == ("edgerag-self-test", "M", "", "PF")
    wanted, looked_at = (bytes.fromhex(part.replace("\\x", "")) for part in (magic, mask))
    return all((a ^ b) & c == 0 for a, b, c in zip(header, wanted, looked_at, strict=True))


@pytest.mark.parametrize(
    ("change", "is_emulated"),
    [
        ({}, True),
        ({16: 2}, True),
        ({7: 3}, True),
        ({16: 1}, False),
        ({18: 0xB7}, False),
        ({0: 0x23}, False),
        ({9: ord("Q")}, False),
    ],
    ids=["pie", "fixed-address", "gnu-abi", "object-file", "arm64", "script", "marked-qemu"],
)
def test_the_rule_matches_executables_of_its_machine_except_the_marked_one(
    change: dict[int, int], is_emulated: bool
) -> None:
    rule = emulation.binfmt_rule(emulation.MACHINES["x86_64"], Path("/x/qemu"))
    header = bytes(change.get(position, byte) for position, byte in enumerate(HEADER))
    assert matches(rule, header) is is_emulated


def test_the_machine_is_read_off_the_elf_header(tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_bytes(HEADER + b"rest")
    assert emulation.elf_machine(file) == "x86_64"
    file.write_bytes(HEADER[:18] + (183).to_bytes(2, "little"))
    assert emulation.elf_machine(file) == "aarch64"
    file.write_text("#!/bin/sh\n")
    assert emulation.elf_machine(file) == ""
    file.write_bytes(HEADER[:18] + (243).to_bytes(2, "little"))
    with pytest.raises(emulation.EmulationError, match="ELF machine 243"):
        emulation.elf_machine(file)


def test_an_old_kernel_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulation.shutil, "which", lambda name: "/bin/true")
    monkeypatch.setattr(emulation.platform, "release", lambda: "6.1.0-18-amd64")
    with pytest.raises(emulation.EmulationError, match=r"Linux 6\.1\.0-18-amd64 has one binfmt_misc.*needs 6\.7"):
        emulation.prepare("Nehalem", "x86_64", tmp_path)


def test_qemu_that_is_not_installed_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(emulation.EmulationError, match=r"qemu-x86_64-static is not installed.*qemu-user-static"):
        emulation.prepare("Nehalem", "x86_64", tmp_path)


@pytest.fixture
def fake_qemu(tmp_path: Path) -> Path:
    """Answers as the loader does in QEMU; knows one processor."""
    script = tmp_path / "qemu"
    script.write_text(
        "#!/bin/sh\n"
        'if [ "$2" = max ]; then printf "AT_HWCAP:  119ffb\\nAT_HWCAP2: 0x0\\n"; '
        "else echo \"unable to find CPU model '$2'\" >&2; exit 1; fi\n"
    )
    script.chmod(0o755)
    return script


def test_an_arm_processor_shows_what_qemu_offers_even_if_nobody_wrote_it_down(fake_qemu: Path) -> None:
    text = emulation.cpuinfo("max", "aarch64", str(fake_qemu), Path("/srv/arm64"))
    assert (
        "Features\t: fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp\n"
        in text
    )


def test_an_arm_processor_that_cannot_be_run_is_told_in_qemus_words(fake_qemu: Path) -> None:
    with pytest.raises(
        emulation.EmulationError, match=r"cortex-a9 cannot be emulated in /srv/arm64: unable to find CPU"
    ):
        emulation.cpuinfo("cortex-a9", "aarch64", str(fake_qemu), Path("/srv/arm64"))


def test_of_an_unknown_x86_processor_the_real_cpuinfo_stays(fake_qemu: Path) -> None:
    assert emulation.cpuinfo("Skylake-Client", "x86_64", str(fake_qemu), Path("/")) == ""
    assert "avx2" in emulation.cpuinfo("Haswell", "x86_64", str(fake_qemu), Path("/"))


CHILD = "import os; print([line.split() for line in open('/proc/cpuinfo') if line.startswith('flags')][0])"
PARENT = (
    f"#!{sys.executable} -I\nimport subprocess, sys, time\n"
    f"subprocess.run([sys.executable, '-I', '-c', {CHILD!r}], check=True)\n"
    "subprocess.run([sys.executable, '-I', '-c', 'import time; time.sleep(1)', '--parse-worker'], check=True)\n"
)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-x86_64-static") is None, reason="qemu-user-static is not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
def test_a_program_and_its_children_are_emulated(tmp_path: Path) -> None:
    try:
        emulated = emulation.prepare("Nehalem", emulation.machine_of(None), tmp_path)
    except (emulation.EmulationError, KeyError) as reason:
        pytest.skip(str(reason))
    program = tmp_path / "edgerag"
    program.write_text(PARENT)
    program.chmod(0o755)
    for name in ("home", "nothing"):
        (tmp_path / name).mkdir()
    place: Any = self_test.Place(executable=program, work=tmp_path, emulation=emulated)
    ran = place.run([], timeout_s=120)
    if ran.status == 97 or "unshare" in ran.errors:
        pytest.skip(f"this system does not permit it: {ran.errors.strip()[:200]}")
    assert ran.status == 0, ran.told()
    assert "sse4_2" in ran.text
    assert "avx" not in ran.text
    assert ran.seen == ("emulated", "emulated worker")


def test_a_child_on_the_real_processor_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    emulated = emulation.Emulation("Nehalem", tmp_path / "qemu", "", None)
    commands = {1: "qemu edgerag add", 2: "edgerag --parse-worker", 3: "unshare --net"}
    monkeypatch.setattr(emulation, "descendants", lambda pid: iter(commands))
    monkeypatch.setattr(emulation, "command_of", commands.__getitem__)
    monkeypatch.setattr(emulation.Emulation, "is_emulated", lambda self, pid: pid == 1)
    assert emulation.observe_processes(emulated, 1) == {"emulated", "native edgerag --parse-worker"}
