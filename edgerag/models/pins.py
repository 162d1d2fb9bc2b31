"""Hashes recorded on first download, for files that the catalogue has none for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from edgerag.errors import ModelError
from edgerag.models.disk import disk_error

PINS_NAME = "pins.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Pin:
    sha256: str
    size_bytes: int
    commit: str = ""
    """What a hub's tag or branch stood for at the first download; later pulls ask for this commit."""


def read_pins(models_folder: Path) -> dict[str, Pin]:
    """All pins by key.

    Raises:
        ModelError: The file is damaged. Going on without it would accept whatever a server sends.
    """
    file = models_folder / PINS_NAME
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        if raw["schema_version"] != SCHEMA_VERSION:
            raise ModelError(f"{file} was written by a newer edgerag.", hint="Update edgerag.")
        return {
            str(key): Pin(str(pin["sha256"]), int(pin["size_bytes"]), str(pin["commit"]))
            for key, pin in raw["pins"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{file} cannot be read: {error!r}.",
            hint="It holds the hashes of your first downloads; delete it to pin them anew.",
        ) from error


def add_pins(models_folder: Path, new: dict[str, Pin]) -> None:
    """Record pins, replacing those of the same key; the caller holds the lock of the models folder."""
    if not new:
        return
    pins = read_pins(models_folder) | new
    raw = {"schema_version": SCHEMA_VERSION, "pins": {key: asdict(pins[key]) for key in sorted(pins)}}
    file = models_folder / PINS_NAME
    draft = file.with_name(PINS_NAME + ".part")
    try:
        draft.write_text(json.dumps(raw, indent=2) + "\n", encoding="utf-8", newline="\n")
        draft.replace(file)
    except OSError as error:
        raise disk_error(error, file) from error
