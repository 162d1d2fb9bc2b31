"""Answers from a person's own documents, on their own machine, with no network.

A program opens a library, adds to it and asks:

    import edgerag

    with edgerag.open_library("~/papers.library") as library:
        library.add(["~/papers"])
        answer = library.ask("Who wrote the methods section?")
        print(answer.text)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# onnxruntime 1.29 and later opens sockets to a telemetry host as soon as it is imported, and only this variable, set
# before that import, stops it (microsoft/onnxruntime#27379). Every entry point imports this package first.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# llama.cpp's OpenMP threads spin at barriers; with a busy neighbour that made 16 tokens take 50 s. A bounded spin
# costs nothing on a quiet machine.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pathlib import Path

    from edgerag.config import Settings
    from edgerag.engine import Engine

__all__ = ["__version__", "open_library"]


def open_library(path: str | Path | None = None, *, settings: Settings | None = None) -> Engine:
    """Open a library, creating it where there is none; models load when first needed.

    Args:
        path: The library's folder; default as `edgerag.paths.default_library_dir`.
        settings: Default as `edgerag.config.load_settings`.

    Raises:
        LibraryError: The folder holds something else, a damaged library, or one of a newer version.
        SettingsError: The settings file is wrong.
    """
    from edgerag.engine import Engine  # deferred: `edgerag --version` needs none of it

    return Engine.open(path, settings=settings)
