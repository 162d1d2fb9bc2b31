"""The machine on which a report was measured: without it, no time means anything."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edgerag.cores import usable_cores
from edgerag_export.packages import versions

CPUINFO = Path("/proc/cpuinfo")
FLAGS = (
    "avx", "f16c", "fma", "avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8",
    "asimd", "asimddp", "i8mm", "bf16", "sve", "sve2",
)  # fmt: skip
"""Of a processor's abilities those that decide how fast bytes and floats are multiplied."""
PACKAGES = ("onnxruntime", "llama-cpp-python", "numpy", "tokenizers")
"""Whose versions change the figures."""


@dataclass(frozen=True, slots=True)
class Machine:
    cpu: str
    architecture: str
    """E.g. `x86_64`."""
    cores: int
    """That this process may use."""
    flags: tuple[str, ...]
    """Of `FLAGS` those that the processor has; empty where the system does not tell."""
    system: str
    packages: dict[str, str]
    """Version by name."""


def this_machine() -> Machine:
    """Describe the machine; nothing that names it or its user."""
    return Machine(
        cpu=_cpu_name(),
        architecture=platform.machine(),
        cores=usable_cores(),
        flags=_flags(_cpuinfo()),
        system=platform.system(),
        packages=versions(*PACKAGES),
    )


def _cpuinfo() -> dict[str, str]:
    """The first processor's lines of Linux's `/proc/cpuinfo`; empty elsewhere."""
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    rows = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in rows}


def _flags(info: dict[str, str]) -> tuple[str, ...]:
    # `flags` on x86, `Features` on arm64
    known = {*info.get("flags", "").split(), *info.get("Features", "").split()}
    return tuple(flag for flag in FLAGS if flag in known)


def _cpu_name() -> str:
    info = _cpuinfo()
    if name := info.get("model name") or info.get("Model"):
        return name
    if platform.system() == "Darwin":
        try:
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return platform.processor()
    return platform.processor() or platform.machine()
