"""Whose work is in a bundle: every distribution, library and model, with its licence and the text of it."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from licence_facts import BORROWED_TEXTS, EMBEDDED, NATIVE_LICENCES, SPDX_BY_WORDS

ROOT = Path(__file__).resolve().parent.parent
LICENCE_FILES = re.compile(r"licen[cs]e|copying|copyright|notice|third.?party|authors", re.IGNORECASE)
SHARED_PREFIXES = {"/", "/usr", "/usr/local"}
"""Folders where a Python may be installed among other things."""
PACKAGE_TEXTS = Path("/usr/share/doc")
"""Where Debian's packages have their licences, in a folder of each."""
Kind = Literal["application", "library", "machine-learning-model", "platform"]


class LicenceMissingError(Exception):
    """Something bundled has no licence, or no text of it; the message names all such."""


@dataclass(frozen=True, slots=True)
class Component:
    name: str
    version: str
    kind: Kind
    licence: str
    """SPDX expression, or words."""
    purl: str
    """https://github.com/package-url/purl-spec"""
    texts: tuple[Path, ...]
    """Files with the licence's very words."""
    files: tuple[str, ...] = ()
    """Paths inside the bundle; nothing for what is inside another file."""
    inside: str = ""
    """Name of the component it is part of, where it did not come by itself."""


Collected = Mapping[str, Sequence[Sequence[str]]]
"""`modules`, `scripts` and `files`, each with entries of (name in the bundle, file on this machine, kind)."""


def find_components(collected: Collected, *, starter: str = "pyinstaller") -> list[Component]:
    """Every distribution and native library of a frozen application, by name; runs in the environment it came from.

    Args:
        collected: What was frozen.
        starter: Distribution that the program itself comes from; empty: none.

    Raises:
        LicenceMissingError: A file whose origin is unknown, or no licence text for something.
    """
    owners = _files_of_distributions()
    library_folders = _library_folders()
    by_owner: dict[str, list[str]] = {starter: ["edgerag"]} if starter else {}
    by_package: dict[str, list[str]] = {}
    python_files: list[str] = []
    unknown: list[str] = []
    for group in ("modules", "scripts", "files"):
        for name, source, _ in collected[group]:
            real = os.path.realpath(source) if source and source != "-" else ""
            inside = f"_internal/{name}" if group == "files" else ""
            if real in owners:
                by_owner.setdefault(owners[real], []).append(inside)
            elif not real or _is_ours(Path(real)) or "base_library.zip" in name:
                continue
            elif real.startswith(library_folders) and "site-packages" not in real:
                python_files.append(inside)
            elif package := _system_package(real):
                by_package.setdefault(package, []).append(inside)
            elif _comes_with_python(real):
                python_files.append(inside)
            else:
                unknown.append(f"{name} ({source})")
    if unknown:
        raise LicenceMissingError(f"Nobody knows whose these files are: {', '.join(unknown)}.")
    found = [_python(python_files)]
    for owner, files in by_owner.items():
        component = _distribution(owner, files)
        found += [component, *_embedded(component)]
    found += [_system(package, files) for package, files in by_package.items()]
    found.sort(key=lambda component: component.name.lower())
    require_texts(found)
    return found


def require_texts(components: Iterable[Component]) -> None:
    """Check that everything has a licence and a text of it.

    Raises:
        LicenceMissingError: Something has not.
    """
    missing = [
        one.name for one in components if not one.licence or not one.texts or not all(map(Path.is_file, one.texts))
    ]
    if missing:
        raise LicenceMissingError(
            f"No licence text for {', '.join(missing)}. Put it into packaging/licences and name it in "
            "packaging/licence_facts.py, with the reason."
        )


def write_texts(components: Iterable[Component], folder: Path) -> None:
    """Copy the texts into a folder, one folder for each component; what is part of another shares its texts."""
    listed = list(components)
    texts = {component.name: component.texts for component in listed}
    for component in listed:
        if texts.get(component.inside) == component.texts:
            continue
        place = folder / _safe(component.name)
        for number, text in enumerate(component.texts):
            place.mkdir(parents=True, exist_ok=True)
            target = place / text.name
            if target.exists() and target.read_bytes() != text.read_bytes():
                target = place / f"{number}-{text.name}"
            shutil.copyfile(text, target)


def _library_folders() -> tuple[str, ...]:
    """Folders of Python's own library, modules in machine code included, each with a separator at its end."""
    # In an environment the second would be a folder of that.
    paths = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib", vars={"platbase": sys.base_exec_prefix})]
    return tuple(sorted({f"{os.path.realpath(path)}{os.sep}" for path in paths}))


def _comes_with_python(path: str) -> bool:
    """Whether a file that no package owns is of the Python that is frozen: its library, or in a folder of its own."""
    if path.endswith(f"{os.sep}{sysconfig.get_config_var('INSTSONAME')}"):
        return True
    prefixes = {os.path.realpath(prefix) for prefix in (sys.base_prefix, sys.base_exec_prefix)} - SHARED_PREFIXES
    return path.startswith(tuple(f"{prefix}{os.sep}" for prefix in prefixes)) and "site-packages" not in path


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]", "_", name)


def _is_ours(path: Path) -> bool:
    is_installed = "site-packages" in path.parts  # the environment may well be inside the checkout
    return not is_installed and (path.is_relative_to(ROOT) or "made" in path.parts)


def _files_of_distributions() -> dict[str, str]:
    owners: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        for file in distribution.files or ():
            owners[os.path.realpath(str(distribution.locate_file(file)))] = distribution.name
    return owners


def _distribution(name: str, files: Iterable[str]) -> Component:
    distribution = importlib.metadata.distribution(name)
    texts = sorted(
        Path(str(distribution.locate_file(file))) for file in distribution.files or ()
        if (LICENCE_FILES.search(file.name) or "licenses" in file.parts)
        and not file.name.endswith((".py", ".pyc", ".pyi", ".json"))
    )  # fmt: skip
    normal = re.sub(r"[-_.]+", "-", distribution.name).lower()
    borrowed = BORROWED_TEXTS.get(normal)
    if borrowed is not None and not texts:
        texts = [ROOT / borrowed.text]
    kind: Kind = "library"
    return Component(
        name=distribution.name,
        version=distribution.version,
        kind=kind,
        licence=(borrowed.licence if borrowed is not None else "") or _licence_of(distribution.metadata),
        purl=f"pkg:pypi/{normal}@{distribution.version}",
        texts=tuple(texts),
        files=tuple(sorted({file for file in files if file})),
    )


def _licence_of(metadata: importlib.metadata.PackageMetadata) -> str:
    for expression in metadata.get_all("License-Expression") or ():
        return str(expression)
    words = " ".join(str(value).strip() for value in metadata.get_all("License") or ())
    if not words or "\n" in words:
        classifiers = [
            str(value) for value in metadata.get_all("Classifier") or () if str(value).startswith("License ::")
        ]
        words = classifiers[0].rpartition(" :: ")[2] if classifiers else ""
    return SPDX_BY_WORDS.get(words, words)


def _embedded(owner: Component) -> list[Component]:
    """Libraries that are part of a distribution: files of their own, or linked into one."""
    normal = re.sub(r"[-_.]+", "-", owner.name).lower()
    found = []
    for fact in EMBEDDED.get(normal, ()):
        files = [file for file in owner.files if fact.files and PurePosixPath(file).match(fact.files)]
        if fact.files and not files:
            continue
        version = fact.version() if fact.version is not None else owner.version
        purl = f"pkg:generic/{fact.name.lower()}@{version}"
        texts = (ROOT / fact.text,) if fact.text else owner.texts
        found.append(
            Component(fact.name, version, "library", fact.licence, purl, texts, tuple(files), inside=owner.name)
        )
    return found


def _python(files: Iterable[str]) -> Component:
    version = ".".join(map(str, sys.version_info[:3]))
    places = [Path(sys.base_prefix) / "LICENSE.txt", Path(os.__file__).parent / "LICENSE.txt"]
    places += [Path(f"/usr/share/doc/python{sys.version_info[0]}.{sys.version_info[1]}/copyright")]
    texts = tuple(path for path in places if path.is_file())[:1]
    purl = f"pkg:generic/cpython@{version}"
    return Component(
        "CPython", version, "platform", "PSF-2.0", purl, texts, tuple(sorted({file for file in files if file}))
    )


def _system_package(path: str) -> str:
    """`name version architecture` of the Debian package that a file belongs to; empty where dpkg knows none."""
    if shutil.which("dpkg") is None:
        return ""
    # The folders /lib and /usr/lib are one on today's Debian, and dpkg's lists know a file under one of the two names.
    for name in (path, path.removeprefix("/usr") if path.startswith("/usr/") else f"/usr{path}"):
        done = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            package = done.stdout.split(": ")[0].split(",")[0].strip()
            form = "${Package} ${Version} ${Architecture}"
            return subprocess.run(
                ["dpkg-query", "-W", "-f", form, package], capture_output=True, text=True, check=True
            ).stdout
    return ""


def _system(package: str, files: Sequence[str]) -> Component:
    name, version, architecture = package.split(" ")
    text = PACKAGE_TEXTS / name / "copyright"
    names = [PurePosixPath(file).name for file in files]
    licence = next((words for key, words in NATIVE_LICENCES.items() if any(name.startswith(key) for name in names)), "")
    purl = f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace('~', '~')}?arch={architecture}"
    component = Component(name, version, "library", licence, purl, (text.resolve(),), tuple(sorted(files)))
    return component if text.is_file() else replace(component, texts=())
