"""The command line: one program, `edgerag`. Results on stdout, everything else on stderr.

Exit codes: 0 found, 1 nothing found or abstained, 2 misuse or error, 4 degraded under `--require`, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from edgerag import __version__

WORKER_FLAG = "--parse-worker"
EXIT_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and end the process."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments[:1] == [WORKER_FLAG]:
        # A frozen application starts itself as its own parse worker: there is no Python to start.
        from edgerag.ingest.parse_worker import main as parse_worker

        parse_worker()
        return
    version = f"edgerag, version {__version__}\n" if arguments == ["--version"] else ""
    if version:
        # Scripts ask for it, and nothing has to be imported: 21 ms of CPU instead of 74, in a bundle 28 instead of 84.
        with contextlib.suppress(OSError):  # told below
            print(version, end="", flush=True)
            os._exit(0)
    from edgerag.cli.streams import end_output, prepare_streams

    prepare_streams()
    status = 0 if version else _refusal(arguments) or _run(arguments)
    problem = end_output(version)
    if problem is not None and status != EXIT_ERROR:  # an error was told already, most likely this one
        from edgerag.cli.failures import show_unwritten, wants_json

        show_unwritten(problem, as_json=wants_json(arguments))
        status = EXIT_ERROR
    # Everything is closed and written. Taking numpy, onnxruntime and tokenizers down object by object would cost 60 ms
    # of the 450 ms that a search takes as a process.
    os._exit(status)


def _refusal(arguments: Sequence[str]) -> int:
    """Say what the processor lacks, before a native library is imported and dies of it; returns the exit code, or 0."""
    from edgerag.cpu import require_processor  # 4 ms in all
    from edgerag.errors import EdgeragError

    try:
        require_processor()
    except EdgeragError as error:
        from edgerag.cli.failures import show_error, wants_json

        show_error(error, as_json=wants_json(arguments))
        return EXIT_ERROR
    return 0


def _run(arguments: Sequence[str]) -> int:
    from edgerag.cli.root import run

    return run(arguments)
