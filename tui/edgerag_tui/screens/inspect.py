"""Inspect: where the last question's answer comes from, score by score, and why a document is not in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import ContentSwitcher, Input, OptionList, Static
from textual.widgets.option_list import Option

from edgerag_tui import messages, safe
from edgerag_tui.evidence import EvidenceItem, evidence_items
from edgerag_tui.keymap import bind
from edgerag_tui.screens import inspect_content as contents
from edgerag_tui.screens.base import SectionScreen
from edgerag_tui.screens.inspect_bars import hit_line, legend, waterfall
from edgerag_tui.screens.inspect_subject import (
    Subject,
    best_chunk_item,
    last_asked,
    sentence_item,
    start_explaining,
    start_why_not,
    subject_of,
)
from edgerag_tui.strings import tr
from edgerag_tui.tasks import Task
from edgerag_tui.turns import Phase, TurnState
from edgerag_tui.widgets.document_picker import DocumentPicker
from edgerag_tui.widgets.marked_list import MarkedList
from edgerag_tui.widgets.pane_tabs import PaneTabs

if TYPE_CHECKING:
    from edgerag.ask.explain import Explanation, HitExplanation
    from edgerag.ask.why_not import WhyNot
    from edgerag.datatypes import Document

PANES = ("scores", "evidence", "prompt", "time", "why")
_FOCUS = {
    "scores": "#hits",
    "evidence": "#sentences",
    "prompt": "#prompt-pane",
    "time": "#time-pane",
    "why": "#why-picker Input",
}


class InspectScreen(SectionScreen):
    """Five panes about one question; what is asked next replaces it."""

    SECTION = "inspect"
    FOCUS = "#inspected"
    CSS_PATH = "../styles/inspect.tcss"
    AUTO_FOCUS = "#hits"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            bind(str(number), f"pane({number - 1})", f"inspect.pane_{number}", show=number == 1)
            for number in range(1, len(PANES) + 1)
        ),
        bind("ctrl+pagedown,right_square_bracket", "step(1)", "inspect.next_pane", show=False),
        bind("ctrl+pageup,left_square_bracket", "step(-1)", "inspect.previous_pane", show=False),
        bind("w", "pane(4)", "inspect.why_not"),
        bind("o", "open", "inspect.open"),
        bind("c", "copy", "inspect.copy"),
        bind("r", "again", "inspect.again"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.subject: Subject | None = None
        self.explanation: Explanation | None = None
        self.outcome: WhyNot | None = None
        """Of the document that was picked last."""
        self.pane = 0
        self._turn: tuple[TurnState, Phase] | None = None
        """The question of the Ask screen that was taken last, and how far it had come."""
        self._explaining: Task | None = None
        self._asking_why: Task | None = None

    def compose_body(self) -> ComposeResult:
        yield Input(placeholder=tr("inspect.placeholder"), id="inspected")
        yield Static(id="inspect-state")
        yield PaneTabs([tr(f"inspect.pane_{name}") for name in PANES], id="panes")
        with ContentSwitcher(id="inspect-body", initial="scores-pane"):
            with Vertical(id="scores-pane"):
                hits = OptionList(id="hits", markup=False)
                hits.border_title = Content(tr("inspect.hits"))
                hits.border_subtitle = legend()
                yield hits
                with VerticalScroll(id="waterfall") as box:
                    box.border_title = Content(tr("inspect.waterfall"))
                    yield Static(id="waterfall-text")
            with Vertical(id="evidence-pane"):
                yield Static(id="verdict")
                sentences = MarkedList(id="sentences")
                sentences.border_title = Content(tr("inspect.sentences"))
                yield sentences
            with VerticalScroll(id="prompt-pane"):
                yield Static(id="prompt-text")
            with VerticalScroll(id="time-pane") as box:
                box.border_title = Content(tr("inspect.pane_time"))
                yield Static(id="time-text")
            with Horizontal(id="why-pane"):
                yield DocumentPicker(id="why-picker")
                with VerticalScroll(id="why-result") as box:
                    box.border_title = Content(tr("inspect.pane_why"))
                    yield Static(id="why-text")

    def on_mount(self) -> None:
        super().on_mount()
        self._show_pane()
        self._show_all()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._take_last_question()
        if PANES[self.pane] == "why":
            self.session.documents.find_all(to=self)

    def on_resize(self) -> None:
        super().on_resize()
        self.call_after_refresh(self._show_bars)
        self.call_after_refresh(self._show_why)

    # --- which question ---------------------------------------------------------------------------

    def _take_last_question(self) -> None:
        """Take the question of the Ask screen, unless it is the one that was taken before."""
        asked = last_asked(self.edgerag)
        if asked is None:
            return
        turn, extractive = asked
        if self._turn is None or self._turn[0] is not turn or self._turn[1] is not turn.phase:
            self._turn = (turn, turn.phase)
            self.inspect(subject_of(turn, extractive=extractive))

    def inspect(self, subject: Subject) -> None:
        """Look at a question."""
        for task in (self._explaining, self._asking_why):
            if task is not None:
                task.cancel()
        self.subject, self.explanation, self.outcome = subject, None, None
        box = self.query_one("#inspected", Input)
        with self.prevent(Input.Changed):
            box.value = safe.line(subject.question)
        self._explaining = start_explaining(self.session, subject, to=self)
        self._show_all()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        question = safe.plain(event.value).strip()
        if question:
            self.inspect(Subject(question, question))
            self._focus_pane()

    def action_again(self) -> None:
        """The same question on the library as it is now."""
        if self.subject is not None:
            self.inspect(self.subject)

    # --- what the engine says ---------------------------------------------------------------------

    def on_explained(self, message: messages.Explained) -> None:
        if self._explaining is not None and message.task_id == self._explaining.id:
            self.explanation = message.explanation
            self._show_all()

    def on_absence_explained(self, message: messages.AbsenceExplained) -> None:
        if self._asking_why is not None and message.task_id == self._asking_why.id:
            self.outcome = message.outcome
            self._show_why()
            self.query_one("#why-result").focus()

    def on_failed(self, message: messages.Failed) -> None:
        mine = [task.id for task in (self._explaining, self._asking_why) if task is not None]
        if message.name not in ("explain", "why-not"):
            self.tell_failure(message)
        elif message.task_id in mine:
            told = f"! {message.problem} {message.hint}".strip()
            if message.name == "why-not":
                self.query_one("#why-text", Static).update(safe.content_line(told, "$text-error"))
            else:
                self._tell_state(safe.content_line(told, "$text-error"))

    def on_documents_listed(self, message: messages.DocumentsListed) -> None:
        self.query_one(DocumentPicker).show(message.documents)

    def on_library_changed(self, message: messages.LibraryChanged) -> None:
        if PANES[self.pane] == "why":
            self.session.documents.find_all(to=self)

    def on_document_picker_chosen(self, event: DocumentPicker.Chosen) -> None:
        event.stop()
        self._ask_why(event.document)

    def on_document_picker_named(self, event: DocumentPicker.Named) -> None:
        event.stop()
        self._ask_why(event.text)

    def _ask_why(self, document: Document | str) -> None:
        if self.subject is None:
            self.tell(tr("inspect.nothing"), severity="warning")
            return
        if self._asking_why is not None:
            self._asking_why.cancel()
        self._asking_why = start_why_not(self.session, self.subject, document, to=self)
        self.outcome = None
        self.query_one("#why-text", Static).update(Content.styled(tr("inspect.working"), "$muted"))

    # --- showing ----------------------------------------------------------------------------------

    def _show_all(self) -> None:
        explanation, subject = self.explanation, self.subject
        if subject is None or explanation is None:  # said here for all panes
            told = Content.styled(tr("inspect.working" if subject else "inspect.nothing"), "$muted")
        else:
            told = contents.state_content(subject, explanation)
        self._tell_state(told)
        self._show_evidence()
        prompt = self.query_one("#prompt-pane")
        prompt.border_title = contents.prompt_title(explanation) if explanation else Content(tr("inspect.pane_prompt"))
        shown = contents.prompt_content(explanation) if explanation else Content("")
        self.query_one("#prompt-text", Static).update(shown)
        self._show_bars(anew=True)
        self._show_why()

    def _tell_state(self, told: Content) -> None:
        state = self.query_one("#inspect-state", Static)
        state.update(told)
        state.display = bool(told.plain)

    def _show_bars(self, *, anew: bool = False) -> None:
        """Everything that is as wide as its box; `anew` puts the cursor on the first hit."""
        hits, explanation = self.query_one("#hits", OptionList), self.explanation
        place = 0 if anew or hits.highlighted is None else hits.highlighted
        width = self._inner_width()
        hits.clear_options()
        if explanation is None or not explanation.hits:
            if explanation is not None:
                hits.add_option(Option(Content.styled(tr("inspect.no_hits"), "$muted"), disabled=True))
            self.query_one("#waterfall-text", Static).update(Content(""))
        else:
            hits.add_options(Option(hit_line(hit, width)) for hit in explanation.hits)
            hits.highlighted = min(place, len(explanation.hits) - 1)
            self._show_waterfall()
        times = contents.time_content(self.subject, explanation, width) if self.subject and explanation else Content("")
        self.query_one("#time-text", Static).update(times)

    def _inner_width(self) -> int:
        """Of a box as wide as the body: without border, padding and the stable scroll bar."""
        return max(40, (self.query_one("#inspect-body").size.width or self.size.width) - 5)

    @property
    def hit(self) -> HitExplanation | None:
        """The one under the cursor."""
        place = self.query_one("#hits", OptionList).highlighted
        hits = self.explanation.hits if self.explanation is not None else ()
        return hits[place] if place is not None and place < len(hits) else None

    def _show_waterfall(self) -> None:
        if self.hit is not None and self.explanation is not None:
            width = self._inner_width()
            text = waterfall(self.hit, self.explanation, width)
            notes = contents.search_notes(self.explanation)
            self.query_one("#waterfall-text", Static).update(Content("\n").join([text, Content(""), notes]))
            hits = self.query_one("#hits", OptionList)
            for place, hit in enumerate(self.explanation.hits):
                # The sign goes along with the cursor: its colour is not all that tells where it is.
                hits.replace_option_prompt_at_index(place, hit_line(hit, width, is_here=hit is self.hit))

    def _show_evidence(self) -> None:
        verdict, sentences = self.query_one("#verdict", Static), self.query_one("#sentences", OptionList)
        verdict.update(contents.evidence_verdict(self.explanation) if self.explanation else Content(""))
        sentences.clear_options()
        if self.explanation is not None:
            sentences.add_options(Option(contents.evidence_content(use)) for use in self.explanation.evidence)

    def _show_why(self) -> None:
        nothing = Content.styled(tr("inspect.pick"), "$muted") if self.subject else Content("")
        width = max(20, (self.query_one("#why-result").size.width or 50) - 5)
        told = contents.why_not_content(self.outcome, width) if self.outcome else nothing
        self.query_one("#why-text", Static).update(told)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_list.id == "hits":
            event.stop()
            self._show_waterfall()

    # --- panes and actions ------------------------------------------------------------------------

    def _show_pane(self) -> None:
        self.query_one(ContentSwitcher).current = f"{PANES[self.pane]}-pane"
        self.query_one(PaneTabs).show(self.pane)

    def _focus_pane(self) -> None:
        self.query_one(_FOCUS[PANES[self.pane]]).focus()

    def action_pane(self, place: int) -> None:
        """Open a pane."""
        self.pane = place
        self._show_pane()
        if PANES[place] == "why":
            self.session.documents.find_all(to=self)
        self._focus_pane()

    def action_step(self, step: int) -> None:
        self.action_pane((self.pane + step) % len(PANES))

    def on_pane_tabs_chosen(self, event: PaneTabs.Chosen) -> None:
        event.stop()
        self.action_pane(event.place)

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        await self.action_open()

    async def action_open(self) -> None:
        """Show in its document what the cursor is on: the hit, the sentence, or the missing document's best chunk."""
        item: EvidenceItem | None = None
        if PANES[self.pane] == "why":
            item = best_chunk_item(self.outcome) if self.outcome is not None else None
        elif PANES[self.pane] == "evidence" and self.explanation is not None:
            place = self.query_one("#sentences", OptionList).highlighted
            item = sentence_item(self.explanation, place) if place is not None else None
        elif self.hit is not None:
            item = evidence_items([self.hit.passage], [])[0]
        if item is not None:
            await self.edgerag.show_place(item)

    def action_copy(self) -> None:
        """The text of the pane: a prompt to the letter, a waterfall or a verdict as it stands."""
        if PANES[self.pane] == "prompt" and self.explanation is not None:
            text = self.explanation.prompt_text
        else:
            text = str(self.query_one(f"#{PANES[self.pane]}-pane").query(Static).last().visual)
        if text.strip():
            self.app.copy_to_clipboard(safe.plain(text))
            self.tell(tr("copied"))

    def action_cancel(self) -> None:
        """`esc`: out of a box where one types, so that the keys of the screen mean something again."""
        if isinstance(self.focused, Input):
            if PANES[self.pane] == "why" and self.focused.id != "inspected":
                self.query_one("#why-result").focus()
            else:
                self._focus_pane()
