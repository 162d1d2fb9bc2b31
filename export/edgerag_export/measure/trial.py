"""The texts on which variants are compared: a judged collection in BEIR's form, or texts that nobody has judged."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgerag.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Trial:
    """The texts on which a variant is compared with float32."""

    name: str
    queries: tuple[str, ...]
    documents: tuple[str, ...]
    judgements: tuple[dict[int, int], ...] = ()
    """By query: relevance by position of the document. Empty: nothing was judged, and NDCG is not measured."""


def read_beir(folder: Path, *, max_documents: int = 0) -> Trial:
    """Read `corpus.jsonl`, `queries.test.jsonl` (or `queries.jsonl`) and `qrels/test.tsv`.

    Args:
        folder: In BEIR's form.
        max_documents: Keep the judged documents and fill up with others in the file's order; 0: all.

    Raises:
        SettingsError: A file is missing or not in this form, or no query was judged.
    """
    try:
        corpus = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
        named = folder / "queries.test.jsonl"
        path = named if named.is_file() else folder / "queries.jsonl"
        texts = {str(row["_id"]): str(row["text"]) for row in map(json.loads, path.read_text("utf-8").splitlines())}
        judged: dict[str, dict[str, int]] = {}
        with (folder / "qrels" / "test.tsv").open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                judged.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
        relevant = {document for scores in judged.values() for document in scores}
        if max_documents:
            spare = max(0, max_documents - len(relevant))
            others = [row for row in corpus if str(row["_id"]) not in relevant][:spare]
            kept = {str(row["_id"]) for row in others} | relevant
            corpus = [row for row in corpus if str(row["_id"]) in kept]
        place = {str(row["_id"]): index for index, row in enumerate(corpus)}
        queries = [name for name in judged if name in texts]
        if not queries or not corpus:
            raise ValueError("no query of queries.test.jsonl is judged in qrels/test.tsv")
        return Trial(
            folder.name,
            tuple(texts[name] for name in queries),
            tuple(f"{row.get('title', '')} {row['text']}".strip() for row in corpus),
            tuple({place[doc]: score for doc, score in judged[name].items() if doc in place} for name in queries),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{folder} is no BEIR folder: {error}.", hint="corpus.jsonl, queries.test.jsonl, qrels/test.tsv."
        ) from error


def text_trial(name: str, texts: Sequence[str]) -> Trial:
    """A trial without judgements: every text is query and document."""
    return Trial(name, tuple(texts), tuple(texts))
