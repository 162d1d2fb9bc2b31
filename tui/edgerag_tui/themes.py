"""Three themes: dark, light, and one of high contrast that also holds on a terminal of 16 colours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from textual.theme import Theme

NAMES = ("dark", "light", "contrast")
# In the order of the names. Those of high contrast are pure colours, each the nearest of itself among the 16 that every
# terminal has: what differs here differs there. `tests/tui/test_themes.py` measures that all can be read.
COLORS = {
    "primary": ("#6cb6ff", "#0a58b0", "#00ffff"),
    "secondary": ("#96d0a7", "#1f6f43", "#55ff55"),
    "accent": ("#f0b45a", "#8a4b00", "#ffff00"),
    "warning": ("#f0b45a", "#8a4b00", "#ffff00"),
    "error": ("#ff8080", "#b3201f", "#ff5555"),
    "success": ("#7ddc9a", "#1f6f43", "#55ff55"),
    "foreground": ("#d8dee6", "#1c2128", "#ffffff"),
    "background": ("#14181d", "#fbfbf8", "#000000"),
    "surface": ("#1b2127", "#f1f1ec", "#000000"),
    "panel": ("#262e37", "#e2e2da", "#000080"),
}
VARIABLES = {
    "scrollbar": ("#5a6878", "#8f8f84", "#c0c0c0"),
    "scrollbar-background": ("#14181d", "#fbfbf8", "#000000"),
    "border": ("#6cb6ff", "#0a58b0", "#ffffff"),
    "border-blurred": ("#5a6878", "#8f8f84", "#c0c0c0"),
    "muted": ("#9aa8b7", "#565952", "#c0c0c0"),
    # Behind the row under the cursor; what that row says in colours must stay readable.
    "cursor": ("#263a50", "#cfdeee", "#000080"),
}


def _theme(name: str, *, dark: bool, **more: Any) -> Theme:
    place = NAMES.index(name)
    colors: dict[str, Any] = {key: values[place] for key, values in COLORS.items()}
    variables = {key: values[place] for key, values in VARIABLES.items()}
    return Theme(name=name, dark=dark, variables=variables, **colors, **more)


DARK = _theme("dark", dark=True)
LIGHT = _theme("light", dark=False)
CONTRAST = _theme("contrast", dark=True, boost="#000000", luminosity_spread=0.0, text_alpha=1.0)
ALL = (DARK, LIGHT, CONTRAST)


def default_theme(environment: Mapping[str, str] | None = None) -> str:
    """Dark; high contrast where the terminal does not say that it has 256 colours or more."""
    environment = os.environ if environment is None else environment
    terminal = environment.get("TERM", "")
    has_many = environment.get("COLORTERM") or any(part in terminal for part in ("256", "direct", "kitty", "alacritty"))
    return "dark" if has_many or os.name == "nt" else "contrast"
