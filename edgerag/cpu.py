"""Which instructions this processor has, asked before anything is imported that may die for want of them.

The processor itself is asked, not the system: under emulation `/proc/cpuinfo` describes another one. On x86 that is the
instruction `cpuid`, on Linux for ARM what the kernel hands every process (`/proc/self/auxv`). The ways for macOS and
Windows are written from documentation and untried; so nothing is refused there but on the word of `cpuid`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgerag.errors import EdgeragError

AUXV = Path("/proc/self/auxv")
CPUINFO = Path("/proc/cpuinfo")

REQUIRED: dict[str, tuple[str, ...]] = {
    # numpy 2.4 is compiled for x86-64-v2. Of the others, none that edgerag imports asked for more.
    "x86_64": ("SSE3", "SSSE3", "SSE4.1", "SSE4.2", "POPCNT", "CX16", "LAHF"),
    "aarch64": ("ASIMD",),
}
"""Without these, importing numpy ends the process with SIGILL (SSSE3 missing) or raises (SSE4.2 missing)."""

_YMM, _ZMM, _TILE = 0x6, 0xE6, 0x60000
"""Bits of XCR0: which registers the system keeps for a process. Without them an instruction is of no use."""
_EAX, _EBX, _ECX, _EDX = range(4)
_X86: dict[str, tuple[int, int, int, int, int, str]] = {
    # name: leaf, subleaf, register, bit, registers that the system has to keep, name in /proc/cpuinfo
    "SSE3": (1, 0, _ECX, 0, 0, "pni"),
    "SSSE3": (1, 0, _ECX, 9, 0, "ssse3"),
    "CX16": (1, 0, _ECX, 13, 0, "cx16"),
    "SSE4.1": (1, 0, _ECX, 19, 0, "sse4_1"),
    "SSE4.2": (1, 0, _ECX, 20, 0, "sse4_2"),
    "POPCNT": (1, 0, _ECX, 23, 0, "popcnt"),
    "LAHF": (0x80000001, 0, _ECX, 0, 0, "lahf_lm"),
    "AVX": (1, 0, _ECX, 28, _YMM, "avx"),
    "F16C": (1, 0, _ECX, 29, _YMM, "f16c"),
    "FMA": (1, 0, _ECX, 12, _YMM, "fma"),
    "AVX2": (7, 0, _EBX, 5, _YMM, "avx2"),
    "BMI2": (7, 0, _EBX, 8, 0, "bmi2"),
    "AVX-VNNI": (7, 1, _EAX, 4, _YMM, "avx_vnni"),
    "AVX512F": (7, 0, _EBX, 16, _ZMM, "avx512f"),
    "AVX512BW": (7, 0, _EBX, 30, _ZMM, "avx512bw"),
    "AVX512-VBMI": (7, 0, _ECX, 1, _ZMM, "avx512vbmi"),
    "AVX512-VNNI": (7, 0, _ECX, 11, _ZMM, "avx512_vnni"),
    "AVX512-BF16": (7, 1, _EAX, 5, _ZMM, "avx512_bf16"),
    "AMX-INT8": (7, 0, _EDX, 25, _TILE, "amx_int8"),
}
"""Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID."""
_ARM: dict[str, tuple[int, int, str]] = {
    # name: entry of the auxiliary vector (AT_HWCAP, AT_HWCAP2), bit, macOS's name
    "ASIMD": (16, 1, "AdvSIMD"),
    "FP16": (16, 10, "FEAT_FP16"),
    "DOTPROD": (16, 20, "FEAT_DotProd"),
    "SVE": (16, 22, ""),
    "SVE2": (26, 1, ""),
    "I8MM": (26, 13, "FEAT_I8MM"),
    "BF16": (26, 14, "FEAT_BF16"),
    "SME": (26, 23, "FEAT_SME"),
}
"""Source: arch/arm64/include/uapi/asm/hwcap.h of Linux."""
_CPUID = bytes.fromhex("53 4989c9 89d0 4489c1 0fa2 418901 41895904 41894908 4189510c 5b c3")
"""push rbx; mov r9, rcx; mov eax, edx; mov ecx, r8d; cpuid; mov [r9], eax; mov [r9+4], ebx; mov [r9+8], ecx;
mov [r9+12], edx; pop rbx; ret.

On Windows that is `void f(uint32_t out[4], uint32_t leaf, uint32_t subleaf)`. Elsewhere the same registers hold the
fourth, third and fifth of five arguments, so that one piece of code, tried on Linux, serves both.
"""
_XGETBV = bytes.fromhex("31c9 0f01d0 c3")
"""uint32_t f(void): xor ecx, ecx; xgetbv; ret."""


@dataclass(frozen=True, slots=True)
class Processor:
    architecture: str
    """As Linux names it, `x86_64` or `aarch64`; another name as the system gives it."""
    extensions: frozenset[str]
    """Of those named in this module, the ones that may be used."""
    source: str
    """Who said so: `cpuid`, `auxv`, `cpuinfo`, `sysctl`; empty where nobody could be asked."""

    @property
    def is_certain(self) -> bool:
        """Whether what is not among the extensions is not there; macOS spells and knows them differently over time."""
        return self.source in ("cpuid", "auxv", "cpuinfo")

    def has(self, *names: str) -> bool:
        return self.extensions.issuperset(names)


@functools.cache
def this_processor() -> Processor:
    """The processor that this process runs on, be it emulated."""
    architecture = _architecture()
    known = _X86 if architecture == "x86_64" else _ARM if architecture == "aarch64" else {}
    for source, ask in _sources(architecture):
        try:
            found = ask()
        except (OSError, ValueError, AttributeError, ImportError):
            continue  # a system that forbids executable memory, or knows the function not: the next one is asked
        if found:
            return Processor(architecture, frozenset(found) & frozenset(known), source)
    return Processor(architecture, frozenset(), "")


def missing_extensions(processor: Processor) -> list[str]:
    """What edgerag needs and the processor lacks, oldest first; empty where nothing certain is known of it."""
    if not processor.is_certain:
        return []
    return [name for name in REQUIRED.get(processor.architecture, ()) if name not in processor.extensions]


def require_processor(processor: Processor | None = None) -> None:
    """Refuse a processor on which the native libraries would die.

    Raises:
        EdgeragError: It lacks an instruction that they need; the message says which.
    """
    processor = processor or this_processor()
    missing = missing_extensions(processor)
    if not missing:
        return
    if processor.architecture == "x86_64":
        raise EdgeragError(
            f"This processor lacks {_in_words(missing)}, which the libraries that edgerag computes with need.",
            hint="Intel's processors have them since 2008 (Atom 2013), AMD's since 2011. In a virtual machine or an "
            "emulator, choose the processor type `host` or `x86-64-v2`.",
        )
    raise EdgeragError(
        f"This processor lacks {_in_words(missing)}, which the libraries that edgerag computes with need.",
        hint="Every 64-bit ARM processor for Linux has it; in an emulator, choose another processor type.",
    )


def _in_words(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _architecture() -> str:
    if sys.platform == "win32":
        # Not `platform.machine()`, which starts a process in some versions.
        name = os.environ.get("PROCESSOR_ARCHITECTURE", "").lower()
    else:
        name = os.uname().machine.lower()
    if sys.maxsize < 2**32:
        return f"{name}, 32 bits"  # such a Python is told the kernel's, and 64-bit code would end it
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def _sources(architecture: str) -> list[tuple[str, Callable[[], set[str]]]]:
    ways: list[tuple[str, Callable[[], set[str]]]] = []
    if architecture == "x86_64":
        ways.append(("cpuid", _ask_cpuid))
    if sys.platform == "darwin":
        ways.append(("sysctl", lambda: _ask_sysctl(architecture)))
    elif sys.platform == "linux" and architecture == "x86_64":
        ways.append(("cpuinfo", lambda: read_cpuinfo(CPUINFO)))
    elif sys.platform == "linux" and architecture == "aarch64":
        ways.append(("auxv", lambda: read_auxv(AUXV.read_bytes())))
    return ways


def _ask_cpuid() -> set[str]:
    import ctypes  # 2 to 3 ms; numpy imports it too

    code = _CPUID.ljust(64, b"\xcc") + _XGETBV
    with _executable(code) as address:
        registers = (ctypes.c_uint32 * 4)()
        at = ctypes.addressof(registers)
        number, pointer = ctypes.c_uint32, ctypes.c_void_p
        leading = () if sys.platform == "win32" else (0, 0)
        order = (pointer, number, number) if sys.platform == "win32" else (number, number, number, pointer, number)
        ask = ctypes.CFUNCTYPE(None, *order)(address)
        ask_xcr0 = ctypes.CFUNCTYPE(number)(address + 64)

        @functools.cache  # in a virtual machine each call is an exit to its host
        def cpuid(leaf: int, subleaf: int) -> tuple[int, int, int, int]:
            ask(*leading, *((at, leaf) if sys.platform == "win32" else (leaf, at)), subleaf)
            return registers[0], registers[1], registers[2], registers[3]

        return read_cpuid(cpuid, ask_xcr0)


@contextlib.contextmanager
def _executable(code: bytes) -> Iterator[int]:
    """Memory that holds machine code, its address; never writable and executable at once, which some systems refuse.

    Raises:
        OSError: This system refuses it all the same.
    """
    import ctypes

    size = 4096
    if sys.platform == "win32":
        kernel = ctypes.windll.kernel32
        kernel.VirtualAlloc.restype = ctypes.c_void_p
        kernel.VirtualAlloc.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_uint32)
        kernel.VirtualProtect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_void_p)
        address = kernel.VirtualAlloc(None, size, 0x3000, 0x04)  # MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE
        if not address:
            raise OSError("VirtualAlloc")
        ctypes.memmove(address, code, len(code))
        before = ctypes.c_uint32()
        if not kernel.VirtualProtect(address, size, 0x20, ctypes.byref(before)):  # PAGE_EXECUTE_READ
            raise OSError("VirtualProtect")
        yield address  # the page stays for as long as the process
        return
    import mmap

    with mmap.mmap(-1, size, prot=mmap.PROT_READ | mmap.PROT_WRITE) as page:
        page.write(code)
        start = ctypes.c_char.from_buffer(page)
        try:
            mprotect = ctypes.CDLL(None, use_errno=True).mprotect
            mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
            if mprotect(ctypes.addressof(start), size, mmap.PROT_READ | mmap.PROT_EXEC):
                raise OSError(ctypes.get_errno(), "mprotect")
            yield ctypes.addressof(start)
        finally:
            del start  # a page that is referred to cannot be given back


def read_cpuid(cpuid: Callable[[int, int], tuple[int, int, int, int]], xcr0: Callable[[], int]) -> set[str]:
    """Turn what an x86 processor says of itself into names.

    Args:
        cpuid: The four registers (EAX, EBX, ECX, EDX) for a leaf and subleaf.
        xcr0: The low half of XCR0; called only where the processor has it.
    """
    highest, highest_extended = cpuid(0, 0)[0], cpuid(0x80000000, 0)[0]
    highest_subleaf = cpuid(7, 0)[0] if highest >= 7 else 0
    kept = xcr0() if cpuid(1, 0)[_ECX] >> 27 & 1 else 0  # OSXSAVE
    found = set()
    for name, (leaf, subleaf, register, bit, state, _) in _X86.items():
        if leaf > (highest_extended if leaf >= 0x80000000 else highest) or (leaf == 7 and subleaf > highest_subleaf):
            continue
        if cpuid(leaf, subleaf)[register] >> bit & 1 and kept & state == state:
            found.add(name)
    return found


def read_cpuinfo(file: Path) -> set[str]:
    """Names of the extensions that Linux lists for the first x86 processor of `/proc/cpuinfo`."""
    with file.open(encoding="ascii", errors="replace") as stream:
        for line in stream:
            if line.startswith("flags"):
                flags = set(line.partition(":")[2].split())
                return {name for name, row in _X86.items() if row[5] in flags}
    return set()


def read_auxv(data: bytes) -> set[str]:
    """Names of the extensions in an auxiliary vector of 64-bit ARM: pairs of 64-bit numbers, kind and value."""
    words = [int.from_bytes(data[at : at + 8], sys.byteorder) for at in range(0, len(data) - 7, 8)]
    vector = dict(zip(words[0::2], words[1::2], strict=False))
    return {name for name, (entry, bit, _) in _ARM.items() if vector.get(entry, 0) >> bit & 1}


def _ask_sysctl(architecture: str) -> set[str]:
    import ctypes

    sysctl = ctypes.CDLL(None).sysctlbyname

    def value(name: str) -> bytes:
        size = ctypes.c_size_t(4096)
        buffer = ctypes.create_string_buffer(size.value)
        if sysctl(name.encode("ascii"), buffer, ctypes.byref(size), None, ctypes.c_size_t(0)):
            return b""
        return buffer.raw[: size.value]

    if architecture == "aarch64":
        keys = {
            name: f"hw.optional.{'arm.' if key.startswith('FEAT') else ''}{key}"
            for name, (_, _, key) in _ARM.items()
            if key
        }
        return {name for name, key in keys.items() if any(value(key))}
    names = ("machdep.cpu.features", "machdep.cpu.leaf7_features", "machdep.cpu.extfeatures")
    words = set(b" ".join(value(name).rstrip(b"\0") for name in names).decode("ascii", "replace").split())
    # macOS writes AVX1.0, AVX512VNNI, SSE3, LAHF.
    spelled = {"AVX": "AVX1.0", "AVX512-VNNI": "AVX512VNNI", "AVX512-VBMI": "AVX512VBMI"}
    return {name for name in _X86 if spelled.get(name, name) in words}
