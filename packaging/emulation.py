"""Another processor by QEMU's user emulation, for a program and for every program that it starts.

`qemu-x86_64-static PROGRAM` emulates that one process: what it executes runs on the real processor again. The kernel's
binfmt_misc hands every executable to an interpreter instead, and since Linux 6.7 each user namespace may have a
binfmt_misc of its own. There even the machine's own kind of executables can be given to QEMU without touching the rest
of the machine. QEMU itself is such an executable: its copy is marked in a byte that nothing reads, and the rule asks
for that byte to be zero. Linux: Documentation/admin-guide/binfmt-misc.rst.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import arm_cpuinfo

MARK_OFFSET = 9
"""In the padding of `e_ident` (System V ABI, ELF header): bytes 9 to 15 are zero and ignored."""
MARK = b"Q"
MIN_KERNEL = (6, 7)
RULE_NAME = "edgerag-self-test"

_X86 = (
    "fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 syscall nx lm "
    "constant_tsc rep_good nopl cpuid pni ssse3 cx16 sse4_1 sse4_2 popcnt hypervisor lahf_lm"
)
_HASWELL = "fma pcid movbe x2apic aes xsave avx f16c rdrand abm fsgsbase bmi1 avx2 smep bmi2 erms invpcid"
CPUINFO = {
    "Nehalem": f"flags\t\t: {_X86}\n",
    "Haswell": f"flags\t\t: {_X86} {_HASWELL}\n",
}
"""What the kernel prints on them, as far as programs look at it: QEMU 7.2 shows the real machine's /proc/cpuinfo. For
64-bit ARM the file is made out of what QEMU offers."""


def _intel(model: int, name: str) -> str:
    return f"vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: {model}\nmodel name\t: {name}\n"


MODEL_LINES = {
    "Nehalem": _intel(26, "Intel Core i7 9xx (Nehalem Class Core i7)"),
    "Haswell": _intel(60, "Intel Core Processor (Haswell)"),
}
"""The lines of /proc/cpuinfo that name them."""


EXTENSIONS = {
    "Nehalem": "SSE4.2",
    "Haswell": "SSE4.2, AVX, F16C, FMA, AVX2",
    "cortex-a53": "ASIMD",
    "cortex-a72": "ASIMD",
    "cortex-a76": "ASIMD, FP16, DOTPROD",
    "neoverse-n1": "ASIMD, FP16, DOTPROD",
}
"""What `edgerag doctor` must name on them, which asks the processor and not the system: a proof of the emulation."""


class EmulationError(Exception):
    """This processor cannot be emulated here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Machine:
    """How the kernel knows a machine's executables, and what emulates it."""

    qemu: str
    elf_machine: int
    """`e_machine` of the ELF header."""


MACHINES = {
    "x86_64": Machine("qemu-x86_64-static", 62),
    "aarch64": Machine("qemu-aarch64-static", 183),
}


@dataclass(frozen=True, slots=True)
class Emulation:
    """A processor to run on, made ready in a folder."""

    cpu: str
    qemu: Path
    """The marked copy."""
    rule: str
    """For `/proc/sys/fs/binfmt_misc/register`."""
    cpuinfo: Path | None
    """To be mounted over /proc/cpuinfo; None if nobody wrote down what this processor prints."""

    def is_emulated(self, pid: int) -> bool:
        """Whether a process runs in this QEMU."""
        try:
            return Path(f"/proc/{pid}/exe").samefile(self.qemu)
        except OSError:
            return False


def elf_machine(file: Path) -> str:
    """`x86_64` or `aarch64`, as the ELF header of an executable says; empty for a script.

    Raises:
        EmulationError: A machine that this module does not know.
    """
    with file.open("rb") as stream:
        header = stream.read(20)
    if not header.startswith(b"\x7fELF"):
        return ""
    number = int.from_bytes(header[18:20], "little")
    for name, machine in MACHINES.items():
        if machine.elf_machine == number:
            return name
    raise EmulationError(f"{file} is built for ELF machine {number}, which this test does not know.")


def machine_of(root: Path | None) -> str:
    """The machine of a root, or of this machine itself: that of its shell."""
    for name in ("usr/bin/dash", "bin/dash", "usr/bin/bash", "bin/bash"):
        shell = (root or Path("/")) / name
        if shell.is_file() and (machine := elf_machine(shell)):
            return machine
    raise EmulationError(f"{root or 'this system'} has no shell that tells for which machine it is built.")


def binfmt_rule(machine: Machine, interpreter: Path) -> str:
    """Executables of a machine without the mark go to the interpreter; opened now (F), argv[0] kept (P)."""
    magic = bytearray(b"\x7fELF" + b"\x00" * 14 + machine.elf_machine.to_bytes(2, "little"))
    mask = bytearray(b"\xff" * 4 + b"\x00" * 14 + b"\xff\xff")
    mask[MARK_OFFSET] = 0xFF
    # Executable or shared object (position independent): types 2 and 3 differ in the last bit.
    magic[16], mask[16] = 2, 0xFE

    def escaped(data: bytes) -> str:
        return "".join(f"\\x{byte:02x}" for byte in data)

    return f":{RULE_NAME}:M::{escaped(magic)}:{escaped(mask)}:{interpreter}:PF"


def prepare(cpu: str, machine_name: str, folder: Path, *, root: Path | None = None) -> Emulation:
    """Make the marked copy, the rule and the made-up cpuinfo.

    Args:
        cpu: QEMU's name of a processor.
        machine_name: A key of `MACHINES`.
        folder: Where they are made.
        root: The system that programs will run in; None: this machine's own.

    Raises:
        EmulationError: QEMU is not installed or does not know the processor, or this kernel is too old.
    """
    machine = MACHINES[machine_name]
    installed = shutil.which(machine.qemu)
    if installed is None:
        raise EmulationError(f"{machine.qemu} is not installed. On Debian and Ubuntu: apt-get install qemu-user-static")
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    if release < MIN_KERNEL:
        raise EmulationError(
            f"Linux {platform.release()} has one binfmt_misc for the whole machine; emulating every process of the "
            "bundle needs 6.7 or newer. Run this on a newer kernel, in a virtual machine if need be."
        )
    listed = subprocess.run([installed, "-cpu", "help"], capture_output=True, text=True).stdout
    name = cpu.split(",")[0]
    if name not in re.findall(r"[\w.+-]+", listed):
        raise EmulationError(f"{machine.qemu} knows no processor {name!r}; `{machine.qemu} -cpu help` lists them.")
    qemu = folder / f"{machine.qemu}-marked"
    shutil.copyfile(installed, qemu)
    qemu.chmod(0o755)
    with qemu.open("r+b") as stream:
        stream.seek(MARK_OFFSET)
        stream.write(MARK)
    file = None
    if text := cpuinfo(cpu, machine_name, installed, root or Path("/")):
        file = folder / f"cpuinfo.{cpu}"
        file.write_text(text)
    return Emulation(cpu, qemu, binfmt_rule(machine, qemu), file)


def cpuinfo(cpu: str, machine_name: str, qemu: str, root: Path) -> str:
    """What /proc/cpuinfo shall show; empty for a processor of which nobody wrote down what it prints.

    Raises:
        EmulationError: QEMU cannot run a program of the root on that processor.
    """
    if machine_name == "aarch64":
        try:
            return arm_cpuinfo.emulated(qemu, cpu, root)
        except ValueError as error:
            raise EmulationError(str(error)) from error
    if cpu not in CPUINFO:
        return ""
    cores = range(os.cpu_count() or 1)
    return "".join(f"processor\t: {core}\n{MODEL_LINES[cpu]}{CPUINFO[cpu]}\n" for core in cores)


def descendants(pid: int) -> Iterator[int]:
    """A process and all below it that are alive."""
    yield pid
    try:
        children = [task.read_text().split() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return
    for child in (int(number) for numbers in children for number in numbers):
        yield from descendants(child)


def command_of(pid: int) -> str:
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def observe_processes(emulation: Emulation, pid: int) -> set[str]:
    """What runs now below a process that is being emulated: `emulated worker`, `emulated`, `native COMMAND`.

    Empty until the process itself is emulated: before that the namespaces are being made.
    """
    if not any(emulation.is_emulated(one) for one in descendants(pid)):
        return set()
    seen = set()
    for one in descendants(pid):
        if command := command_of(one):
            # `strace` and `unshare` stay around the emulated program, and are not part of it.
            if emulation.is_emulated(one):
                seen.add("emulated worker" if "parse-worker" in command or "parse_worker" in command else "emulated")
            elif not command.startswith(("strace ", "/usr/bin/strace ", "unshare ", "/usr/bin/unshare ")):
                seen.add(f"native {command[:120]}")
    return seen
