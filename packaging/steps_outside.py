"""Steps of the self-test that look from outside: sockets, libraries of this system, what is left behind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath

import no_network
from bundle_libraries import GLIBC_PARTS
from ran import Cue
from session import NotShownError, Session
from steps_find import QUESTION
from steps_keep import NEW_FILE_READ, SYSTEM_LIBRARIES, WATCHING, listing, pace, tui_limit

KEPT_ALIVE_S = 20.0
"""onnxruntime's telemetry opens its first socket ten seconds after the import (1.31.1): shorter runs prove nothing."""
ALLOWED = (PurePath(".local/share/edgerag"), PurePath(".config/edgerag"), PurePath("traced"))
"""Folders of the home: library and models, settings, and the library of `sockets`."""


def sockets(session: Session) -> str:
    """No Internet socket and no library of this system, seen from outside by strace, over all processes."""
    counted: list[str] = []
    local: set[str] = set()
    watched = session.documents / "traced"
    watched.mkdir()
    for name, arguments, status in _traced_commands(session, watched):
        trace = session.place.work / f"trace-{name}"
        try:
            before = no_network.strace_command(trace)
        except no_network.NamespaceError as error:
            raise NotShownError(str(error)) from error
        cues = _kept_alive(session, watched) if name == "watch" else []
        # strace says "Process N attached" and the like on stderr unless told to write elsewhere: -o does that.
        session.run(*arguments, status=status, stderr="", before=before, timeout_s=300, cues=cues)
        found = no_network.read_trace(trace, session.place.called or session.place.inside(session.place.executable))
        session.expect(found.has_started, f"the trace of {name} does not show the program's start: it proves nothing")
        strange = foreign_libraries(session, found.libraries)
        session.expect(not strange, f"{name} took libraries of this system: {', '.join(strange[:5])}")
        opened = f"{name} opened {len(found.internet)} Internet sockets: {found.internet[:3]}"
        session.expect(not found.internet, opened)
        if cues:
            session.expect(NEW_FILE_READ in session.runs[-1].text, f"{name} did not take a new file in")
            session.expect(
                any("onnxruntime" in Path(path).name for path in found.libraries),
                f"{name} was kept alive without onnxruntime, whose telemetry is what it waits for",
            )
        local |= set(found.families)
        counted.append(name)
    kinds = f"; others: {', '.join(sorted(local))}" if local else ", nor any other"
    kinds += "; libraries from the bundle alone" if listing(session.place.executable) else ""
    return f"0 Internet sockets in {', '.join(counted)} ({KEPT_ALIVE_S:.0f} s with onnxruntime){kinds}"


def _kept_alive(session: Session, watched: Path) -> list[Cue]:
    """A new file makes the program load onnxruntime, which it does not for nothing; then it must stay long enough."""
    file = watched / "new.txt"
    return [
        Cue(WATCHING, 2 * pace(session), lambda: file.write_text("The ropeway of Trun carries twelve sacks.\n")),
        Cue(NEW_FILE_READ, KEPT_ALIVE_S),
    ]


def foreign_libraries(session: Session, opened: Sequence[str]) -> list[str]:
    """Libraries that were opened outside the bundle and do not belong to glibc: another system may lack them."""
    if not listing(session.place.executable):
        return []
    bundle = session.place.inside(session.place.executable.parent)
    allowed = (*GLIBC_PARTS, *SYSTEM_LIBRARIES)
    # glibc itself loads `libnss_*` and `gconv` modules by name; QEMU's own libraries do not exist, it is static.
    return [
        path
        for path in opened
        if not os.path.normpath(path).startswith(f"{bundle}/")
        and Path(path).name not in allowed
        and not Path(path).name.startswith("libnss_")
        and "/gconv/" not in path
    ]


def _traced_commands(session: Session, watched: Path) -> list[tuple[str, list[str], int]]:
    inside = session.place.inside
    library = ["--library", inside(session.place.home / "traced")]
    commands: list[tuple[str, list[str], int]] = [
        ("add", [*library, "add", inside(session.documents / "examples"), inside(watched)], 0),
        ("search", [*library, "search", QUESTION], 0),
        ("ask", [*library, "ask", "--extractive", QUESTION], 0),
        ("doctor", ["doctor"], 0),
        ("models", ["models", "list"], 0),
        ("tui", ["tui", "--self-test", *tui_limit(session)], 0),
        ("watch", [*library, "sync", "--watch"], 130),
    ]
    if generator := session.facts.get("generator"):
        commands.insert(3, ("generate", [*library, "ask", "--model", generator, "--max-tokens", "8", QUESTION], 0))
    return commands


def left_behind(session: Session) -> str:
    """Nothing is written outside the library, models and settings folders; the bundle and /tmp stay as they were."""
    home = session.place.home
    found = (path.relative_to(home) for path in sorted(home.rglob("*")))
    strange = [path.as_posix() for path in found if not is_allowed(path)]
    session.expect(not strange, f"written into the home: {', '.join(strange[:5])}")
    if session.place.root is not None:
        temporary = [path.name for path in (session.place.work / "tmp").iterdir()]
        session.expect(not temporary, f"left in /tmp: {', '.join(temporary[:5])}")
    before, now = session.facts["bundle_before"], listing(session.place.executable)
    changed = sorted(set(before.items()) ^ set(now.items()))
    session.expect(not changed, f"the program's own folder changed: {', '.join(name for name, _ in changed[:5])}")
    return f"only {ALLOWED[0]} and {ALLOWED[1]}" + (", /tmp empty" if session.place.root is not None else "")


def is_allowed(path: PurePath) -> bool:
    """Whether edgerag may make this file or folder of the home: one of `ALLOWED`, something in it or a folder above."""
    return any(path.is_relative_to(allowed) or allowed.is_relative_to(path) for allowed in ALLOWED)
