"""The top line: the sections as tabs."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from edgerag_tui.keymap import key_name
from edgerag_tui.sections import SECTIONS, Section
from edgerag_tui.strings import tr


class SectionTab(Static):
    """One section's name with its key."""

    def __init__(self, section: Section, *, is_here: bool) -> None:
        self.section = section
        self._is_here = is_here
        super().__init__(self.content_for(is_short=False), classes="-here" if is_here else "")

    def content_for(self, *, is_short: bool) -> Content:
        """`F3 Search`, and in short `3 Search`."""
        key = key_name(self.section.keys.split(",")[0])
        name = tr(f"sections.{self.section.id}")
        # The section that is open stands in brackets: colour and weight are not all that says so.
        if is_short:
            shown = Content.assemble((key.removeprefix("F"), "$muted"), f" {name}")
            return Content.assemble("[", shown, "]") if self._is_here else shown
        return Content.assemble((key, "$muted"), f"[{name}]" if self._is_here else f" {name} ")

    async def on_click(self) -> None:
        await self.go()

    async def go(self) -> None:
        """Open the section."""
        await self.app.run_action(f"app.go('{self.section.id}')")


class TopBar(Horizontal):
    """All sections; the open one is marked."""

    DEFAULT_CSS = """
    TopBar { height: 1; background: $panel; }
    TopBar > .prefix { width: auto; padding-left: 1; display: none; }
    TopBar.-short > .prefix { display: block; }
    TopBar.-short > .name { display: none; }
    TopBar > .name { width: auto; padding: 0 1; text-style: bold; color: $primary; }
    SectionTab { width: auto; padding: 0 1 0 0; }
    SectionTab.-here { text-style: bold; }
    SectionTab:hover { text-style: underline; }
    """

    def __init__(self, here: str) -> None:
        super().__init__()
        self._here = here

    def compose(self) -> ComposeResult:
        yield Static(Content("edgerag"), classes="name")
        yield Static(Content.styled("F", "$muted"), classes="prefix")
        for section in SECTIONS:
            yield SectionTab(section, is_here=section.id == self._here)

    def on_resize(self) -> None:
        """Where not all tabs fit, none is cut off: the program's name goes, and `F` is said once for all keys."""
        tabs = list(self.query(SectionTab))
        needed = 9 + sum(tab.content_for(is_short=False).cell_length + 1 for tab in tabs)
        is_short = needed > self.size.width
        if is_short != self.has_class("-short"):
            self.set_class(is_short, "-short")
            for tab in tabs:
                tab.update(tab.content_for(is_short=is_short))
