"""What is known of a source, folder or file, as text."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from edgerag.cli.render import format_size
from edgerag_tui import safe
from edgerag_tui.job_views import local_time
from edgerag_tui.library_tree import PROBLEMS, Node
from edgerag_tui.shown_paths import home_path
from edgerag_tui.strings import say, tr
from edgerag_tui.widgets.file_tree import SIGNS, STATE_KEYS, files_text

HINT_KEYS = {
    "changed": "library.hint_changed",
    "failed": "library.hint_failed",
    "unreadable": "library.hint_unreadable",
    "gone": "library.hint_gone",
    "new": "library.hint_new",
}


def file_details(node: Node) -> Content:
    """State, reason and what to do about it; of folders and sources what they hold."""
    lines: list[Content] = [safe.content_line(home_path(node.path), "bold")]
    file = node.file
    if file is None:
        lines.append(Content(" · ".join(_counts(node))))
        if node.is_missing:
            lines.append(Content.styled(tr("library.missing_hint"), "$text-warning"))
        for state in PROBLEMS:
            if number := node.states[state]:
                told = tr("library.with_hint", what=f"{number:,} {tr(STATE_KEYS[state])}", hint=tr(HINT_KEYS[state]))
                lines.append(Content.styled(f"{SIGNS[state]} {told}", "$text-warning"))
    else:
        title = safe.line(file.title)
        if title and title not in node.name:
            lines.append(safe.content_line(title, "italic"))
        shown = Content(f"{SIGNS[file.state]} {tr(STATE_KEYS[file.state])}".strip())
        facts = [safe.content_line(file.format)] if file.format else []
        if file.num_chunks:
            facts.append(Content(tr("library.chunks", number=f"{file.num_chunks:,}")))
        facts.append(Content(format_size(file.size_bytes)))
        lines.append(Content(" · ").join([shown, *facts]))
        if file.ingested_at:
            key = "library.failed_at" if file.state == "failed" else "library.read_at"
            lines.append(Content.styled(tr(key, time=local_time(file.ingested_at)), "$muted"))
        if file.reason:
            lines.append(safe.content(f"! {say(file.reason)}", "$text-error"))
        if file.state in HINT_KEYS:
            lines.append(Content(tr(HINT_KEYS[file.state])))
    if node.kind == "source":
        lines.append(Content.styled(tr("library.source_hint"), "$muted"))
    return Content("\n").join(lines)


def library_counts(roots: Sequence[Node], *, is_watched: bool) -> Content:
    """How many sources and files a library has, and how large they are: one line."""
    parts = [
        tr("library.one_source") if len(roots) == 1 else tr("library.sources", number=len(roots)),
        files_text(sum(root.num_files for root in roots)),
        format_size(sum(root.size_bytes for root in roots)),
    ]
    if is_watched:
        parts.append(tr("library.watching"))
    return Content(" · ".join(parts))


def _counts(node: Node) -> list[str]:
    return [
        files_text(node.num_files),
        tr("library.chunks", number=f"{node.num_chunks:,}"),
        format_size(node.size_bytes),
    ]
