"""Every chunk, hit and citation against the text it claims to be from.

    python -m tests.benchmarks.citations ../shared/data/documents examples --questions 40

Adds the folders to a fresh library, checks every stored chunk, then searches and asks (extractively) with questions
made of words of the documents, and checks every hit and citation: `text[start:end] == quote`. Prints JSON; exit 1 if
one is not exact.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

import edgerag


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--questions", type=int, default=40)
    arguments = parser.parse_args()
    counts = {"documents": 0, "chunks": 0, "hits": 0, "citations": 0, "inexact": 0}
    with (
        tempfile.TemporaryDirectory() as folder,
        edgerag.open_library(Path(folder) / "library") as library,
    ):
        summary = library.add(arguments.folders)
        texts: dict[int, str] = {}
        for (document_id,) in library.library.rows("SELECT id FROM documents"):
            texts[document_id] = library.library.document_text(document_id).text
        chunks = library.library.rows("SELECT document_id, start_chars, end_chars, text FROM chunks")
        for document_id, start, end, text in chunks:
            counts["inexact"] += texts[document_id][start:end] != text
        generator = random.Random(3)
        for _ in range(arguments.questions):
            words = generator.choice(chunks)[3].split()
            start = generator.randrange(max(1, len(words) - 8))
            question = " ".join(words[start : start + 8])[:120]
            for passage in library.search(question, top_k=20).passages:
                chunk = passage.chunk
                counts["hits"] += 1
                counts["inexact"] += texts[passage.document.id][chunk.start_chars : chunk.end_chars] != chunk.text
            for citation in library.ask(question, extractive=True).citations:
                counts["citations"] += 1
                quoted = texts[citation.document.id][citation.start_chars : citation.end_chars]
                counts["inexact"] += quoted != citation.quote
        counts |= {"documents": len(texts), "chunks": len(chunks)}
    print(json.dumps(counts | {"failed": [failure.path for failure in summary.failed]}))
    sys.exit(1 if counts["inexact"] or not counts["citations"] else 0)


if __name__ == "__main__":
    main()
