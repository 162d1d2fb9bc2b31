"""The help: what this screen is for and which keys do what, made from the bindings themselves."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from edgerag_tui.keymap import all_bindings, bind, by_action, name_of
from edgerag_tui.screens.base import SectionScreen
from edgerag_tui.strings import has, tr


class HelpScreen(ModalScreen[None]):
    """Over the screen it is about."""

    BINDINGS: ClassVar[list[BindingType]] = [bind("escape,f1,question_mark,q", "dismiss", "help.close")]

    def __init__(self, about: Screen[object]) -> None:
        super().__init__()
        self._about = about

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help", classes="panel") as panel:
            panel.border_title = Content(tr("help.title"))
            panel.border_subtitle = Content(tr("help.close"))
            yield Static(help_content(self._about))


def help_content(screen: Screen[object]) -> Content:
    """All active bindings of a screen, nearest first: of the focused widget, the screen, the application."""
    lines: list[Content] = []
    if isinstance(screen, SectionScreen):
        lines += [Content(tr(f"about.{screen.SECTION}")), Content("")]
    groups: dict[str, list[Content]] = {}
    actions = by_action(all_bindings(screen))
    width = max((len(", ".join(keys)) for _, keys in actions.values()), default=0) + 2
    for entry, keys in actions.values():
        shown = Content.assemble("  ", (", ".join(keys).ljust(width), "$accent bold"), name_of(entry.binding))
        groups.setdefault(_scope(entry.node), []).append(shown)
    for scope, entries in groups.items():
        lines += [Content.styled(scope, "bold"), *entries, Content("")]
    lines += [Content.styled(tr("help.editing_title"), "bold"), Content(tr("help.editing")), Content("")]
    lines.append(Content.styled(tr("help.keymap"), "$muted"))
    return Content("\n").join(lines)


def _scope(node: DOMNode) -> str:
    if isinstance(node, App):
        return tr("help.everywhere")
    if isinstance(node, SectionScreen):
        return tr(f"sections.{node.SECTION}")
    key = f"help.widgets.{type(node).__name__}"
    return tr(key) if has(key) else tr("help.here")
