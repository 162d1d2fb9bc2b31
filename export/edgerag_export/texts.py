"""The texts on which a model is calibrated or measured: a file, or the chunks of a person's own library."""

from __future__ import annotations

from pathlib import Path

from edgerag.errors import EdgeragError, SettingsError

LIBRARY_CHUNKS = 192
"""Taken from a library, evenly spread over its documents: minutes of one core, not hours."""
_QUESTION_WORDS = 12


def read_texts(path: Path) -> list[str]:
    """Read a file of texts, one to a line; empty lines and lines that begin with `#` are left out.

    Raises:
        SettingsError: Not readable, or without a text.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"Texts {path} cannot be read: {error}.") from error
    texts = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not texts:
        raise SettingsError(f"Texts {path} hold no text.", hint="One text to a line.")
    return texts


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Read questions and passages, one pair to a line with a tab between them.

    Raises:
        SettingsError: Not readable, without a pair, or a line without a tab.
    """
    pairs = []
    for line in read_texts(path):
        question, tab, passage = line.partition("\t")
        if not tab or not question.strip() or not passage.strip():
            raise SettingsError(f"Texts {path}: {line[:60]!r} is no pair.", hint="Question, tab, passage.")
        pairs.append((question.strip(), passage.strip()))
    return pairs


def is_library(path: Path) -> bool:
    """Whether this is the folder of an edgerag library."""
    return (path / "library.db").is_file()


def library_texts(folder: Path, *, count: int = LIBRARY_CHUNKS) -> list[str]:
    """Return chunks of a library, evenly spread over its documents; the same library gives the same ones.

    Raises:
        SettingsError: No library, an empty one, or one that cannot be read.
    """
    from edgerag.storage.library import Library  # deferred: SQLite, which a recipe's own texts do not need

    try:
        with Library.open(folder.absolute(), create=False) as library:
            ids = [int(row[0]) for row in library.rows("SELECT id FROM chunks ORDER BY document_id, ordinal")]
            step = max(1.0, len(ids) / count)
            chosen = [ids[int(place * step)] for place in range(min(count, len(ids)))]
            chunks, _ = library.load_chunks(chosen)
    except EdgeragError as error:
        raise SettingsError(f"Library {folder} cannot be read: {error}", hint=error.hint) from error
    texts = [" ".join(chunks[chunk_id][1].text.split()) for chunk_id in chosen if chunk_id in chunks]
    if not texts:
        raise SettingsError(f"Library {folder} holds no text.", hint="Add documents first: `edgerag add FOLDER`.")
    return texts


def library_pairs(folder: Path, *, count: int = LIBRARY_CHUNKS) -> list[tuple[str, str]]:
    """Return pairs for a cross-encoder: the beginning of a chunk as question, itself or the chunk before as passage.

    Half of the pairs belong together and half do not, because a judge sees both kinds.

    Raises:
        SettingsError: As `library_texts`.
    """
    texts = library_texts(folder, count=count)
    return [
        (" ".join(text.split()[:_QUESTION_WORDS]), texts[place - 1] if place % 2 else text)
        for place, text in enumerate(texts)
    ]
