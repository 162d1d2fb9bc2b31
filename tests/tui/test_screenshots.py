"""The README's pictures: `make screenshots` draws them."""

from __future__ import annotations

import re
from pathlib import Path

from edgerag_tui.sections import SECTIONS
from tests.tui.screenshots import tidied

LARGEST_BYTES = 150_000
LARGEST_TOGETHER_BYTES = 1_500_000


def test_wide_characters_take_two_cells_and_nothing_is_fetched() -> None:
    svg = (
        "<style>@font-face { font-family: 'F'; src: url('https://example.org/f.woff'); } .t { font-family: Fira Code, "
        'monospace }</style><text class="terminal-77-r1" x="0" textLength="24.4" clip-path="c">文库</text>'
        '<text class="terminal-77-r1" x="0" textLength="61.0" clip-path="c">&#160;文&#160;3&amp;</text>'
        '<text class="terminal-77-r1" x="48.8" textLength="24.4" clip-path="c">ab</text>'
    )
    tidy = tidied(svg)
    assert re.findall(r'textLength="([0-9.]+)"', tidy) == ["36.6", "24.4"]
    assert re.findall(r' x="([0-9. ]+)"', tidy) == ["0.0 24.4", "12.2", "36.6", "48.8"]
    assert ">&#160;3&amp;<" in tidy
    assert "https" not in tidy
    assert "Fira" not in tidy


def test_every_section_has_a_small_picture_and_the_readme_shows_what_there_is(checkout: Path) -> None:
    pictures = {file.stem: file.stat().st_size for file in (checkout / "tui" / "screenshots").glob("*.svg")}
    assert {section.id for section in SECTIONS} <= pictures.keys()
    assert max(pictures.values()) < LARGEST_BYTES
    assert sum(pictures.values()) < LARGEST_TOGETHER_BYTES
    shown = set(re.findall(r"tui/screenshots/([\w-]+)\.svg", (checkout / "README.md").read_text(encoding="utf-8")))
    assert shown == pictures.keys()
