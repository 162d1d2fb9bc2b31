"""Pulls in processes of their own: killed ones, several at once, and what the hub's library is told."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgerag.models import store
from tests.models.gguf_writer import gguf_bytes
from tests.models.hub_case import CHECKOUT, COMMIT, GGUF, REPOSITORY, SHA256, pull_tiny, visible, write_catalogue
from tests.models.loopback import LoopbackServer


@pytest.fixture(autouse=True)
def hub(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> LoopbackServer:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    return server


SLOW_PULL = """
import sys, time
from edgerag.models.pull import pull
for event in pull("tiny"):
    if type(event).__name__ == "PullProgress" and event.done_bytes > 100_000:
        print("under way", flush=True)
        time.sleep(60)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX only")
def test_killed_pull_leaves_no_model_and_no_lock(hub: LoopbackServer, tmp_path: Path, models_folder: Path) -> None:
    content = gguf_bytes(tensors=[("token_embd.weight", [64, 60_000], 3)])
    write_catalogue(tmp_path, sha256=hashlib.sha256(content).hexdigest())
    hub.add_hub_file(REPOSITORY, COMMIT, "tiny.gguf", content, commit=COMMIT)
    child = subprocess.Popen([sys.executable, "-c", SLOW_PULL], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)
    assert child.stdout is not None
    assert child.stdout.readline() == "under way\n"

    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()

    assert visible(models_folder) == []
    assert store.scan()[1] == []
    pull_tiny()
    assert store.verify_model(store.find("tiny")) == []


def test_two_pulls_at_once_download_once(hub: LoopbackServer, tmp_path: Path, models_folder: Path) -> None:
    write_catalogue(tmp_path)
    hub.add_hub_file(REPOSITORY, COMMIT, "tiny.gguf", GGUF, commit=COMMIT)
    command = [sys.executable, "-c", "from edgerag.models.pull import pull; print(list(pull('tiny'))[-1])"]

    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) for _ in range(2)]
    told = [child.communicate()[0] for child in children]

    assert [child.returncode for child in children] == [0, 0]
    assert sorted("already_installed=True" in text for text in told) == [False, True]
    assert len(hub.requests(f"/store/{SHA256}")) == 1


def test_hub_library_is_told_to_report_nothing() -> None:
    code = """
import os
for variable in ("HF_HUB_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ.pop(variable, None)
from edgerag.models.catalogue import HubSource, SourceFile
from edgerag.models.hub_source import locate_hub_file
try:
    locate_hub_file(HubSource("a/b", "main", ()), SourceFile("model", "c"))
except Exception:
    pass
from huggingface_hub import constants
print(constants.HF_HUB_DISABLE_TELEMETRY, constants.HF_HUB_DISABLE_XET)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)

    assert done.stdout == "True True\n"
