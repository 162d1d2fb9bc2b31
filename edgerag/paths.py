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
    """`EDGERAG_LIBRARY`, or `library` in the platform's data folder."""
    if explicit := os.environ.get("EDGERAG_LIBRARY"):
        return Path(explicit).expanduser()
    return _data_dir() / "library"


def models_dir() -> Path:
    """`EDGERAG_MODELS`, or `models` in the platform's data folder."""
    if explicit := os.environ.get("EDGERAG_MODELS"):
        return Path(explicit).expanduser()
    return _data_dir() / "models"


def config_dir() -> Path:
    """`EDGERAG_CONFIG`, or the platform's settings folder; holds `config.toml` and `models.toml`."""
    if explicit := os.environ.get("EDGERAG_CONFIG"):
        return Path(explicit).expanduser()
    return _user_dir("user_config_dir")


def _data_dir() -> Path:
    return _user_dir("user_data_dir")


def _user_dir(kind: str) -> Path:
    import platformdirs  # deferred: most runs name their folders

    try:
        return Path(getattr(platformdirs, kind)(APP_NAME, appauthor=False))
    except RuntimeError as error:  # HOME unset, and the system has no entry for this user: containers do this
        raise SettingsError(
            coded("paths.no_home", "This user has no home folder."),
            hint=coded("hint.set_home", "Set HOME, or all of EDGERAG_LIBRARY, EDGERAG_MODELS and EDGERAG_CONFIG."),
        ) from error
