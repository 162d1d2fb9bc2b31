"""Have llama.cpp do a job in a process of its own, and survive it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from typing import Any

from edgerag.errors import ModelError
from edgerag_export.progress import Progress

logger = logging.getLogger(__name__)


def run_job(request: dict[str, Any], *, step: str, what: str, progress: Progress) -> dict[str, Any]:
    """Run one request of `native_worker`.

    Args:
        request: JSON values; `job` is `quantize` or `observe`.
        step: Named in progress.
        what: Named in errors, e.g. the file that is worked on.

    Raises:
        ModelError: The job failed, or llama.cpp took its process down.
    """
    command = [sys.executable, "-m", "edgerag_export.generators.native_worker"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1"}
    answer: dict[str, Any] = {}
    # A file, not a pipe: nobody reads it while the job runs, and a full pipe would stop it.
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, env=environment, encoding="utf-8"
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                with contextlib.suppress(BrokenPipeError):  # it ended at once: its status says more
                    process.stdin.write(json.dumps(request))
                    process.stdin.close()
                for line in process.stdout:
                    answer = json.loads(line)
                    if "progress" in answer:
                        progress(step, *answer["progress"])
            except BaseException:  # Ctrl-C too: nobody is left to stop it
                process.kill()
                raise
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").strip().splitlines()
    if "result" in answer and process.returncode == 0:
        result: dict[str, Any] = answer["result"]
        return result
    if "error" in answer:
        raise ModelError(answer["error"]["message"], hint=answer["error"]["hint"])
    logger.debug("%s: %s", step, "\n".join(lines))
    # llama.cpp names the assertion, then a debugger's trace may follow.
    reason = next((line for line in lines if "ASSERT" in line), lines[-1] if lines else "it said nothing")
    raise ModelError(
        f"llama.cpp broke off ({_ending(process.returncode)}) while it worked on {what}: {reason}"[:500],
        hint="The file may be damaged or too new for this llama-cpp-python; -v shows more.",
    )


def _ending(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"
