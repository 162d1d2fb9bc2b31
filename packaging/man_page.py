"""Write the manual page edgerag(1) out of the command line itself, so that the two cannot differ.

    python packaging/man_page.py packaging/edgerag.1            write it
    python packaging/man_page.py packaging/edgerag.1 --check    fail if it is not what the commands say today

The macros are those of man(7); the sections those that Debian's policy (12.1) and man-pages(7) ask for.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator, Set
from pathlib import Path

import click

from edgerag import __version__
from edgerag.cli.root import root
from edgerag.config import setting_fields

EXIT_STATUS = {
    "0": "Something was found, or done; or the reader of a pipe had enough.",
    "1": "Nothing was found, or the documents hold no answer.",
    "2": "Misuse, or an error; stderr says which, and what to do, and under \\fB\\-\\-json\\fR an object on stdout.",
    "4": "A stage named by \\fB\\-\\-require\\fR was skipped or fell back.",
    "130": "Interrupted.",
}
ENVIRONMENT = {
    "EDGERAG_LIBRARY": "Folder of the library, where \\fB\\-\\-library\\fR does not name one.",
    "EDGERAG_MODELS": "Folder of the installed models.",
    "EDGERAG_CONFIG": "Folder of the settings.",
    "NO_COLOR": "Plain text, as \\fB\\-\\-no\\-color\\fR.",
    "LANG": "Language of the terminal application: English, or Chinese for zh.",
}
FILES = {
    "~/.config/edgerag/config.toml": "Settings, in TOML. \\fBedgerag doctor \\-\\-settings\\fR lists all of them.",
    "~/.config/edgerag/tui.toml": "Theme, language and keys of the terminal application.",
    "~/.local/share/edgerag/": "The library and the models, where nothing else is named.",
    ".edgeragignore": "In a source folder: what is not to be read, in the form of .gitignore, which is respected too.",
}
EXAMPLES = {
    "Remember a folder and read it; later, take in what has changed:": "edgerag add ~/contracts\nedgerag sync",
    "Ask, and follow up:": 'edgerag ask "When does the lease end?"\nedgerag ask \\-c "and who signed it?"',
    "The three best passages for a script:": 'edgerag search "notice period" \\-k 3 \\-\\-json',
}


def main() -> int:
    """Write the page, or compare it with the file that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    page = man_page()
    if not arguments.check:
        arguments.file.write_text(page, encoding="utf-8")
        return 0
    if arguments.file.is_file() and arguments.file.read_text(encoding="utf-8") == page:
        return 0
    print(f"{arguments.file} is not what the commands say: run `make man`.", file=sys.stderr)
    return 1


def man_page() -> str:
    """The page in man(7) macros. Same commands, same text: neither date nor width of the terminal is in it."""
    # As `root` sets it up, without its asking for a terminal.
    top = click.Context(root, info_name="edgerag", **root.context_settings)
    lines = [
        '.\\" Written by packaging/man_page.py out of the commands: change them, not this file.',
        f'.TH EDGERAG 1 "" "edgerag {__version__}" "User Commands"',
        ".SH NAME",
        "edgerag \\- cited answers from your own documents, on your own machine, with no network",
        ".SH SYNOPSIS",
        ".B edgerag",
        "[\\fIOPTIONS\\fR] [\\fICOMMAND\\fR] [\\fIARGUMENTS\\fR]",
        ".SH DESCRIPTION",
        *_paragraphs(root.help or ""),
        ".SH OPTIONS",
        "These go with every command too, before or behind its name.",
        *_options(root, top),
        ".SH COMMANDS",
    ]
    shared = {option for parameter in root.get_params(top) for option in parameter.opts}
    for name, command, ctx in _commands(root, top):
        usage = " ".join(f"\\fI{_escape(piece)}\\fR" for piece in command.collect_usage_pieces(ctx))
        lines += [f'.SS "{_escape(name)}"', f"\\fB{_escape(name)}\\fR {usage}".rstrip(), ".PP"]
        lines += [*_paragraphs(command.help or ""), *_options(command, ctx, shared)]
    lines += [".SH EXIT STATUS", *_definitions(EXIT_STATUS), ".SH ENVIRONMENT", *_definitions(ENVIRONMENT), ".PP"]
    lines += ["Each setting has a variable, which wins over the file of settings:"]
    for setting in setting_fields():
        default = setting.default
        shown = (
            "" if isinstance(default, tuple) else str(default).lower() if isinstance(default, bool) else str(default)
        )
        about = _inline(setting.metadata["about"]) + (f" Default: {_escape(shown)}." if shown else "")
        lines += [".TP", f".B EDGERAG_{setting.name.upper()}", about]
    lines += [".SH FILES", *_definitions({_escape(name): text for name, text in FILES.items()}, font="I")]
    lines += [".PP", "On macOS and Windows these folders are where the system keeps such files.", ".SH EXAMPLES"]
    for about, commands in EXAMPLES.items():
        lines += [about, ".PP", ".in +4n", ".EX", *commands.splitlines(), ".EE", ".in", ".PP"]
    lines.pop()
    return "\n".join(part for line in lines for part in _wrapped(line)) + "\n"


def _commands(group: click.Group, ctx: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=ctx)
        if isinstance(command, click.Group):
            yield from _commands(command, inner)
        else:
            yield inner.command_path, command, inner


def _options(command: click.Command, ctx: click.Context, left_out: Set[str] = frozenset()) -> list[str]:
    lines: list[str] = []
    for parameter in command.get_params(ctx):
        if not isinstance(parameter, click.Option) or (record := parameter.get_help_record(ctx)) is None:
            continue
        if left_out & set(parameter.opts):
            continue
        # click pads and wraps for a terminal; a page is wrapped by its reader.
        about = " ".join(record[1].split())
        lines += [".TP", f"\\fB{_escape(record[0])}\\fR", _inline(about)]
    return lines


def _paragraphs(text: str) -> list[str]:
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines += [".PP"] if lines else []
        if paragraph.lstrip().startswith("\b"):  # click's mark for lines that stay as they are
            verbatim = paragraph.replace("\b", "").strip("\n").splitlines()
            lines += [".in +4n", ".EX", *("\\&" + _inline(line) for line in verbatim), ".EE", ".in"]
        else:
            lines.append(_inline(" ".join(paragraph.split())))
    return lines


def _definitions(entries: dict[str, str], font: str = "B") -> list[str]:
    return [line for name, text in entries.items() for line in (".TP", f".{font} {name}", text)]


def _wrapped(line: str) -> list[str]:
    """Lines of at most 80 bytes, as mandoc's lint asks, unless a line must stay; none begins like a macro by chance."""
    if line.startswith((".", "\\&")):
        return [line]
    first, *others = textwrap.wrap(line, 78, break_long_words=False, break_on_hyphens=False) or [line]
    return [first, *("\\&" + part if part.startswith((".", "'")) else part for part in others)]


def _inline(text: str) -> str:
    """Escaped, with what stands in `backticks` in bold."""
    parts = re.split(r"`([^`]*)`", text)
    shown = "".join(f"\\fB{_escape(part)}\\fR" if at % 2 else _escape(part) for at, part in enumerate(parts))
    return "\\&" + shown if shown.startswith((".", "'")) else shown


def _escape(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")


if __name__ == "__main__":
    sys.exit(main())
