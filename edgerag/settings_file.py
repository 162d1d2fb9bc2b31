"""Where each setting's value comes from, and changing one in `config.toml` without touching the rest of the file."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgerag import paths
from edgerag.coded_text import coded
from edgerag.config import RESERVED_ENVIRONMENT, load_settings, setting_fields
from edgerag.errors import SettingsError, os_reason

FILE_NAME = "config.toml"
Origin = Literal["default", "file", "environment"]


@dataclass(frozen=True, slots=True)
class SettingValue:
    """A setting as it stands now."""

    name: str
    value: Any
    default: Any
    origin: Origin
    """Who gave the value; the environment wins over the file."""
    about: str
    low: float | None
    high: float | None

    @property
    def variable(self) -> str:
        """The environment variable of this setting."""
        return variable_of(self.name)


def config_file() -> Path:
    """`config.toml` in the settings folder, which need not exist."""
    return paths.config_dir() / FILE_NAME


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return f"EDGERAG_{name.upper()}"


def setting_values(file: Path | None = None, environment: Mapping[str, str] | None = None) -> list[SettingValue]:
    """Every setting with its value and origin, in the order of `Settings`.

    Raises:
        SettingsError: As `load_settings`.
    """
    file = file or config_file()
    environment = os.environ if environment is None else environment
    settings = load_settings(file, environment)
    in_file = _parsed(_read(file), file).keys()
    values = []
    for setting in setting_fields():
        variable = variable_of(setting.name)
        is_set = variable in environment and variable not in RESERVED_ENVIRONMENT
        origin: Origin = "environment" if is_set else "file" if setting.name in in_file else "default"
        low, high = setting.metadata["low"], setting.metadata["high"]
        value = getattr(settings, setting.name)
        values.append(SettingValue(setting.name, value, setting.default, origin, setting.metadata["about"], low, high))
    return values


def write_setting(name: str, value: Any, file: Path | None = None) -> None:
    """Give a setting a value in the file: its line is replaced or added, all others stay to the letter.

    Args:
        value: Checked already (`parse_setting`).

    Raises:
        SettingsError: The file cannot be read, changed safely, or written; it is as before.
    """
    _change(name, f"{name} = {_toml(value)}", file or config_file())


def reset_setting(name: str, file: Path | None = None) -> bool:
    """Take a setting out of the file.

    Returns:
        Whether it was in it.

    Raises:
        SettingsError: As `write_setting`.
    """
    file = file or config_file()
    if name not in _parsed(_read(file), file):
        return False
    _change(name, None, file)
    return True


def _change(name: str, statement: str | None, file: Path) -> None:
    text = _read(file)
    before = _parsed(text, file)
    lines = text.removesuffix("\n").split("\n") if text else []
    # A line inside a text may look like a statement: what is written must say exactly what was meant.
    wanted = {key: value for key, value in before.items() if key != name}
    if statement is not None:
        wanted |= tomllib.loads(statement)
    places = _places(lines, name, before[name]) if name in before else [(len(lines), len(lines))]
    for start, end in places:
        new = [] if statement is None else [statement]
        if statement is not None and end == start + 1:
            new = [statement + _comment(lines[start], name, before[name])]
        changed = "".join(f"{line}\n" for line in (*lines[:start], *new, *lines[end:]))
        with contextlib.suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(changed) == wanted:
                _replace(file, changed)
                return
    raise SettingsError(
        coded(
            "settings.entangled",
            "`{name}` could not be changed in {file} without touching the rest.",
            name=name,
            file=file,
        ),
        hint=coded("hint.change_there", "Change it there."),
    )


def _places(lines: list[str], name: str, value: Any) -> Iterator[tuple[int, int]]:
    """Where the statement may stand: its first line, and the one after its last, since a list may go over several."""
    head = re.compile(rf"""\s*(?:{name}|"{name}"|'{name}')\s*=""")
    for start in (number for number, line in enumerate(lines) if head.match(line)):
        for end in range(start + 1, len(lines) + 1):
            with contextlib.suppress(tomllib.TOMLDecodeError):
                if tomllib.loads("\n".join(lines[start:end])) == {name: value}:
                    yield start, end
                    break


def _comment(line: str, name: str, value: Any) -> str:
    """The comment behind a statement, with the space before it; empty where there is none."""
    for match in re.finditer(r"\s*#", line):
        with contextlib.suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(line[: match.start()]) == {name: value}:
                return line[match.start() :]
    return ""


def _toml(value: Any) -> str:
    # JSON and TOML agree on these; DEL is the one character that JSON leaves as it is and TOML does not allow.
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(part) for part in value)}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            coded("settings.unreadable", "{file} cannot be read: {problem}", file=file, problem=error),
            hint=coded("hint.mend", "Mend the file or delete it."),
        ) from error


def _parsed(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            coded("settings.unreadable", "{file} cannot be read: {problem}", file=file, problem=error),
            hint=coded("hint.mend", "Mend the file or delete it."),
        ) from error


def _replace(file: Path, text: str) -> None:
    """Write beside the file and rename: a crash leaves the old or the new one, whole."""
    draft: Path | None = None
    try:
        file = file.resolve()  # a link to a file that is kept elsewhere stays a link
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{FILE_NAME}.")
        draft = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if file.exists():
            shutil.copymode(file, draft)
        draft.replace(file)
    except (OSError, UnicodeEncodeError) as error:  # the latter: half a character, which a terminal may send
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise SettingsError(
            coded("settings.unwritable", "{file} cannot be written: {problem}.", file=file, problem=os_reason(error)),
            hint=coded("hint.folder_permissions", "Check the folder's permissions."),
        ) from error
