"""Every colour that carries text can be read on what lies behind it: WCAG 2.2, 1.4.3 (4.5 to 1) and 1.4.6 (7 to 1)."""

from __future__ import annotations

import pytest
from textual.color import Color
from textual.theme import Theme

from edgerag_tui import themes

LEAST = {"dark": 4.5, "light": 4.5, "contrast": 7.0}
LEAST_OF_FRAMES = 3.0
"""WCAG 1.4.11: what shows where something is."""
TEXTS = ("foreground", "muted", "primary", "accent", "text-warning", "text-error", "text-success")
GROUNDS = ("background", "surface", "panel", "cursor")
OVERLAYS = {"cited": ("accent", 0.3), "match": ("primary", 0.25)}
"""What is laid over a document's text: `widgets/text_view.py`."""


def colors_of(theme: Theme) -> dict[str, Color]:
    values = theme.to_color_system().generate() | theme.variables
    return {name: Color.parse(value) for name, value in values.items() if value.startswith("#")}


def contrast(text: Color, ground: Color) -> float:
    """By relative luminance: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    light, dark = sorted((_luminance(text), _luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: Color) -> float:
    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(color.r) + 0.7152 * linear(color.g) + 0.0722 * linear(color.b)


def seen(color: Color, ground: Color) -> Color:
    """A colour that lets through what is behind it."""
    return ground.blend(Color(*color.rgb), color.a)


def test_contrast_is_measured_as_wcag_does() -> None:
    assert contrast(Color.parse("#000000"), Color.parse("#ffffff")) == pytest.approx(21.0)
    assert contrast(Color.parse("#777777"), Color.parse("#ffffff")) == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", themes.ALL, ids=lambda theme: theme.name)
def test_text_can_be_read_on_every_ground(theme: Theme) -> None:
    colors = colors_of(theme)
    pairs = [(text, name, colors[name]) for text in TEXTS for name in GROUNDS]
    for overlay, (name, alpha) in OVERLAYS.items():
        ground = seen(colors[name].with_alpha(alpha), colors["background"])
        pairs.append(("foreground", overlay, ground))
    pairs.append(("background", "primary", colors["primary"]))  # the match under the cursor
    pairs.append(("background", "accent", colors["accent"]))  # labels of jump mode
    figures = {f"{text} on {name}": contrast(seen(colors[text], ground), ground) for text, name, ground in pairs}
    assert {pair: round(figure, 2) for pair, figure in figures.items() if figure < LEAST[theme.name]} == {}


@pytest.mark.parametrize("theme", themes.ALL, ids=lambda theme: theme.name)
def test_frames_and_scroll_bars_can_be_seen(theme: Theme) -> None:
    colors = colors_of(theme)
    ground = colors["background"]
    figures = {name: round(contrast(colors[name], ground), 2) for name in ("border-blurred", "primary", "scrollbar")}
    assert {name: figure for name, figure in figures.items() if figure < LEAST_OF_FRAMES} == {}


def test_high_contrast_keeps_its_colours_apart_on_a_terminal_of_16() -> None:
    from rich.color import Color as RichColor
    from rich.color import ColorSystem

    colors = colors_of(themes.CONTRAST)
    names = ("background", "panel", "foreground", "muted", "primary", "accent", "text-error", "text-success")
    numbers = {name: RichColor.from_rgb(*colors[name].rgb).downgrade(ColorSystem.STANDARD).number for name in names}
    assert numbers == {
        "background": 0,
        "panel": 4,
        "foreground": 15,
        "muted": 7,
        "primary": 14,
        "accent": 11,
        "text-error": 9,
        "text-success": 10,
    }
