"""Which file names edgerag reads, and as what."""

from __future__ import annotations

CODE_ENDINGS = frozenset(
    """
    .ada .adb .ads .asm .awk .bash .bat .bzl .c .cc .cfg .clj .cljs .cmake .cmd .coffee .conf .cpp .cs .css
    .cu .cuh .cxx .d .dart .diff .el .elm .erl .ex .exs .f .f90 .f95 .fish .for .fs .fsx .gd .glsl .go
    .gradle .graphql .groovy .h .hcl .hh .hpp .hrl .hs .hxx .idl .ini .java .jl .js .jsx .kt .kts .less .lisp
    .lua .m .mak .mjs .cjs .mk .ml .mli .mm .nim .nix .nsi .pas .patch .php .pl .pm .po .pp .pro .prolog
    .properties .proto .ps1 .psm1 .py .pyi .pyx .qml .r .rb .rkt .rs .s .sass .scala .scm .scss .sh .sol .sql
    .sv .svelte .swift .tcl .tf .toml .ts .tsx .v .vala .vb .vba .vhd .vhdl .vim .vue .wat .yaml .yml .zig
    .zsh
    """.split()
)

FORMATS: dict[str, str] = {
    **dict.fromkeys(CODE_ENDINGS, "code"),
    **dict.fromkeys((".txt", ".text", ".log", ".srt", ".vtt", ".adoc", ".asciidoc", ".bib", ".1st"), "text"),
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd"), "markdown"),
    **dict.fromkeys((".rst", ".rest"), "rst"),
    **dict.fromkeys((".tex", ".latex", ".ltx"), "tex"),
    ".org": "org",
    **dict.fromkeys((".html", ".htm", ".xhtml", ".xht"), "html"),
    **dict.fromkeys((".mht", ".mhtml"), "eml"),
    ".pdf": "pdf",
    **dict.fromkeys((".docx", ".docm", ".dotx"), "docx"),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx"), "pptx"),
    **dict.fromkeys((".xlsx", ".xlsm", ".xltx"), "xlsx"),
    ".epub": "epub",
    ".csv": "csv",
    **dict.fromkeys((".tsv", ".tab"), "csv"),
    ".eml": "eml",
    **dict.fromkeys((".json", ".jsonl", ".ndjson", ".geojson", ".jsonld"), "json"),
    ".ipynb": "ipynb",
    ".xml": "xml",
    ".rtf": "rtf",
}
"""Parser by file ending, lower case. A file with another ending is only read when it is named itself."""

NAMES: dict[str, str] = {
    **dict.fromkeys(
        """
        authors changelog changes code_of_conduct contributing contributors copying copyright credits faq
        history install licence license maintainers manifest news notice readme release security thanks todo
        version
        """.split(),
        "text",
    ),
    **dict.fromkeys(
        """
        brewfile buildfile caddyfile cmakelists.txt containerfile dockerfile gemfile gnumakefile jenkinsfile
        justfile kconfig makefile pipfile podfile procfile rakefile snakefile vagrantfile
        """.split(),
        "code",
    ),
}
"""Parser by whole file name, lower case, for names without an ending."""


def file_ending(name: str) -> str:
    """The last ending, lower case with its dot; empty for `README` and `.profile`."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def format_by_name(name: str) -> str | None:
    """Parser for a file name (without folders); None when the name says nothing."""
    found = FORMATS.get(file_ending(name))
    return found if found is not None else NAMES.get(name.lower())


def supported_endings() -> tuple[str, ...]:
    """Every ending that a scan picks up, sorted."""
    return tuple(sorted(FORMATS))
