"""The resumable download against a server that cuts, changes and lies."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import threading
import urllib.error
import urllib.request
from http.client import HTTPMessage
from pathlib import Path

import pytest

from edgerag.errors import ModelError
from edgerag.models import transport
from edgerag.models.disk import DiskFullError, StoppedError
from edgerag.models.download import Remote, RetryPolicy, Transfer, download
from edgerag.models.transport import NetworkError, StatusError, shown
from tests.models.loopback import LoopbackServer

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ONCE = RetryPolicy(attempts=1)
PATIENT = RetryPolicy(attempts=4, wait_s=0.0)


def _remote(server: LoopbackServer, **options: object) -> Remote:
    return Remote(f"{server.url}/file", "the file", **options)  # type: ignore[arg-type]


def _run(remote: Remote, target: Path, retry: RetryPolicy = PATIENT) -> list[Transfer]:
    return list(download(remote, target, retry=retry))


def test_file_arrives_whole_with_progress_and_leaves_nothing_beside_it(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/file", CONTENT)

    transfers = _run(_remote(server), tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == CONTENT
    assert transfers[0] == Transfer(0, len(CONTENT))
    assert transfers[-1] == Transfer(len(CONTENT), len(CONTENT))
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["target"]


def test_cut_connection_is_continued_where_it_stopped(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/file", CONTENT, cut_after=[300_000, 200_000])

    _run(_remote(server), tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == CONTENT
    ranges = [seen.headers.get("Range") for seen in server.requests("/file")]
    assert ranges == [None, "bytes=300000-", "bytes=500000-"]


def test_next_call_continues_what_an_earlier_one_left(server: LoopbackServer, tmp_path: Path) -> None:
    resource = server.add("/file", CONTENT, cut_after=[300_000])
    with pytest.raises(NetworkError, match="ended after 300000 of 1048576 bytes"):
        _run(_remote(server), tmp_path / "target", ONCE)
    assert not (tmp_path / "target").exists()
    assert (tmp_path / "target.part").stat().st_size == 300_000

    transfers = _run(_remote(server), tmp_path / "target", ONCE)

    assert transfers[0] == Transfer(300_000, len(CONTENT))
    assert (tmp_path / "target").read_bytes() == CONTENT
    assert server.requests("/file")[-1].headers["If-Range"] == resource.real_etag()


def test_file_that_changed_on_the_server_is_downloaded_anew(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/file", CONTENT, cut_after=[300_000])
    with pytest.raises(NetworkError):
        _run(_remote(server), tmp_path / "target", ONCE)
    changed = CONTENT[::-1]
    server.add("/file", changed)

    _run(_remote(server), tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == changed


def test_changed_file_is_noticed_even_if_the_server_ignores_if_range(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/file", CONTENT, cut_after=[300_000])
    with pytest.raises(NetworkError):
        _run(_remote(server), tmp_path / "target", ONCE)
    changed = CONTENT[::-1]
    server.add("/file", changed, ignores_if_range=True)

    _run(_remote(server), tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == changed


def test_server_without_ranges_is_downloaded_from_the_start_again(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/file", CONTENT, has_ranges=False, cut_after=[300_000])

    _run(_remote(server), tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == CONTENT


def test_without_a_validator_only_a_known_hash_allows_continuing(server: LoopbackServer, tmp_path: Path) -> None:
    for sha256, expected in (("", None), (SHA256, "bytes=300000-")):
        server.add("/file", CONTENT, etag=None, cut_after=[300_000])
        with pytest.raises(NetworkError):
            _run(_remote(server, sha256=sha256), tmp_path / "target", ONCE)

        _run(_remote(server, sha256=sha256), tmp_path / "target")

        assert server.requests("/file")[-1].headers.get("Range") == expected
        assert (tmp_path / "target").read_bytes() == CONTENT


def test_partial_file_of_something_else_is_not_continued(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/file", CONTENT, cut_after=[300_000])
    with pytest.raises(NetworkError):
        _run(_remote(server), tmp_path / "target", ONCE)

    list(download(Remote(f"{server.url}/file", "another file"), tmp_path / "target", retry=PATIENT))

    assert server.requests("/file")[-1].headers.get("Range") is None


def test_partial_file_without_its_notes_is_not_continued(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/file", CONTENT)
    (tmp_path / "target.part").write_bytes(b"junk of an unknown origin")

    _run(_remote(server), tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == CONTENT


def test_partial_file_that_is_whole_already_needs_no_further_byte(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/file", CONTENT)
    (tmp_path / "target.part").write_bytes(CONTENT)
    notes = {"identity": "the file", "etag": '"x"', "total_bytes": len(CONTENT)}
    (tmp_path / "target.part.json").write_text(json.dumps(notes))

    _run(_remote(server), tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == CONTENT
    assert server.seen == []


def test_range_beyond_the_end_starts_again(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/file", CONTENT[:1000], ignores_if_range=True)
    (tmp_path / "target.part").write_bytes(CONTENT[:5000])
    notes = {"identity": "the file", "etag": '"old"', "total_bytes": 0}
    (tmp_path / "target.part.json").write_text(json.dumps(notes))

    _run(_remote(server), tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == CONTENT[:1000]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_passing_server_error_is_tried_again(server: LoopbackServer, tmp_path: Path, status: int) -> None:
    server.add("/file", CONTENT, fail_with=[status, status])

    _run(_remote(server), tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == CONTENT
    assert len(server.requests("/file")) == 3


def test_lasting_server_error_ends_after_the_agreed_attempts(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/file", CONTENT, fail_with=[503] * 10)

    with pytest.raises(StatusError, match="answers 503"):
        _run(_remote(server), tmp_path / "target")

    assert len(server.requests("/file")) == 4


@pytest.mark.parametrize("status", [401, 403, 404])
def test_final_answer_is_not_tried_again(server: LoopbackServer, tmp_path: Path, status: int) -> None:
    server.add("/file", CONTENT, fail_with=[status])

    with pytest.raises(StatusError, match=f"answers {status}") as caught:
        _run(_remote(server), tmp_path / "target")

    assert caught.value.hint
    assert len(server.requests("/file")) == 1


def test_refused_connection_fails_at_once(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="connection refused"):
        _run(Remote("http://127.0.0.1:9/file", "x"), tmp_path / "target")


def test_file_of_another_size_than_expected_is_not_downloaded(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/file", CONTENT)

    with pytest.raises(ModelError, match="has 1048576 bytes, and 7 are expected"):
        _run(_remote(server, size_bytes=7), tmp_path / "target")

    assert not (tmp_path / "target").exists()


def test_full_disk_is_refused_before_the_download(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("/file", CONTENT)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))

    with pytest.raises(DiskFullError, match="MB free"):
        _run(_remote(server), tmp_path / "target")

    assert not (tmp_path / "target.part").exists()


def test_stop_flag_ends_the_download_and_keeps_what_came(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/file", CONTENT)
    stop = threading.Event()
    steps = download(_remote(server), tmp_path / "target", stop=stop)
    next(steps)
    stop.set()

    with pytest.raises(StoppedError):
        list(steps)

    assert not (tmp_path / "target").exists()
    assert (tmp_path / "target.part.json").exists()


def test_token_stays_with_its_host_when_another_one_takes_over(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/elsewhere", CONTENT)
    away = server.url.replace("127.0.0.1", "localhost")
    server.add("/file", b"", status=302, headers={"Location": f"{away}/elsewhere"})

    _run(_remote(server, headers={"Authorization": "Bearer secret"}), tmp_path / "target")

    assert server.requests("/file")[0].headers["Authorization"] == "Bearer secret"
    assert "Authorization" not in server.requests("/elsewhere")[0].headers


def test_token_goes_along_to_another_address_of_the_same_host(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/moved", CONTENT)
    server.add("/file", b"", status=307, headers={"Location": "/moved"})

    _run(_remote(server, headers={"Authorization": "Bearer secret"}), tmp_path / "target")

    assert server.requests("/moved")[0].headers["Authorization"] == "Bearer secret"


def test_redirect_to_a_file_of_this_machine_is_refused(server: LoopbackServer, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    server.add("/file", b"", status=302, headers={"Location": secret.as_uri()})

    with pytest.raises(NetworkError):
        _run(_remote(server), tmp_path / "target", ONCE)

    assert not (tmp_path / "target").exists()


def test_redirect_from_https_down_to_http_is_refused() -> None:
    handler, asked = transport._Redirects(), urllib.request.Request("https://index.example/file")

    for target, is_refused in (("http://index.example/x", True), ("https://mirror.example/x", False)):
        try:
            followed = handler.redirect_request(asked, io.BytesIO(), 302, "Found", HTTPMessage(), target)
        except urllib.error.HTTPError:
            followed = None
        assert (followed is None) is is_refused


def test_credentials_in_an_address_are_sent_and_never_shown(server: LoopbackServer, tmp_path: Path) -> None:
    server.add("/file", CONTENT)
    url = server.url.replace("http://", "http://ann:s%40fe@") + "/file"

    _run(Remote(url, "x"), tmp_path / "target")

    assert server.requests("/file")[0].headers["Authorization"] == "Basic YW5uOnNAZmU="
    assert shown(f"{url}?token=1") == f"{server.url}/file"


def test_file_address_is_copied(tmp_path: Path) -> None:
    source = tmp_path / "a wheel.whl"
    source.write_bytes(CONTENT)

    transfers = _run(Remote(source.as_uri(), "x"), tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == CONTENT
    assert transfers[-1] == Transfer(len(CONTENT), len(CONTENT))
