"""Chinese in widgets breaks as Chinese does: anywhere, but not before a comma; Latin words in it stay whole."""

from __future__ import annotations

import itertools

import pytest
from rich._wrap import divide_line as divide_at_spaces
from textual import content
from textual.content import Content

from edgerag_tui import wrapping


def rows(text: str, width: int) -> list[str]:
    starts = [0, *wrapping.divide_line(text, width), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(starts)]


@pytest.mark.parametrize(
    ("text", "width", "told"),
    [
        pytest.param("量杯要放平，视线与水面相平。", 10, ["量杯要放", "平，视线与", "水面相平。"], id="comma"),
        pytest.param("记作“零”。下雪时", 9, ["记作", "“零”。下", "雪时"], id="closing quote and full stop"),
        pytest.param("他说（今天）好", 7, ["他说", "（今", "天）好"], id="opening bracket"),
        pytest.param("生成：smollm2-135m 不会写", 18, ["生成：smollm2-135m ", "不会写"], id="a name that just fits"),
        pytest.param("请运行 edgerag verify 检查", 14, ["请运行 edgerag ", "verify 检查"], id="words"),
        pytest.param("名称smollm2不会", 8, ["名称", "smollm2", "不会"], id="name without spaces"),
    ],
)
def test_rows_of_chinese(text: str, width: int, told: list[str]) -> None:
    assert rows(text, width) == told


def test_other_scripts_wrap_as_textual_wraps_them() -> None:
    text = "The ferry on Lake Orma leaves at eight o'clock, except on Sundays."
    for width in range(2, 40):
        assert wrapping.divide_line(text, width) == divide_at_spaces(text, width)


def test_widgets_wrap_so_once_it_is_installed() -> None:
    wrapping.install()
    assert content.divide_line is wrapping.divide_line  # type: ignore[attr-defined]
    lines = Content("按 D 从文库移除。若要排除").wrap(12)
    assert [line.plain.rstrip() for line in lines] == ["按 D 从文库", "移除。若要排", "除"]


def test_no_row_is_wider_than_asked_and_nothing_is_lost() -> None:
    text = "观测员每天8时和20时读取雨量计（rain gauge），量杯要放平；“0.0”也要记。" * 3
    for width in range(4, 60):
        lines = rows(text, width)
        assert "".join(lines) == text
        assert all(Content(line.rstrip()).cell_length <= width for line in lines), width


def test_styles_stay_with_their_characters() -> None:
    wrapping.install()
    marked = Content.assemble("量杯要", ("放平，视线", "bold"), "与水面相平")
    bold = [line.plain[span.start : span.end] for line in marked.wrap(10) for span in line.spans]
    assert "".join(bold) == "放平，视线"
