"""The self-test catches what it is for: each fault of a program is told, with what was run and what to look at."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgerag import __version__
from tests.packaging_scripts.fake_program import failure, needs_namespaces, printing
from tests.packaging_scripts.loading import load

self_test = load("self_test")
no_network, steps_find, steps_keep = self_test.no_network, self_test.steps_find, self_test.steps_keep
StepError = self_test.StepError

SAYS_ITS_VERSION = f"echo 'edgerag, version {__version__}'"
HANDBOOK = "Prices.\nA night costs 24 euros for members."
HIT = {
    "rank": 1, "chunk_id": 1, "page": None, "heading": None, "start": 8, "end": 40,
    "document": {"id": 7, "path": "/d/handbook.md", "title": ""}, "text": HANDBOOK[8:40], "scores": {},
}  # fmt: skip


def test_a_program_that_says_its_version_passes(session_of: Callable[..., Any]) -> None:
    told = steps_keep.version(session_of(SAYS_ITS_VERSION))
    assert told.startswith(f"edgerag, version {__version__}, ")


def test_a_program_of_another_version_is_told(session_of: Callable[..., Any]) -> None:
    told, _ = failure(steps_keep.version, session_of("echo 'edgerag, version 0.0.9'"))
    assert told == f"--version printed 'edgerag, version 0.0.9' instead of 'edgerag, version {__version__}'"


@pytest.mark.parametrize(
    ("body", "message", "detail"),
    [
        (
            "echo 'Python 3.11.2'",
            f"--version printed 'Python 3.11.2' instead of 'edgerag, version {__version__}'",
            "stdout: Python 3.11.2",
        ),
        ("exit 3", "exit code 3", "ended: exit code 3"),
        (
            "kill -ILL $$",
            "killed by SIGILL (illegal instruction: compiled for a newer processor than this one)",
            "look at: illegal instruction",
        ),
        ("kill -SEGV $$", "killed by SIGSEGV (segmentation fault)", "look at: segmentation fault"),
        (
            f"{SAYS_ITS_VERSION}; echo 'Traceback (most recent call last):' >&2",
            "a traceback instead of an error message",
            "stderr: Traceback",
        ),
        (
            f"{SAYS_ITS_VERSION}; echo '[W:onnxruntime] no such device' >&2",
            "something on stderr where nothing belongs: [W:onnxruntime] no such device",
            "stderr: [W:onnxruntime]",
        ),
        (
            'echo "ModuleNotFoundError: No module named \'numpy.ma\'" >&2; exit 1',
            "exit code 1",
            "look at: the bundle lacks the Python module numpy.ma",
        ),
        (
            "echo 'edgerag: error while loading shared libraries: libz.so.1: cannot open' >&2; exit 127",
            "exit code 127",
            "look at: the bundle lacks libz.so.1",
        ),
    ],
    ids=["other-output", "exit-code", "illegal", "segfault", "traceback", "warning", "module", "library"],
)  # fmt: skip
def test_a_program_that_does_not_start_well_is_told(
    session_of: Callable[..., Any], body: str, message: str, detail: str
) -> None:
    told, details = failure(steps_keep.version, session_of(body))
    assert told.removesuffix(" instead of exit code 0") == message
    assert detail in details
    assert "/edgerag --version" in details


def test_a_program_that_hangs_is_ended_with_all_that_it_started(session_of: Callable[..., Any], tmp_path: Path) -> None:
    session = session_of(f"/bin/sleep 600 & echo $! > {tmp_path}/pid; wait")
    session.timeout_s = 1.0
    told, _ = failure(steps_keep.version, session)
    assert told == "stopped after 1 s, the time limit instead of exit code 0"
    state = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    deadline = time.monotonic() + 10
    # Killed, it may wait a moment for whoever inherits it (Z).
    while state.exists() and state.read_text().split()[2] != "Z" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_what_qemu_says_about_itself_is_not_blamed_on_the_program(session_of: Callable[..., Any]) -> None:
    warning = "qemu-x86_64-static-marked: warning: TCG doesn't support requested feature: CPUID.01H:ECX.pcid [bit 17]"
    session = session_of(f'{SAYS_ITS_VERSION}; echo "{warning}" >&2')
    assert steps_keep.version(session).startswith(f"edgerag, version {__version__}")


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("echo 'not json'", "stdout is not one JSON object"),
        ("echo '{\"schema_version\": 1}'; echo '{}'", "stdout is not one JSON object"),
        ("echo '[1]'", "stdout is JSON, but no object"),
        (printing({"findings": []}, schema_version=2), "schema_version is 2 instead of 1"),
        (printing({"found": []}), "the JSON lacks findings"),
        (
            printing({"findings": [{"name": "embedder", "verdict": "problem", "text": "hash differs"}]}),
            "doctor finds: embedder: hash differs",
        ),
    ],
    ids=["no-json", "two-objects", "list", "version", "missing-key", "problem"],
)
def test_wrong_json_is_told(session_of: Callable[..., Any], printed: str, message: str) -> None:
    assert failure(steps_keep.doctor, session_of(printed))[0].startswith(message)


def fake_search(hit: dict[str, object]) -> str:
    found = {"query": "", "hits": [hit], "degraded": [], "timings_ms": {}}
    text = {"document": {}, "text": HANDBOOK, "pages": [], "headings": [], "warnings": []}
    return f'case "$2" in search) {printing(found)} ;; get) {printing(text)} ;; esac'.replace("\\n", "\\\\n")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({}, ""),
        ({"start": 7}, "text[7:40] of /d/handbook.md is '\\nA night"),
        ({"page": 3}, "handbook.md: page 3 instead of None"),
        ({"text": "A night is free."}, "handbook.md: the hit does not say"),
        ({"document": {"id": 7, "path": "/d/other.md", "title": ""}}, "handbook.md: /d/other.md was found instead"),
    ],
    ids=["right", "offset", "page", "text", "document"],
)
def test_a_hit_at_the_wrong_place_is_told(
    session_of: Callable[..., Any], changed: dict[str, object], message: str
) -> None:
    session = session_of(fake_search({**HIT, **changed}))
    sample = load("sample_folder").Sample
    session.samples = (sample("handbook.md", "markdown", b"", "What does a night cost?", "costs 24 euros"),)
    if not message:
        assert steps_find.formats(session) == "1 formats in 1 files: markdown"
    else:
        assert failure(steps_find.formats, session)[0].startswith(message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, ""),
        ({"citations": []}, "an answer without a citation"),
        ({"sentences": [{"text": "x", "supported": True, "markers": [2]}]}, "a marker without citation: [2]"),
        ({"sentences": [{"text": "x", "supported": True, "markers": []}]}, "a supported sentence without a marker"),
        ({"abstained": True}, "abstained"),
    ],
    ids=["right", "none", "marker", "unmarked", "abstained"],
)
def test_an_answer_that_is_not_cited_exactly_is_told(
    session_of: Callable[..., Any], change: dict[str, object], message: str
) -> None:
    session = session_of("exit 0")
    session.facts["texts"] = {7: {"text": HANDBOOK}}
    cited = {"marker": 1, "start": 8, "end": 40, "quote": HANDBOOK[8:40], "document": HIT["document"]}
    answer: dict[str, Any] = {
        "abstained": False, "answer": "x", "citations": [cited],
        "sentences": [{"text": "x", "supported": True, "markers": [1]}],
    }  # fmt: skip
    if not message:
        assert steps_find.expect_cited(session, answer) == 1
    else:
        with pytest.raises(StepError, match=message.replace("[", r"\[")):
            steps_find.expect_cited(session, answer | change)


def test_the_program_gets_an_empty_environment(session_of: Callable[..., Any], tmp_path: Path) -> None:
    session = session_of("exit 0")
    program = tmp_path / "edgerag"
    program.write_text(f"#!{sys.executable} -I\nimport os, json; print(json.dumps(dict(os.environ)))\n")
    seen = json.loads(session.run("--version").stdout)
    # Python itself sets the last one in the C locale.
    assert set(seen) - {"LC_CTYPE"} == {"HOME", "PATH"}
    assert list(Path(seen["PATH"]).iterdir()) == []
    assert list(Path(seen["HOME"]).iterdir()) == []


def test_in_the_namespace_there_is_no_network_and_nothing_can_be_reached(session_of: Callable[..., Any]) -> None:
    needs_namespaces()
    session = session_of('while read -r line; do echo "$line"; done < /proc/net/dev', without_network=True)
    interfaces = [line.split(":")[0] for line in session.run().text.splitlines()[2:]]
    assert interfaces in ([], ["lo"])


def test_a_loopback_that_is_up_is_no_proof() -> None:
    with pytest.raises(no_network.NamespaceError, match=r"has network interfaces|loopback is up|something answered"):
        no_network.check(["/usr/bin/env"])


def test_a_system_without_namespaces_is_told_what_to_do(tmp_path: Path) -> None:
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2; exit 1\n")
    refusing.chmod(0o755)
    with pytest.raises(
        no_network.NamespaceError, match=r"Operation not permitted\). Run as root; .*--network-namespace"
    ):
        no_network.check([str(refusing)])


def test_after_a_failed_add_only_what_needs_no_library_is_tried(session_of: Callable[..., Any]) -> None:
    def fails(session: Any) -> str:
        raise StepError("broken")

    session = session_of("exit 0")
    steps = [("version", lambda session: "fine"), ("add", fails), ("get", fails), ("models list", lambda session: "x")]
    outcomes = self_test.run_steps(session, steps, lambda outcome: None)
    assert [(outcome.name, outcome.verdict) for outcome in outcomes] == [
        ("version", "ok"), ("add", "FAILED"), ("get", "skipped"), ("models list", "ok"),
    ]  # fmt: skip


def test_output_of_an_unforeseen_shape_fails_its_step_only(session_of: Callable[..., Any]) -> None:
    session = session_of(printing({"findings": [{"nom": "x"}]}))
    (outcome,) = self_test.run_steps(session, [("doctor", steps_keep.doctor)], lambda outcome: None)
    assert (outcome.verdict, outcome.told) == ("FAILED", "unexpected output (KeyError: 'verdict')")
    assert any("/edgerag --json doctor" in line for line in outcome.details)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("echo 'edgerag: smollm2-135m could not be pulled.' >&2; echo '  Connect, or import.' >&2; exit 2", ""),
        ("echo 'edgerag: smollm2-135m could not be pulled.' >&2; exit 2", "stderr does not say what it must"),
        ("exit 0", "exit code 0 instead of exit code 2"),
        ("echo 'Traceback (most recent call last):' >&2; exit 1", "a traceback instead of an error message"),
    ],
    ids=["right", "no-hint", "pulled", "traceback"],
)
def test_a_pull_without_network_must_say_so(session_of: Callable[..., Any], body: str, message: str) -> None:
    needs_namespaces()
    session = session_of(body, without_network=True)
    if not message:
        told = steps_keep.pull_without_network(session)
        assert told == "exit code 2: smollm2-135m could not be pulled. ..."
    else:
        assert failure(steps_keep.pull_without_network, session)[0].startswith(message)


def test_nothing_is_pulled_where_there_may_be_a_network(session_of: Callable[..., Any], tmp_path: Path) -> None:
    session = session_of(f"echo pulled > {tmp_path}/pulled")
    with pytest.raises(self_test.NotShownError, match="the network was not taken away"):
        steps_keep.pull_without_network(session)
    assert not (tmp_path / "pulled").exists()
