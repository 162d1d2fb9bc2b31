"""Find a model file on a hub: where it is, at which commit, and what the hub says its hash is.

`huggingface_hub` answers that, with its ways of finding the hub and the token (HF_ENDPOINT, HF_TOKEN). The
bytes come through `edgerag.models.download`, because `hf_hub_download` 2.4 gives each process a partial file
of its own and deletes it on failure (huggingface/huggingface_hub#4228); slow lines need one that is kept.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from dataclasses import dataclass

from edgerag.coded_text import coded
from edgerag.errors import ModelError
from edgerag.models.catalogue import HubSource, SourceFile
from edgerag.models.download import Remote
from edgerag.models.transport import TIMEOUT_S

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class HubFile:
    remote: Remote
    commit: str
    announced_sha256: str
    """What the hub itself gives for files in its large-file storage; empty for small ones."""


def locate_hub_file(source: HubSource, file: SourceFile, *, commit: str = "") -> HubFile:
    """Ask the hub for a file at the source's revision, or at the commit it was first downloaded from.

    Raises:
        ModelError: No connection, no such repository, revision or file, or no permission.
    """
    _quiet_hub()
    import huggingface_hub  # deferred, and the reason why this module is imported by a pull alone
    from huggingface_hub import constants, errors

    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    revision = commit or source.revision
    url = huggingface_hub.hf_hub_url(source.repository, file.path, revision=revision, endpoint=endpoint)
    try:
        token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else huggingface_hub.get_token()
        found = huggingface_hub.get_hf_file_metadata(url, token=token or False, timeout=TIMEOUT_S)
    except errors.GatedRepoError as error:
        raise ModelError(
            coded("hub.gated", "The {source} is open only to those who accepted its licence.", source=source.told),
            hint=coded(
                "hint.accept_licence",
                "Accept it on the hub's page of the model, and set HF_TOKEN to a token of yours.",
            ),
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            coded("hub.no_repository", "There is no {source}, or it is private.", source=source.told),
            hint=coded("hint.token", "For a private one set HF_TOKEN."),
        ) from error
    except (errors.RevisionNotFoundError, errors.EntryNotFoundError) as error:
        raise ModelError(
            coded("hub.no_file", "The {source} has no file {file}.", source=source.told, file=file.path),
            hint=coded("hint.correct_entry", "Correct the entry in models.toml, or update edgerag."),
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise ModelError(
            coded("hub.offline", "HF_HUB_OFFLINE forbids to ask a hub."),
            hint=coded("hint.unset", "Unset it for this command."),
        ) from error
    except errors.HfHubHTTPError as error:
        raise ModelError(
            coded(
                "hub.refuses",
                "The hub at {host} refuses {file}: {problem}.",
                host=_host(url),
                file=file.path,
                problem=_first_line(error),
            ),
            hint=coded("hint.hub_later", "Try again later. HF_ENDPOINT names another hub."),
        ) from error
    except Exception as error:
        # Its HTTP client, and with it the base of connection errors, changes from version to version.
        raise ModelError(
            coded(
                "hub.silent",
                "The hub at {host} does not answer: {problem}.",
                host=_host(url),
                problem=_first_line(error),
            ),
            hint=coded(
                "hint.hub_online", "Is this machine online? HF_ENDPOINT names another hub, HTTPS_PROXY a proxy."
            ),
        ) from error
    finally:
        _hang_up()
    etag = (found.etag or "").strip('"').lower()
    announced = etag if _SHA256.fullmatch(etag) else ""
    if file.sha256 and announced and announced != file.sha256:
        raise ModelError(
            coded(
                "hub.other_file",
                "The hub offers another {file} than the catalogue means: its SHA-256 is {got} instead of {expected}.",
                file=file.path,
                got=announced,
                expected=file.sha256,
            ),
            hint=coded("hint.other_hub", "Nothing was downloaded. Update edgerag, or pull from another hub."),
        )
    at = (found.commit_hash or "").lower() or revision
    remote = Remote(
        # By commit, so that a branch that moves between question and download changes nothing.
        url=huggingface_hub.hf_hub_url(source.repository, file.path, revision=at, endpoint=endpoint),
        identity=f"hub:{source.repository}@{at}:{file.path}:{etag}",
        sha256=file.sha256 or announced,
        size_bytes=file.size_bytes or found.size or 0,
        headers={"Authorization": f"Bearer {token}"} if token else {},
    )
    return HubFile(remote, at, announced)


def _quiet_hub() -> None:
    """To be called before huggingface_hub is imported, which reads these once."""
    # It reports to its makers otherwise, and asks for newer versions of itself.
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_UPDATE_CHECK"] = "1"
    # The chunked protocol needs further hosts and keeps a cache elsewhere; plain HTTP can be continued.
    os.environ["HF_HUB_DISABLE_XET"] = "1"


def _hang_up() -> None:
    """Close the connection that huggingface_hub keeps for the next question: no socket stays open after a pull."""
    import huggingface_hub

    # `close_session` came with 1.0 in place of `reset_sessions`.
    close = getattr(huggingface_hub, "close_session", None) or getattr(huggingface_hub.utils, "reset_sessions", None)
    if close is not None:
        close()


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc.rpartition("@")[2]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
