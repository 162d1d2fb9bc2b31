"""What the panes of the Inspect screen say: evidence, prompt, times, and why a document is missing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from edgerag_tui import safe
from edgerag_tui.columns import hanging
from edgerag_tui.evidence import readable_text
from edgerag_tui.screens.inspect_bars import stage_name, time_bars
from edgerag_tui.shown_paths import short_path
from edgerag_tui.strings import has, say, tr

if TYPE_CHECKING:
    from edgerag.ask.absence import StageOutcome
    from edgerag.ask.explain import EvidenceUse, Explanation
    from edgerag.ask.why_not import WhyNot
    from edgerag_tui.screens.inspect_subject import Subject


def search_notes(explanation: Explanation) -> Content:
    """Which words were searched, how the rest was found, and with which weights."""
    notes = explanation.notes
    parts = [tr("inspect.terms", terms=", ".join(explanation.terms) or "–")]
    if explanation.dropped_terms:
        parts.append(tr("inspect.dropped", terms=", ".join(explanation.dropped_terms)))
    if "vector_method" in notes:
        parts.append(tr("inspect.method", name=_way(str(notes["vector_method"])), chunks=notes.get("chunks", "–")))
    if notes.get("embed_cached"):
        parts.append(tr("inspect.cached"))
    if "reranker" in notes:
        parts.append(tr("inspect.reranker", name=notes["reranker"]))
    return Content("\n").join(safe.content_line(part, "$muted") for part in parts)


def _way(method: str) -> str:
    """How vectors were searched, in words."""
    key = f"inspect.way_{method.replace('+', '_')}"
    return tr(key) if has(key) else method


def state_content(subject: Subject, explanation: Explanation) -> Content:
    """What was searched instead of the question, and which stages fell back; empty where there is nothing to say."""
    lines = [safe.content_line(f"! {say(entry)}", "$text-warning") for entry in explanation.degraded]
    if subject.is_rewritten:
        lines.insert(0, Content.assemble((tr("turn.rewritten"), "$muted"), safe.content_line(subject.searched)))
    return Content("\n").join(lines)


def evidence_verdict(explanation: Explanation) -> Content:
    """Whether the evidence is good enough, in one sentence."""
    values = {"score": f"{explanation.evidence_score:.2f}", "least": f"{explanation.min_evidence:.2f}"}
    if explanation.abstains:
        return Content.styled(f"✗ {tr('inspect.abstains', **values)}", "$text-warning")
    return Content.styled(f"✓ {tr('inspect.suffices', **values)}", "$text-success")


def evidence_content(use: EvidenceUse) -> Content:
    """One sentence; the tick says that it was used."""
    mark = ("✓ ", "$text-success bold") if use.is_used else ("· ", "$muted")
    told = tr("inspect.sentence", score=f"{use.score:.2f}", cosine=f"{use.similarity:.2f}", rank=use.passage_rank)
    return Content.assemble(mark, (told, "$muted"), "\n  ", safe.content_line(use.text))


def prompt_title(explanation: Explanation) -> Content:
    if not explanation.prompt:
        return Content(tr("inspect.pane_prompt"))
    told = tr("inspect.prompt_title", model=safe.line(explanation.model or ""), tokens=explanation.prompt_tokens)
    return Content.assemble(told, (" · " + tr("inspect.budget", tokens=explanation.budget_tokens), "$muted"))


def prompt_content(explanation: Explanation) -> Content:
    """The prompt to the letter; the program's own parts stand in another colour and in italics."""
    if explanation.prompt:
        return Content.assemble(
            *(safe.content(part.text, "italic $accent" if part.is_control else "") for part in explanation.prompt)
        )
    key = "inspect.no_prompt_abstained" if explanation.abstains else "inspect.no_prompt_extractive"
    return Content.styled(tr(key), "$muted")


def time_content(subject: Subject, explanation: Explanation, width: int) -> Content:
    """The times of the answer that was given, then those of looking at it again."""
    parts: list[Content] = []
    if subject.timings_ms:
        parts += [Content.styled(tr("inspect.time_answer"), "bold $primary"), time_bars(subject.timings_ms, width)]
        parts.append(Content(""))
    parts += [Content.styled(tr("inspect.time_again"), "bold $primary"), time_bars(explanation.timings_ms, width)]
    return Content("\n").join(parts)


def why_not_content(outcome: WhyNot, width: int) -> Content:
    """Each stage with a tick or a cross, where it fell out and what may be done about it, in rows of `width` cells."""
    lines = [safe.content_line(short_path(outcome.path), "bold")]
    if outcome.fell_out_at is None:
        lines.append(Content.styled(f"✓ {tr('inspect.came_through')}", "$text-success bold"))
    else:
        told = tr("inspect.fell_out", stage=stage_name(outcome.fell_out_at))
        lines += [Content.styled(f"✗ {told}", "$text-warning bold"), safe.content_line(say(outcome.reason))]
    if outcome.hint:
        lines.append(Content.assemble((tr("inspect.hint"), "bold"), safe.content_line(say(outcome.hint))))
    lines.append(Content(""))
    for stage in outcome.stages:
        lines.append(_stage_content(stage, width, is_end=stage.stage == outcome.fell_out_at))
    if outcome.chunk is not None and outcome.document is not None:
        lines += [Content(""), Content.styled(tr("inspect.best_chunk"), "bold $muted")]
        lines.append(safe.content_line(readable_text(outcome.chunk, outcome.document)))
    return Content("\n").join(lines)


def _stage_content(stage: StageOutcome, width: int, *, is_end: bool) -> Content:
    mark = ("✓ ", "$text-success bold") if stage.passed else ("✗ ", "$text-warning bold")
    numbers = []
    if stage.rank is not None:
        # A reranker that did not help, but did no harm either, passes beyond the limit.
        is_telling = stage.limit is not None and (stage.rank <= stage.limit or not stage.passed)
        numbers.append(f"#{stage.rank} / {stage.limit}" if is_telling else f"#{stage.rank}")
    if stage.score is not None:
        numbers.append(f"{stage.score:.3f}")
    tail = f"  ({', '.join(numbers)})" if numbers else ""
    text = safe.content_line(say(stage.text), "bold" if is_end else "")
    head = Content.assemble(mark, (stage_name(stage.stage), "bold"), (tail, "$muted"))
    return Content("\n").join([head, hanging(Content("    "), text, width)])
