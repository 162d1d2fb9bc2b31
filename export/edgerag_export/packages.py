"""Other packages: which are missing, and which versions a result was made with."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from edgerag.errors import ModelError


def require(*modules: str) -> None:
    """Make sure that modules can be imported, without importing them.

    Raises:
        ModelError: One cannot.
    """
    if missing := [name for name in modules if find_spec(name) is None]:
        raise ModelError(
            f"This needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed.",
            hint='Install the CPU build of torch and "edgerag[export]"; export/README.md shows how.',
        )


def versions(*names: str) -> dict[str, str]:
    """Versions of installed distributions, for reports and keys of steps; those that are absent are left out."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
