"""What belongs into a bundle and what must not: read by the spec file, by the build and by its tests.

Not imported by edgerag. Runs inside PyInstaller as well as beside it, so it needs the standard library alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path, PurePosixPath

VARIANTS = ("core", "llm")
"""`core`: search, extractive answers, the terminal application. `llm`: llama.cpp as well."""

FORBIDDEN_MODULES = (
    # the export side and what it needs
    "edgerag_export", "torch", "transformers", "optimum", "onnx", "safetensors", "sentencepiece", "gguf",
    "matplotlib", "scipy", "sklearn", "pandas",
    # installing and testing
    "pip", "setuptools", "pkg_resources", "ensurepip", "venv", "wheel", "distutils", "lib2to3", "pytest",
    "hypothesis", "_pytest", "PyInstaller", "test", "mypy",
    # network clients and servers, other than the one that huggingface_hub brings for `models pull`
    "aiohttp", "httpx", "requests", "urllib3", "websockets", "uvicorn", "starlette", "fastapi", "flask", "xmlrpc",
    "ftplib", "smtplib", "imaplib", "poplib", "telnetlib", "nntplib", "http.server", "wsgiref",
    # LlamaDiskCache pickles through it (CVE-2025-69872)
    "diskcache",
    # other user interfaces, and GNU readline, whose licence is the GPL
    "tkinter", "_tkinter", "turtle", "turtledemo", "idlelib", "curses", "_curses", "readline", "IPython", "PIL",
)  # fmt: skip
"""No bundle may hold any of these, nor anything below them; the build fails if one has come in."""

EXCLUDED_MODULES = (
    *FORBIDDEN_MODULES,
    # huggingface_hub without its faster transfer (12 MB; edgerag switches it off), its file system and its templates
    "hf_xet", "fsspec", "jinja2", "zstandard", "brotli", "socksio", "trio",
    # numpy: compiling Fortran, testing, and the parts that edgerag does not compute with
    "numpy.f2py", "numpy.testing", "numpy.distutils", "numpy.fft", "numpy.polynomial", "numpy.matlib",
    "numpy._core._multiarray_tests", "numpy.random._examples",
    # lxml: everything but reading XML and HTML
    "lxml.objectify", "lxml.isoschematron", "lxml.html.diff", "lxml.html._difflib", "lxml.html.clean",
    "lxml.html.html5parser", "lxml.html.soupparser", "lxml.html.ElementSoup", "lxml.html._diffcommand", "lxml.sax",
    "lxml.pyclasslookup", "lxml.usedoctest", "lxml.doctestcompare", "lxml.cssselect", "lxml.ElementInclude",
    # onnxruntime: making models; pypdfium2: its command line
    "onnxruntime.quantization", "onnxruntime.tools", "onnxruntime.transformers", "onnxruntime.backend",
    "onnxruntime.datasets", "tokenizers.tools", "pypdfium2._cli", "pypdfium2_cli",
    # textual: its demonstration, its web driver, its parser of source code
    "textual.demo", "textual.drivers.web_driver", "tree_sitter", "textual_dev",
    # llama-cpp-python: all but its declarations of the C functions (see LLAMA_PACKAGE)
    "llama_cpp.llama", "llama_cpp.llama_chat_format", "llama_cpp.server", "llama_cpp.mtmd_cpp", "llama_cpp.llava_cpp",
    # time zones come from the system
    "tzdata",
    # Python's own tools
    "pydoc", "pydoc_data", "pdb", "doctest", "unittest", "cProfile", "profile", "pstats", "_pydecimal",
)  # fmt: skip
"""Modules that are not frozen; the forbidden ones, and those that would only take room."""

HUB_MODULES = (
    "_oidc", "_local_folder", "_revision", "_tree_cache", "constants", "errors", "file_download", "utils",
    "utils._auth", "utils._detect_agent", "utils._fixes", "utils._headers", "utils._http", "utils._lfs",
    "utils._oauth_device", "utils._paths", "utils._runtime", "utils._shared_blobs", "utils._typing",
    "utils._validators", "utils._xet", "utils.insecure_hashlib", "utils.logging", "utils.sha", "utils.tqdm",
)  # fmt: skip
"""What `edgerag.models.hub_source` makes huggingface_hub import, of its 141 modules (2.3 MB)."""

LLAMA_PACKAGE = """# llama_cpp/__init__.py of a bundle: the C functions alone. edgerag does not use the classes above
# them, which bring jinja2, which runs templates out of model files, and diskcache, which unpickles.
from .llama_cpp import *

__version__ = {version!r}
"""

SQLITE_MODULES = {
    "sqlite3": "from sqlite3.dbapi2 import *\n",
    "sqlite3.dbapi2": "from pysqlite3.dbapi2 import *\n",
}
"""Python's `sqlite3` in a bundle that has pysqlite3: one SQLite instead of two, and the safe one at that."""

UNUSED_FILES = (
    # onnxruntime's Python module has the whole runtime inside; this is a second copy, for programs in C.
    "libonnxruntime.so*", "libonnxruntime.*.dylib", "onnxruntime.dll",
    # llama.cpp's own programs, and its models of pictures
    "libllama-common.*", "libmtmd.*",
    # of metadata, edgerag's entry points are read, and versions; the licences have a folder of their own
    "*.dist-info/RECORD", "*.dist-info/direct_url.json", "*.dist-info/INSTALLER", "*.dist-info/REQUESTED",
    "*.dist-info/WHEEL", "*.dist-info/licenses/*", "*.dist-info/licenses/*/*", "*.dist-info/LICENSE*",
    # textual's grammars are for tree-sitter, which is not here; the rest is for type checkers
    "*.scm", "*.pyi", "py.typed",
)  # fmt: skip
"""Patterns of file names that PyInstaller collects and nothing opens."""

LOADED_BY_NAME = ("libllama.so", "libggml.so")
"""Libraries that Python code opens under this very name; the others are opened under the name their users record."""

UNUSED_RUNTIME_HOOKS = ("pyi_rth_inspect", "pyi_rth_multiprocessing", "pyi_rth_pkgutil")
"""PyInstaller runs these before the program, which takes 40 ms, for sources in tracebacks, multiprocessing and
`pkgutil.iter_modules`: a bundle has no sources, and edgerag uses neither of the others."""


Entry = tuple[str, str, str]
"""As PyInstaller lists what it collects: name inside the bundle, file on this machine, kind."""


def excluded_modules(variant: str) -> list[str]:
    """Modules that PyInstaller is to leave out.

    Raises:
        ValueError: There is no such variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"There is no variant {variant!r}; choose from {', '.join(VARIANTS)}.")
    names = [*EXCLUDED_MODULES, *(("llama_cpp",) if variant == "core" else ()), *_unused_hub_modules()]
    if importlib.util.find_spec("pysqlite3") is not None:
        names.append("_sqlite3")  # Python's own module would bring the system's SQLite as well (see SQLITE_MODULES)
    return names


def _unused_hub_modules() -> list[str]:
    spec = importlib.util.find_spec("huggingface_hub")
    if spec is None or spec.origin is None:
        return []
    kept = {"huggingface_hub", *(f"huggingface_hub.{name}" for name in HUB_MODULES)}
    return [name for name in package_modules(Path(spec.origin).parent) if name not in kept]


def replaced_modules(variant: str, llama_version: str) -> dict[str, str]:
    """Modules whose text in a bundle is another than that of their distribution: text by module name."""
    texts: dict[str, str] = {}
    if sys.platform == "linux":
        # Compiler settings and folders of the machine that Python was built on: 700 of them, of which zoneinfo wants
        # one.
        settings = {name: sysconfig.get_config_var(name) for name in ("EXT_SUFFIX", "SOABI", "TZPATH")}
        texts[sysconfig._get_sysconfigdata_name()] = f"build_time_vars = {settings!r}\n"  # type: ignore[attr-defined]
    if variant == "llm":
        texts["llama_cpp"] = LLAMA_PACKAGE.format(version=llama_version)
    if importlib.util.find_spec("pysqlite3") is not None:
        texts |= SQLITE_MODULES
    return texts


def hidden_imports(variant: str) -> list[str]:
    """Modules that are imported by a name no analysis sees, those of edgerag itself aside."""
    names = ["pysqlite3.dbapi2", *(("llama_cpp",) if variant == "llm" else ())]
    return [name for name in names if importlib.util.find_spec(name.split(".")[0]) is not None]


def is_unused_file(name: str) -> bool:
    """Whether a collected file, by its path inside the bundle, is left out."""
    return any(PurePosixPath(name.replace("\\", "/")).match(pattern) for pattern in UNUSED_FILES)


def forbidden_in(modules: Iterable[str], variant: str) -> list[str]:
    """Those of the frozen modules that must not be there, sorted."""
    forbidden = {*FORBIDDEN_MODULES, *(("llama_cpp",) if variant == "core" else ())}
    return sorted(name for name in set(modules) if any(name == bad or name.startswith(f"{bad}.") for bad in forbidden))


def module_of(file: str) -> str:
    """The name that a file of a bundle is imported by, if it is a module; for another file, a name that none has.

    Args:
        file: Its path inside the bundle, as PyInstaller lists it: without `_internal` in front.
    """
    path = PurePosixPath(file.replace("\\", "/"))
    parents = path.parent.parts
    if len(parents) > 1 and parents[1] == "lib-dynload":  # python3.N/lib-dynload: Python's own, in machine code
        parents = parents[2:]
    return ".".join([*parents, path.name.split(".")[0]])


def package_modules(folder: Path) -> list[str]:
    """Every module of a package of ours: its commands are imported by names that no analysis sees."""
    names = []
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(folder.parent).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [name for name in names if not name.endswith("__main__")]


def package_data(folder: Path) -> list[tuple[str, str]]:
    """Every file of a package of ours that is no Python: (path, folder inside the bundle)."""
    files = [
        path for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".py", ".pyc") and "__pycache__" not in path.parts
    ]  # fmt: skip
    return [(str(path), path.parent.relative_to(folder.parent).as_posix()) for path in files]


def entry_points_text(groups: Mapping[str, Mapping[str, str]], modules: Iterable[str]) -> str:
    """The entry points of a frozen application, in the form of `entry_points.txt`: those whose module is in it."""
    present = set(modules)
    lines: list[str] = []
    for group in sorted(groups):
        points = {name: value for name, value in groups[group].items() if value.split(":")[0] in present}
        if points:
            lines += [f"[{group}]", *(f"{name} = {points[name]}" for name in sorted(points)), ""]
    return "\n".join(lines)


def without_copies(binaries: Sequence[Entry], needed: Set[str]) -> list[Entry]:
    """Native libraries, each of them once, and none of them as a symbolic link.

    Wheels have no links, so they carry a library under each of its names; PyInstaller adds links beside the program.
    Neither is looked up, and a FAT-formatted USB stick could not hold links.

    Args:
        binaries: What was collected.
        needed: Names under which the libraries ask for one another.
    """
    kept: list[Entry] = []
    copies: dict[tuple[str, str], list[Entry]] = {}
    for entry in binaries:
        name, source, kind = entry
        if kind == "SYMLINK" or is_unused_file(name):
            continue
        if kind == "BINARY":
            digest = hashlib.sha256(Path(source).read_bytes()).hexdigest()
            copies.setdefault((PurePosixPath(name).parent.as_posix(), digest), []).append(entry)
        else:
            kept.append(entry)
    for group in copies.values():
        wanted = [entry for entry in group if PurePosixPath(entry[0]).name in {*needed, *LOADED_BY_NAME}]
        kept += wanted or [min(group, key=lambda entry: (len(entry[0]), entry[0]))]
    return kept
