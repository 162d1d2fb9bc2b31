"""A loopback server that speaks enough of HTTP, of the hub's protocol and of a package index."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Resource:
    """What a path answers, and how it misbehaves."""

    content: bytes = b""
    etag: str | None = "default"
    """`default`: made from the content; None: no ETag."""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    has_ranges: bool = True
    ignores_if_range: bool = False
    cut_after: list[int] = field(default_factory=list)
    """For one request each: close the connection after so many bytes of the body."""
    fail_with: list[int] = field(default_factory=list)
    """For one request each: answer this status instead."""

    def real_etag(self) -> str | None:
        return f'"{hashlib.sha256(self.content).hexdigest()[:16]}"' if self.etag == "default" else self.etag


@dataclass
class Seen:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]


class LoopbackServer:
    """Serves `resources` by path until it is closed; remembers every request."""

    def __init__(self) -> None:
        self.resources: dict[str, Resource] = {}
        self.seen: list[Seen] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._answer(self, with_body=True)

            def do_HEAD(self) -> None:
                outer._answer(self, with_body=False)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def requests(self, path: str, method: str = "GET") -> list[Seen]:
        return [seen for seen in self.seen if seen.path == path and seen.method == method]

    def add(self, path: str, content: bytes, **options: Any) -> Resource:
        self.resources[path] = Resource(content, **options)
        return self.resources[path]

    def add_hub_file(
        self, repository: str, revision: str, path: str, content: bytes, *, commit: str, is_large: bool = True
    ) -> Resource:
        """As the hub: `resolve` answers with the commit and redirects large files to a content store."""
        sha256 = hashlib.sha256(content).hexdigest()
        # Another host, as with the real hub: a token must not go there.
        store = f"{self.url.replace('127.0.0.1', 'localhost')}/store/{sha256}"
        for known in dict.fromkeys((revision, commit)):
            where = f"/{repository}/resolve/{known}/{path}"
            if not is_large:
                self.add(where, content, headers={"X-Repo-Commit": commit}, etag=f'"{sha256[:40]}"')
                continue
            self.resources[where] = Resource(
                status=302,
                etag=None,
                headers={
                    "X-Repo-Commit": commit,
                    "X-Linked-Etag": f'"{sha256}"',
                    "X-Linked-Size": str(len(content)),
                    "Location": f"{store}?signature=secret",
                },
            )
        return self.add(f"/store/{sha256}", content)

    def add_wheel(self, project: str, filename: str, content: bytes, *, as_json: bool = True) -> Resource:
        """A page of the simple API, and the wheel it links to."""
        sha256 = hashlib.sha256(content).hexdigest()
        if as_json:
            page = {
                "meta": {"api-version": "1.0"},
                "name": project,
                "files": [{"filename": filename, "url": f"../../files/{filename}", "hashes": {"sha256": sha256}}],
            }
            self.add(
                f"/simple/{project}/",
                json.dumps(page).encode(),
                headers={"Content-Type": "application/vnd.pypi.simple.v1+json"},
            )
        else:
            link = f'<a href="../../files/{filename}#sha256={sha256}">{filename}</a>'
            self.add(
                f"/simple/{project}/",
                f"<!DOCTYPE html><html><body>{link}</body></html>".encode(),
                headers={"Content-Type": "text/html; charset=utf-8"},
            )
        return self.add(f"/files/{filename}", content)

    def _answer(self, handler: BaseHTTPRequestHandler, *, with_body: bool) -> None:
        path = handler.path.split("?")[0]
        self.seen.append(Seen(handler.command, path, dict(handler.headers.items())))
        resource = self.resources.get(path, Resource(b"no such thing", status=404, etag=None))
        if resource.fail_with and with_body:
            resource = Resource(b"later", status=resource.fail_with.pop(0), etag=None, headers={"Retry-After": "0"})
        status, body, extra = resource.status, resource.content, {}
        etag = resource.real_etag()
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        condition = handler.headers.get("If-Range")
        is_same = condition is None or condition == etag or resource.ignores_if_range
        if wanted and resource.has_ranges and status == 200 and is_same:
            start = int(wanted[1])
            if start >= len(body):
                status, body, extra = 416, b"", {"Content-Range": f"bytes */{len(body)}"}
            else:
                extra = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
                status, body = 206, body[start:]
        handler.send_response(status)
        for name, value in {**resource.headers, **extra}.items():
            handler.send_header(name, value)
        if etag is not None:
            handler.send_header("ETag", etag)
        handler.send_header("Content-Length", str(len(body)))
        cut = resource.cut_after.pop(0) if with_body and resource.cut_after else None
        if cut is not None:
            handler.send_header("Connection", "close")
        handler.end_headers()
        if with_body:
            # A client that was killed or stopped does not take the rest.
            with contextlib.suppress(ConnectionError):
                handler.wfile.write(body if cut is None else body[:cut])
        handler.close_connection = handler.close_connection or cut is not None
