"""Escape sequences, bidi controls, markup, NULs, wide characters and emoji in every widget that shows foreign text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.style import Style

from edgerag_tui import safe, strings, themes
from tests.tui.hostile import FORBIDDEN, PIECES, hostile_text
from tests.tui.hostile_widgets import WIDGETS, WIDTH

HEIGHT = 420
"""High enough for all widgets at once: what is off the screen is not drawn."""


class Everything(App[None]):
    """Shows every widget with the same text."""

    CSS = "Screen > * { height: auto; max-height: 22; }"

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        for theme in themes.ALL:
            self.register_theme(theme)
        self.theme = "dark"

    def compose(self) -> ComposeResult:
        for make in WIDGETS:
            widget = make(self._text)
            widget.add_class(make.__name__)
            yield widget


def cells(app: App[None]) -> Iterator[tuple[str, Style]]:
    """Every piece of text on the screen with its style."""
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            if segment.text and not segment.control:
                yield segment.text, segment.style  # type: ignore[misc]


async def show(text: str) -> list[tuple[str, Style]]:
    app = Everything(text)
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await pilot.pause()
        await pilot.pause()
        found = list(cells(app))
        assert all(app.screen.query_one(f".{make.__name__}").region for make in WIDGETS), "a widget is off the screen"
        for strip in app.screen._compositor.render_strips():
            assert strip.cell_length == WIDTH
        app.export_screenshot()
    return found


def check(text: str) -> None:
    strings.use("en")
    for shown, style in asyncio.run(show(text)):
        assert not FORBIDDEN.search(shown), ascii(shown)
        shown.encode("utf-8")
        assert not style.link
        assert "@click" not in style.meta, "foreign text has become an action"


@pytest.mark.parametrize("separator", [" ", "\n", ""], ids=["words", "lines", "joined"])
def test_every_known_trick_at_once_is_only_text(separator: str) -> None:
    check(separator.join(PIECES))


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(text=hostile_text)
def test_hostile_text_is_only_text_in_every_widget(text: str) -> None:
    check(text)


@given(text=hostile_text)
def test_safe_text_keeps_every_offset_and_no_control(text: str) -> None:
    shown = safe.plain(text)
    assert len(shown) == len(text)
    assert not FORBIDDEN.search(shown.replace("\n", "").replace("\t", ""))
    assert safe.plain(shown) == shown


@given(text=hostile_text)
def test_markdown_of_a_model_makes_no_link_and_no_action(text: str) -> None:
    content = safe.markdown(text)
    assert not FORBIDDEN.search(content.plain)
    assert {span.style for span in content.spans} <= {"bold", "italic"}


@given(text=hostile_text, start=st.integers(-5, 60), length=st.integers(0, 60))
def test_a_highlight_on_one_line_marks_the_same_words(text: str, start: int, length: int) -> None:
    content = safe.highlighted_line(text, [(start, start + length)], "bold")
    wanted = safe.plain("".join(text[max(0, start) : max(0, start + length)].split()))
    marked = "".join("".join(content.plain[span.start : span.end].split()) for span in content.spans)
    as_text = str.maketrans("\ufe0f", "\ufe0e")  # which of the two a sign gets depends on the one before it
    assert marked.translate(as_text) == wanted.translate(as_text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("海平面相平。\n降水量很大。", "海平面相平。降水量很大。"),
        ("海平面相平。\n\n降水量很大。", "海平面相平。降水量很大。"),
        ("降水\n量很大", "降水量很大"),
        ("降水量\n\n很大。", "降水量 很大。"),
        ("名 字", "名 字"),
        ("降水\nrain", "降水 rain"),
        ("비가\n온다", "비가 온다"),
        ("rain\r\n\t snow", "rain snow"),
    ],
    ids=["lines", "paragraphs", "broken line", "heading", "space", "latin", "korean", "english"],
)
def test_lines_of_chinese_are_joined_without_a_space(text: str, shown: str) -> None:
    assert safe.line(text) == shown
    content = safe.highlighted_line(text, [(len(text) - 2, len(text))], "bold")
    assert content.plain == shown
    assert [content.plain[span.start : span.end] for span in content.spans] == [text[-2:]]


def test_joiners_that_languages_and_emoji_need_stay() -> None:
    # The heart as text: terminals do not agree on how wide its picture is.
    assert safe.plain("👩‍👧 می‌خواهم ❤\ufe0f") == "👩‍👧 می‌خواهم ❤\ufe0e"


def test_emphasis_of_a_model_is_shown_as_emphasis() -> None:
    content = safe.markdown("It is **not** `rm -rf` or *so*; see [here](http://example.org).")
    assert content.plain == "It is not rm -rf or so; see [here](http://example.org)."
    assert [(content.plain[span.start : span.end], span.style) for span in content.spans] == [
        ("not", "bold"),
        ("rm -rf", "bold"),
        ("so", "italic"),
    ]


def test_no_widget_is_given_a_string_by_the_code() -> None:
    """What a `str` would do is textual's markup; a call that hands one to a widget must not slip in."""
    import ast

    import edgerag_tui

    taking = {"Static", "Label", "Option", "Button"}
    for file in Path(edgerag_tui.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in taking and node.args:
                first = node.args[0]
                assert not isinstance(first, (ast.Constant, ast.JoinedStr)), f"{file.name}:{node.lineno}"
                is_tr = isinstance(first, ast.Call) and isinstance(first.func, ast.Name) and first.func.id == "tr"
                assert not is_tr, f"{file.name}:{node.lineno}"
