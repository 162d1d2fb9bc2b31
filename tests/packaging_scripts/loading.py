"""Import a script of packaging/, which is no package: with its siblings, and without leaving its folder on the path."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

SCRIPTS = Path(__file__).parents[2] / "packaging"


def load(name: str) -> ModuleType:
    """The module `packaging/NAME.py`. Its folder would hide the distribution `build` if it stayed on the path."""
    spec = importlib.util.spec_from_file_location(f"packaging_scripts_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    sys.path.insert(0, str(SCRIPTS))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SCRIPTS))
    return module
