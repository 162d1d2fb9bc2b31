"""Judged retrieval sets in two forms: BEIR folders, and SQuAD files whose paragraphs are the documents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class JudgedSet:
    documents: dict[str, tuple[str, str]]
    """(title, text) by document id."""
    queries: dict[str, str]
    """By query id; only those that have a judgement."""
    relevant: dict[str, dict[str, int]]
    """Grade by document id, by query id."""


def load_judged_set(path: Path) -> JudgedSet:
    """Read a BEIR folder (`corpus.jsonl`, `queries.test.jsonl`, `qrels/test.tsv`) or a SQuAD file (`.json`)."""
    return _load_squad(path) if path.suffix == ".json" else _load_beir(path)


def _load_beir(folder: Path) -> JudgedSet:
    documents = {}
    for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        documents[str(row["_id"])] = (row.get("title", ""), row["text"])
    relevant: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query_id, document_id, grade = line.split("\t")[:3]
        if int(grade) > 0:
            relevant.setdefault(query_id, {})[document_id] = int(grade)
    queries = {}
    for line in (folder / "queries.test.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if str(row["_id"]) in relevant:
            queries[str(row["_id"])] = row["text"]
    return JudgedSet(documents, queries, relevant)


def _load_squad(path: Path) -> JudgedSet:
    documents, queries, relevant = {}, {}, {}
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            document_id = f"p{len(documents):05}"
            documents[document_id] = ("", paragraph["context"])
            for question in paragraph["qas"]:
                queries[question["id"]] = question["question"]
                relevant[question["id"]] = {document_id: 1}
    return JudgedSet(documents, queries, relevant)


def write_documents(judged: JudgedSet, folder: Path) -> None:
    """One Markdown file a document, its title as a heading: what a person would have in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for document_id, (title, text) in judged.documents.items():
        content = f"# {title}\n\n{text}\n" if title else f"{text}\n"
        path = folder / f"{document_id}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8", newline="\n")
