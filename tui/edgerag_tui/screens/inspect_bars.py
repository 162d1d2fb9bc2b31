"""Bars of characters: of hits' scores and of times. Pure; every part has a fill of its own, not only a colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from edgerag.cli.render import shown_path
from edgerag_tui import safe
from edgerag_tui.strings import has, tr

if TYPE_CHECKING:
    from edgerag.ask.explain import Explanation, HitExplanation

PARTS = (("lexical", "█", "$primary"), ("vector", "▓", "$success"), ("rerank", "░", "$accent"))
MOST_TERMS = 8
TOTALS = ("retrieve", "total")
"""Stages that are sums of others; of `first_token` it is `generate` that holds it."""
_INSIDE = {"first_token": "generate"}


def legend() -> Content:
    """`█ words  ▓ meaning  ░ reranker`"""
    return Content("  ").join(
        Content.assemble((fill, colour), " ", tr(f"search.stage_{name}")) for name, fill, colour in PARTS
    )


def part_scores(hit: HitExplanation) -> dict[str, float]:
    return {"lexical": hit.lexical_part, "vector": hit.vector_part, "rerank": hit.rerank_part}


def hit_line(hit: HitExplanation, width: int, *, is_here: bool = False) -> Content:
    """One hit: its rank, file and page, the parts of its score side by side, and their sum."""
    passage = hit.passage
    name = shown_path(passage.document.path).replace("\\", "/").rsplit("/", 1)[-1]
    page = f" · {tr('evidence.page', number=passage.chunk.page)}" if passage.chunk.page is not None else ""
    name_cells = max(8, min(44, width // 3))
    shown = Content.assemble(safe.content_line(name, "bold"), page).truncate(name_cells, ellipsis=True, pad=True)
    room = max(4, width - name_cells - 10)
    pieces: list[Content] = []
    used, reached = 0, 0.0
    scores = part_scores(hit)
    for part, fill, colour in PARTS:
        reached += max(0.0, scores[part])
        cells = min(room, round(reached * room)) - used
        pieces.append(Content.styled(fill * max(0, cells), colour))
        used += max(0, cells)
    bar = Content.assemble(*pieces, " " * (room - used))
    return Content.assemble(
        ("›" if is_here else " ", "bold"),
        (f"{passage.rank:>2} ", "$accent bold"),
        shown,
        " ",
        bar,
        (f" {passage.scores.final:.2f}", "bold"),
    )


def waterfall(hit: HitExplanation, explanation: Explanation, width: int) -> Content:
    """How one hit's score comes about, line by line: each bar begins where the one before ended."""
    scores = hit.passage.scores
    label_cells, told_cells = (10, 24) if width < 90 else (14, 34)
    room = max(8, width - label_cells - told_cells - 9)

    def line(label: str, told: str, start: float, size: float, fill: str, colour: str, value: str) -> Content:
        begin, end = round(start * room), round((start + size) * room)
        bar = Content.assemble(" " * begin, (fill * max(0, end - begin), colour), " " * max(0, room - end))
        head = set_cell_size(label, label_cells) + " " + set_cell_size(told, told_cells) + " "
        return Content.assemble(head, bar.truncate(room), f" {value:>6}")

    ranks = {"lexical": hit.lexical_rank, "vector": hit.vector_rank, "rerank": hit.rerank_rank}
    own = {"lexical": scores.lexical, "vector": scores.vector, "rerank": scores.rerank}
    first_stage = 1.0 - explanation.rerank_weight
    weights = {
        "lexical": first_stage * (1.0 - explanation.vector_weight),
        "vector": first_stage * explanation.vector_weight,
        "rerank": explanation.rerank_weight,
    }
    parts = part_scores(hit)
    lines: list[Content] = []
    reached = 0.0
    for name, fill, colour in PARTS:
        value = own[name]
        if value is None:
            told = tr("inspect.not_found" if name != "rerank" else "inspect.not_asked")
        else:
            told = tr(f"inspect.own_{name}", rank=ranks[name], score=f"{value:.3f}", weight=f"{weights[name]:.2f}")
        added = f"+{parts[name]:.3f}" if value is not None else "–"
        lines.append(line(tr(f"search.stage_{name}"), told, reached, parts[name], fill, colour, added))
        if name == "lexical":
            lines += [
                line("", f"  {safe.line(term.term)} {term.score:.2f}", 0.0, _share(term.score, hit), "▪", colour, "")
                for term in hit.terms[:MOST_TERMS]
            ]
        reached += parts[name]
        if name == "vector":
            told = tr("inspect.own_fused", rank=hit.fused_rank, score=f"{scores.fused:.3f}")
            lines.append(line(tr("inspect.fused"), told, 0.0, reached, "─", "$muted", f"{reached:.3f}"))
    told = tr("inspect.own_final", rank=hit.passage.rank)
    lines.append(line(tr("inspect.final"), told, 0.0, reached, "━", "bold", f"{scores.final:.3f}").stylize("bold"))
    return Content("\n").join(lines)


def _share(score: float, hit: HitExplanation) -> float:
    total = sum(term.score for term in hit.terms)
    return hit.lexical_part * max(0.0, score) / total if total > 0 else 0.0


def stage_name(stage: str) -> str:
    """In the language of the interface; the engine's own name for a stage that the catalogue does not know."""
    key = f"inspect.stage_{stage}"
    return tr(key) if has(key) else safe.line(stage)


def time_bars(timings_ms: Mapping[str, float], width: int) -> Content:
    """One bar for each stage, as long as its share of the whole; sums stand in bold and have a line for a bar."""
    label_cells = 20 if width < 90 else 30
    room = max(8, width - label_cells - 18)
    whole = max([timings_ms.get("total", 0.0), *timings_ms.values(), 1e-9])
    lines: list[Content] = []
    for stage, elapsed in timings_ms.items():
        is_sum = stage in TOTALS
        name = f"  {stage_name(stage)}" if stage in _INSIDE else stage_name(stage)
        cells = round(elapsed / whole * room)
        bar = ("━" if is_sum else "░" if stage in _INSIDE else "█") * cells or "▏"
        share = f"{elapsed / whole:>5.0%}"
        told = f"{_cells(name, label_cells)} {bar}{' ' * (room - cell_len(bar))} {_ms(elapsed):>9} {share}"
        lines.append(Content.styled(told, "bold") if is_sum else Content(told))
    return Content("\n").join(lines)


def _cells(text: str, width: int) -> str:
    return set_cell_size(text, width)


def _ms(elapsed: float) -> str:
    return f"{elapsed / 1000:.2f} s" if elapsed >= 1000 else f"{elapsed:.1f} ms"
