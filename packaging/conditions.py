"""Odd places that people run a bundle from; in each the short form of the self-test must pass."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from session import NotShownError, Session, StepError
from steps_keep import quick_find

NOBODY = 65534
STICK_BYTES = 600_000_000
"""Of a sparse file: as much is written as is put on it."""
ODD_NAME = "U盘 (1) mit Leerzeichen & Ümläut"


def _tried(session: Session, name: str, **changes: object) -> str:
    """The short form in a home of its own, at the changed place."""
    place = session.place.changed(**{"home_name": f"home-{name}"} | changes)
    place.home.mkdir(exist_ok=True)
    if place.user is not None:
        os.chown(place.home, place.user, place.user)
    return quick_find(Session(place, session.documents, session.samples, None, session.timeout_s, session.runs))


def _bundle_of(session: Session) -> Path:
    folder = session.place.executable.parent
    if not (folder / "_internal").is_dir():
        raise NotShownError("this executable is no bundle: it cannot be moved elsewhere")
    return folder


def read_only(session: Session) -> str:
    """A write-protected stick."""
    return _tried(session, "read-only", read_only_bundle=True)


def stick(session: Session) -> str:
    """A stick with Windows' file system, which knows no permissions: the bundle, the home and the library on it."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or session.place.emulation is not None:
        raise NotShownError("only root can mount, and not under emulation")
    if shutil.which("ntfs-3g") is None or shutil.which("mkntfs") is None:
        raise NotShownError("ntfs-3g is not installed; on Debian and Ubuntu: apt-get install ntfs-3g")
    mounted = session.place.work / "stick"
    image = session.place.work / "stick.img"
    mounted.mkdir()
    with image.open("wb") as stream:
        stream.truncate(STICK_BYTES)
    for command in (["mkntfs", "-F", "-Q", "-q", os.fspath(image)], ["ntfs-3g", os.fspath(image), os.fspath(mounted)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotShownError(f"{command[0]} failed: {done.stderr.strip()}")
    try:
        bundle = mounted / "bundle"
        shutil.copytree(_bundle_of(session), bundle, symlinks=True, copy_function=shutil.copyfile)
        executable = bundle / session.place.executable.name
        return _tried(session, "stick", home_name="stick/home", executable=executable)
    finally:
        _unmount(mounted)
        image.unlink()


def _unmount(folder: Path) -> None:
    """Take a stick out; one that is busy at least out of sight, or the test's folder would be deleted through it.

    Raises:
        StepError: It cannot be taken out at all.
    """
    for options in ([], ["--lazy"]):
        done = subprocess.run(["umount", *options, os.fspath(folder)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
    raise StepError(f"the stick cannot be taken out: {done.stderr.strip()}")


def spaces(session: Session) -> str:
    """The bundle and the home in folders with spaces, brackets and Chinese characters."""
    moved = session.place.work / ODD_NAME / "bundle"
    shutil.copytree(_bundle_of(session), moved, symlinks=True)
    executable = moved / session.place.executable.name
    told = _tried(session, ODD_NAME, executable=executable)
    shutil.rmtree(moved.parent)
    return told


def noexec_tmp(session: Session) -> str:
    """/tmp from which nothing can be executed."""
    return _tried(session, "noexec", tmp_options="noexec")


def read_only_tmp(session: Session) -> str:
    """/tmp into which nothing can be written."""
    return _tried(session, "ro-tmp", tmp_options="ro")


def no_home(session: Session) -> str:
    """HOME unset: with a library named, everything works."""
    place = session.place
    folders = {
        "HOME": None,
        "EDGERAG_LIBRARY": place.inside(place.work / "home-unset" / "library"),
        "EDGERAG_MODELS": place.inside(place.work / "home-unset" / "models"),
        "EDGERAG_CONFIG": place.inside(place.work / "home-unset" / "config"),
    }
    return _tried(session, "unset", environment={**place.environment, **folders})


def lang_c(session: Session) -> str:
    """The C locale: output stays UTF-8."""
    return _tried(session, "lang-c", environment={**session.place.environment, "LANG": "C", "LC_ALL": "C"})


def lang_missing(session: Session) -> str:
    """A locale that is not installed."""
    return _tried(session, "lang-zh", environment={**session.place.environment, "LANG": "zh_CN.GB18030"})


def link_on_path(session: Session) -> str:
    """A link to the executable, found by its name on the PATH."""
    place = session.place
    folder = place.work / "bin"
    folder.mkdir(exist_ok=True)
    link = folder / "edgerag"
    link.unlink(missing_ok=True)
    link.symlink_to(place.inside(place.executable))
    path = {"PATH": place.inside(folder)}
    return _tried(session, "link", called=link.name, environment={**place.environment, **path})


def nobody(session: Session) -> str:
    """Another user, to whom nothing belongs but a home."""
    place = session.place
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or place.emulation is not None:
        raise NotShownError("only root can become somebody else, and not under emulation")
    if place.root is not None:
        return _tried(session, "nobody", user=NOBODY)
    place.work.parent.chmod(0o755)
    place.work.chmod(0o755)
    copied = place.work / "for-all"
    shutil.copytree(_bundle_of(session), copied, symlinks=True)
    told = _tried(session, "nobody", user=NOBODY, executable=copied / place.executable.name)
    shutil.rmtree(copied)
    return told


CONDITIONS: dict[str, Callable[[Session], str]] = {
    "read-only": read_only,
    "stick": stick,
    "spaces": spaces,
    "noexec-tmp": noexec_tmp,
    "read-only-tmp": read_only_tmp,
    "no-home": no_home,
    "lang-c": lang_c,
    "lang-missing": lang_missing,
    "link": link_on_path,
    "nobody": nobody,
}
NAMES = tuple(CONDITIONS)


def chosen(names: str) -> list[tuple[str, Callable[[Session], str]]]:
    """The conditions of a comma-separated list; `all` of them.

    Raises:
        argparse.ArgumentTypeError: A name that there is not.
    """
    wanted = NAMES if names == "all" else tuple(name for name in names.split(",") if name)
    if unknown := [name for name in wanted if name not in CONDITIONS]:
        raise argparse.ArgumentTypeError(f"there is no condition {unknown[0]!r}; there are {', '.join(NAMES)}")
    return [(name, CONDITIONS[name]) for name in wanted]
