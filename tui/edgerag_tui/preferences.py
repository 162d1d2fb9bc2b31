"""How the application looks and which keys it obeys: `tui.toml` beside `config.toml`, which is the engine's."""

from __future__ import annotations

import difflib
import json
import os
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from edgerag import paths
from edgerag.errors import SettingsError
from edgerag_tui.strings import LANGUAGES

FILE_NAME = "tui.toml"
THEMES = ("dark", "light", "contrast")


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a person may choose about the interface."""

    theme: str = ""
    """One of `THEMES`; empty: dark, or high contrast on a terminal of 16 colours."""
    language: str = ""
    """One of `LANGUAGES`; empty: as LANG says."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Keys by action id, e.g. `"app.sync" = "f12,ctrl+s"`; the help names the ids."""


def preferences_file() -> Path:
    return paths.config_dir() / FILE_NAME


def load_preferences(file: Path | None = None) -> Preferences:
    """Read `tui.toml`; a missing file means defaults.

    Raises:
        SettingsError: The file cannot be read, or a name or value in it is unknown.
    """
    file = file or preferences_file()
    if not file.is_file():
        return Preferences()
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(
            f"{file} cannot be read: {error}", hint="Mend the file or delete it; defaults then apply."
        ) from error
    known = [entry.name for entry in fields(Preferences)]
    for name in raw:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else f"It knows {', '.join(known)}."
            raise SettingsError(f"Unknown setting `{name}` in {file}.", hint=hint)
    keys = raw.get("keys", {})
    if not isinstance(keys, dict) or not all(isinstance(value, str) and value for value in keys.values()):
        raise SettingsError(
            f"The table `keys` in {file} must give each action its keys as text.",
            hint='For example "app.sync" = "f12".',
        )
    return Preferences(
        _one_of(raw, "theme", THEMES, file),
        _one_of(raw, "language", LANGUAGES, file),
        {name: keys[name] for name in keys},
    )


def save_preferences(preferences: Preferences, file: Path | None = None) -> None:
    """Write `tui.toml` whole; comments a person wrote into it are lost.

    Raises:
        SettingsError: The settings folder cannot be written.
    """
    file = file or preferences_file()
    lines = [f"{name} = {_quoted(value)}" for name in ("theme", "language") if (value := getattr(preferences, name))]
    if preferences.keys:
        lines += ["", "[keys]", *(f"{_quoted(name)} = {_quoted(keys)}" for name, keys in preferences.keys.items())]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=FILE_NAME)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")
        Path(name).replace(file)
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written: {error.strerror}.", hint="Check the folder's rights."
        ) from error


def _one_of(raw: Mapping[str, Any], name: str, allowed: tuple[str, ...], file: Path) -> str:
    value = raw.get(name, "")
    if value not in ("", *allowed):
        raise SettingsError(f"`{name}` in {file} is {value!r}.", hint=f"It must be one of {', '.join(allowed)}.")
    return str(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a TOML basic string
