"""Every string of the interface, by key, in one catalogue per language: `languages/en.toml`, `languages/zh.toml`."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "languages"
LANGUAGES = ("en", "zh")
"""The first is the one whose strings stand in where another language lacks one."""

_texts: dict[str, str] = {}
_fallback: dict[str, str] = {}


def language_of(environment: Mapping[str, str] | None = None) -> str:
    """The language that LC_ALL, LC_MESSAGES or LANG ask for; English where edgerag does not speak it."""
    environment = os.environ if environment is None else environment
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(variable, ""):
            wanted = value.replace("-", "_").split(".", 1)[0].split("_", 1)[0].lower()
            return wanted if wanted in LANGUAGES else LANGUAGES[0]
    return LANGUAGES[0]


def catalogue(language: str) -> dict[str, str]:
    """All strings of a language by their dotted key, e.g. `ask.placeholder`."""
    return _flat(tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8")))


def use(language: str) -> None:
    """Speak this language from now on; widgets that are on the screen already keep their words."""
    global _texts, _fallback
    _fallback = _fallback or catalogue(LANGUAGES[0])
    _texts = catalogue(language)


def tr(key: str, **values: object) -> str:
    """The string of a key, with its `{names}` filled in.

    Raises:
        KeyError: No language has the key.
    """
    if not _fallback:
        use(LANGUAGES[0])
    text = _texts.get(key) or _fallback[key]
    return text.format(**values) if values else text


def has(key: str) -> bool:
    """Whether there is a string of this key."""
    if not _fallback:
        use(LANGUAGES[0])
    return key in _fallback


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            texts |= _flat(value, f"{prefix}{name}.")
        else:
            texts[prefix + name] = value
    return texts
