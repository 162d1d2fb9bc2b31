"""Questions with the passages among which a cross-encoder chooses: from a judged collection, or from mere pairs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgerag.errors import SettingsError
from edgerag_export.measure.trial import Trial, read_beir

CANDIDATES = 20
"""Passages a question from the first stage."""


@dataclass(frozen=True, slots=True)
class RerankTrial:
    name: str
    queries: tuple[str, ...]
    candidates: tuple[tuple[str, ...], ...]
    """By query: passages, at least one."""
    judgements: tuple[dict[int, int], ...] = ()
    """By query: relevance by position in its candidates. Empty: nothing was judged, and MAP is not measured."""


def read_rerank_trial(
    folder: Path,
    *,
    num_candidates: int = CANDIDATES,
    max_documents: int = 0,
    max_queries: int = 0,
    embedder: Path | None = None,
) -> RerankTrial:
    """Make a trial from a BEIR folder: of each query the judged documents and the best of a first stage.

    Args:
        folder: As `trial.read_beir` reads it.
        num_candidates: From the first stage; the judged documents come on top.
        max_documents: As in `trial.read_beir`.
        max_queries: The first ones; 0: all.
        embedder: Model folder of the first stage; default: lexical search (bm25), which takes a second.

    Raises:
        SettingsError: No BEIR folder.
        ModelError: The embedder does not run.
    """
    trial = read_beir(folder, max_documents=max_documents)
    count = max_queries or len(trial.queries)
    queries, judged = trial.queries[:count], trial.judgements[:count]
    places = (
        _lexical(queries, trial, num_candidates)
        if embedder is None
        else _nearest(embedder, queries, trial, num_candidates)
    )
    asked, candidates, judgements = [], [], []
    for query, found, relevance in zip(queries, places, judged, strict=True):
        # Judged ones first would let ties decide for them: positions follow the collection's own order.
        chosen = sorted({*found, *relevance})
        if not chosen:
            continue
        asked.append(query)
        candidates.append(tuple(trial.documents[place] for place in chosen))
        judgements.append({chosen.index(place): value for place, value in relevance.items()})
    return RerankTrial(trial.name, tuple(asked), tuple(candidates), tuple(judgements))


def pair_trial(name: str, pairs: Sequence[tuple[str, str]], *, num_candidates: int = 10) -> RerankTrial:
    """Make a trial without judgements: each question with its own passage and those of the pairs that follow.

    Raises:
        SettingsError: There are no pairs.
    """
    if not pairs:
        raise SettingsError(f"{name} holds no pairs of question and passage.", hint="Question, tab, passage.")
    questions = dict.fromkeys(question for question, _ in pairs)
    first = {question: place for place, (question, _) in reversed(list(enumerate(pairs)))}
    candidates = []
    for question in questions:
        own = [passage for asked, passage in pairs if asked == question]
        others = [pairs[(first[question] + step) % len(pairs)][1] for step in range(1, len(pairs))]
        candidates.append(tuple(dict.fromkeys(own + others))[: max(len(own), num_candidates)])
    return RerankTrial(name, tuple(questions), tuple(candidates))


def _lexical(queries: Sequence[str], trial: Trial, top_k: int) -> list[list[int]]:
    """Positions of the best documents by bm25 over the words that the program's own lexical search uses."""
    # deferred: SQLite, which trials without judgements do not need
    from edgerag.scripts import lexical_tokens_text
    from edgerag.storage.lexical import query_terms
    from edgerag.storage.sqlite import driver

    with closing(driver.connect(":memory:")) as connection:
        connection.execute(
            "CREATE VIRTUAL TABLE t USING fts5 (text, tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        connection.executemany(
            "INSERT INTO t (rowid, text) VALUES (?, ?)",
            ((place, lexical_tokens_text(text)) for place, text in enumerate(trial.documents)),
        )
        return [_matches(connection, query_terms(query), top_k) for query in queries]


def _matches(connection: Any, terms: Sequence[str], top_k: int) -> list[int]:
    if not terms:
        return []
    # A quoted string is never an operator or a syntax error in FTS5's query language.
    match = " OR ".join('"' + term.replace('"', '""') + '"' for term in terms)
    rows = connection.execute("SELECT rowid FROM t WHERE t MATCH ? ORDER BY bm25(t), rowid LIMIT ?", (match, top_k))
    return [int(row[0]) for row in rows]


def _nearest(folder: Path, queries: Sequence[str], trial: Trial, top_k: int) -> list[list[int]]:
    from edgerag.inference.embedder import OnnxEmbedder
    from edgerag_export.measure.ranking import best

    with closing(OnnxEmbedder.open(folder)) as embedder:
        documents = np.stack([row.embedding for row in embedder.encode_documents(trial.documents)])
        return [best(documents @ embedder.encode_query(query).embedding, top_k) for query in queries]
