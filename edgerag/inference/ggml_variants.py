"""Which of llama.cpp's arithmetic runs on this processor: compiled in, or the best of several plug-ins.

`packaging/native_wheels.py` builds a llama.cpp whose arithmetic comes as plug-ins, one for each kind of processor
(`GGML_BACKEND_DL`, `GGML_CPU_ALL_VARIANTS`). It computes nothing until one is registered, and llama-cpp-python
registers none. In an ordinary build the arithmetic is linked in, for one kind of processor; on another that ends the
process with SIGILL as soon as llama.cpp is set up, so it is asked beforehand what it was compiled for.

`ggml_backend_load_all_from_path` would do the choosing, but it tells nobody what it chose, looks for fourteen other
kinds of plug-in first, and does not ask whether the system keeps the registers of AVX.
"""

from __future__ import annotations

import ctypes
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgerag.coded_text import coded
from edgerag.cpu import Processor, this_processor
from edgerag.errors import ModelError

logger = logging.getLogger(__name__)

PREFIX = "ggml-cpu-" if sys.platform == "win32" else "libggml-cpu-"
SUFFIX = ".dll" if sys.platform == "win32" else ".so"  # on macOS too: CMake calls its plug-ins so
WITHOUT_AVX = ("x64", "sse42")
"""The plug-ins for x86 that need no registers beyond those of SSE."""
WITH_AVX512 = ("skylakex", "cannonlake", "cascadelake", "icelake", "cooperlake", "zen4", "sapphirerapids")
REINSTALL_HINT = coded(
    "hint.reinstall_for_processor",
    "Install llama-cpp-python on this machine, or a bundle, which carries code for all processors of a kind. "
    "Without it, answers are extractive.",
)
_FUNCTIONS = {
    "SSE3": "sse3", "SSSE3": "ssse3", "AVX": "avx", "F16C": "f16c", "FMA": "fma", "AVX2": "avx2", "BMI2": "bmi2",
    "AVX-VNNI": "avx_vnni", "AVX512F": "avx512", "AVX512-VBMI": "avx512_vbmi", "AVX512-VNNI": "avx512_vnni",
    "AVX512-BF16": "avx512_bf16", "AMX-INT8": "amx_int8",
    "ASIMD": "neon", "FP16": "fp16_va", "DOTPROD": "dotprod", "SVE": "sve", "I8MM": "matmul_int8", "SME": "sme",
}  # fmt: skip
"""Extension, as `edgerag.cpu` names it: ggml's function that says whether the code was compiled with it."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    variant: str
    """Name of the plug-in, e.g. `haswell` or `armv8.2_2`; empty where the arithmetic is linked in."""
    extensions: tuple[str, ...]
    """What it was compiled with, oldest first, as `edgerag.cpu` names it."""


_prepared: Arithmetic | None = None


def prepared_arithmetic() -> Arithmetic | None:
    """What `prepare_arithmetic` has found; None before, and where it found nothing."""
    return _prepared


def prepare_arithmetic(llama_cpp: Any) -> Arithmetic:
    """Load the plug-in for this processor, or make sure that what is linked in runs on it.

    To be called once, before llama.cpp is set up.

    Args:
        llama_cpp: The imported package.

    Raises:
        ModelError: There is no code for this processor, or the plug-ins are missing.
    """
    global _prepared
    native = llama_cpp.llama_cpp
    extensions = compiled_with(native._lib)
    _prepared = _check_linked(extensions) if extensions is not None else _load_best(native)
    return _prepared


def compiled_with(library: Any) -> tuple[str, ...] | None:
    """What a library's arithmetic was compiled with; None where it has none."""
    found = []
    try:
        for extension, name in _FUNCTIONS.items():
            if getattr(library, f"ggml_cpu_has_{name}")():  # returns a constant and runs anywhere
                found.append(extension)
    except AttributeError:
        return None
    return tuple(found)


def plugin_folders(base: Path) -> list[Path]:
    """Where plug-ins may be: beside llama.cpp's library, and in a frozen application where its files are put."""
    frozen = getattr(sys, "_MEIPASS", None)
    return [base, *([Path(frozen, "llama_cpp", "lib"), Path(frozen)] if frozen else [])]


def find_plugins(folders: list[Path]) -> dict[str, Path]:
    """Plug-ins by name, all from the first folder that has any: two builds do not mix."""
    for folder in folders:
        found = {file.name[len(PREFIX) : -len(SUFFIX)]: file for file in sorted(folder.glob(f"{PREFIX}*{SUFFIX}"))}
        if found:
            return found
    return {}


def ranked(plugins: dict[str, Path], processor: Processor) -> list[str]:
    """Names of the plug-ins that run here, best first; each is asked how well it suits this processor."""
    scores = {name: _score(file) for name, file in plugins.items() if is_usable(name, processor)}
    return sorted((name for name, score in scores.items() if score > 0), key=lambda name: -scores[name])


def is_usable(name: str, processor: Processor) -> bool:
    """Whether the system keeps the registers that a plug-in computes in; ggml asks the processor, not the system."""
    if processor.architecture != "x86_64" or not processor.is_certain:
        return True
    if name in WITH_AVX512:
        return processor.has("AVX512F")
    return name in WITHOUT_AVX or processor.has("AVX")


def _check_linked(extensions: tuple[str, ...]) -> Arithmetic:
    processor = this_processor()
    lacking = [name for name in extensions if name not in processor.extensions]
    if lacking and processor.is_certain:
        raise ModelError(
            coded(
                "generator.other_processor",
                "llama.cpp was compiled for another processor: this one lacks {names}.",
                names=", ".join(lacking),
            ),
            hint=REINSTALL_HINT,
        )
    return Arithmetic("", extensions)


def _load_best(native: Any) -> Arithmetic:
    library = _ggml(native)
    if library is None:
        return Arithmetic("", ())  # a llama.cpp from elsewhere that keeps all this inside
    folders = plugin_folders(Path(native._base_path))
    plugins = find_plugins(folders)
    if not plugins:
        raise ModelError(
            coded("generator.no_variants", "llama.cpp's code for processors is not in {path}.", path=folders[0]),
            hint=REINSTALL_HINT,
        )
    processor = this_processor()
    for name in ranked(plugins, processor):
        if library.ggml_backend_load(str(plugins[name]).encode("utf-8")):
            logger.info("llama.cpp computes with its plug-in %s", name)
            return Arithmetic(name, compiled_with(ctypes.CDLL(str(plugins[name]))) or ())
    raise ModelError(
        coded(
            "generator.no_variant",
            "llama.cpp has no code that runs on this processor ({architecture}); it has {names}.",
            architecture=processor.architecture,
            names=", ".join(sorted(plugins)),
        ),
        hint=REINSTALL_HINT,
    )


def _score(file: Path) -> int:
    try:
        function = ctypes.CDLL(str(file)).ggml_backend_score
    except (OSError, AttributeError) as error:
        logger.warning("llama.cpp's plug-in %s does not load: %s", file.name, error)
        return 0
    function.restype = ctypes.c_int
    return int(function())


def _ggml(native: Any) -> Any:
    """libggml as it is loaded already; None where there is no such library."""
    library = native._lib  # the handle of libllama finds the functions of what that was linked with
    if sys.platform == "win32":
        try:
            library = ctypes.CDLL("ggml.dll")  # loaded, so no path is needed
        except OSError:
            return None
    try:
        library.ggml_backend_load.restype = ctypes.c_void_p
        library.ggml_backend_load.argtypes = [ctypes.c_char_p]
    except AttributeError:
        return None
    return library
