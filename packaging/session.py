"""A user's session with the program: commands, and what every one of them must keep to."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from places import SET_UP_FAILED, Place
from ran import TRACEBACK, Cue, Ran
from sample_folder import Sample

HARMLESS = (
    # QEMU names what it cannot emulate of a processor; none of it is used.
    re.compile(r"^qemu-[\w-]+: warning: TCG doesn't support requested feature"),
)
"""Lines on stderr that do not come from edgerag."""


class StepError(Exception):
    """A step did not go as it must."""

    def __init__(self, message: str, ran: Ran | None = None) -> None:
        super().__init__(message)
        self.ran = ran


class NotShownError(Exception):
    """A step cannot be shown here; the message says why. Not a failure, and not a success either."""


@dataclass(slots=True)
class Session:
    """One home, one library, one command after the other."""

    place: Place
    documents: Path
    """What is added, as this machine sees it."""
    samples: tuple[Sample, ...]
    gguf: Path | None = None
    timeout_s: float = 60.0
    runs: list[Ran] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    """What later steps need of earlier ones."""

    def run(
        self,
        *arguments: str,
        status: int | Sequence[int] = 0,
        stderr: str | None = None,
        timeout_s: float = 0.0,
        before: Sequence[str] = (),
        cues: Sequence[Cue] = (),
    ) -> Ran:
        """Run a command and look at its ending and at stderr.

        Args:
            arguments: Behind the program's name.
            status: The exit code that it must end with, or those it may.
            stderr: Pattern that stderr must match (`re.search`); None: it must be empty.
            timeout_s: Another limit than the session's.
            before: Put before the whole command line: strace.
            cues: What is done to it while it runs.

        Raises:
            StepError: It ended otherwise, left a process behind, or wrote a traceback or something unexpected.
        """
        ran = self.place.run(arguments, timeout_s=timeout_s or self.timeout_s, before=before, cues=cues)
        self.runs.append(ran)
        allowed = (status,) if isinstance(status, int) else tuple(status)
        if ran.status == SET_UP_FAILED:
            raise StepError("the place for the test could not be made", ran)
        if TRACEBACK in ran.errors or TRACEBACK in ran.text:
            raise StepError("a traceback instead of an error message", ran)
        if ran.timed_out or ran.status not in allowed:
            raise StepError(f"{ran.ending()} instead of exit code {' or '.join(map(str, allowed))}", ran)
        if ran.outlived:
            raise StepError(f"still running after it had ended: {', '.join(ran.outlived)}", ran)
        told = "\n".join(line for line in ran.errors.splitlines() if not any(p.search(line) for p in HARMLESS))
        if stderr is None and told:
            raise StepError(f"something on stderr where nothing belongs: {told.splitlines()[0][:200]}", ran)
        if stderr is not None and not re.search(stderr, told):
            raise StepError(f"stderr does not say what it must ({stderr})", ran)
        return ran

    def json(
        self,
        *arguments: str,
        keys: str,
        status: int | Sequence[int] = 0,
        stderr: str | None = None,
        timeout_s: float = 0.0,
    ) -> dict[str, Any]:
        """Run a command with --json; returns its one object, which must have these keys (words in one string).

        Raises:
            StepError: As `run`; or stdout is not one JSON object of schema version 1 with the keys.
        """
        return self.parsed(self.run("--json", *arguments, status=status, stderr=stderr, timeout_s=timeout_s), keys=keys)

    def parsed(self, ran: Ran, *, keys: str) -> dict[str, Any]:
        """The one JSON object that a run printed."""
        value = _schema_1(ran.stdout, ran)
        if missing := [key for key in keys.split() if key not in value]:
            raise StepError(f"the JSON lacks {', '.join(missing)}", ran)
        return value

    def events(self, *arguments: str, stderr: str | None = None, timeout_s: float = 0.0) -> list[dict[str, Any]]:
        """Run a command with --json that prints one object a line, each with its `event`; returns them, in order.

        Raises:
            StepError: As `run`; or a line is not one JSON object of schema version 1 with an event.
        """
        ran = self.run("--json", *arguments, stderr=stderr, timeout_s=timeout_s)
        events = [_schema_1(line, ran) for line in ran.stdout.splitlines()]
        if not events or not all("event" in event for event in events):
            raise StepError("the JSON lacks event", ran)
        return events

    def expect(self, is_so: bool, otherwise: str) -> None:
        """Raise the problem unless it is so; it is told with the last run."""
        if not is_so:
            raise StepError(otherwise, self.runs[-1] if self.runs else None)

    def text_of(self, document_id: int) -> dict[str, Any]:
        """What `get --json` says about a document; asked once."""
        texts: dict[int, dict[str, Any]] = self.facts.setdefault("texts", {})
        if document_id not in texts:
            texts[document_id] = self.json("get", str(document_id), keys="document text pages headings warnings")
        return texts[document_id]

    def expect_exact(self, start: int, end: int, quote: str, document: dict[str, Any]) -> None:
        """`text[start:end] == quote`, in the text that `get` prints."""
        text: str = self.text_of(document["id"])["text"]
        self.expect(
            text[start:end] == quote and quote != "",
            f"text[{start}:{end}] of {document['path']} is {text[start:end]!r} and not the quote {quote!r}",
        )


def _schema_1(printed: bytes, ran: Ran) -> dict[str, Any]:
    try:
        value = json.loads(printed)
    except ValueError as error:
        raise StepError(f"stdout is not one JSON object ({error})", ran) from error
    if not isinstance(value, dict):
        raise StepError("stdout is JSON, but no object", ran)
    if value.get("schema_version") != 1:
        raise StepError(f"schema_version is {value.get('schema_version')!r} instead of 1", ran)
    return value
