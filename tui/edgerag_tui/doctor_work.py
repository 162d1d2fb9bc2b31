"""The checks of `edgerag doctor` on behalf of the screen; rules as in `session.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgerag_tui import messages
from edgerag_tui.strings import tr
from edgerag_tui.tasks import Task

if TYPE_CHECKING:
    from pathlib import Path

    from edgerag.cli.doctor import Finding
    from edgerag_tui.session import Session
    from edgerag_tui.session_reading import Target


def examine(session: Session, *, terminal: str, to: Target) -> Task:
    """Run every check, also where the library does not open; `CheckDone` for each, `Finished` last.

    Args:
        terminal: What is known of it, in words.
    """

    def work(task: Task) -> None:
        from edgerag.cli.context import CliContext
        from edgerag.cli.doctor import find_all

        for finding in find_all(CliContext(library=_folder(session))):
            if task.stop.is_set():
                return
            to.post_message(messages.CheckDone(task.id, finding))
        for finding in (_terminal(terminal), _sockets(session)):
            to.post_message(messages.CheckDone(task.id, finding))

    return session.run_apart("doctor", "doctor", work, to=to)


def _folder(session: Session) -> Path | None:
    from pathlib import Path

    return Path(session.status.library) if session.status.library else session.folder


def _terminal(text: str) -> Finding:
    import textual

    from edgerag.cli.doctor import Finding

    return Finding("terminal", "ok", f"textual {textual.__version__}, {text}")


def _sockets(session: Session) -> Finding:
    from edgerag.cli.doctor import Finding
    from edgerag_tui.vitals import count_internet_sockets

    number = count_internet_sockets()
    if number is None:
        return Finding("offline", "note", tr("doctor.sockets_unknown"))
    if number and not session.status.pulling:
        return Finding("offline", "problem", tr("doctor.sockets_open", number=number))
    if session.status.pulling:
        return Finding("offline", "ok", tr("doctor.sockets_pulling", number=number, name=session.status.pulling))
    return Finding("offline", "ok", tr("doctor.sockets", number=number))
