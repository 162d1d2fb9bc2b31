"""Steps of the self-test: the installation itself, upkeep, the terminal application."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import terminal
from bundle_libraries import wanted_libraries
from emulation import EXTENSIONS
from ran import Cue
from session import NotShownError, Session, StepError
from steps_find import (
    ASK_KEYS,
    CHINESE,
    EXAMPLES,
    PRICE,
    QUESTION,
    SEARCH_KEYS,
    SYNC_KEYS,
    emulated_workers,
    expect_cited,
)  # fmt: skip

COMMANDS = "add sync remove search ask conversations why-not get status verify rebuild compact backup doctor models tui"
SYSTEM_LIBRARIES = ("libz.so.1",)
"""PyInstaller's starter needs zlib before it can find the bundle's own. Package managers need it too."""
TUI_TIMEOUT_S = 120.0
"""The limit that `tui --self-test` sets itself; on an emulated processor it is told a longer one."""
WATCHING = "^Watching for changes"
NEW_FILE_READ = "1 added"
"""What `sync --watch` says once it looks, and once it has read a file that is new."""


def version(session: Session) -> str:
    """`--version` says the version of this checkout: a bundle of another is not what is to be tried."""
    told = session.run("--version").text.strip()
    wanted = f"edgerag, version {this_version()}"
    session.expect(told == wanted, f"--version printed {told!r} instead of {wanted!r}")
    return f"{told}, {session.runs[-1].seconds:.2f} s"


def this_version() -> str:
    """Of this checkout, read without importing anything of it."""
    source = Path(__file__).resolve().parents[1] / "edgerag" / "__init__.py"
    found = re.search(r'^__version__ = "(.+)"$', source.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise StepError(f"{source} does not say its version")
    return found[1]


def help_page(session: Session) -> str:
    """`--help` names every command, and a misspelt one is told from them."""
    told = session.run("--help").text
    missing = [name for name in COMMANDS.split() if not re.search(rf"^  {name}\b", told, re.MULTILINE)]
    session.expect(not missing, f"--help does not name {', '.join(missing)}")
    session.run("serach", "x", status=2, stderr="Did you mean 'search'")
    return f"{len(COMMANDS.split())} commands"


def libraries(session: Session) -> str:
    """The bundle asks for nothing of the system but glibc and zlib."""
    if not listing(session.place.executable):
        raise NotShownError("this executable is no bundle")
    wanted = wanted_libraries(session.place.executable)
    foreign = {name: files for name, files in wanted.libraries.items() if name not in SYSTEM_LIBRARIES}
    session.expect(not foreign, f"not in the bundle: {'; '.join(f'{n} for {f[0]}' for n, f in foreign.items())}")
    rest = "".join(f", {name}" for name in wanted.libraries)
    version = ".".join(map(str, wanted.glibc))
    return f"needs glibc {version} or newer ({wanted.glibc_file}){rest}"


def doctor(session: Session) -> str:
    """The installation is sound, and says what it falls back to."""
    findings = session.json("doctor", keys="findings", status=(0, 1))["findings"]
    bad = [f"{one['name']}: {one['text']}" for one in findings if one["verdict"] == "problem"]
    session.expect(not bad, f"doctor finds: {'; '.join(bad)}")
    names = {one["name"] for one in findings}
    session.expect({"sqlite", "onnxruntime", "embedder", "hnswlib", "llama.cpp"} <= names, f"only {sorted(names)}")
    session.facts["doctor"] = {one["name"]: one["text"] for one in findings}
    notes = [one["name"] for one in findings if one["verdict"] == "note"]
    told = session.facts["doctor"]
    emulated = session.place.emulation
    if emulated is not None and emulated.cpu in EXTENSIONS:
        named = re.search(r" with (.+) \(asked", told.get("processor", ""))
        session.expect(
            named is not None and named[1] == EXTENSIONS[emulated.cpu],
            f"doctor names {told.get('processor')!r} instead of {EXTENSIONS[emulated.cpu]}",
        )
    session.run("doctor", "--settings")
    ways = [f"{name}: {told[name]}" for name in ("processor", "onnxruntime", "hnswlib", "llama.cpp") if name in told]
    return "; ".join([*ways, f"notes: {', '.join(notes) or 'none'}"])


def models_list(session: Session) -> str:
    """The embedder is there and whole."""
    told = session.json("models", "list", keys="models_folder installed available broken")
    names = {one["name"]: one["task"] for one in told["installed"]}
    session.expect(names.get("all-MiniLM-L6-v2") == "embedding", f"installed are {names}")
    session.expect(told["broken"] == [], f"broken: {told['broken']}")
    checked = session.json("models", "verify", keys="models")["models"]
    session.expect(all(one["ok"] for one in checked), f"damaged: {checked}")
    generators = [name for name, task in names.items() if task == "generator"]
    if generators:
        session.facts["generator"] = generators[0]
    return ", ".join(f"{name} ({task})" for name, task in sorted(names.items()))


def get(session: Session) -> str:
    """`get` prints the text that offsets refer to, to the byte."""
    hit = session.json("search", "-k", "1", QUESTION, keys=SEARCH_KEYS)["hits"][0]
    text = session.text_of(hit["document"]["id"])["text"]
    plain = session.run("get", hit["document"]["path"]).stdout
    session.expect(plain == text.encode(), "the printed text differs from that of --json")
    page = session.json("get", "maintenance.pdf", "--page", "2", keys="document page text")
    session.expect("ultraviolet lamp" in page["text"], "page 2 of the PDF does not hold what stands there")
    session.run("get", "no-such-file", status=2, stderr="no-such-file")
    return f"{len(text)} characters; page 2 of a PDF; a missing document: exit code 2"


def other_commands(session: Session) -> str:
    """What nobody needs every day must start as well."""
    session.json("status", "--documents", keys="library documents chunks embeddings source_list document_list")
    session.json("why-not", QUESTION, "handbook.md", keys="stages", status=(0, 1))
    session.json("rebuild", keys="chunks")
    session.json("compact", keys="bytes_before bytes_after")
    for shell in ("bash", "zsh", "fish"):
        # click asks bash for its version, and there is none on the PATH.
        script = session.run("completion", shell, stderr="^$|detect Bash version").text
        session.expect("edgerag" in script, f"completion {shell} prints no script")
    return "status, why-not, rebuild, compact, completion"


def backup_and_verify(session: Session) -> str:
    """Nothing is damaged; a backup is a library that answers."""
    told = session.json("verify", keys="damaged checked")
    session.expect(told["damaged"] == [], f"damaged: {told['damaged']}")
    folder = session.place.home / "restored"
    folder.mkdir()
    if session.place.user is not None:
        shutil.chown(folder, session.place.user, session.place.user)
    session.json("backup", session.place.inside(folder / "library.db"), keys="file size_bytes")
    copy = session.json("--library", session.place.inside(folder), "search", "-k", "1", QUESTION, keys=SEARCH_KEYS)
    session.expect(PRICE in copy["hits"][0]["text"], "the backup does not find what the library finds")
    shutil.rmtree(folder)
    counts = told["checked"]
    return f"{counts['documents']} documents, {counts['chunks']} chunks sound; the backup answers"


def tui_self_test(session: Session) -> str:
    """Every screen of the terminal application, without a terminal."""
    session.run("tui", "--self-test", *tui_limit(session), stderr="self-test passed", timeout_s=2 * TUI_TIMEOUT_S)
    return f"{session.runs[-1].seconds:.1f} s"


def tui_limit(session: Session) -> list[str]:
    """Options that give `tui --self-test` the time that an emulated processor needs."""
    slowness = session.place.slowness
    return ["--timeout", f"{TUI_TIMEOUT_S * slowness:.0f}"] if slowness > 1 else []


def tui_in_terminal(session: Session) -> str:
    """The terminal application in a pseudo-terminal: it opens the library and ends with Ctrl+Q."""
    place = session.place.changed(environment={**session.place.environment, "TERM": "xterm-256color"})
    seen = terminal.drive(
        place.command([]), environment=place.outer_variables(), folder=place.work,
        timeout_s=60 * place.slowness,
    )  # fmt: skip
    shown = "\n".join(seen.lines[:30])
    if seen.status != 0 or seen.timed_out:
        raise StepError(f"the terminal application did not end well ({seen.ending}); it showed:\n{shown}")
    if not seen.has_drawn:
        raise StepError(f"the terminal application did not open the library; it showed:\n{shown}")
    return f"the library was open after {seen.drawn_after_s:.1f} s; Ctrl+Q ended it"


def pull_without_network(session: Session) -> str:
    """The one command that needs a network says so in words."""
    if not session.place.without_network:
        raise NotShownError("the network was not taken away: it would download a model")
    session.run("models", "pull", "smollm2-135m", status=2, stderr=r"(?m)^edgerag: .+\n +\S", timeout_s=240)
    told = next(line for line in session.runs[-1].errors.splitlines() if line.startswith("edgerag: "))
    return f"exit code 2: {told.removeprefix('edgerag: ')[:80]} ..."


def watch(session: Session) -> str:
    """`sync --watch` takes in a change and ends with Ctrl-C."""
    file = session.documents / "watched.txt"
    cues = [
        Cue(WATCHING, 2 * pace(session), lambda: file.write_text("The lighthouse keeper of Vardo has two cats.\n")),
        Cue(NEW_FILE_READ, 1),
    ]
    session.run("sync", "--watch", status=130, stderr="Watching", cues=cues)
    session.expect(NEW_FILE_READ in session.runs[-1].text, "a file that appeared was not taken in")
    hits = session.json("search", "-k", "1", "How many cats has the lighthouse keeper?", keys=SEARCH_KEYS)["hits"]
    session.expect("two cats" in hits[0]["text"], "the file that appeared is not found")
    return "a new file was taken in; Ctrl-C: exit code 130"


def pace(session: Session) -> float:
    """How much longer than natively a program is given between saying that it watches and watching."""
    return max(1.0, session.place.slowness / 4)


def listing(executable: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file of a bundle, by name; empty if the executable is not one."""
    if not (executable.parent / "_internal").is_dir():
        return {}
    return {
        path.relative_to(executable.parent).as_posix(): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in executable.parent.rglob("*")
        if not path.is_dir()
    }


def quick_find(session: Session) -> str:
    """The short form: the examples are read, found and cited; Chinese is read from the command line and printed."""
    told = session.json("add", session.place.inside(session.documents / "examples"), keys=SYNC_KEYS)
    session.expect(
        told["failed"] == [] and told["added"] == EXAMPLES, f"added {told['added']}, failed {told['failed']}"
    )
    workers = emulated_workers(session)
    hits = session.json("search", QUESTION, keys=SEARCH_KEYS)["hits"]
    session.expect(any(PRICE in hit["text"] for hit in hits[:3]), f"{PRICE!r} is not found")
    answer = session.json("ask", "--extractive", QUESTION, keys=ASK_KEYS)
    citations = expect_cited(session, answer)
    shown = session.run("search", "-k", "1", CHINESE).text
    session.expect("观测手册.md" in shown, f"a Chinese question or answer did not get through: {shown[:80]!r}")
    return f"{told['chunks']} chunks, {len(hits)} hits, {citations} exact citations{workers}"
