"""A Debian system of another architecture on this machine, to build and try edgerag in: QEMU emulates its processor.

    sudo python packaging/foreign_root.py make FOLDER [--arch arm64] [--suite bookworm]
    sudo python packaging/foreign_root.py run FOLDER [--cpu CPU] [--bind HERE:THERE[:ro]] [--offline] -- COMMAND...
    python packaging/foreign_root.py check [--arch arm64]

`make` brings Python, and compilers that are this machine's own cross compilers: they run at full speed inside, where
an emulated compiler would take ten times longer. `run` runs one command in it: with /proc, /sys and /dev, with this
machine's name servers and certificates, and with a /proc/cpuinfo of the emulated processor. Its mounts are seen by
nobody else and end with it. `check` says what is missing on this machine.

Needs root, an x86-64 Debian or Ubuntu, and: debootstrap, qemu-user-static, g++-aarch64-linux-gnu. Debian's smallest
system of `minimal_root.py` is the other one, where a finished bundle is tried.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import arm_cpuinfo
from inside_root import Bind, add_run_options, enter, environment
from minimal_root import RootError, add_debian_options, bootstrap, host_architecture, missing_here

PACKAGES = (
    "python3", "python3-venv", "python3-dev", "ca-certificates", "git", "zlib1g-dev",
    # What the cross compiler links to has to be there when it is loaded, and when a bundle collects it.
    "libgomp1", "libstdc++6", "libatomic1",
)  # fmt: skip
QEMU = "qemu-aarch64-static"
BINFMT = Path("/proc/sys/fs/binfmt_misc")
HOST = "opt/host"
"""Where this machine's /usr is seen inside, read-only: the cross compilers find their parts relative to themselves."""
HOST_LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
HOST_LOADER = Path("/lib64/ld-linux-x86-64.so.2")
TOOLS = {
    "cc": "gcc", "gcc": "gcc", "c++": "g++", "g++": "g++", "cpp": "cpp", "ar": "ar", "as": "as", "ld": "ld", "nm": "nm",
    "objcopy": "objcopy", "objdump": "objdump", "ranlib": "ranlib", "readelf": "readelf", "strip": "strip",
}  # fmt: skip
"""Name inside: name of the cross tool without the target in front."""


@dataclass(frozen=True, slots=True)
class Target:
    """An architecture to emulate, in the words of everybody who has a name for it."""

    qemu: str
    """In binfmt_misc."""
    triplet: str
    compiler_package: str


TARGETS = {
    "arm64": Target("qemu-aarch64", "aarch64-linux-gnu", "g++-aarch64-linux-gnu"),
}


def problems(arch: str, *, binfmt: Path = BINFMT) -> Iterator[str]:
    """What this machine lacks, one sentence each, with the command that helps."""
    target = TARGETS[arch]
    yield from missing_here(("unshare", "util-linux"))
    if host_architecture() != "amd64":
        yield f"The cross compilers of an x86-64 machine are used, and this one is {host_architecture()}."
    if not Path(f"/usr/bin/{target.triplet}-g++").exists():
        yield f"There is no cross compiler. On Debian and Ubuntu: apt-get install {target.compiler_package}"
    if not (binfmt / "status").exists():
        yield f"binfmt_misc is not mounted. As root: mount -t binfmt_misc none {binfmt}"
    elif not (binfmt / target.qemu).exists():
        yield (
            f"The kernel has no interpreter for {arch}. On Debian and Ubuntu: apt-get install qemu-user-static "
            f"binfmt-support, then: update-binfmts --enable {target.qemu}"
        )
    else:
        entry = (binfmt / target.qemu).read_text(encoding="ascii").splitlines()
        flags = next((line.partition(":")[2].strip() for line in entry if line.startswith("flags:")), "")
        if entry[:1] != ["enabled"]:
            yield f"The interpreter for {arch} is switched off. As root: update-binfmts --enable {target.qemu}"
        elif "F" not in flags:
            yield (
                f"The interpreter for {arch} is looked up when it is needed (flags: {flags}), and inside it is not "
                f"there. It has to be registered with F, as Debian's qemu-user-static does."
            )


def make(folder: Path, *, arch: str, suite: str, mirror: str = "") -> None:
    """Make the system in a new or empty folder: 600 MB and about six minutes, most of them emulated.

    Raises:
        RootError: Something is missing here, the folder is in use, or a step failed.
    """
    if missing := list(problems(arch)):
        raise RootError("\n".join(missing))
    bootstrap(folder, arch=arch, suite=suite, mirror=mirror, include=PACKAGES)
    add_cross_tools(folder, TARGETS[arch])


def add_cross_tools(root: Path, target: Target) -> None:
    """Links in /usr/local/bin, so that `cc` and the others are this machine's; and where its libraries are mounted."""
    links = {f"usr/local/bin/{name}": f"bin/{target.triplet}-{tool}" for name, tool in TOOLS.items()}
    # Debian's Python has its own compiler under this name, and compiles extensions with it.
    links |= {f"usr/local/{link}": link for link in links.values()}
    # The linker's own script for libc names this folder.
    links[f"usr/{target.triplet}"] = target.triplet
    for name, tool in links.items():
        link = root / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(f"/{HOST}/{tool}")
    for folder in (HOST, os.fspath(HOST_LIBRARIES).lstrip("/"), "usr/lib64"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    if not (root / "lib64").exists() and not (root / "lib64").is_symlink():
        (root / "lib64").symlink_to("usr/lib64")


def architecture(root: Path) -> str:
    """Debian's name of a root's architecture.

    Raises:
        RootError: The folder holds no Debian system, or one of an architecture that is not emulated here.
    """
    try:
        name = (root / "var/lib/dpkg/arch").read_text(encoding="ascii").split()[0]
    except (OSError, IndexError):
        # dpkg writes that file only where there is more than one; this one is always there.
        found = sorted((root / "var/lib/dpkg/info").glob("libc6:*.list"))
        name = found[0].name.partition(":")[2].removesuffix(".list") if found else ""
    if name not in TARGETS:
        raise RootError(f"{root} is no Debian system of {' or '.join(TARGETS)}. Make one: foreign_root.py make {root}")
    return name


def run(
    root: Path, command: Sequence[str], *, cpu: str, binds: Sequence[Bind], variables: Sequence[str], offline: bool,
    folder: str,
) -> int:  # fmt: skip
    """Run one command inside and return its exit code.

    Args:
        root: What `make` made.
        command: Program and arguments, as seen inside.
        cpu: QEMU's name of a processor, from which features may be taken (`max,sve=off`); empty: QEMU's default.
        binds: What else is seen inside.
        variables: `NAME=VALUE`, added to the few that are there anyway.
        offline: Without any network interface.
        folder: Where to start, inside.

    Raises:
        RootError: Something is missing here, or this is no such root.
    """
    if missing := list(problems(architecture(root))):
        raise RootError("\n".join(missing))
    root = root.absolute()
    own = [Bind(Path("/usr"), f"/{HOST}", True), Bind(HOST_LIBRARIES, os.fspath(HOST_LIBRARIES), True)]
    own.append(Bind(HOST_LOADER.parent.resolve(), "/usr/lib64", True))
    if cpu:
        # QEMU before 8.2 shows this machine's processor there.
        cpu_file = root / f"run/cpuinfo.{cpu}"
        try:
            cpu_file.write_text(arm_cpuinfo.emulated(QEMU, cpu, root), encoding="ascii")
        except ValueError as error:
            raise RootError(str(error)) from error
        own.append(Bind(cpu_file, "/proc/cpuinfo"))
    processor = {"QEMU_CPU": cpu} if cpu else {}
    inside = environment(os.environ, variables, **processor)
    return enter(root, command, binds=[*own, *binds], variables=inside, offline=offline, folder=folder)


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit code, of `run` that of the command inside."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    actions = parser.add_subparsers(dest="action", required=True)
    making = actions.add_parser("make", help="make the system")
    running = actions.add_parser("run", help="run a command in it")
    checking = actions.add_parser("check", help="say what is missing on this machine")
    for action in (making, running):
        action.add_argument("folder", type=Path)
    for action in (making, checking):
        action.add_argument("--arch", choices=sorted(TARGETS), default="arm64", help="default: %(default)s")
    add_debian_options(making)
    running.add_argument("--cpu", default="", help="QEMU's name: cortex-a53, cortex-a72, neoverse-n1, max, ...")
    add_run_options(running)
    given = parser.parse_args(arguments)
    try:
        if given.action == "make":
            make(given.folder, arch=given.arch, suite=given.suite, mirror=given.mirror)
            return 0
        if given.action == "check":
            missing = list(problems(given.arch))
            print("\n".join(missing) or "Nothing is missing.")
            return 1 if missing else 0
        binds = [Bind.parse(text) for text in given.bind]
        return run(
            given.folder, given.command, cpu=given.cpu, binds=binds, variables=given.setenv, offline=given.offline,
            folder=given.chdir,
        )  # fmt: skip
    except RootError as error:
        print(f"foreign_root: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
