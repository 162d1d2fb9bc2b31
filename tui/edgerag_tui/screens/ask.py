"""Ask: questions and answers on the left, the evidence on the right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from edgerag.paths import expanded
from edgerag_tui import messages, safe
from edgerag_tui.evidence import EvidenceItem, evidence_items
from edgerag_tui.keymap import bind
from edgerag_tui.screens.base import SectionScreen
from edgerag_tui.status import Status
from edgerag_tui.strings import tr
from edgerag_tui.tasks import Task
from edgerag_tui.turns import Phase, TurnState, saved_turn
from edgerag_tui.widgets.evidence_list import EvidenceList
from edgerag_tui.widgets.question_box import MOST_HISTORY, QuestionBox
from edgerag_tui.widgets.talk_scroll import TalkScroll
from edgerag_tui.widgets.turn_view import TurnView

if TYPE_CHECKING:
    from edgerag.storage.turns import Conversation

MOST_TURNS_SHOWN = 40
"""Older ones leave the screen (not the library): each costs time whenever the screen is laid out."""


class AskScreen(SectionScreen):
    """One conversation at a time."""

    SECTION = "ask"
    FOCUS = "#question"
    CSS_PATH = "../styles/ask.tcss"
    AUTO_FOCUS = "#question"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            bind(str(number), f"open_citation({number})", f"ask.open_{number}", show=number == 1)
            for number in range(1, 10)
        ),
        bind("left_square_bracket", "turn(-1)", "ask.previous_turn", show=False),
        bind("right_square_bracket", "turn(1)", "ask.next_turn", show=False),
        bind("c", "copy_answer", "ask.copy", show=False),
        bind("x", "toggle_extractive", "ask.extractive", show=False),
        bind("ctrl+e", "export", "ask.export", priority=True, show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.conversation: Conversation | None = None
        self.conversation_id: int | None = None
        self.turns: list[TurnState] = []
        self.place = -1
        """Of the turn whose evidence is shown."""
        self._asking: Task | None = None
        self._next_question = ""
        """Asked while another was being answered; its turn comes when that one has ended."""
        self.extractive = False

    def compose_body(self) -> ComposeResult:
        with Horizontal(id="columns"):
            with Vertical(id="talk"):
                with TalkScroll(id="answers") as answers:
                    answers.border_title = Content(tr("ask.new_title"))
                    yield Static(Content(tr("ask.welcome")), id="welcome")
                yield QuestionBox(id="question")
            evidence = EvidenceList(id="evidence")
            evidence.border_title = Content(tr("evidence.title"))
            yield evidence

    def on_mount(self) -> None:
        self.query_one(EvidenceList).show([])
        self.session.conversations.questions(MOST_HISTORY, to=self)

    def on_questions_listed(self, message: messages.QuestionsListed) -> None:
        self.query_one(QuestionBox).fill_history(message.questions)

    def show_status(self, status: Status) -> None:
        super().show_status(status)
        if not self.turns:
            self.query_one("#welcome", Static).update(welcome_content(status))

    # --- asking -----------------------------------------------------------------------------------

    @property
    def turn(self) -> TurnState | None:
        """The one whose evidence is shown."""
        return self.turns[self.place] if self.turns else None

    def on_question_box_submitted(self, event: QuestionBox.Submitted) -> None:
        event.stop()
        self.ask(event.question)

    def ask(self, question: str) -> None:
        """Put a question; what still runs is stopped first."""
        if self._asking is not None and self._asking.is_running:
            self.action_cancel()
            if self._next_question:  # a third question takes the place of the second
                self._drop_last_turn()
            self._next_question = question
            self._add_turn(TurnState(question, Phase.WAITING))
        else:
            self._add_turn(TurnState(question))
            self._start(question)
        self.query_one("#answers").focus()

    def _start(self, question: str) -> None:
        history = (
            ()
            if self.conversation_id is not None
            else tuple(turn.exchange() for turn in self.turns[:-1] if turn.phase is Phase.DONE)
        )
        self._asking = self.session.ask(
            question, to=self, conversation=self.conversation_id, history=history[-4:], extractive=self.extractive
        )

    def action_cancel(self) -> None:
        """`esc`: stop the answer; the screen says so at once, whatever the engine still has to finish."""
        turn = self._running_turn()
        if turn is not None and self._asking is not None:
            self._asking.cancel()
            turn.phase = Phase.STOPPED
            self._refresh(turn)
        elif self.focused is not None and self.focused.id == "question":
            self.query_one("#answers").focus()

    def _running_turn(self) -> TurnState | None:
        return next((turn for turn in reversed(self.turns) if turn.phase in (Phase.SEARCHING, Phase.WRITING)), None)

    def _answering(self, task_id: int) -> TurnState | None:
        """The turn that a message is about; None where it is about one that nobody looks at any more."""
        if self._asking is None or self._asking.id != task_id:
            return None
        return next((turn for turn in reversed(self.turns) if turn.phase is not Phase.WAITING), None)

    # --- the events of an answer ------------------------------------------------------------------

    def on_ask_rewritten(self, message: messages.AskRewritten) -> None:
        if turn := self._answering(message.task_id):
            turn.rewritten, turn.rewrite_reason = message.rewritten, message.reason
            self._refresh(turn)

    def on_ask_passages(self, message: messages.AskPassages) -> None:
        if turn := self._answering(message.task_id):
            turn.passages = message.passages
            self._refresh(turn)

    def on_ask_delta(self, message: messages.AskDelta) -> None:
        turn = self._answering(message.task_id)
        if turn is not None and turn.phase is not Phase.STOPPED:
            was_writing = turn.phase is Phase.WRITING
            turn.add_delta(message.text)
            if was_writing:
                self._view(turn).show_draft()
            else:
                self._view(turn).refresh_turn()
            self.query_one(TalkScroll).follow()

    def on_ask_sentence(self, message: messages.AskSentence) -> None:
        if turn := self._answering(message.task_id):
            turn.add_sentence(message.sentence, message.citations)
            self._refresh(turn)

    def on_ask_replaced(self, message: messages.AskReplaced) -> None:
        if turn := self._answering(message.task_id):
            turn.replace(message.reason)
            self._refresh(turn)

    def on_ask_done(self, message: messages.AskDone) -> None:
        if turn := self._answering(message.task_id):
            turn.finish(message.answer)
            self.conversation_id = message.answer.conversation_id or self.conversation_id
            self._refresh(turn)
            self._ask_next()

    def on_failed(self, message: messages.Failed) -> None:
        if message.name != "ask":
            self.tell_failure(message)
        elif turn := self._answering(message.task_id):
            turn.phase, turn.problem = Phase.FAILED, f"{message.problem}\n{message.hint}".strip()
            self._refresh(turn)
            self._ask_next()

    def _ask_next(self) -> None:
        question, self._next_question = self._next_question, ""
        if question:
            self.turns[-1].phase = Phase.SEARCHING
            self._refresh(self.turns[-1])
            self._start(question)

    # --- showing ----------------------------------------------------------------------------------

    def _add_turn(self, turn: TurnState) -> None:
        self.query_one("#welcome").display = False
        answers = self.query_one(TalkScroll)
        self.turns.append(turn)
        answers.mount(TurnView(turn))
        views = list(answers.query(TurnView))
        if len(views) > MOST_TURNS_SHOWN:
            views[0].remove()
        answers.follow(again=True)
        self._show_place(len(self.turns) - 1)

    def _drop_last_turn(self) -> None:
        self._view(self.turns.pop()).remove()

    def _view(self, turn: TurnState) -> TurnView:
        return next(view for view in self.query(TurnView) if view.turn is turn)

    def _refresh(self, turn: TurnState) -> None:
        self._view(turn).refresh_turn()
        self.query_one(TalkScroll).follow()
        if turn is self.turn:
            self._show_evidence()

    def _show_place(self, place: int) -> None:
        self.place = place
        for view in self.query(TurnView):
            view.set_class(view.turn is self.turn and len(self.turns) > 1, "-chosen")
        self._show_title()
        self._show_evidence()

    def _show_title(self) -> None:
        title = self.conversation.title if self.conversation else self.turns[0].question if self.turns else ""
        shown = safe.content_line(title) if title else Content(tr("ask.new_title"))
        self.query_one("#answers").border_title = shown

    def _show_evidence(self) -> None:
        turn = self.turn
        items = evidence_items(turn.passages, turn.citations, abstained=turn.abstained) if turn else []
        self.query_one(EvidenceList).show(items, searching=turn is not None and turn.phase is Phase.SEARCHING)

    def action_turn(self, step: int) -> None:
        """Choose another answer, whose evidence is then shown."""
        shown = [view.turn for view in self.query(TurnView)]
        if self.turn in shown:
            place = min(max(0, shown.index(self.turn) + step), len(shown) - 1)
            self._show_place(self.turns.index(shown[place]))
            self._view(shown[place]).scroll_visible(top=True)

    async def action_open_citation(self, number: int) -> None:
        """Open what a number stands for, in the document, at the place."""
        if item := self.query_one(EvidenceList).numbered(number):
            await self._open(item)
        else:
            self.tell(tr("ask.no_number", number=number))

    async def on_evidence_list_opened(self, event: EvidenceList.Opened) -> None:
        event.stop()
        await self._open(event.item)

    async def _open(self, item: EvidenceItem) -> None:
        await self.edgerag.show_place(item)

    # --- conversations ----------------------------------------------------------------------------

    def action_new_conversation(self) -> None:
        """Begin anew; the one that was open stays in the library."""
        self._clear(None)
        self.query_one("#question").focus()

    def _clear(self, conversation: Conversation | None) -> None:
        if self._asking is not None:
            self._asking.cancel()
        self._asking, self._next_question = None, ""
        self.conversation, self.conversation_id = conversation, conversation.id if conversation else None
        self.turns, self.place = [], -1
        self.query(TurnView).remove()
        self.query_one("#welcome").display = conversation is None
        self._show_title()
        self._show_evidence()

    def on_conversation_loaded(self, message: messages.ConversationLoaded) -> None:
        self._clear(message.conversation)
        answers = self.query_one(TalkScroll)
        self.turns = [saved_turn(turn) for turn in message.turns]
        answers.mount_all(TurnView(turn) for turn in self.turns[-MOST_TURNS_SHOWN:])
        answers.follow(again=True)
        self._show_place(len(self.turns) - 1)
        answers.focus()

    def action_export(self) -> None:
        """`ctrl+e`: write the conversation to a Markdown file of one's choice."""
        if self.conversation_id is None:
            self.tell(tr("export.nothing"), severity="warning")
            return
        from edgerag_tui.screens.prompts import PromptScreen

        number = self.conversation_id

        def export(path: str | None) -> None:
            if path:
                self.session.conversations.export(number, expanded(path), to=self)

        self.app.push_screen(PromptScreen(tr("export.to"), str(Path.cwd() / f"conversation-{number}.md")), export)

    def on_finished(self, message: messages.Finished) -> None:
        if message.name == "export":
            self.tell(tr("export.done", path=message.result))

    def action_copy_answer(self) -> None:
        """The chosen answer with its markers, into the clipboard."""
        from edgerag.answers import render_sentence

        if self.turn is not None and self.turn.sentences:
            text = " ".join(render_sentence(sentence) for sentence in self.turn.sentences)
            self.app.copy_to_clipboard(safe.plain(text))
            self.tell(tr("copied"))

    def action_toggle_extractive(self) -> None:
        """Generated answers, or the documents' own sentences."""
        self.extractive = not self.extractive
        self.tell(tr("ask.extractive_on" if self.extractive else "ask.extractive_off"))


def welcome_content(status: Status) -> Content:
    """What to do first, in words that fit the state of things."""
    if status.problem:
        return safe.content(f"! {status.problem}", "$text-error")
    if not status.is_open:
        return Content(tr("ask.welcome_opening"))
    text = tr("ask.welcome_empty") if status.num_documents == 0 else tr("ask.welcome", number=status.num_documents)
    return Content(f"{text}\n\n{tr('ask.welcome_loading')}" if status.is_loading else text)
