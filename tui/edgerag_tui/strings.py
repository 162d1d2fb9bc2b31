"""Every string of the interface, by key, in one catalogue per language: `languages/en.toml`, `languages/zh.toml`."""

from __future__ import annotations

import os
import re
import string
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from edgerag.coded_text import CodedText, with_hint

FOLDER = Path(__file__).parent / "languages"
LANGUAGES = ("en", "zh")
"""The first is the one whose strings stand in where another language lacks one."""

_FUNCTION_KEY = re.compile(r"\bF\d{1,2}\b", re.ASCII)

_texts: Mapping[str, str] = {}
_fallback: Mapping[str, str] = {}


def language_of(environment: Mapping[str, str] | None = None) -> str:
    """The language that LC_ALL, LC_MESSAGES or LANG ask for; English where edgerag does not speak it."""
    environment = os.environ if environment is None else environment
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(variable, ""):
            wanted = value.replace("-", "_").split(".", 1)[0].split("_", 1)[0].lower()
            return wanted if wanted in LANGUAGES else LANGUAGES[0]
    return LANGUAGES[0]


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All strings of a language by their dotted key, e.g. `ask.placeholder`."""
    return _flat(tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8")))


def use(language: str, keys: Mapping[str, str] | None = None) -> None:
    """Speak this language from now on; widgets that are on the screen already keep their words.

    Args:
        language: One of `LANGUAGES`.
        keys: Function keys that the catalogues name (`F5`) and somebody has moved: what is said instead.
    """
    global _texts, _fallback
    _fallback = _with_keys(catalogue(LANGUAGES[0]), keys or {})
    _texts = _with_keys(catalogue(language), keys or {})


def _with_keys(texts: Mapping[str, str], keys: Mapping[str, str]) -> Mapping[str, str]:
    if not keys:
        return texts
    # What is formatted, because it has {names} in it, writes a brace twice.
    doubled = {key: name.replace("{", "{{").replace("}", "}}") for key, name in keys.items()}
    return {key: _with_names(text, doubled if "{" in text else keys) for key, text in texts.items()}


def _with_names(text: str, names: Mapping[str, str]) -> str:
    return _FUNCTION_KEY.sub(lambda found: names.get(found[0], found[0]), text)


def tr(key: str, /, **values: object) -> str:
    """The string of a key, with its `{names}` filled in; `{number:file|files}` is the word that fits the number.

    Raises:
        KeyError: No language has the key.
    """
    if not _fallback:
        use(LANGUAGES[0])
    text = _texts.get(key) or _fallback[key]
    return _FORMATTER.format(text, **values) if values else text


def say(text: str) -> str:
    """What the engine says, in the interface's language; its own English where the catalogue has no words for it."""
    if not isinstance(text, CodedText):
        return text
    key = f"engine.{text.code}"
    if not has(key):
        return str(text)
    values = {name: say(value) if isinstance(value, str) else value for name, value in text.fields.items()}
    if "stage" in text.fields:
        values["stage"] = stage_name(str(text.fields["stage"]))
    try:
        return tr(key, **values)
    except (KeyError, ValueError):  # kept by another version, whose text had other values in it
        return str(text)


def say_with_hint(problem: str, hint: str) -> str:
    """What happened to what, and what to do about it, in one line."""
    return say(with_hint(problem, hint))


def stage_name(stage: str) -> str:
    """A stage that can be degraded, in words."""
    key = f"degraded.{stage}"
    return tr(key) if has(key) else stage


def degraded_stage(entry: str) -> str:
    """The stage of an entry of `degraded`, in words."""
    return stage_name(entry.split(":", 1)[0])


def has(key: str) -> bool:
    """Whether there is a string of this key."""
    if not _fallback:
        use(LANGUAGES[0])
    return key in _fallback


class _Formatter(string.Formatter):
    """`str.format` with a choice between singular and plural."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        if "|" not in format_spec:
            return super().format_field(value, format_spec)
        one, other = format_spec.split("|", 1)
        return one if str(value) == "1" else other


_FORMATTER = _Formatter()


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            texts |= _flat(value, f"{prefix}{name}.")
        else:
            texts[prefix + name] = value
    return texts
