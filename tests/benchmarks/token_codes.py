"""What packing token embeddings costs in ranking: `python -m tests.benchmarks.token_codes FOLDER [--queries N]`.

FOLDER is a judged set (see `judged_sets`). Candidates are the 50 passages nearest by the packaged embedder (no lexical
search, so that only the codes differ). Prints one JSON line: NDCG@10 of MaxSim with float and with packed tokens, each
mixed with the cosine (weight 0.3), their correlation, bytes a token, and the time to score a question.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgerag import paths
from edgerag.inference.embedder import OnnxEmbedder
from edgerag.inference.token_codes import maxsim, pack_tokens, weighted_mean
from tests.benchmarks.judged_sets import load_judged_set

CANDIDATES = 50
WEIGHT = 0.3


def ndcg_at_10(ranked: list[str], grades: Mapping[str, int]) -> float:
    """Normalised discounted cumulative gain of the first ten, with linear gains as in BEIR."""
    gains = [grades.get(document, 0) / math.log2(place + 2) for place, document in enumerate(ranked[:10])]
    ideal = sorted(grades.values(), reverse=True)[:10]
    return sum(gains) / sum(grade / math.log2(place + 2) for place, grade in enumerate(ideal))


def normalised(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)


def mixed(cosines: NDArray[np.float32], late: NDArray[np.float32]) -> NDArray[np.float32]:
    return (1 - WEIGHT) * normalised(cosines) + WEIGHT * normalised(late)


def compare(folder: Path, num_queries: int) -> dict[str, object]:
    """Rank the candidates of evenly spaced queries by float and by packed tokens."""
    judged = load_judged_set(folder)
    step = max(1, len(judged.queries) // num_queries) if num_queries else 1
    queries = list(judged.queries)[::step]
    names = list(judged.documents)
    texts = [f"{title} {text}".strip() for title, text in judged.documents.values()]
    embedder = OnnxEmbedder.open(paths.BUNDLED_MODELS / "all-MiniLM-L6-v2")
    encodings = embedder.encode_documents(texts)
    matrix = np.stack([encoding.embedding for encoding in encodings])
    tokens: dict[int, NDArray[np.float32]] = {}
    rankings: dict[str, list[float]] = {"cosine": [], "float": [], "packed": []}
    correlations, seconds = [], []
    for query in queries:
        cosines = matrix @ embedder.encode_query(judged.queries[query]).embedding
        top = np.argsort(-cosines, kind="stable")[:CANDIDATES].tolist()
        missing = [index for index in top if index not in tokens]
        tokens.update(zip(missing, embedder.token_embeddings([texts[index] for index in missing]), strict=True))
        asked = embedder.query_token_embeddings(judged.queries[query])
        exact = weighted_mean(np.stack([(asked @ tokens[index].T).max(axis=1) for index in top], axis=1))
        begin = time.perf_counter()
        packed = maxsim(asked, [encodings[index].token_codes for index in top])
        seconds.append(time.perf_counter() - begin)
        correlations.append(float(np.corrcoef(exact, packed)[0, 1]))
        near = cosines[top]
        for kind, scores in (("cosine", near), ("float", mixed(near, exact)), ("packed", mixed(near, packed))):
            ranked = [names[top[place]] for place in np.argsort(-scores, kind="stable")]
            rankings[kind].append(ndcg_at_10(ranked, judged.relevant[query]))
    embedder.close()
    sample = next(iter(tokens.values()))
    return {
        "queries": len(queries),
        "ndcg@10": {kind: round(float(np.mean(values)), 4) for kind, values in rankings.items()},
        "correlation": round(float(np.mean(correlations)), 4),
        "bytes_per_token": round((len(pack_tokens(sample)) - 8) / len(sample), 1),
        "bytes_per_passage": round(float(np.mean([len(own.token_codes) for own in encodings]))),
        "score_p50_ms": round(float(np.median(seconds)) * 1000, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--queries", type=int, default=0, help="Evenly spaced sample; 0: all.")
    arguments = parser.parse_args()
    print(json.dumps(compare(arguments.folder, arguments.queries)))


if __name__ == "__main__":
    main()
