"""The side bar: sections and recent conversations, one key press or click away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from edgerag_tui import safe
from edgerag_tui.sections import SECTIONS
from edgerag_tui.strings import tr
from edgerag_tui.widgets.marked_list import MarkedList

if TYPE_CHECKING:
    from edgerag.storage.turns import Conversation
    from edgerag_tui.app import EdgeragApp

RECENT = 30


class Sidebar(Vertical):
    """Hidden on narrow terminals until `ctrl+b` asks for it."""

    DEFAULT_CSS = """
    Sidebar { width: 28; background: $surface; border-right: vkey $panel; }
    Sidebar .title { height: 1; padding: 0 1; text-style: bold; color: $muted; }
    Sidebar OptionList { border: none; background: $surface; padding: 0; height: auto; }
    Sidebar OptionList:focus { border: none; }
    Sidebar #recent { height: 1fr; }
    Sidebar #recent { text-wrap: nowrap; text-overflow: ellipsis; }
    Sidebar #places { margin-bottom: 1; }
    """

    def __init__(self, here: str) -> None:
        super().__init__()
        self._here = here

    def compose(self) -> ComposeResult:
        yield Static(Content(tr("sidebar.sections")), classes="title")
        yield MarkedList(
            *(
                Option(Content(("▸ " if section.id == self._here else "  ") + tr(f"sections.{section.id}")), section.id)
                for section in SECTIONS
            ),
            id="places",
            only_focused=True,
            gutter=1,
        )
        yield Static(Content(tr("sidebar.recent")), classes="title")
        yield MarkedList(id="recent", only_focused=True, gutter=1)

    def on_mount(self) -> None:
        places = self.query_one("#places", OptionList)
        places.highlighted = [section.id for section in SECTIONS].index(self._here)

    def show_conversations(self, conversations: list[Conversation]) -> None:
        """Fill the list of recent conversations."""
        recent = self.query_one("#recent", OptionList)
        recent.clear_options()
        if not conversations:
            recent.add_option(Option(Content.styled(f"  {tr('conversations.none')}", "$muted"), disabled=True))
        recent.add_options(
            Option(
                Content.assemble("  ", safe.content_line(conversation.title or tr("conversations.untitled"))),
                str(conversation.id),
            )
            for conversation in conversations[:RECENT]
        )

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        app: EdgeragApp = self.app  # type: ignore[assignment]
        if event.option_list.id == "places":
            await app.action_go(str(event.option_id))
        else:
            await app.open_conversation(int(str(event.option_id)))
