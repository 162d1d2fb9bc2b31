"""A question with its answer: sentences are appended as they are checked, nothing that stands is drawn anew."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.style import Style
from textual.widgets import Static

from edgerag_tui import safe
from edgerag_tui.strings import say, tr
from edgerag_tui.turns import Phase, TurnState

if TYPE_CHECKING:
    from edgerag.answers import AnswerSentence


class SentenceLine(Static):
    """A checked sentence: its markers, or the flag that nothing supports it."""

    def __init__(self, sentence: AnswerSentence, *, is_generated: bool) -> None:
        super().__init__(
            sentence_content(sentence, is_generated=is_generated),
            classes="sentence" if sentence.is_supported else "sentence -unsupported",
        )
        self.sentence = sentence


class TurnView(Vertical):
    """Shows a `TurnState`; `refresh_turn` brings it up to date with what has been added to it."""

    def __init__(self, turn: TurnState) -> None:
        super().__init__(classes="turn")
        self.turn = turn
        self._shown: list[AnswerSentence] = []

    def compose(self) -> ComposeResult:
        yield Static(
            Content.assemble(("› ", "$accent bold"), safe.content(self.turn.question, "bold")), classes="question"
        )
        yield Static(classes="rewritten")
        yield Static(classes="replaced")
        yield Vertical(classes="sentences")
        yield Static(classes="draft")
        yield Static(classes="state")

    async def on_click(self, event: events.Click) -> None:
        if marker := event.style.meta.get("marker"):
            event.stop()
            await self.screen.run_action(f"screen.open_citation({int(marker)})")

    def on_mount(self) -> None:
        self.refresh_turn()
        # Only says how long it takes; stops with the turn.
        self._clock = self.set_interval(1.0, self._show_state, pause=not self.turn.phase.is_open)

    def show_draft(self) -> None:
        """The cheap part, for each piece of text that comes."""
        draft = self.query_one(".draft", Static)
        text = safe.line(self.turn.draft)
        draft.update(Content.assemble((text, "italic"), ("▌ ", "bold"), (tr("turn.unchecked"), "$muted")))
        draft.display = bool(text)

    def refresh_turn(self) -> None:
        """Show what the turn has become; sentences that stand already are not touched."""
        turn = self.turn
        self._line(
            ".rewritten",
            Content.assemble(tr("turn.rewritten"), safe.content_line(turn.rewritten)),
            bool(turn.rewritten),
        )
        replaced = Content.assemble("! ", safe.content_line(tr("turn.replaced", reason=say(turn.replaced))))
        self._line(".replaced", replaced, bool(turn.replaced))
        box = self.query_one(".sentences", Vertical)
        if self._shown != turn.sentences[: len(self._shown)]:
            box.remove_children()
            self._shown = []
        generated = turn.model is not None or (turn.phase.is_open and not turn.replaced)
        new = turn.sentences[len(self._shown) :]
        if new:
            box.mount_all(SentenceLine(sentence, is_generated=generated) for sentence in new)
            self._shown.extend(new)
        self.show_draft()
        self._show_state()

    def _show_state(self) -> None:
        self._line(".state", state_content(self.turn), True)
        if not self.turn.phase.is_open and hasattr(self, "_clock"):
            self._clock.pause()

    def _line(self, selector: str, text: Content, shown: bool) -> None:
        line = self.query_one(selector, Static)
        line.display = shown
        if shown:
            line.update(text)


def sentence_content(sentence: AnswerSentence, *, is_generated: bool) -> Content:
    """`It rained. [1][2]`, or `! It rained. [unsupported: nothing supports it]`.

    A generator's text may hold emphasis; text out of a document is never markup.
    """
    text = safe.markdown(sentence.text) if is_generated else safe.content_line(sentence.text)
    if not sentence.is_supported:
        reason = safe.line(say(sentence.reason))
        flag = tr("turn.unsupported_because", reason=reason) if reason else tr("turn.unsupported")
        return Content.assemble(("! ", "bold"), text.stylize("italic"), " ", (f"[{flag}]", "$text-warning"))
    marks = [
        Content.styled(f"[{marker}]", "$accent bold").stylize(Style.from_meta({"marker": marker}))
        for marker in sentence.markers
    ]
    return Content.assemble(text, " ", *marks)


def state_content(turn: TurnState) -> Content:
    """The line below an answer: what is going on, or how it came about."""
    elapsed = tr("turn.seconds", number=f"{time.monotonic() - turn.started:.0f}")
    match turn.phase:
        case Phase.WAITING:
            return Content.styled(tr("turn.waiting"), "$muted")
        case Phase.SEARCHING:
            return Content.styled(f"{tr('turn.searching')} {elapsed}", "$muted")
        case Phase.WRITING:
            return Content.styled(f"{tr('turn.writing')} {elapsed}", "$muted")
        case Phase.FAILED:
            return safe.content(f"! {turn.problem}", "$text-error")
    parts = [tr("turn.stopped")] if turn.phase is Phase.STOPPED else []
    if turn.abstained:
        parts.append(tr("turn.abstained_nearest") if turn.passages else tr("turn.abstained"))
    elif turn.sentences:
        parts.append(safe.line(turn.model) if turn.model else tr("turn.extractive"))
    if turn.seconds is not None:
        parts.append(tr("turn.seconds", number=f"{turn.seconds:.1f}"))
    told = Content.styled(" · ".join(parts), "" if turn.abstained else "$muted")
    if not turn.degraded:
        return told
    flags = [safe.content_line(f"! {say(entry)}", "$text-warning") for entry in turn.degraded]
    return Content("\n").join([told, *flags])
