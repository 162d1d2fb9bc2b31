"""One command inside a root folder: its mounts end with it, it gets few variables, and sees what is named.

What `foreign_root.py` and `old_root.py` share. The mounts are made in a namespace of their own: nobody else sees them,
and the folder can be removed at any time.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minimal_root import RootError

PATH_INSIDE = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
SHARED = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs", "/etc/pip.conf")
"""Of this machine, where they exist: without them nothing can be installed behind a company's proxy."""
HANDED_ON = (
    "PIP_", "UV_", "SSL_CERT_", "REQUESTS_CA_", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY",
    "NO_PROXY",
)  # fmt: skip
"""Beginnings of the variables that the command inside gets from outside. No others."""


@dataclass(frozen=True, slots=True)
class Bind:
    """A folder or file of this machine that is seen inside."""

    here: Path
    there: str
    """Absolute, inside."""
    is_read_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Bind:
        """Read `HERE:THERE` or `HERE:THERE:ro`.

        Raises:
            RootError: Another form, `THERE` is not absolute, or nothing is `HERE`.
        """
        here, _, rest = text.partition(":")
        there, _, mode = rest.partition(":")
        if not here or not there.startswith("/") or ".." in Path(there).parts or mode not in ("", "ro"):
            raise RootError(f"--bind {text}: write HERE:THERE or HERE:THERE:ro, with an absolute THERE.")
        path = Path(here).absolute()
        if not path.exists():
            raise RootError(f"--bind {text}: {path} does not exist.")
        return cls(path, there, mode == "ro")


def mount_script(root: Path, binds: Sequence[Bind]) -> str:
    """Shell commands that mount what the root needs and become its `"$@"`, for a mount namespace of their own."""
    lines = ["set -e"]

    def mount(options: str, source: object, there: str) -> None:
        lines.append(f"mount {options} {shlex.quote(str(source))} {shlex.quote(str(root / there.lstrip('/')))}")

    mount("-t proc", "proc", "/proc")
    # Without /sys onnxruntime counts no cores and recognises no instruction sets.
    mount("-t sysfs -o ro", "sys", "/sys")
    mount("--rbind", "/dev", "/dev")
    mount("-t tmpfs", "tmp", "/tmp")
    for bind in binds:
        mount(f"--bind{' -o ro' if bind.is_read_only else ''}", bind.here, bind.there)
    lines.append(f'exec chroot {shlex.quote(str(root))} "$@"')
    return "\n".join(lines)


def environment(outside: Mapping[str, str], given: Sequence[str] = (), **own: str) -> list[str]:
    """`NAME=VALUE` of everything the command inside gets.

    Args:
        outside: This machine's variables, of which `HANDED_ON` goes in.
        given: `NAME=VALUE` of the command line; these win.
        own: What the caller sets.

    Raises:
        RootError: A given one has no `=`.
    """
    variables = {name: value for name, value in outside.items() if name.startswith(HANDED_ON)}
    variables |= {"PATH": PATH_INSIDE, "HOME": "/root", "LANG": "C.UTF-8"} | own
    for text in given:
        name, separator, value = text.partition("=")
        if not separator:
            raise RootError(f"--setenv {text}: write NAME=VALUE.")
        variables[name] = value
    return [f"{name}={value}" for name, value in sorted(variables.items())]


def enter(
    root: Path, command: Sequence[str], *, binds: Sequence[Bind], variables: Sequence[str], offline: bool, folder: str
) -> int:
    """Run one command inside and return its exit code.

    Args:
        root: A Debian system in a folder.
        command: Program and arguments, as seen inside.
        binds: What is seen inside besides `SHARED`; in their order, places are made where there are none.
        variables: The whole environment, as `environment` gives it.
        offline: Without any network interface.
        folder: Where to start, inside.
    """
    root = root.absolute()
    seen = [*(Bind(Path(path), path, True) for path in SHARED if Path(path).exists()), *binds]
    for bind in seen:
        if bind.there.startswith("/proc/"):
            continue  # is there once /proc is mounted
        place = root / bind.there.lstrip("/")
        if bind.here.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        elif not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
    namespaces = ["--mount", "--propagation", "private", *(["--net"] if offline else [])]
    inside = ["/usr/bin/env", "-i", *variables, "sh", "-c", 'cd "$0" && exec "$@"', folder, *command]
    script = mount_script(root, seen)
    return subprocess.run(["unshare", *namespaces, "sh", "-c", script, "sh", *inside], check=False).returncode


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """What every `run` takes: --bind, --setenv, --chdir, --offline, and the command."""
    parser.add_argument("--bind", action="append", default=[], metavar="HERE:THERE[:ro]", help="may be repeated")
    parser.add_argument("--setenv", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    parser.add_argument("--chdir", default="/root", help="where to start, inside (default: %(default)s)")
    parser.add_argument("--offline", action="store_true", help="without any network interface")
    parser.add_argument("command", nargs="+", help="program and arguments; put -- in front of it")
