"""Where a program is tried: on this machine or in a root of its own, without network, on which processor, as whom."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from emulation import Emulation, observe_processes
from no_network import unshare_command
from ran import Cue, Ran, run

WORK_INSIDE = "/srv"
BUNDLE_INSIDE = "/media"
"""In a root: where the working folder and the bundle appear, the latter read-only, as on a write-protected stick."""
TOOLS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SET_UP_FAILED = 97
"""Exit code of the shell that mounts; no command of edgerag ends with it."""


@dataclass(frozen=True, slots=True)
class Place:
    """How a command line of the program is run. Everything that a user's shell would set is absent."""

    executable: Path
    """As this machine sees it."""
    work: Path
    """Holds `home`, `tmp`, `nothing` (an empty folder, the whole PATH) and the documents."""
    root: Path | None = None
    emulation: Emulation | None = None
    without_network: bool = True
    user: int | None = None
    """User and group id to run as; only root can choose."""
    environment: Mapping[str, str | None] = field(default_factory=dict)
    """Added to the environment; None takes a variable out."""
    tmp_options: str = ""
    """Mount an empty tmpfs with these options over /tmp: `noexec`, `ro`."""
    home_name: str = "home"
    """Folder in `work`."""
    called: str = ""
    """Call the program by this path or name instead of its own, as the program's side sees it: a link to it."""
    read_only_bundle: bool = False
    """Mount the executable's folder read-only; in a root it always is."""
    slowness: float = 1.0
    """Time limits are multiplied by this."""

    def inside(self, path: Path) -> str:
        """A path of this machine as the program sees it."""
        if self.root is None:
            return os.fspath(path)
        for outer, inner in ((self.work, WORK_INSIDE), (self.root, ""), (self._bundle, BUNDLE_INSIDE)):
            if path.is_relative_to(outer):
                below = path.relative_to(outer)
                return inner or "/" if below == Path() else f"{inner}/{below.as_posix()}"
        raise ValueError(f"{path} cannot be seen inside {self.root}")

    @property
    def home(self) -> Path:
        return self.work / self.home_name

    @property
    def _bundle(self) -> Path:
        return self.executable.parent

    @property
    def _is_in_root(self) -> bool:
        return self.root is not None and self.executable.is_relative_to(self.root)

    @property
    def _needs_mounts(self) -> bool:
        special = self.tmp_options or self.read_only_bundle
        return self.root is not None or self.emulation is not None or bool(special)

    @property
    def _needs_shell(self) -> bool:
        return self._needs_mounts or self.user is not None

    def variables(self) -> dict[str, str]:
        """The whole environment of the program: an empty home, and a PATH on which there is nothing."""
        base: dict[str, str | None] = {
            "HOME": self.inside(self.home),
            "PATH": self.inside(self.work / "nothing"),
            "QEMU_CPU": self.emulation.cpu if self.emulation is not None else None,
            **self.environment,
        }
        return {name: value for name, value in base.items() if value is not None}

    def outer_variables(self) -> dict[str, str]:
        """The environment of the whole command line: `env -i` in it then leaves the program its own."""
        return {"PATH": TOOLS_PATH} if self._needs_shell else self.variables()

    def shown(self, arguments: Sequence[str]) -> str:
        """The program's own command line, without what is put around it."""
        named = [f"{name}={value}" for name, value in self.variables().items()]
        return shlex.join(["env", "-i", *named, self.called or self.inside(self.executable), *arguments])

    def command(self, arguments: Sequence[str], *, before: Sequence[str] = ()) -> list[str]:
        """The command line for this machine, with everything around the program; `before` goes outermost (strace)."""
        program = [self.called or self.inside(self.executable), *arguments]
        around = list(before)
        if self.without_network or self._needs_mounts:
            # Whoever is root makes mounts without a user namespace: in one there is no other user to become.
            needs_user = self.emulation is not None
            unshare = unshare_command(needs_mounts=self._needs_mounts, needs_user=needs_user)
            around += [word for word in unshare if self.without_network or word != "--net"]
        if not self._needs_shell:
            return [*around, *program]
        # `env -i` because the shell itself sets PWD; `+` and no groups because looking names up opens a socket.
        changed = [_tool("env"), "-i", *(f"{name}={value}" for name, value in self.variables().items())]
        if self.root is not None or self.user is not None:
            who = [f"--userspec=+{self.user}:+{self.user}", "--groups="] if self.user is not None else []
            changed += [_tool("chroot"), *who, os.fspath(self.root or "/")]
        return [*around, "/bin/sh", "-c", self._script(), "sh", *changed, *program]

    def _script(self) -> str:
        """Mount what a real machine would have, then become the program."""
        lines = []
        root = shlex.quote(os.fspath(self.root)) if self.root is not None else ""
        if self.emulation is not None:
            lines.append("mount -t binfmt_misc none /proc/sys/fs/binfmt_misc")
            if self.emulation.cpuinfo is not None:
                lines.append(f"mount --bind {shlex.quote(os.fspath(self.emulation.cpuinfo))} /proc/cpuinfo")
        if root:
            lines.append(f"mount --bind {root} {root}")
            lines += [f"mount --rbind /{name} {root}/{name}" for name in ("proc", "sys", "dev")]
            # What is mounted in it comes along.
            lines.append(f"mount --rbind {shlex.quote(os.fspath(self.work))} {root}{WORK_INSIDE}")
            if not self.tmp_options:
                lines.append(f"mount --bind {shlex.quote(os.fspath(self.work / 'tmp'))} {root}/tmp")
            if not self._is_in_root:
                lines.append(f"mount --bind {shlex.quote(os.fspath(self._bundle))} {root}{BUNDLE_INSIDE}")
                lines.append(_read_only(f"{root}{BUNDLE_INSIDE}"))
            lines.append(_read_only(root))
        if self.read_only_bundle and not root:
            bundle = shlex.quote(os.fspath(self._bundle))
            lines += [f"mount --bind {bundle} {bundle}", _read_only(bundle)]
        if self.tmp_options:
            lines.append(f"mount -t tmpfs -o mode=1777,{self.tmp_options} none {root}/tmp")
        if self.emulation is not None:
            # Last: from here on every program of that machine runs in QEMU, mount and the shell's printf excepted.
            rule = shlex.quote(self.emulation.rule)
            lines.append(f"printf %s {rule} > /proc/sys/fs/binfmt_misc/register")
            lines.append(f"export QEMU_CPU={shlex.quote(self.emulation.cpu)}")
        return "".join(f"{line} || exit {SET_UP_FAILED}\n" for line in lines) + 'exec "$@"'

    def run(
        self,
        arguments: Sequence[str],
        *,
        timeout_s: float,
        before: Sequence[str] = (),
        cues: Sequence[Cue] = (),
    ) -> Ran:
        """Run the program with these arguments to its end."""
        emulation = self.emulation
        return run(
            self.command(arguments, before=before),
            shown=self.shown(arguments),
            environment=self.outer_variables(),
            timeout_s=timeout_s * self.slowness,
            folder=self.work,
            cues=cues,
            observe=(lambda pid: observe_processes(emulation, pid)) if emulation is not None else None,
        )

    def changed(self, **changes: object) -> Place:
        """The same place but for these fields."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def described(self) -> str:
        """Where this is, in words."""
        where = f"in {self.root}" if self.root is not None else "on this machine"
        processor = f", emulated {self.emulation.cpu}" if self.emulation is not None else ""
        return where + processor + (", no network" if self.without_network else "")


def _tool(name: str) -> str:
    return shutil.which(name, path=TOOLS_PATH) or name


def _read_only(target: str) -> str:
    """In a user namespace flags that the file system already has may not be left out of a remount."""
    return f"{{ mount -o remount,bind,ro {target} 2>/dev/null || mount -o remount,bind,ro,nosuid,nodev {target}; }}"
