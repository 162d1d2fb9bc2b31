"""Where edgerag keeps things: a library, the models, the settings. Nothing else is ever written."""

from __future__ import annotations

import os
from pathlib import Path

from edgerag.coded_text import coded
from edgerag.errors import SettingsError

APP_NAME = "edgerag"
BUNDLED_MODELS = Path(__file__).parent / "bundled"
"""Model folders that come inside the package."""


def default_library_dir() -> Path:
    """`EDGERAG_LIBRARY`, or `library` in the platform's data folder.

    Raises:
        SettingsError: This user has no home folder, here as below.
    """
    if explicit := os.environ.get("EDGERAG_LIBRARY"):
        return chosen_dir(explicit)
    return _user_dir("user_data_dir") / "library"


def models_dir() -> Path:
    """`EDGERAG_MODELS`, or `models` in the platform's data folder."""
    if explicit := os.environ.get("EDGERAG_MODELS"):
        return chosen_dir(explicit)
    return _user_dir("user_data_dir") / "models"


def config_dir() -> Path:
    """`EDGERAG_CONFIG`, or the platform's settings folder; holds `config.toml` and `models.toml`."""
    if explicit := os.environ.get("EDGERAG_CONFIG"):
        return chosen_dir(explicit)
    return _user_dir("user_config_dir")


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with `~` read as a home folder, and as it stands where there is none: a file may be called so."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path's own raises where there is no such user


def chosen_dir(path: str | os.PathLike[str]) -> Path:
    """A folder that somebody chose to keep things in, with `~` read as a home folder.

    Raises:
        SettingsError: There is no such home folder; a folder called `~` would be made wherever one stands.
    """
    folder = expanded(path)
    if folder.parts[:1] and folder.parts[0].startswith("~"):
        raise SettingsError(
            coded("paths.no_such_home", "There is no home folder for {path}.", path=path),
            hint=coded("hint.whole_path", "Write the whole path."),
        )
    return folder


def _user_dir(kind: str) -> Path:
    import platformdirs  # deferred: most runs name their folders

    # HOME unset, and the system has no entry for this user: containers do this. Older versions return `~/...` then.
    try:
        folder = Path(getattr(platformdirs, kind)(APP_NAME, appauthor=False))
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():
        raise SettingsError(
            coded("paths.no_home", "This user has no home folder."),
            hint=coded("hint.set_home", "Set HOME, or all of EDGERAG_LIBRARY, EDGERAG_MODELS and EDGERAG_CONFIG."),
        )
    return folder
