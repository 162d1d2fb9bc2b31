"""The top line: the sections as tabs."""

from __future__ import annotations

from enum import IntEnum

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from edgerag_tui.keymap import first_key, key_name
from edgerag_tui.sections import SECTIONS, Section
from edgerag_tui.strings import tr

NAME = "edgerag"


class TabForm(IntEnum):
    """How much a tab says; where not all tabs fit, all say less, and none is cut off."""

    LONG = 0
    """`F3 Search`"""
    SHORT = 1
    """`3 Search`; the open and the first tab keep their `F`, which says what the numbers are."""
    KEY = 2
    """`F3`; the open tab keeps its name."""


class SectionTab(Static):
    """One section's name with its key; the open one stands in brackets, as colour and weight are not all to say so."""

    def __init__(self, section: Section, key: str, *, is_here: bool) -> None:
        """
        Args:
            key: That opens it, by the key map.
        """
        self.section = section
        self._full_key = key_name(key)
        self._is_here = is_here
        self._form = TabForm.LONG
        super().__init__(self.content_for(TabForm.LONG), classes="-here" if is_here else "")

    def show(self, form: TabForm) -> None:
        """Say as much as there is room for."""
        self._form = form
        self.update(self.content_for(form))

    def content_for(self, form: TabForm) -> Content:
        """`[F2 Ask]` of the open section, `F3 Search` of another; a space in place of brackets where there is room."""
        shown = Content.styled(self._key(form), "$muted")
        if self._is_here or form is not TabForm.KEY:
            shown = Content.assemble(shown, f" {tr(f'sections.{self.section.id}')}")
        if self._is_here:
            return Content.assemble("[", shown, "]")
        return Content.assemble(" ", shown, " ") if form is TabForm.LONG else shown

    def _key(self, form: TabForm) -> str:
        return self._full_key.removeprefix("F") if form is TabForm.SHORT and not self._says_f else self._full_key

    @property
    def _says_f(self) -> bool:
        return self._is_here or self.section is SECTIONS[0]

    @property
    def digit(self) -> str:
        """Last digit of its F key, which stands for it in jump mode, also where another key opens it."""
        return self.section.keys[-1]

    @property
    def digit_x(self) -> int:
        """Column of that digit on the screen; of its key's beginning where the key has another end."""
        lead = 1 if self._is_here or self._form is TabForm.LONG else 0
        key = self._key(self._form)
        return self.region.x + lead + (len(key) - 1 if key.endswith(self.digit) else 0)

    async def on_click(self) -> None:
        await self.go()

    async def go(self) -> None:
        """Open the section."""
        await self.app.run_action(f"app.go('{self.section.id}')")


class TopBar(Horizontal):
    """All sections; the open one is marked."""

    DEFAULT_CSS = """
    TopBar { height: 1; background: $panel; }
    TopBar > .name { width: auto; padding: 0 1; text-style: bold; color: $primary; }
    SectionTab { width: auto; }
    SectionTab.-here { text-style: bold; }
    SectionTab:hover { text-style: underline; }
    TopBar.-tight { padding-left: 1; }
    TopBar.-tight SectionTab { padding-right: 1; }
    """

    def __init__(self, here: str) -> None:
        super().__init__()
        self._here = here

    def compose(self) -> ComposeResult:
        yield Static(Content(NAME), classes="name")
        for section in SECTIONS:
            key = first_key(self.app, f"app.go_{section.id}", section.keys)
            yield SectionTab(section, key, is_here=section.id == self._here)

    def on_resize(self) -> None:
        """The program's name goes first, then the tabs say less."""
        width = self.size.width
        form = next((form for form in TabForm if self._needed(form) <= width), TabForm.KEY)
        self.query_one(".name").display = form is TabForm.LONG and self._needed(form) + len(NAME) + 2 <= width
        self.set_class(form is not TabForm.LONG, "-tight")
        for tab in self.query(SectionTab):
            tab.show(form)

    def _needed(self, form: TabForm) -> int:
        """Cells of all tabs with what stands between them."""
        tabs = self.query(SectionTab)
        return sum(tab.content_for(form).cell_length for tab in tabs) + (0 if form is TabForm.LONG else len(tabs))
