"""Document: the parsed text that citations refer to, with its pages and headings."""

from __future__ import annotations

import subprocess
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from edgerag.errors import DocumentError
from edgerag_tui import messages, safe
from edgerag_tui.keymap import bind
from edgerag_tui.screens.base import SectionScreen
from edgerag_tui.screens.prompts import PromptScreen
from edgerag_tui.shown_paths import short_path
from edgerag_tui.strings import say_with_hint, tr
from edgerag_tui.widgets.document_picker import DocumentPicker
from edgerag_tui.widgets.marked_list import MarkedList
from edgerag_tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from edgerag.answers import Citation

OUTLINE_FROM_COLUMNS = 100


class DocumentScreen(SectionScreen):
    """One document; without one, the list to choose from."""

    SECTION = "document"
    CSS_PATH = "../styles/document.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("slash", "focus_main", "screen.focus_main", name="actions.screen.find"),
        bind("n", "match(1)", "document.next_match"),
        bind("N", "match(-1)", "document.previous_match", show=False),
        bind("right_square_bracket", "heading(1)", "document.next_heading"),
        bind("left_square_bracket", "heading(-1)", "document.previous_heading", show=False),
        bind("p", "page", "document.page"),
        bind("o", "outline", "document.outline"),
        bind("b", "chunks", "document.chunks"),
        bind("e", "edit", "document.edit"),
        bind("v", "view", "document.view"),
        bind("l", "choose", "document.choose"),
        bind("q", "back_to_quote", "document.quote", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.view: messages.DocumentView | None = None
        self.came_from = ""
        """Section to which `esc` goes back."""
        self._task_id = 0
        self._places: list[int] = []
        """Offsets of the outline's entries."""

    def compose_body(self) -> ComposeResult:
        yield DocumentPicker(id="picker")
        with Horizontal(id="reader"):
            outline = MarkedList(id="outline")
            outline.border_title = Content(tr("document.outline"))
            yield outline
            with Vertical(id="page"):
                yield TextView(id="text")
                yield Input(placeholder=tr("document.find"), id="find")

    def on_mount(self) -> None:
        self.query_one("#find").display = False
        self.query_one("#outline").display = self.size.width >= OUTLINE_FROM_COLUMNS
        self._show_picker(self.view is None and not self._task_id)

    def on_screen_resume(self) -> None:
        if self.query_one("#picker").display:
            self.session.documents.find_all(to=self)

    def _show_picker(self, shown: bool) -> None:
        self.query_one("#picker").display = shown
        self.query_one("#reader").display = not shown
        if shown:
            self.session.documents.find_all(to=self)
            self.query_one(DocumentPicker).focus_filter()
        else:
            self.query_one(TextView).focus()

    # --- opening ----------------------------------------------------------------------------------

    def open_citation(self, citation: Citation) -> None:
        """Show the place where a quote stands now."""
        self._task_id = self.session.documents.open_citation(citation, to=self).id

    def open_document(self, name: str, start_chars: int = 0, end_chars: int = 0) -> None:
        """Show a document by id or path, with a range of it marked."""
        task = self.session.documents.open(name, to=self, start_chars=start_chars, end_chars=end_chars)
        self._task_id = task.id

    def on_document_loaded(self, message: messages.DocumentLoaded) -> None:
        if message.task_id != self._task_id:
            return
        self.view = message.view
        self._show_picker(False)
        self._show_outline()
        self.query_one(TextView).load(message.view)
        self._show_title(message.view.start_chars)
        if message.view.state != "exact":
            self.tell(tr(f"document.state_{message.view.state}"), severity="warning")

    def on_failed(self, message: messages.Failed) -> None:
        self.tell_failure(message)
        if self.view is None:
            self._show_picker(True)

    def on_documents_listed(self, message: messages.DocumentsListed) -> None:
        self.query_one(DocumentPicker).show(message.documents)

    def on_library_changed(self, message: messages.LibraryChanged) -> None:
        self.session.documents.find_all(to=self)

    def on_document_picker_chosen(self, event: DocumentPicker.Chosen) -> None:
        event.stop()
        self.open_document(str(event.document.id))

    # --- outline and title ------------------------------------------------------------------------

    def _show_outline(self) -> None:
        assert self.view is not None
        stored = self.view.stored
        entries = [(heading.start_chars, "  " * (heading.level - 1) + heading.text) for heading in stored.headings]
        if not entries:
            entries = [(page.start_chars, tr("evidence.page", number=page.number)) for page in stored.pages]
        self._places = [place for place, _ in entries]
        outline = self.query_one("#outline", OptionList)
        outline.clear_options()
        outline.add_options(Option(_indented(text)) for _, text in entries)
        if not entries:
            outline.add_option(Option(Content.styled(tr("document.no_outline"), "$muted"), disabled=True))

    def _show_title(self, offset: int) -> None:
        if self.view is None:
            return
        stored = self.view.stored
        name = short_path(stored.document.path)
        parts = [safe.content_line(name, "bold")]
        page = next((page for page in reversed(stored.pages) if page.start_chars <= offset), None)
        if page is not None:
            parts.append(Content(tr("document.page_of", number=page.number, total=stored.pages[-1].number)))
        if heading := self._heading_at(offset):
            parts.append(safe.content_line(heading, "italic"))
        box = self.query_one("#page")
        box.border_title = Content(" · ").join(parts)
        share = offset / max(1, len(stored.text))
        box.border_subtitle = Content(f"{share:.0%}")

    def _heading_at(self, offset: int) -> str:
        assert self.view is not None
        headings = self.view.stored.headings
        place = bisect_right([heading.start_chars for heading in headings], offset) - 1
        return headings[place].text if place >= 0 else ""

    def on_text_view_moved(self, event: TextView.Moved) -> None:
        event.stop()
        self._show_title(event.offset)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_list.id == "outline":
            event.stop()
            self.query_one(TextView).show_offset(self._places[event.option_index])
            self.query_one(TextView).focus()

    # --- actions ----------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("match", "heading", "page", "outline", "chunks", "edit", "view", "back_to_quote"):
            return self.view is not None and not self.query_one("#picker").display
        return True

    def action_focus_main(self) -> None:
        """`/`: find in the document, or filter the list of documents."""
        if self.query_one("#picker").display:
            self.query_one(DocumentPicker).focus_filter()
            return
        find = self.query_one("#find", Input)
        find.display = True
        find.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "find":
            event.stop()
            number = self.query_one(TextView).find(event.value)
            event.input.border_subtitle = Content(tr("document.matches", number=number))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "find":
            event.stop()
            self.query_one(TextView).focus()
            self.action_match(1)

    def action_match(self, step: int) -> None:
        view = self.query_one(TextView)
        view.go_to_match(step)
        if view.matches:
            place = tr("document.match_of", number=view.current_match + 1, total=len(view.matches))
            self.query_one("#find", Input).border_subtitle = Content(place)

    def action_heading(self, step: int) -> None:
        """The next or previous entry of the outline."""
        view = self.query_one(TextView)
        here = view.here()
        place = bisect_right(self._places, here) if step > 0 else bisect_left(self._places, here) - 1
        if 0 <= place < len(self._places):
            self.query_one("#outline", OptionList).highlighted = place
            view.show_offset(self._places[place])

    def action_page(self) -> None:
        assert self.view is not None
        pages = self.view.stored.pages
        if not pages:
            self.tell(tr("document.no_pages"))
            return

        def go(number: str | None) -> None:
            found = next((page for page in pages if number == str(page.number)), None)
            if found is not None:
                self.query_one(TextView).show_offset(found.start_chars)
            elif number:
                self.tell(tr("document.no_page", number=number, last=pages[-1].number), severity="warning")

        title = tr("document.go_to_page", last=pages[-1].number)
        self.app.push_screen(PromptScreen(title, type="integer"), go)

    def action_outline(self) -> None:
        outline = self.query_one("#outline")
        outline.display = not outline.display
        if outline.display:
            outline.focus()

    def action_chunks(self) -> None:
        self.query_one(TextView).toggle_chunks()

    def action_back_to_quote(self) -> None:
        if self.view is not None:
            self.query_one(TextView).show_offset(self.view.start_chars)

    def action_choose(self) -> None:
        self._show_picker(True)

    async def action_cancel(self) -> None:  # type: ignore[override]
        """`esc`: close what is open, one after the other, then go back to where the citation was."""
        find = self.query_one("#find", Input)
        if find.display:
            find.display = False
            find.value = ""
            self.query_one(TextView).focus()
        elif self.query_one("#picker").display and self.view is not None:
            self._show_picker(False)
        elif self.came_from:
            await self.edgerag.action_go(self.came_from)

    def action_edit(self) -> None:
        """Open the file itself in `$EDITOR`, which gets the terminal for that time."""
        from edgerag_tui.external import editor_command

        assert self.view is not None
        try:
            command = editor_command(self.view.stored.document.path)
            with self.app.suspend():
                subprocess.run(command, check=False)
            self.app.refresh()
            self.tell(tr("document.edited"))
        except DocumentError as error:
            self.tell(say_with_hint(error.message, error.hint), severity="error")
        except (OSError, SuspendNotSupported) as error:
            self.tell(str(error), severity="error")

    def action_view(self) -> None:
        """Open the file itself in the program that the system opens it with."""
        from edgerag_tui.external import open_in_viewer

        assert self.view is not None
        try:
            open_in_viewer(self.view.stored.document.path)
        except DocumentError as error:
            self.tell(say_with_hint(error.message, error.hint), severity="error")


def _indented(text: str) -> Content:
    depth = len(text) - len(text.lstrip(" "))
    return Content.assemble(" " * depth, safe.content_line(text))
