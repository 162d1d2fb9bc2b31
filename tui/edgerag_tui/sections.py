"""The parts of the application, in the order of the tabs. A new screen is one more line here."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.screen import Screen


@dataclass(frozen=True, slots=True)
class Section:
    id: str
    """Name of the mode; `sections.<id>` in the catalogue names the tab, `about.<id>` says what the screen is for."""
    keys: str
    """Keys that go there; the action is `app.go_<id>`."""
    module: str
    """Imported when the section is opened for the first time."""
    screen: str
    """Class of the screen in that module."""

    def loader(self) -> Callable[[], Screen[Any]]:
        """Imports and makes the screen when called."""

        def load() -> Screen[Any]:
            screen: Screen[Any] = getattr(importlib.import_module(self.module), self.screen)()
            return screen

        return load


SECTIONS = (
    Section("ask", "f2", "edgerag_tui.screens.ask", "AskScreen"),
    Section("search", "f3", "edgerag_tui.screens.search", "SearchScreen"),
    Section("document", "f4", "edgerag_tui.screens.document", "DocumentScreen"),
    Section("library", "f6", "edgerag_tui.screens.library", "LibraryScreen"),
    Section("inspect", "f7", "edgerag_tui.screens.inspect", "InspectScreen"),
    Section("models", "f8", "edgerag_tui.screens.models", "ModelsScreen"),
    Section("settings", "f9", "edgerag_tui.screens.settings", "SettingsScreen"),
    Section("doctor", "f10", "edgerag_tui.screens.doctor", "DoctorScreen"),
)
FIRST = SECTIONS[0].id
