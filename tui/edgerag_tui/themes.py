"""Three themes: dark, light, and one of high contrast that also holds on a terminal of 16 colours."""

from __future__ import annotations

import os
from collections.abc import Mapping

from textual.theme import Theme

DARK = Theme(
    name="dark",
    primary="#6cb6ff",
    secondary="#96d0a7",
    accent="#f0b45a",
    warning="#f0b45a",
    error="#ff8080",
    success="#7ddc9a",
    foreground="#d8dee6",
    background="#14181d",
    surface="#1b2127",
    panel="#262e37",
    dark=True,
    variables={
        "scrollbar": "#46525f",
        "scrollbar-background": "#14181d",
        "border-blurred": "#46525f",
        "muted": "#93a1b0",
    },
)
LIGHT = Theme(
    name="light",
    primary="#0a58b0",
    secondary="#1f6f43",
    accent="#8a4b00",
    warning="#8a4b00",
    error="#b3201f",
    success="#1f6f43",
    foreground="#1c2128",
    background="#fbfbf8",
    surface="#f1f1ec",
    panel="#e2e2da",
    dark=False,
    variables={
        "scrollbar": "#b9b9ae",
        "scrollbar-background": "#fbfbf8",
        "border-blurred": "#a3a398",
        "muted": "#5c5f58",
    },
)
# Pure colours, each the nearest of itself among the 16 that every terminal has: what differs here differs there.
CONTRAST = Theme(
    name="contrast",
    primary="#00ffff",
    secondary="#00ff00",
    accent="#ffff00",
    warning="#ffff00",
    error="#ff5555",
    success="#00ff00",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#000080",
    boost="#000000",
    dark=True,
    luminosity_spread=0.0,
    text_alpha=1.0,
    variables={
        "border": "#ffffff",
        "border-blurred": "#c0c0c0",
        "scrollbar": "#c0c0c0",
        "scrollbar-background": "#000000",
        "muted": "#c0c0c0",
    },
)
ALL = (DARK, LIGHT, CONTRAST)


def default_theme(environment: Mapping[str, str] | None = None) -> str:
    """Dark; high contrast where the terminal does not say that it has 256 colours or more."""
    environment = os.environ if environment is None else environment
    terminal = environment.get("TERM", "")
    has_many = "COLORTERM" in environment or any(part in terminal for part in ("256", "direct", "kitty", "alacritty"))
    return "dark" if has_many or os.name == "nt" else "contrast"
