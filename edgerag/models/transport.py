"""One HTTP request at a time, by the standard library: proxies, certificates, credentials and redirects.

Imported by `edgerag models pull` alone; nothing else in edgerag reaches a network.
"""

from __future__ import annotations

import base64
import functools
import http.client
import netrc
import os
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from edgerag import __version__
from edgerag.coded_text import coded
from edgerag.errors import ModelError

TIMEOUT_S = 30.0
"""Longest wait for a connection, and for the next bytes of a running one."""
TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
MAX_RETRY_AFTER_S = 60.0


LATER_HINT = coded("hint.later", "Try again later.")


class NetworkError(ModelError):
    """A request failed before or while its body was read."""

    def __init__(self, message: str, *, hint: str = "", is_transient: bool) -> None:
        super().__init__(message, hint=hint)
        self.is_transient = is_transient


class StatusError(NetworkError):
    """The server answered, with something other than the file."""

    def __init__(self, message: str, *, hint: str, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(message, hint=hint, is_transient=status in TRANSIENT_STATUS)
        self.status = status
        self.headers = headers

    @property
    def retry_after_s(self) -> float:
        """What the server asks for, at most a minute; 0 where it does not ask."""
        value = self.headers.get("Retry-After", "")
        return min(float(value), MAX_RETRY_AFTER_S) if value.isascii() and value.isdigit() else 0.0


def request(
    url: str, headers: Mapping[str, str] | None = None, *, timeout_s: float = TIMEOUT_S
) -> http.client.HTTPResponse:
    """GET a URL, following redirects; close what it returns.

    An `Authorization` header, given or taken from the URL or the netrc file, goes to the URL's own host only.

    Raises:
        StatusError: A status other than success.
        NetworkError: No connection, no answer, or a certificate that does not fit.
    """
    clean_url, credentials = _split_credentials(url)
    if urllib.parse.urlsplit(clean_url).scheme not in ("http", "https"):
        raise NetworkError(
            coded("net.scheme", "{url} is no http or https address.", url=shown(url)), is_transient=False
        )
    sent = {"User-Agent": f"edgerag/{__version__}", "Accept-Encoding": "identity", **(headers or {})}
    authorization = sent.pop("Authorization", "") or credentials or _netrc_credentials(clean_url)
    prepared = urllib.request.Request(clean_url, headers=sent)
    if authorization:
        prepared.add_unredirected_header("Authorization", authorization)
    try:
        response: http.client.HTTPResponse = _opener().open(prepared, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        with error:
            raise _status_error(clean_url, error) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise translate(clean_url, error) from error
    return response


def translate(url: str, error: Exception) -> NetworkError:
    """Say what a failed connection means, and whether trying again may help."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error

    def unreachable(why: str, hint: str, *, is_transient: bool) -> NetworkError:
        told = coded("net.unreachable", "{url} cannot be reached: {reason}.", url=shown(url), reason=why)
        return NetworkError(told, hint=hint, is_transient=is_transient)

    online = coded("hint.online", "Is this machine online?")
    if isinstance(reason, ssl.SSLCertVerificationError):
        return unreachable(
            coded("net.certificate", "its certificate is not trusted ({problem})", problem=reason.verify_message),
            coded(
                "hint.certificate", "Behind a proxy that inspects traffic, name its certificate file in SSL_CERT_FILE."
            ),
            is_transient=False,
        )
    if isinstance(reason, socket.gaierror):
        return unreachable(coded("net.name", "its name is not known here"), online, is_transient=False)
    if isinstance(reason, ConnectionRefusedError):
        return unreachable(coded("net.refused", "connection refused"), online, is_transient=False)
    if isinstance(reason, TimeoutError):
        return unreachable(coded("net.timeout", "no answer in time"), LATER_HINT, is_transient=True)
    # A URL that cannot be parsed raises ValueError or InvalidURL; no second try will parse it.
    is_transient = not isinstance(reason, ValueError | http.client.InvalidURL)
    return unreachable(str(reason) or type(error).__name__, LATER_HINT, is_transient=is_transient)


def shown(url: str) -> str:
    """A URL without what must not be printed: credentials, and the query, which may hold a signature."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _status_error(url: str, error: urllib.error.HTTPError) -> StatusError:
    hints = {
        401: coded("hint.credentials", "The server wants credentials: HF_TOKEN for a hub, a netrc entry for an index."),
        403: coded("hint.accept", "Access is refused: accept the model's licence on the hub, or check HF_TOKEN."),
        404: coded("hint.not_there", "The file is not there (any more)."),
        407: coded("hint.proxy", "The proxy wants credentials: put them into HTTPS_PROXY."),
    }
    hint = hints.get(error.code, LATER_HINT if error.code in TRANSIENT_STATUS else "")
    headers = dict(error.headers.items()) if error.headers is not None else {}
    return StatusError(
        coded("net.status", "{url} answers {status} {reason}.", url=shown(url), status=error.code, reason=error.reason),
        hint=hint,
        status=error.code,
        headers=headers,
    )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https, never from https down to http, and keeps credentials at home."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if new.scheme not in ("http", "https") or (old.scheme == "https" and new.scheme == "http"):
            raise urllib.error.HTTPError(
                req.full_url,
                code,
                f"and redirects to {new.scheme or 'nowhere'}",
                headers,
                fp,
            )
        redirected: urllib.request.Request | None = super().redirect_request(req, fp, code, msg, headers, newurl)
        authorization = req.get_header("Authorization")
        if redirected is not None and authorization and (old.scheme, old.netloc) == (new.scheme, new.netloc):
            redirected.add_unredirected_header("Authorization", authorization)
        return redirected


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=_tls_context()), _Redirects())


@functools.cache
def _tls_context() -> ssl.SSLContext:
    try:
        import truststore  # comes with huggingface_hub: the system's certificates on macOS and Windows too
    except ImportError:
        context = ssl.create_default_context()
    else:
        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Those of requests and pip, which a machine behind an inspecting proxy is usually set up for.
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"):
        path = Path(os.environ.get(variable, ""))
        if path.is_file():
            context.load_verify_locations(cafile=path)
    return context


def _split_credentials(url: str) -> tuple[str, str]:
    """Take `user:password@` out of a URL, which urllib cannot open with it; returns it as a header."""
    parts = urllib.parse.urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, ""
    user, _, password = userinfo.partition(":")
    return urllib.parse.urlunsplit(parts._replace(netloc=host)), _basic(
        urllib.parse.unquote(user), urllib.parse.unquote(password)
    )


def _netrc_credentials(url: str) -> str:
    """Credentials from the netrc file, as pip and requests use them."""
    host = urllib.parse.urlsplit(url).hostname
    if not host:
        return ""
    try:
        found: Any = netrc.netrc(os.environ.get("NETRC")).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return ""
    return _basic(found[0], found[2] or "") if found else ""


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
