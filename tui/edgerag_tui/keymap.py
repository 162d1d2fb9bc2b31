"""Bindings by action id. An id is the key of the action's name in the catalogue (`actions.<id>`) and of the key map in
`tui.toml`, so that help, palette, key bar and settings all speak of the same thing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from textual.app import App
from textual.binding import ActiveBinding, Binding
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

from edgerag.errors import SettingsError
from edgerag_tui.sections import SECTIONS
from edgerag_tui.strings import has, tr

_NUMBER = re.compile(r"_\d$")
SYNC_KEY = "f5"
_LAST = {"app.copy_or_cancel": 1, "app.suspend": 2, "app.quit": 3}
"""Nobody looks for these first."""
_KEY_NAMES = {
    "escape": "Esc",
    "enter": "Enter",
    "question_mark": "?",
    "slash": "/",
    "space": "Space",
    "tab": "Tab",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "delete": "Del",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "plus": "+",
    "minus": "-",
}


def bind(keys: str, action: str, id: str, *, show: bool = True, priority: bool = False, name: str = "") -> Binding:
    """A binding whose words come from the catalogue.

    Args:
        keys: Default keys, separated by commas.
        id: `<screen>.<action>`; `actions.<id>` must be in the catalogue.
        show: Whether the key bar at the bottom names it; the help always does.
        priority: Taken before the focused widget sees the key.
        name: Key of its words where they are not `actions.<id>`: one action, one key, but another word for it here.
    """
    return Binding(
        keys, action, description=name or f"actions.{_NUMBER.sub('', id)}", id=id, show=show, priority=priority
    )


def action_id(binding: Binding) -> str:
    """The id without the number of an action that comes in a row (`ask.open_3`); empty for textual's own."""
    return _NUMBER.sub("", binding.id or "")


def name_of(binding: Binding) -> str:
    """The action's name in the language of the interface; empty for textual's own bindings, which have no id."""
    return tr(binding.description) if binding.id and has(binding.description) else ""


def key_name(key: str) -> str:
    """A key as a person reads it: `^P`, `F1`, `Shift+Tab`."""
    *modifiers, name = key.split("+")
    shown = _KEY_NAMES.get(name) or (name.upper() if len(name) > 1 or modifiers else name)
    if modifiers == ["ctrl"] and len(name) == 1:
        return f"^{shown}"
    return "+".join([*(modifier.capitalize() for modifier in modifiers), shown])


def moved_keys(chosen: Mapping[str, str]) -> dict[str, str]:
    """The function keys of whole sections and of syncing that somebody has moved: `{"F5": "^S"}`."""
    defaults = {"app.sync": SYNC_KEY} | {f"app.go_{section.id}": section.keys for section in SECTIONS}
    first = {id: _first(chosen.get(id, "")) for id in defaults}
    return {key_name(key): key_name(first[id]) for id, key in defaults.items() if first[id]}


def first_key(app: App[Any], id: str, default: str) -> str:
    """The first key of an action, as the key map has it: for labels outside the key bar.

    Args:
        default: The keys that it is bound to where the key map does not name it.
    """
    return _first(app._keymap.get(id, default))


def _first(keys: str) -> str:
    """Of keys separated by commas; empty where there is none."""
    return next((key for key in map(str.strip, keys.split(",")) if key), "")


def character_of(key: str) -> str | None:
    """What a key types; None for one that types nothing."""
    name = _KEY_NAMES.get(key, key)
    return name if len(name) == 1 and name not in "↑↓←→" else " " if key == "space" else None


def all_bindings(screen: Screen[Any]) -> list[ActiveBinding]:
    """Everything that a key does on a screen, nearest first: of the focused widget, the screen, the application.

    `Screen.active_bindings` leaves out what the focused widget would take as typed text; help and palette show it.
    """
    nodes: list[DOMNode] = [*(screen.focused.ancestors_with_self if screen.focused else [screen]), screen.app]
    found: list[ActiveBinding] = []
    for node in dict.fromkeys(node for node in nodes if isinstance(node, (Widget, App))):
        bindings = node._bindings.copy()
        bindings.apply_keymap(screen.app._keymap)
        for _, binding in bindings:
            name = binding.action.partition("(")[0].rpartition(".")[2]
            state = node.check_action(name, ())
            if state is not False:
                found.append(ActiveBinding(node, binding, bool(state)))
    return found


def by_action(active: Iterable[ActiveBinding]) -> dict[str, tuple[ActiveBinding, list[str]]]:
    """Bindings that have a name, by id, each with all its keys: the screen's first, the application's last."""
    found: dict[str, tuple[ActiveBinding, list[str]]] = {}
    # Textual's own class of application has keys for some of these, which would come first.
    for entry in sorted(active, key=lambda entry: (isinstance(entry.node, App), _LAST.get(entry.binding.id or "", 0))):
        if name_of(entry.binding):
            found.setdefault(action_id(entry.binding), (entry, []))[1].append(key_name(entry.binding.key))
    return {name: (entry, _in_short(keys)) for name, (entry, keys) in found.items()}


def _in_short(keys: list[str]) -> list[str]:
    return keys if len(keys) < 4 else [f"{keys[0]}…{keys[-1]}"]


def check_keys(keys: Mapping[str, str], known: Iterable[str], *, origin: str) -> None:
    """Refuse a key map that names an action there is not.

    Raises:
        SettingsError: With the nearest known action.
    """
    ids = sorted(known)
    for name in keys:
        if _NUMBER.sub("", name) not in ids:
            near = difflib.get_close_matches(name, ids, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else f"The actions: {', '.join(ids)}."
            raise SettingsError(f"Unknown action `{name}` in {origin}.", hint=hint)
