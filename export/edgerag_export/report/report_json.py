"""Reports as JSON: written the same for the same report, and read back checked."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from edgerag.errors import SettingsError
from edgerag_export.report.report import SCHEMA_VERSION, Report

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_T = TypeVar("_T")


def to_json(report: Report) -> str:
    """The report as JSON text, keys sorted, `null` for what is not a number."""
    text = json.dumps(_finite(asdict(report)), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    # Half of a pair, as a damaged name may hold it, has no form in UTF-8, but one in JSON.
    return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def from_json(text: str, *, origin: str = "The report") -> Report:
    """Read what `to_json` wrote.

    Raises:
        SettingsError: Not JSON, of another schema, or with a field that is missing, unknown or of the wrong type.
    """
    try:
        raw = json.loads(text)
        if not isinstance(raw, Mapping):
            raise TypeError("it is no JSON object")
        found = raw.get("schema_version")
        if found != SCHEMA_VERSION or "variants" not in raw:
            raise SettingsError(
                f"{origin} is no report that this program reads (schema version {found!r}, known: {SCHEMA_VERSION}).",
                hint="Give the report.json that `edgerag export report` wrote; a model folder's own is another one.",
            )
        return _dataclass(Report, raw, "report")
    except (ValueError, TypeError, RecursionError) as error:
        raise SettingsError(f"{origin} is no report: {error}.", hint="Run `edgerag export report` again.") from error


def read_report(path: Path) -> Report:
    """Read a stored report.

    Raises:
        SettingsError: As `from_json`, or the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    return from_json(text, origin=str(path))


def _finite(value: Any) -> Any:
    """Replace what JSON has no word for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def _dataclass(kind: type[_T], raw: Any, where: str) -> _T:
    if not isinstance(raw, Mapping):
        raise TypeError(f"{where} is no object")
    hints = get_type_hints(kind)
    specs = {spec.name: spec for spec in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(raw) - set(specs)):
        raise TypeError(f"{where} has unknown fields: {', '.join(unknown)}")
    needed = [name for name, spec in specs.items() if spec.default is MISSING and spec.default_factory is MISSING]
    if missing := [name for name in needed if name not in raw]:
        raise TypeError(f"{where} lacks {', '.join(missing)}")
    return kind(**{name: _value(hints[name], value, f"{where}.{name}") for name, value in raw.items()})


def _value(hint: Any, raw: Any, where: str) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        inner = [part for part in parts if part is not NoneType]
        return None if raw is None else _value(inner[0], raw, where)
    if hasattr(hint, "__dataclass_fields__"):
        return _dataclass(hint, raw, where)
    if origin is tuple:
        if not isinstance(raw, list):
            raise TypeError(f"{where} is no list")
        kinds = [parts[0]] * len(raw) if parts[-1] is Ellipsis else list(parts)
        return tuple(_value(kind, item, where) for kind, item in zip(kinds, raw, strict=True))
    if origin is dict:
        if not isinstance(raw, Mapping):
            raise TypeError(f"{where} is no object")
        return {str(key): item if parts[1] is Any else _value(parts[1], item, where) for key, item in raw.items()}
    if hint is float:
        if raw is None:
            return math.nan
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            raise TypeError(f"{where} is no number")
        return float(raw)
    if not isinstance(raw, hint) or (isinstance(raw, bool) and hint is not bool):
        raise TypeError(f"{where} is not of the type {hint.__name__}")
    return raw
