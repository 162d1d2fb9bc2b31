"""What no metadata says about licences: by hand, with the source of each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

SPDX_BY_WORDS = {
    "MIT License": "MIT",
    "The MIT License": "MIT",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "BSD-3-Clause, Apache-2.0, dependency licenses": "BSD-3-Clause AND Apache-2.0",
}
"""Licences as metadata words them, in SPDX's terms."""


SPDX_IDS = (
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "blessing", "bzip2-1.0.6", "CC-BY-4.0", "CC-BY-SA-4.0",
    "CC0-1.0", "GPL-2.0-or-later", "GPL-3.0-or-later", "ISC", "LGPL-2.1-or-later", "MIT", "MPL-2.0", "OpenSSL",
    "PSF-2.0", "Python-2.0", "Unlicense", "Zlib",
)  # fmt: skip
"""Of https://spdx.org/licenses/ those met here; any other licence of one word is given as words."""


@dataclass(frozen=True, slots=True)
class Borrowed:
    """A licence text that a wheel does not carry."""

    licence: str
    text: str
    """File in this checkout; empty: the distribution has the text, and only the name is missing."""
    reason: str


BORROWED_TEXTS = {
    "tokenizers": Borrowed("Apache-2.0", "LICENSE", "its wheels hold none; its repository has the plain Apache-2.0"),
    "hnswlib": Borrowed("Apache-2.0", "LICENSE", "its metadata names none; its repository has the plain Apache-2.0"),
    "pysqlite3": Borrowed("Zlib", "", "its metadata names none; the text in the wheel is the zlib licence"),
    "pyinstaller": Borrowed(
        "GPL-2.0-or-later WITH Bootloader-exception", "",
        "of it only the program that starts the bundle is in it, whose exception allows any licence for the rest",
    ),
}  # fmt: skip

NATIVE_LICENCES = {
    "libgcc_s": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libstdc++": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libgomp": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libcrypto": "Apache-2.0",
    "libssl": "Apache-2.0",
    "liblzma": "0BSD",
    "libbz2": "bzip2-1.0.6",
    "libz.so": "Zlib",
    "libffi": "MIT",
    "libuuid": "BSD-3-Clause",
    "libexpat": "MIT",
    "libsqlite3": "blessing",
    "libmpdec": "BSD-2-Clause",
    "libpython": "PSF-2.0",
}
"""By the beginning of a system library's file name."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A library that a distribution carries along."""

    name: str
    licence: str
    files: str = ""
    """Pattern of its files in the bundle; empty: it is linked into the distribution's own."""
    version: Callable[[], str] | None = None
    """Reads it; None: that of the distribution."""
    text: str = ""
    """Licence text in this checkout; empty: among those of the distribution."""


def _openblas() -> str:
    import numpy

    config: Any = numpy.show_config(mode="dicts")
    return str(config["Build Dependencies"]["blas"]["version"])


def _sqlite() -> str:
    import pysqlite3

    return str(pysqlite3.sqlite_version)


def _xml() -> str:
    import lxml.etree

    return ".".join(map(str, lxml.etree.LIBXML_VERSION))


def _xslt() -> str:
    import lxml.etree

    return ".".join(map(str, lxml.etree.LIBXSLT_VERSION))


def _pdfium() -> str:
    file = Path(str(distribution("pypdfium2").locate_file("pypdfium2_raw/version.json")))
    version = json.loads(file.read_text(encoding="utf-8"))
    return ".".join(str(version[key]) for key in ("major", "minor", "build", "patch"))


def _gcc() -> str:
    names = [file.name for file in distribution("numpy").files or () if "libgfortran" in file.name]
    found = re.search(r"\.so\.([\d.]+)$", names[0]) if names else None
    return found[1] if found else distribution("numpy").version


GCC_RUNTIME = "GPL-3.0-or-later WITH GCC-exception-3.1"
EMBEDDED: dict[str, tuple[Embedded, ...]] = {
    "numpy": (
        Embedded("OpenBLAS", "BSD-3-Clause", "*openblas*", _openblas),
        Embedded("libgfortran", GCC_RUNTIME, "*libgfortran*", _gcc),
        Embedded("libquadmath", "LGPL-2.1-or-later", "*libquadmath*", _gcc),
    ),
    "pysqlite3": (Embedded("SQLite", "blessing", version=_sqlite, text="packaging/licences/sqlite.txt"),),
    "lxml": (
        Embedded("libxml2", "MIT", version=_xml), Embedded("libxslt", "MIT", version=_xslt),
        Embedded("libiconv", "LGPL-2.1-or-later"),
    ),
    "pypdfium2": (Embedded("PDFium", "BSD-3-Clause AND Apache-2.0", "*pdfium*", _pdfium),),
    "llama-cpp-python": (Embedded("llama.cpp", "MIT", "*lib*", text="packaging/licences/llama.cpp.txt"),),
}  # fmt: skip
