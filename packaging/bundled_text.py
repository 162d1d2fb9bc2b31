"""The README.txt of a bundle."""

from __future__ import annotations

from collections.abc import Sequence

from components import Component

_TEXT = """\
edgerag {version}: cited answers from your own documents, on your own machine, with no network.

Start it from this folder, wherever the folder is; nothing has to be installed:

    ./edgerag add FOLDER               read documents (on Windows: edgerag.exe)
    ./edgerag ask "a question"         a cited answer
    ./edgerag search WORDS             passages
    ./edgerag tui                      the terminal application
    ./edgerag doctor                   is everything all right here?
    ./edgerag --help                   everything else; `man ./edgerag.1` is the manual

The folder may be moved, copied and made read-only; keep `_internal` beside the program. What edgerag remembers is in
your home folder, or where EDGERAG_LIBRARY, EDGERAG_MODELS and EDGERAG_CONFIG say.
{needs}
No network is used except by `edgerag models pull`, which fetches a model you name.

edgerag is under the Apache License 2.0. It comes with the work of others; the words of their licences are in LICENSES/,
and sbom.cdx.json (CycloneDX) lists the files of each:

{components}
"""


def readme_text(main: Component, components: Sequence[Component], *, needs_glibc: str) -> str:
    """The text, with a line for each thing bundled."""
    needs = (
        f"\nIt needs a Linux with glibc {needs_glibc} or newer (`ldd --version` tells) and zlib.\n"
        if needs_glibc
        else ""
    )
    width = max(len(f"{one.name} {one.version}") for one in components)
    lines = [f"    {one.name + ' ' + one.version:{width}}  {one.licence}" for one in components]
    return _TEXT.format(version=main.version, needs=needs, components="\n".join(lines))
