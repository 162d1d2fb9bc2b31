"""A network namespace without interfaces: whatever runs in it reaches nothing, not even this machine.

Its loopback is down, so that even a connection to 127.0.0.1 fails; `check` tries one before anything else runs.
Sockets are counted besides: in such a namespace a program may still open one. See network_namespaces(7), unshare(1).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

INTERNET_SOCKET = re.compile(r"\bsocket\(AF_INET6?\b|sa_family=AF_INET6?\b")
OPENED_LIBRARY = re.compile(r'\bopenat\([^"]*"([^"]+\.so(?:\.\d[\w.]*)?)".* = \d+$')
EXECUTED = re.compile(r'\bexecve(?:at)?\([^"]*"([^"]+)"(?!.* = -1 )')
UNFINISHED = re.compile(r"^(\d+) +(.*?) *<unfinished \.\.\.>$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$")
OCTAL = re.compile(rb"\\([0-7]{1,3})")
ANY_SOCKET = re.compile(r"\bsocket\((AF_\w+|PF_\w+|0x[0-9a-f]+)")
TRY_TO_CONNECT = (
    "import socket, sys\n"
    "try:\n socket.create_connection(('127.0.0.1', 9), timeout=5)\n"
    "except OSError as error:\n sys.exit(0 if error.errno in (99, 100, 101) else f'loopback is up: {error}')\n"
    "sys.exit('something answered on 127.0.0.1')\n"
)
"""99, 100, 101: no such address, network down, network unreachable. A refusal would mean that there is a loopback."""


class NamespaceError(Exception):
    """This system does not let us take the network away; the message says why and what to do."""


def unshare_command(*, needs_mounts: bool, needs_user: bool) -> list[str]:
    """`unshare` with the namespaces wanted; whoever is not root needs a user namespace for any other.

    Raises:
        NamespaceError: `unshare` is not installed, or this is not Linux.
    """
    if sys.platform != "linux":
        raise NamespaceError(f"network namespaces are Linux's; this is {sys.platform}.")
    tool = shutil.which("unshare")
    if tool is None:
        raise NamespaceError("`unshare` is not installed. On Debian and Ubuntu: apt-get install util-linux")
    command = [tool, "--net"]
    if os.geteuid() != 0 or needs_user:
        command += ["--user", "--map-root-user" if needs_mounts else "--map-current-user"]
    if needs_mounts:
        command.append("--mount")
    return command


def check(unshare: list[str]) -> str:
    """Make the namespaces once, and try to connect from inside.

    Returns:
        What was seen, in words.

    Raises:
        NamespaceError: They are not permitted, or there is a network inside.
    """
    made = subprocess.run([*unshare, "cat", "/proc/net/dev"], capture_output=True, text=True)
    if made.returncode != 0:
        raise NamespaceError(
            f"this system does not permit `{' '.join(unshare)}` ({made.stderr.strip() or made.returncode}). "
            "Run as root; in a container add --privileged; on Ubuntu see kernel.apparmor_restrict_unprivileged_userns. "
            "--network-namespace off runs the rest, and the report then says that this was not shown."
        )
    interfaces = [line.split(":")[0].strip() for line in made.stdout.splitlines()[2:]]
    if interfaces not in ([], ["lo"]):
        raise NamespaceError(f"the namespace has network interfaces: {', '.join(interfaces)}.")
    tried = subprocess.run([*unshare, sys.executable, "-c", TRY_TO_CONNECT], capture_output=True, text=True)
    if tried.returncode != 0:
        raise NamespaceError(tried.stderr.strip())
    return "no interface but a loopback that is down; connecting to 127.0.0.1 fails"


@dataclass(frozen=True, slots=True)
class Traced:
    """What one traced run opened."""

    internet: tuple[str, ...]
    """Lines of the trace that name an Internet address family."""
    families: tuple[str, ...]
    """Of every call of socket(), in order."""
    libraries: tuple[str, ...] = ()
    """Shared libraries that were opened once the program had been started, each once, in order."""
    has_started: bool = False
    """Whether the program's start stands in the trace; without it no library is looked at."""


def strace_command(trace: Path) -> list[str]:
    """The start of a command line that writes what a program and all its children open and execute.

    Raises:
        NamespaceError: strace is not installed or may not watch.
    """
    tool = shutil.which("strace")
    if tool is None:
        raise NamespaceError("strace is not installed. On Debian and Ubuntu: apt-get install strace")
    options = ["-f", "-e", "trace=%network,openat,execve,execveat", "-o"]
    # A filter in the kernel stops the program at these calls alone, not at each (strace 5.3; Linux may refuse it).
    for watching in ([tool, "--seccomp-bpf", *options], [tool, *options]):
        trial = subprocess.run([*watching, os.devnull, "true"], capture_output=True, text=True)
        if trial.returncode == 0:
            return [*watching, os.fspath(trace)]
    raise NamespaceError(f"strace may not watch a process here: {trial.stderr.strip()[:200]}")


def read_trace(trace: Path, program: str = "") -> Traced:
    """The sockets in what strace wrote, and the libraries from the execution of `program` on."""
    lines = joined_calls(trace.read_text(encoding="utf-8", errors="replace").splitlines())
    starts = (n for n, line in enumerate(lines) if (found := EXECUTED.search(line)) and plain(found[1]) == program)
    started = next(starts, None)
    later = lines[started:] if started is not None else []
    opened = [plain(found.group(1)) for line in later if (found := OPENED_LIBRARY.search(line))]
    families = [found.group(1) for line in lines if (found := ANY_SOCKET.search(line))]
    internet = tuple(line for line in lines if INTERNET_SOCKET.search(line))
    return Traced(internet, tuple(families), tuple(dict.fromkeys(opened)), started is not None)


def joined_calls(lines: Sequence[str]) -> list[str]:
    """Put calls together that strace tells in two parts, because another process called something in between.

    Returns:
        Lines in the order in which the calls ended; those that never did come last.
    """
    begun: dict[str, str] = {}
    whole = []
    for line in lines:
        if found := UNFINISHED.match(line):
            begun[found[1]] = f"{found[1]} {found[2]}"
        elif (found := RESUMED.match(line)) and found[1] in begun:
            whole.append(begun.pop(found[1]) + found[2])
        else:
            whole.append(line)
    return whole + list(begun.values())


def plain(path: str) -> str:
    """A path as it is: strace writes what is not ASCII as the octal number of each byte."""
    return OCTAL.sub(lambda found: bytes([int(found[1], 8)]), path.encode()).decode("utf-8", "replace")
