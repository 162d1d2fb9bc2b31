"""Lexical search on FTS5: bm25 over stemmed words, and over bigrams where a script has no spaces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgerag.datatypes import Hit, embedded_text
from edgerag.scripts import has_cjk, lexical_tokens_text
from edgerag.storage.document_scope import CHUNKS_OF, ids_json
from edgerag.storage.sqlite import Connection

if TYPE_CHECKING:
    from edgerag.storage.library import Library

LEXICAL_VERSION = 1
"""Of `lexical_tokens_text`, which is used at index and at query time; another one rebuilds the table."""
COMMON_SHARE = 0.2
"""Terms in more chunks than this share are dropped unless all are: an OR of the six commonest terms over 100,000
chunks takes 230 to 1,060 ms, of six rare ones 3 ms, because FTS5 does not prune."""
SMALL_LIBRARY = 200
"""Up to this many chunks nothing is dropped: there is nothing to gain, and shares mean little."""
FTS_TERM_LIMIT = 32
"""Of a long question the rarest terms are searched."""
ID_BATCH = 500
BEGINNING_MARK = "*"
"""Behind a term: it stands for all words that begin with it. No word of a query holds one."""
SHORTEST_BEGINNING = 3
"""Letters. What begins with two takes 5 ms to count in 15,000 chunks and is too common anyway."""
SHORTEST_LONE_BEGINNING = 2
"""The same, of a query's only word: something should be found soon."""
MOST_CUT = 6
"""Letters that may be cut off an unfinished word: `organizatio` is searched as `organ`, the stem of all its kin."""

# What unicode61 takes for a word: letters and digits; the underscore separates.
_WORD = re.compile(r"[^\W_]+")
_COMPOUND = re.compile(r"[^\W_]+(?:-[^\W_]+)+")


@dataclass(frozen=True, slots=True)
class LexicalOutcome:
    hits: list[Hit]
    terms: tuple[str, ...]
    """Searched, rarest first."""
    dropped: tuple[str, ...]
    """Left out because they are too common here."""
    is_plain: bool = True
    """False: words that begin with the last one were searched though the library has that one too."""


def add_rows(connection: Connection, rows: Iterable[tuple[int, str]]) -> None:
    """Index (chunk id, embedded text) rows; inside the caller's transaction."""
    connection.executemany(
        "INSERT INTO chunk_fts (rowid, text) VALUES (?, ?)",
        ((chunk_id, lexical_tokens_text(text)) for chunk_id, text in rows),
    )


def remove_rows(connection: Connection, chunk_ids: Sequence[int]) -> None:
    """Take chunks out of the index. They must still stand in `chunks`: a contentless table is told what to forget."""
    for start in range(0, len(chunk_ids), ID_BATCH):
        some = tuple(chunk_ids[start : start + ID_BATCH])
        marks = ",".join("?" * len(some))
        rows = connection.execute(f"SELECT id, text, heading FROM chunks WHERE id IN ({marks})", some).fetchall()
        connection.executemany(
            "INSERT INTO chunk_fts (chunk_fts, rowid, text) VALUES ('delete', ?, ?)",
            ((chunk_id, lexical_tokens_text(embedded_text(text, heading))) for chunk_id, text, heading in rows),
        )


def rebuild_if_outdated(connection: Connection) -> bool:
    """Rebuild the whole table if another `LEXICAL_VERSION` wrote it; inside the caller's transaction."""
    version = connection.execute("SELECT value FROM meta WHERE name = 'lexical_version'").fetchone()[0]
    if version == LEXICAL_VERSION:
        return False
    rebuild(connection)
    return True


def rebuild(connection: Connection) -> None:
    """Write every lexical row anew from the chunks; inside the caller's transaction."""
    connection.execute("INSERT INTO chunk_fts (chunk_fts) VALUES ('delete-all')")
    rows = connection.execute("SELECT id, text, heading FROM chunks ORDER BY id")
    while batch := rows.fetchmany(ID_BATCH):
        add_rows(connection, ((chunk_id, embedded_text(text, heading)) for chunk_id, text, heading in batch))
    connection.execute("INSERT INTO turn_fts (turn_fts) VALUES ('delete-all')")
    for turn_id, question, answer in connection.execute(
        "SELECT id, question, answer FROM turns ORDER BY id"
    ).fetchall():
        add_turn(connection, turn_id, question, answer)
    connection.execute("UPDATE meta SET value = ? WHERE name = 'lexical_version'", (LEXICAL_VERSION,))


def add_turn(connection: Connection, turn_id: int, question: str, answer: str) -> None:
    """Make a turn of a conversation searchable; inside the caller's transaction."""
    connection.execute(
        "INSERT INTO turn_fts (rowid, text) VALUES (?, ?)", (turn_id, lexical_tokens_text(f"{question}\n{answer}"))
    )


def remove_turn(connection: Connection, turn_id: int, question: str, answer: str) -> None:
    """Forget a turn; the texts must be those that were added."""
    connection.execute(
        "INSERT INTO turn_fts (turn_fts, rowid, text) VALUES ('delete', ?, ?)",
        (turn_id, lexical_tokens_text(f"{question}\n{answer}")),
    )


def search_turns(library: Library, query: str, top_k: int) -> list[int]:
    """Ids of turns, best first: those that hold every term, or where there are none those that hold a longer one.

    The last term may be the beginning of a word, so that the list follows the person's typing.
    """
    terms = query_terms(query)[:FTS_TERM_LIMIT]
    quoted = [_quoted(term) for term in terms]
    sql = "SELECT rowid FROM turn_fts WHERE turn_fts MATCH ? ORDER BY bm25(turn_fts), rowid DESC LIMIT ?"
    if not quoted:
        return []
    quoted[-1] += " *"
    every = " AND ".join(quoted)
    # The short ones are mostly articles and prepositions, which every turn holds.
    some = " OR ".join(match for term, match in zip(terms, quoted, strict=True) if len(term) > 3 or not term.isascii())
    for match in (every, some):
        if match and (rows := library.rows(sql, (match, top_k))):
            return [int(row[0]) for row in rows]
    return []


def query_terms(query: str) -> list[str]:
    """The words and bigrams of a query, then its hyphenated compounds, each once.

    A compound (`covid-19`) is searched as a phrase besides its parts: 0.676 instead of 0.675 NDCG@10 on SciFact.
    """
    text = lexical_tokens_text(query)
    return list(dict.fromkeys(word.lower() for word in (*_WORD.findall(text), *_COMPOUND.findall(text))))


def search(
    library: Library,
    query: str,
    top_k: int,
    *,
    num_chunks: int,
    document_ids: Sequence[int] | None = None,
    is_typing: bool = False,
) -> LexicalOutcome:
    """The best chunks by bm25 (k1 = 1.2, b = 0.75, as FTS5 has them built in).

    Args:
        num_chunks: In the library; what a term's share is measured against.
        document_ids: Only chunks of these; None: of all. What a term weighs is the same for either.
        is_typing: The last word may be unfinished: it also stands for the words that begin with it.

    Returns:
        Hits with negated bm25 as score, best first; equal scores in order of id.
    """
    terms = query_terms(query)
    if not terms or num_chunks == 0:
        return LexicalOutcome([], (), ())
    limit = num_chunks if num_chunks <= SMALL_LIBRARY else int(num_chunks * COMMON_SHARE)
    frequencies = {term: _frequency(library, term, limit + 1) for term in terms}
    word = unfinished_word(query) if is_typing else ""
    if word:
        longer = _known_beginning(library, word, limit + 1)
        frequencies |= {term: number for term, number in longer.items() if number > frequencies[word]}
    present = [term for term in frequencies if frequencies[term]]
    kept = [term for term in present if frequencies[term] <= limit] or present
    kept = sorted(kept, key=lambda term: frequencies[term])[:FTS_TERM_LIMIT]
    dropped = [term for term in present if term not in kept and not term.endswith(BEGINNING_MARK)]
    hits = _search_terms(library, kept, top_k, document_ids)
    if not hits and dropped and document_ids is not None:
        # All that is telling in the library stands elsewhere: among these documents only the common words are left.
        kept, dropped = dropped[:FTS_TERM_LIMIT], kept
        hits = _search_terms(library, kept, top_k, document_ids)
    is_plain = not word or not frequencies[word] or not any(term.endswith(BEGINNING_MARK) for term in kept)
    return LexicalOutcome(hits, tuple(kept), tuple(dropped), is_plain)


def _search_terms(library: Library, terms: Sequence[str], top_k: int, document_ids: Sequence[int] | None) -> list[Hit]:
    if not terms:
        return []
    sql = "SELECT rowid, -bm25(chunk_fts) FROM chunk_fts WHERE chunk_fts MATCH ?"
    values: list[object] = [" OR ".join(map(_quoted, terms))]
    if document_ids is not None:
        # The plus keeps SQLite from asking FTS5 for one chunk after the other.
        sql += f" AND +rowid IN ({CHUNKS_OF})"
        values.append(ids_json(document_ids))
    rows = library.rows(f"{sql} ORDER BY bm25(chunk_fts), rowid LIMIT ?", (*values, top_k))
    return [Hit(int(row[0]), float(row[1]), rank) for rank, row in enumerate(rows, start=1)]


def unfinished_word(query: str) -> str:
    """The word at the very end of a query, which more letters may follow, as `query_terms` has it; mostly empty.

    Of Chinese, Japanese and Korean only a lone character is one: the bigrams of a longer run are whole terms.
    """
    words = _WORD.findall(lexical_tokens_text(query)) if query[-1:].isalnum() else []
    word = words[-1].lower() if words else ""
    if has_cjk(word):
        return word if len(word) == 1 else ""
    return word if len(word) >= (SHORTEST_BEGINNING if len(words) > 1 else SHORTEST_LONE_BEGINNING) else ""


def _known_beginning(library: Library, word: str, cap: int) -> dict[str, int]:
    """The longest beginning of a word that any word of the library has, marked, and its number of chunks.

    Letters are cut because the index holds stems: `dredgin` begins none of them, `dredg` does.
    """
    shortest = min(len(word), max(SHORTEST_BEGINNING, len(word) - MOST_CUT))
    for length in range(len(word), shortest - 1, -1):
        beginning = word[:length] + BEGINNING_MARK
        if frequency := _frequency(library, beginning, cap):
            return {beginning: frequency}
    return {}


def term_scores(library: Library, terms: Sequence[str], chunk_ids: Sequence[int]) -> dict[int, dict[str, float]]:
    """What each term adds to the score of some chunks; together they are the score of a search for all of them.

    Returns:
        Negated bm25 by term, by chunk id; a term that a chunk lacks is missing.
    """
    found: dict[int, dict[str, float]] = {chunk_id: {} for chunk_id in chunk_ids}
    for start in range(0, len(chunk_ids), ID_BATCH):
        some = chunk_ids[start : start + ID_BATCH]
        marks = ",".join("?" * len(some))
        sql = f"SELECT rowid, -bm25(chunk_fts) FROM chunk_fts WHERE chunk_fts MATCH ? AND rowid IN ({marks})"
        for term in terms:
            for chunk_id, score in library.rows(sql, (_quoted(term), *some)):
                found[chunk_id][term] = float(score)
    return found


def ranks(library: Library, terms: Sequence[str], chunk_ids: Sequence[int]) -> dict[int, tuple[int, float]]:
    """Rank and score of some chunks among all that hold one of the terms: for explanations, it reads them all."""
    if not terms:
        return {}
    sql = "SELECT rowid, -bm25(chunk_fts) FROM chunk_fts WHERE chunk_fts MATCH ? ORDER BY bm25(chunk_fts), rowid"
    wanted = set(chunk_ids)
    rows = library.rows(sql, (" OR ".join(map(_quoted, terms)),))
    return {
        int(chunk_id): (rank, float(score))
        for rank, (chunk_id, score) in enumerate(rows, start=1)
        if chunk_id in wanted
    }


def _frequency(library: Library, term: str, cap: int) -> int:
    """Number of chunks with a term, counted up to `cap`."""
    sql = "SELECT count(*) FROM (SELECT 1 FROM chunk_fts WHERE chunk_fts MATCH ? LIMIT ?)"
    return int(library.rows(sql, (_quoted(term), cap))[0][0])


def _quoted(term: str) -> str:
    # A quoted string is never an operator, a column filter or a syntax error in FTS5's query language.
    word = term.removesuffix(BEGINNING_MARK)
    return '"' + word.replace('"', '""') + '"' + (" *" if word != term else "")
