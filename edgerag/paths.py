"""Where edgerag keeps things: a library, the models, the settings. Nothing else is ever written."""

from __future__ import annotations

import os
from pathlib import Path

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
    import platformdirs  # deferred: most runs name their folders

    return Path(platformdirs.user_config_dir(APP_NAME, appauthor=False))


def _data_dir() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir(APP_NAME, appauthor=False))
