"""A shell script in the place of edgerag, and what comes of a step that is tried on it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.packaging_scripts.loading import load

self_test = load("self_test")


def write_program(folder: Path, body: str) -> Path:
    """A shell script in the program's place; in an empty environment only the shell's own commands can be used."""
    path = folder / "edgerag"
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def make_session(folder: Path, body: str, **changes: object) -> Any:
    """A session with a fake program; the network is not taken away, so that it works anywhere."""
    work = folder / "work"
    for name in ("home", "tmp", "nothing", "documents"):
        (work / name).mkdir(parents=True)
    place = self_test.Place(executable=write_program(folder, body), work=work, without_network=False)
    session = self_test.Session(place.changed(**changes), work / "documents", (), timeout_s=20)
    session.facts["bundle_before"] = {}
    return session


def printing(value: object, *, schema_version: int = 1) -> str:
    """A shell command that prints JSON."""
    text = json.dumps({"schema_version": schema_version, **value} if isinstance(value, dict) else value)
    return f"echo '{text}'"


def failure(step: Callable[[Any], str], session: Any) -> tuple[str, str]:
    """The message of the step that must fail, and the details below it."""
    with pytest.raises(self_test.StepError) as caught:
        step(session)
    return str(caught.value), "\n".join(caught.value.ran.told()) if caught.value.ran else ""


def needs_namespaces(*, mounts: bool = False) -> None:
    """Skip the test where the system does not permit them."""
    no_network = self_test.no_network
    try:
        no_network.check(no_network.unshare_command(needs_mounts=mounts, needs_user=False))
    except no_network.NamespaceError as reason:
        pytest.skip(str(reason))


def needs_strace() -> None:
    """Skip the test where nothing can be traced."""
    try:
        self_test.no_network.strace_command(Path(os.devnull))
    except self_test.no_network.NamespaceError as reason:
        pytest.skip(str(reason))
