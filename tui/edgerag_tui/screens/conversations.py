"""The saved conversations: find one, open it, rename it, delete it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from edgerag_tui import messages, safe
from edgerag_tui.keymap import bind
from edgerag_tui.screens.prompts import ConfirmScreen, PromptScreen
from edgerag_tui.strings import tr
from edgerag_tui.widgets.marked_list import MarkedList

if TYPE_CHECKING:
    from edgerag.storage.turns import Conversation, ConversationHit
    from edgerag_tui.app import EdgeragApp


class ConversationsScreen(ModalScreen[None]):
    """Typing searches titles, questions and answers; the arrow keys choose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape", "dismiss", "conversations.close"),
        bind("enter", "open", "conversations.open", priority=True),
        bind("ctrl+r", "rename", "conversations.rename", priority=True),
        bind("ctrl+d,delete", "delete", "conversations.delete", priority=True),
        bind("down", "move(1)", "conversations.down", show=False, priority=True),
        bind("up", "move(-1)", "conversations.up", show=False, priority=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._found: list[Conversation] = []
        self._asked = 0

    @property
    def edgerag(self) -> EdgeragApp:
        from edgerag_tui.app import EdgeragApp

        assert isinstance(self.app, EdgeragApp)
        return self.app

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel conversations") as panel:
            panel.border_title = Content(tr("conversations.title"))
            panel.border_subtitle = Content(tr("conversations.keys"))
            yield Input(placeholder=tr("conversations.search"))
            yield MarkedList()

    def on_mount(self) -> None:
        self._find()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._find()

    def _find(self) -> None:
        query = self.query_one(Input).value
        self._asked = self.edgerag.session.conversations.find(query, to=self).id

    def on_conversations_listed(self, message: messages.ConversationsListed) -> None:
        if message.task_id != self._asked:
            return
        entries = [(entry, conversation_content(entry)) for entry in message.conversations]
        entries += [(hit.conversation, hit_content(hit)) for hit in message.hits]
        self._found = [conversation for conversation, _ in entries]
        options = self.query_one(OptionList)
        options.clear_options()
        if not entries:
            options.add_option(Option(Content.styled(tr("conversations.none"), "$muted"), disabled=True))
            return
        options.add_options(content for _, content in entries)
        options.highlighted = 0

    def on_finished(self, message: messages.Finished) -> None:
        self._find()

    def on_failed(self, message: messages.Failed) -> None:
        self.edgerag.tell(f"{message.problem}\n{message.hint}".strip(), severity="error")

    def _chosen(self) -> Conversation | None:
        place = self.query_one(OptionList).highlighted
        return self._found[place] if place is not None and place < len(self._found) else None

    def action_move(self, step: int) -> None:
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    async def action_open(self) -> None:
        if chosen := self._chosen():
            self.dismiss()
            await self.edgerag.open_conversation(chosen.id)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.run_worker(self.action_open())

    def action_rename(self) -> None:
        chosen = self._chosen()
        if chosen is None:
            return

        def rename(title: str | None) -> None:
            if title:
                self.edgerag.session.conversations.rename(chosen.id, title, to=self)

        self.app.push_screen(PromptScreen(tr("conversations.rename_to"), chosen.title), rename)

    def action_delete(self) -> None:
        chosen = self._chosen()
        if chosen is None:
            return

        def delete(yes: bool | None) -> None:
            if yes:
                self.edgerag.session.conversations.delete(chosen.id, to=self)

        self.app.push_screen(ConfirmScreen(tr("conversations.delete_really", title=chosen.title)), delete)


def conversation_content(conversation: Conversation) -> Content:
    """Title, number of questions, last change."""
    number = conversation.num_turns
    told = tr("conversations.one_turn") if number == 1 else tr("conversations.turns", number=number)
    when = conversation.changed_at[:16].replace("T", " ")
    title = conversation.title or tr("conversations.untitled")
    return Content.assemble(safe.content_line(title, "bold"), "\n", safe.content_line(f"  {told} · {when}", "$muted"))


def hit_content(hit: ConversationHit) -> Content:
    """Title, and the piece that fits the search."""
    title = hit.conversation.title or tr("conversations.untitled")
    return Content.assemble(safe.content_line(title, "bold"), "\n", safe.content_line(f"  {hit.snippet}", "$muted"))
