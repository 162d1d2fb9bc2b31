"""What Linux prints in /proc/cpuinfo on an emulated 64-bit ARM processor, out of what QEMU offers its programs.

QEMU before 8.2 shows the real machine's file. onnxruntime believes it: of an x86 machine's it dies (version 1.31.1).
Source of names and bits: arch/arm64/include/uapi/asm/hwcap.h and arch/arm64/kernel/cpuinfo.c of Linux.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

HWCAP = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 "
    "sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg"
).split()
HWCAP2 = (
    "dcpodp sve2 sveaes svepmull svebitperm svesha3 svesm4 flagm2 frint svei8mm svef32mm svef64mm svebf16 i8mm bf16 "
    "dgh rng bti mte ecv afp rpres mte3 sme smei16i64 smef64f64 smei8i32 smef16f32 smeb16f32 smef32f32 smefa64 wfxt"
).split()
"""In the order of their bits, from the lowest."""
PARTS = {
    "a64fx": (0x46, 0x001),
    "cortex-a35": (0x41, 0xD04),
    "cortex-a53": (0x41, 0xD03),
    "cortex-a57": (0x41, 0xD07),
    "cortex-a72": (0x41, 0xD08),
    "cortex-a76": (0x41, 0xD0B),
    "neoverse-n1": (0x41, 0xD0C),
}
"""Implementer and part number, from the processors' technical reference manuals."""
NEWEST = (0x41, 0xD4F)
"""Of Neoverse V2: for QEMU's `max`, which is no processor that one could buy."""


def emulated(qemu: str, cpu: str, root: Path) -> str:
    """The text of /proc/cpuinfo on a processor that QEMU emulates, with as many cores as this machine has.

    Args:
        qemu, cpu, root: As `ask_qemu` takes them.

    Raises:
        ValueError: QEMU is not there, does not know the processor, or cannot run a program of the root on it.
    """
    try:
        names = ask_qemu(qemu, cpu, root)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"{cpu} cannot be emulated in {root}: {error}. `{qemu} -cpu help` lists what can be."
        ) from error
    return cpuinfo(cpu, names, os.cpu_count() or 1)


def ask_qemu(qemu: str, cpu: str, root: Path) -> list[str]:
    """Names of the extensions that QEMU offers a program on this processor.

    Args:
        qemu: Path or name of `qemu-aarch64-static`.
        cpu: Its name of a processor, from which features may be taken (`max,sve=off`).
        root: A system for 64-bit ARM, of which the loader and `true` are run.

    Raises:
        ValueError: QEMU or the loader did not say; the message has QEMU's own.
    """
    command = [qemu, "-cpu", cpu, "-L", os.fspath(root), "-E", "LD_SHOW_AUXV=1", os.fspath(root / "bin/true")]
    done = subprocess.run(command, env={"PATH": os.defpath}, capture_output=True, text=True, check=False)
    try:
        return features(done.stdout)
    except ValueError as error:
        raise ValueError(done.stderr.strip() or str(error)) from error


def features(auxiliary_vector: str) -> list[str]:
    """Names of a processor's extensions.

    Args:
        auxiliary_vector: What the loader prints of it: `LD_SHOW_AUXV=1 /bin/true`, in hexadecimal.

    Raises:
        ValueError: It does not say AT_HWCAP.
    """
    values = dict(line.split(":", 1) for line in auxiliary_vector.splitlines() if ":" in line)
    if "AT_HWCAP" not in values:
        raise ValueError("the auxiliary vector has no AT_HWCAP")
    first, second = int(values["AT_HWCAP"], 16), int(values.get("AT_HWCAP2", "0"), 16)
    return [name for bit, name in enumerate(HWCAP) if first >> bit & 1] + [
        name for bit, name in enumerate(HWCAP2) if second >> bit & 1
    ]


def cpuinfo(cpu: str, names: list[str], num_cores: int) -> str:
    """The text of /proc/cpuinfo.

    Args:
        cpu: QEMU's name of the processor; what it takes away (`max,sve=off`) is not in `names` anyway.
        names: As `features` gives them.
        num_cores: How many processors it lists.
    """
    implementer, part = PARTS.get(cpu.partition(",")[0], NEWEST)
    lines = [
        "BogoMIPS\t: 100.00",
        f"Features\t: {' '.join(names)}",
        f"CPU implementer\t: {implementer:#04x}",
        "CPU architecture: 8",
        "CPU variant\t: 0x0",
        f"CPU part\t: {part:#05x}",
        "CPU revision\t: 3",
    ]
    return "".join("\n".join([f"processor\t: {core}", *lines, "", ""]) for core in range(num_cores))
