"""Noticing that files of the sources change, as `edgerag sync --watch` does."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from edgerag.errors import EdgeragError
from edgerag.storage.library import Library
from edgerag_tui.strings import tr

DEBOUNCE_MS = 1000
"""Changes are gathered for this long, so that unpacking an archive is one change."""
LOOK_AGAIN_MS = 2000
"""How often the list of sources is looked at: one may be added, or a drive come back."""


def watch_sources(library: Library, sync: Callable[[], bool], *, stop: threading.Event) -> None:
    """Call `sync` once, and then after changes, until `stop` is set.

    Args:
        sync: Returns whether it could begin; when not, it is called again a little later.

    Raises:
        EdgeragError: The system lets no more files be watched.
    """
    import watchfiles  # 30 ms; only where someone watches

    # The library itself may lie within a source, and changes with every sync.
    unwatched = watchfiles.DefaultFilter(ignore_paths=(str(library.folder) + os.sep,))
    is_due = True
    while not stop.is_set():
        present = _present(library)
        if is_due and sync():
            is_due = False
        if not present:
            stop.wait(LOOK_AGAIN_MS / 1000)
            is_due = is_due or bool(_present(library))
            continue
        try:
            for changes in watchfiles.watch(
                *present,
                watch_filter=unwatched,
                stop_event=stop,
                rust_timeout=LOOK_AGAIN_MS,
                yield_on_timeout=True,
                raise_interrupt=False,
                debounce=DEBOUNCE_MS,
            ):
                is_due = is_due or bool(changes)
                if is_due and sync():
                    is_due = False
                if _present(library) != present:
                    is_due = True
                    break
        except FileNotFoundError:
            is_due = True  # gone between looking and watching
        except (OSError, RuntimeError) as error:
            raise EdgeragError(tr("errors.no_watch", problem=error), hint=tr("errors.more_watches")) from error


def _present(library: Library) -> list[Path]:
    return sorted(path for path in (Path(source.path) for source in library.sources()) if path.exists())
