"""What is shown while the application waits for its work to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from edgerag_tui.strings import tr

if TYPE_CHECKING:
    from edgerag_tui.session import Session

LOOK_AGAIN_S = 0.2
WORK_KEYS = {
    "ask": "leaving.ask",
    "add": "leaving.reading",
    "sync": "leaving.reading",
    "watch": "leaving.reading",
    "retry": "leaving.reading",
    "remove": "leaving.remove",
    "pull": "leaving.pull",
    "load": "leaving.load",
    "measure": "leaving.measure",
    "verify": "leaving.verify",
}
"""By the name of a task; what is not here ends in no time."""


class LeavingScreen(ModalScreen[None]):
    """Names what still runs; nothing can be done here but leave at once."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel prompt") as panel:
            panel.border_title = Content(tr("leaving.title"))
            panel.border_subtitle = Content(tr("leaving.keys"))
            yield Static(leaving_content(self._session.work_left))

    def on_mount(self) -> None:
        self.set_interval(LOOK_AGAIN_S, self._show)

    def _show(self) -> None:
        self.query_one(Static).update(leaving_content(self._session.work_left))


def leaving_content(names: list[str]) -> Content:
    """What is waited for, by the names of the tasks."""
    told = dict.fromkeys(tr(WORK_KEYS[name]) for name in names if name in WORK_KEYS)
    return Content(tr("leaving.waiting", work=tr("leaving.and").join(told) or tr("leaving.rest")))
