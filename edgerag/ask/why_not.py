"""Why a document is not in an answer: the stage at which it fell out, with its rank and score at each."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgerag.answers import Citation
from edgerag.ask.absence import Absence, Ranks, Stage, StageOutcome, searched_terms
from edgerag.ask.evidence import prepare_prompt, weigh_evidence
from edgerag.ask.extract import EvidenceSentence, best_sentences
from edgerag.ask.retrieve import Trace
from edgerag.coded_text import coded
from edgerag.config import Settings
from edgerag.datatypes import Chunk, Document, Sampling
from edgerag.errors import LibraryError
from edgerag.paths import expanded
from edgerag.protocols import Embedder, Generator, Reranker
from edgerag.storage import lexical
from edgerag.storage.library import Library


@dataclass(frozen=True, slots=True)
class WhyNot:
    question: str
    rewritten: str | None
    """The stand-alone question that was searched; None where `question` was."""
    path: str
    document: Document | None
    """None where the library has none at this path."""
    chunk: Chunk | None
    """The document's chunk that came furthest; None where it has none."""
    stages: tuple[StageOutcome, ...]
    """In order, up to the one at which it fell out. Of `lexical` and `vector` one is enough to go on."""
    fell_out_at: Stage | None
    """None: it came through all."""
    hint: str
    """What a person may do about it; may be empty."""

    @property
    def reason(self) -> str:
        """Why it fell out, or how far it came, in one sentence."""
        return next((stage.text for stage in self.stages if stage.stage == self.fell_out_at), self.stages[-1].text)


def find_missing(library: Library, name: str) -> WhyNot | Document:
    """The document of this name, or why the library has none.

    Args:
        name: An id, a path, or the end of one.
    """
    try:
        return library.find_document(name)
    except LibraryError:
        path = os.path.abspath(expanded(name))
        failures = library.failures()
        ending = "/" + name.replace("\\", "/").lstrip("/")
        if any(known.replace("\\", "/").endswith(ending) for known in library.document_states()):
            raise  # several documents are called so
        failed = next((known for known in failures if known == path or known.replace("\\", "/").endswith(ending)), None)
        if failed is not None:
            text = coded("why_not.failed", "It could not be read: {reason}", reason=failures[failed].reason)
            hint = coded("hint.retry", "`edgerag sync --retry` tries it again.")
            path = failed
        elif not os.path.lexists(path):
            text = coded("why_not.unknown", "The library does not know it, and there is no such file.")
            hint = coded("hint.check_spelling", "Check the spelling.")
        elif any(Path(path).is_relative_to(source.path) for source in library.sources()):
            text = coded(
                "why_not.not_read", "It lies in a source but was not read: it is new, ignored, or of no known format."
            )
            hint = coded(
                "hint.new_files",
                "`edgerag sync` takes in new files; .gitignore, .edgeragignore and hidden names leave others out.",
            )
        else:
            text = coded("why_not.no_source", "It belongs to no source of this library.")
            hint = coded("hint.add", "`edgerag add {name}` adds it.", name=name)
        return WhyNot("", None, path, None, None, (StageOutcome("library", False, text),), "library", hint)


def explain_absence(
    question: str,
    standalone: str,
    document: Document,
    trace: Trace,
    *,
    top_k: int,
    library: Library,
    vector_ranks: Callable[[Sequence[int]], Ranks],
    embedder: Embedder,
    reranker: Reranker | None,
    generator: Generator | None,
    settings: Settings,
    sampling: Sampling,
    citations: Sequence[Citation] | None = None,
) -> WhyNot:
    """Follow a document's chunks through a search and the choice of evidence.

    Args:
        vector_ranks: Rank and cosine of chunks among all.
        citations: Of an answer that was given; None leaves that stage out.
    """
    ids = [int(row[0]) for row in library.rows("SELECT id FROM chunks WHERE document_id = ?", (document.id,))]
    run = Absence(document, ids, trace, top_k)
    hint = run.follow(
        terms=lexical.ranks(library, searched_terms(trace), ids),
        vectors=vector_ranks(ids) if ids else {},
        settings=settings,
    )
    if run.fell_out_at is None:
        weighed = weigh_evidence(standalone, trace.result.passages, embedder=embedder, reranker=reranker)
        budget_tokens = 0
        if weighed.is_too_weak(settings):
            used: list[EvidenceSentence] = []
        elif generator is None:
            used = best_sentences(weighed.ranked)
        else:
            prepared = prepare_prompt(
                standalone, weighed.ranked, generator=generator, settings=settings, sampling=sampling
            )
            used, budget_tokens = prepared.evidence, prepared.budget_tokens
        hint = run.follow_evidence(
            weighed,
            used,
            budget_tokens,
            settings,
        )
    if run.fell_out_at is None and citations is not None:
        run.follow_citations(citations)
    chunk_id = run.best
    chunks, _ = library.load_chunks([chunk_id]) if chunk_id is not None else ({}, [])
    return WhyNot(
        question,
        standalone if standalone != question else None,
        document.path,
        document,
        chunks[chunk_id][1] if chunk_id in chunks else None,
        tuple(run.stages),
        run.fell_out_at,
        hint,
    )
