"""The frozen values that the stages of both pipelines hand to one another."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    # numpy costs 70 ms to import; `edgerag --version` and the parse workers do without it.
    import numpy as np
    from numpy.typing import NDArray


HEADING_SEPARATOR = " > "
"""Between the parts of a heading path."""


def embedded_text(text: str, heading: str | None) -> str:
    """What the embedder and the lexical index see of a chunk: its innermost heading gives it a topic."""
    if heading is None:
        return text
    innermost = heading.rsplit(HEADING_SEPARATOR, 1)[-1]
    return text if innermost in text[: len(innermost) + 8] else f"{innermost}\n{text}"


# --- ingest ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PageSpan:
    """A page of a paged format, as a range of the parsed text."""

    number: int
    """As a person counts, from 1."""
    start_chars: int
    end_chars: int


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of the parsed text; it rules until the next one of its level or above."""

    level: int
    """1 for the outermost."""
    text: str
    start_chars: int
    """Where the heading's own line begins in the parsed text."""


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What a parser makes of a file: plain text, and where its pages and headings are in it."""

    text: str
    """Newlines are `\\n` only; no NUL, no lone surrogates. All offsets count its code points."""
    title: str
    """From the document itself, or the file's name without its ending."""
    format: str
    """Short name of the parser: `pdf`, `markdown`, `html`, ..."""
    pages: tuple[PageSpan, ...] = ()
    """In order, not overlapping; empty where the format has no pages."""
    headings: tuple[Heading, ...] = ()
    """In order of `start_chars`."""
    warnings: tuple[str, ...] = ()
    """What was skipped or guessed, in words for the user (e.g. `page 3 holds no text`)."""


@dataclass(frozen=True, slots=True)
class ChunkDraft:
    """A piece of a parsed document before it is stored: `parsed.text[start_chars:end_chars] == text`."""

    ordinal: int
    """Position within the document, from 0."""
    text: str
    start_chars: int
    end_chars: int
    page: int | None
    """Page on which the chunk begins; None where the format has no pages."""
    heading: str | None
    """Heading path, outermost first, joined by ` > `; None above the first heading."""

    @property
    def embedded_text(self) -> str:
        return embedded_text(self.text, self.heading)


@dataclass(frozen=True, slots=True)
class Encoding:
    """What the embedder makes of one text, in one run of the graph."""

    embedding: NDArray[np.float32]
    """Shape (dim,), length 1."""
    token_codes: bytes
    """The token embeddings, packed for late interaction (see `edgerag.inference.token_codes`)."""


@dataclass(frozen=True, slots=True)
class Document:
    """A source file as the library knows it."""

    id: int
    path: str
    title: str
    format: str
    content_hash: str
    """SHA-256 of the file's bytes, hex."""
    size_bytes: int
    mtime_ns: int
    ctime_ns: int | None = None
    """As in `ScannedFile`."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored piece of a document: the unit that is embedded, found and cited."""

    id: int
    """Rowid in the library and label in the vector index; never used again after deletion."""
    document_id: int
    ordinal: int
    text: str
    start_chars: int
    end_chars: int
    page: int | None
    heading: str | None

    @property
    def embedded_text(self) -> str:
        return embedded_text(self.text, self.heading)


# --- search ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hit:
    """One entry of one ranked list."""

    chunk_id: int
    score: float
    """Larger is better; comparable within this list only."""
    rank: int
    """From 1."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Each part of a passage's score; None where that search did not return it."""

    lexical: float | None
    """Negated FTS5 bm25: larger is better."""
    vector: float | None
    """Cosine of question and chunk, -1 to 1."""
    fused: float
    """Convex combination of the min-max normalised lists, 0 to 1."""
    rerank: float | None
    """The reranker's own score; its scale is the reranker's."""
    final: float
    """What the passages are ordered by."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk found for a question, with all that is needed to show, quote and cite it."""

    rank: int
    """From 1; also its number in a prompt."""
    document: Document
    chunk: Chunk
    scores: Scores


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """Which documents a search may find; the others are as if they were not in the library."""

    paths: tuple[str, ...] = ()
    """Files, folders or patterns (`*`, `?`; `**` crosses folders), any of which may fit. Relative ones are looked for
    in the working folder, and if the library has nothing there, anywhere; a pattern without a slash means names."""
    formats: tuple[str, ...] = ()
    """As `Document.format` has them, any of which may fit."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    query: str
    passages: tuple[Passage, ...]
    degraded: tuple[str, ...]
    """Stages that were skipped, timed out or fell back, as `stage: reason`."""
    timings_ms: dict[str, float]
    notes: dict[str, object] = field(default_factory=dict)
    """For `--explain`: lexical terms and those dropped, weights, index used."""


@dataclass(frozen=True, slots=True)
class SearchStage:
    """How far a search has come; the next stage may order the passages anew."""

    name: Literal["lexical", "vector", "rerank"]
    """The last one that had its say."""
    result: SearchResult


# --- generating -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PromptPart:
    """A piece of a prompt; only the program's own parts may hold control tokens."""

    text: str
    is_control: bool
    """True: tokenised with special tokens on. False (questions, documents): they stay plain text."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a generator picks tokens."""

    max_tokens: int = 192
    temperature: float = 0.0
    """0 is greedy and repeatable."""
    top_p: float = 0.95
    top_k: int = 40
    repeat_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0


# --- the progress of an ingest --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A file that a scan found, before anything is read."""

    path: Path
    size_bytes: int
    mtime_ns: int
    ctime_ns: int | None = None
    """When anything about the file last changed; None where that would prove nothing (`file_times.settled_ns`)."""


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """Where an ingest is; sent a few times a second."""

    stage: str
    """`scan`, `ingest` or `index`."""
    done_files: int
    total_files: int
    done_chunks: int
    current_path: str
    chunks_per_s: float
    eta_s: float | None
    """None until there is enough to estimate from."""
    done_share: float = 0.0
    """Of all bytes to read, 0 to 1; texts that are being embedded count in part."""


@dataclass(frozen=True, slots=True)
class FileFailed:
    """One file was recorded as failed; the run goes on."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """Last event of an ingest; also the shape of `add --json`."""

    added: int
    updated: int
    unchanged: int
    moved: int
    removed: int
    failed: tuple[FileFailed, ...]
    chunks: int
    """Chunks in the library afterwards."""
    embedded_chunks: int
    """Texts that went through the embedder in this run."""
    seconds: float
    interrupted: bool = False
    timings_s: dict[str, float] = field(default_factory=dict)
    """Seconds spent per stage, summed over workers."""


IngestEvent = IngestProgress | FileFailed | IngestSummary
