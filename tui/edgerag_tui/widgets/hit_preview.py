"""One hit as it stands in its document, with the query's words marked, and where its score comes from."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from edgerag.datatypes import Passage
from edgerag_tui import safe
from edgerag_tui.evidence import readable_text
from edgerag_tui.shown_paths import short_path
from edgerag_tui.strings import tr
from edgerag_tui.term_marks import term_spans
from edgerag_tui.widgets.result_list import MARK_STYLE


class HitPreview(VerticalScroll):
    """Scrolls when it has the focus."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.passage: Passage | None = None

    def compose(self) -> ComposeResult:
        yield Static()

    def show(self, passage: Passage | None, terms: Sequence[str]) -> None:
        """Show another hit; None empties it."""
        is_other = passage is None or self.passage is None or passage.chunk.id != self.passage.chunk.id
        self.passage = passage
        self.query_one(Static).update(
            preview_content(passage, terms) if passage else Content.styled(tr("search.no_preview"), "$muted")
        )
        if is_other:
            self.scroll_home(animate=False)


def preview_content(passage: Passage, terms: Sequence[str]) -> Content:
    chunk = passage.chunk
    place = [safe.content_line(short_path(passage.document.path), "bold")]
    if chunk.page is not None:
        place.append(Content(tr("evidence.page", number=chunk.page)))
    lines = [Content(" · ").join(place)]
    if chunk.heading:
        lines.append(safe.content_line(chunk.heading, "italic $muted"))
    lines.append(Content.styled(scores_line(passage), "$muted"))
    text = readable_text(chunk, passage.document)
    return Content("\n").join([*lines, Content(""), safe.highlighted(text, term_spans(text, terms), MARK_STYLE)])


def scores_line(passage: Passage) -> str:
    """Each part of the score that there is, on the scale of its own."""
    scores = passage.scores
    parts = (("lexical", scores.lexical), ("vector", scores.vector), ("rerank", scores.rerank))
    told = [f"{tr(f'search.stage_{name}')} {score:.2f}" for name, score in parts if score is not None]
    return " · ".join(told)
