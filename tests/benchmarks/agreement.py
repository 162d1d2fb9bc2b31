"""Whether a model folder gives the same embeddings on another processor.

    python -m tests.benchmarks.agreement write HERE.npz [FOLDER] [--judged SET [--all-questions]] [--texts FILE]
    python -m tests.benchmarks.agreement compare HERE.npz THERE.npz

`write` embeds texts through the runtime and stores the embeddings and what they were made on; it needs nothing but
edgerag's own dependencies for embedding (numpy, onnxruntime, tokenizers), so that it runs on a bare machine or under
an emulator. `compare` prints one JSON object; its overlap is that of the ten nearest documents of each question. SET is
a judged set (see `judged_sets`); its documents are evenly spaced and each brings its first question, or all of its
questions. FILE has one text to a line; each is a document and a query.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from edgerag import paths  # also sets what onnxruntime must find before it is imported

import numpy as np  # isort: skip
from numpy.typing import NDArray  # isort: skip

from edgerag.inference.embedder import OnnxEmbedder
from tests.benchmarks.judged_sets import load_judged_set

DEFAULT_TEXTS = Path(__file__).resolve().parents[2] / "export" / "recipes" / "texts" / "check-en.txt"
TOP_K = 10
_FEATURES = {
    "x86_64": ("SSE42", "AVX", "AVX2", "AVX512F", "AVX512_SKX", "AVX512_ICL"),
    "aarch64": ("ASIMD", "ASIMDHP", "ASIMDDP", "SVE"),
}
"""Of the names that numpy gives to instruction sets. AVX512_ICL includes VNNI; ASIMDDP is dotprod."""


@dataclass(frozen=True, slots=True)
class Texts:
    name: str
    documents: list[str]
    queries: list[str]


@dataclass(frozen=True, slots=True)
class Maker:
    """What the embeddings were made on, and of what."""

    model: str
    fingerprint: str
    texts: str
    texts_sha256: str
    """Of all documents and queries; two files are comparable only if it is the same."""
    cpu: str
    machine: str
    features: list[str]
    emulated: str
    """The processor named to QEMU by `QEMU_CPU`; empty where nothing is emulated or it was named otherwise."""
    onnxruntime: str
    numpy: str
    python: str
    seconds: float


def spaced(items: list[str], max_items: int) -> list[str]:
    """At most that many, evenly spaced; 0: all."""
    count = min(max_items or len(items), len(items))
    return [items[index * len(items) // count] for index in range(count)]


def judged_texts(path: Path, max_texts: int, *, all_questions: bool = False) -> Texts:
    """That many documents (0: all), evenly spaced, with the first question of each, or with all of their questions."""
    judged = load_judged_set(path)
    asked: dict[str, list[str]] = {}
    for query, grades in judged.relevant.items():
        for document in grades:
            asked.setdefault(document, []).append(query)
    chosen = spaced([document for document in judged.documents if document in asked], max_texts)
    questions = [query for document in chosen for query in (asked[document] if all_questions else asked[document][:1])]
    return Texts(
        name=f"{path.name}, {len(chosen)} documents and {'all' if all_questions else 'the first'} of their questions",
        documents=[" ".join(filter(None, judged.documents[document])) for document in chosen],
        queries=list(dict.fromkeys(judged.queries[query] for query in questions)),
    )


def listed_texts(path: Path, max_texts: int) -> Texts:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    texts = spaced([line for line in lines if line and not line.startswith("#")], max_texts)
    return Texts(f"{path.name}, {len(texts)} texts", texts, texts)


def cpu_description(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, list[str]]:
    """Name of the processor, and those instruction sets that it offers to this process."""
    # The system's list shows the machine below an emulator; numpy asks the processor itself.
    from numpy._core import _multiarray_umath  # type: ignore[attr-defined]

    offered: dict[str, bool] = _multiarray_umath.__cpu_features__
    names = [line.partition(":")[2].strip() for line in _lines(cpuinfo) if line.startswith(("model name", "CPU part"))]
    features = [feature for feature in _FEATURES.get(platform.machine(), ()) if offered.get(feature)]
    return (names or [platform.processor() or "unknown"])[0], features


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []


def write(out: Path, folder: Path, texts: Texts, *, threads: int = 0, cpu: str = "") -> Maker:
    """Embed the texts and store the rows beside a description of the machine."""
    import onnxruntime  # after edgerag, which turns its telemetry off

    embedder = OnnxEmbedder.open(folder, threads=threads)
    begin = time.perf_counter()
    documents = np.stack([encoding.embedding for encoding in embedder.encode_documents(texts.documents)])
    queries = np.stack([embedder.encode_query(text).embedding for text in texts.queries])
    seconds = time.perf_counter() - begin
    embedder.close()
    joined = "\0".join([*texts.documents, "", *texts.queries])
    name, features = cpu_description()
    maker = Maker(
        model=embedder.name,
        fingerprint=embedder.fingerprint,
        texts=texts.name,
        texts_sha256=hashlib.sha256(joined.encode()).hexdigest(),
        cpu=cpu or name,
        machine=platform.machine(),
        features=features,
        emulated=os.environ.get("QEMU_CPU", ""),
        onnxruntime=onnxruntime.__version__,
        numpy=np.__version__,
        python=platform.python_version(),
        seconds=round(seconds, 2),
    )
    np.savez(out, documents=documents, queries=queries, maker=np.array(json.dumps(asdict(maker))))
    return maker


def read(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32], Maker]:
    """Return documents (n, dim), queries (m, dim), and what made them."""
    with np.load(path) as stored:
        return stored["documents"], stored["queries"], Maker(**json.loads(str(stored["maker"])))


def compare(first: Path, second: Path) -> dict[str, object]:
    """Compare two files over the same texts.

    Raises:
        ValueError: They hold other texts or another width.
    """
    documents_a, queries_a, maker_a = read(first)
    documents_b, queries_b, maker_b = read(second)
    if maker_a.texts_sha256 != maker_b.texts_sha256:
        raise ValueError(f"{first} holds {maker_a.texts}, {second} holds {maker_b.texts}: not the same texts")
    a, b = np.concatenate([documents_a, queries_a]), np.concatenate([documents_b, queries_b])
    if a.shape != b.shape:
        raise ValueError(f"{first} holds {a.shape[1]} dimensions, {second} {b.shape[1]}")
    cosines = np.sum(a.astype(np.float64) * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    top_k = min(TOP_K, len(documents_a))
    nearest_a, nearest_b = (
        np.argsort(-(queries @ documents.T), axis=1, kind="stable")[:, :top_k]
        for queries, documents in ((queries_a, documents_a), (queries_b, documents_b))
    )
    shared = [len(set(x) & set(y)) / top_k for x, y in zip(nearest_a.tolist(), nearest_b.tolist(), strict=True)]
    return {
        "a": _told(maker_a),
        "b": _told(maker_b),
        "same_model": maker_a.fingerprint == maker_b.fingerprint,
        "texts": maker_a.texts,
        "num_documents": len(documents_a),
        "num_queries": len(queries_a),
        "cosine_mean": round(float(cosines.mean()), 7),
        "cosine_min": round(float(cosines.min()), 7),
        f"top{top_k}_overlap": round(float(np.mean(shared)), 4),
        "bit_equal": round(float(np.mean((a == b).all(axis=1))), 4),
        "largest_difference": float(f"{np.abs(a - b).max():.3g}"),
    }


def _told(maker: Maker) -> str:
    cpu = f"{maker.emulated or maker.cpu} (emulated)" if maker.emulated else maker.cpu
    return f"{maker.model} on {maker.machine}, {cpu}, onnxruntime {maker.onnxruntime}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write", help="Embed texts and store the embeddings.")
    writing.add_argument("out", type=Path)
    writing.add_argument("folder", nargs="?", type=Path, default=paths.BUNDLED_MODELS / "all-MiniLM-L6-v2")
    source = writing.add_mutually_exclusive_group()
    source.add_argument("--judged", type=Path, metavar="SET", help="A BEIR folder or a SQuAD file.")
    source.add_argument("--texts", type=Path, metavar="FILE", default=DEFAULT_TEXTS, help="One text to a line.")
    writing.add_argument("--all-questions", action="store_true", help="With --judged: all questions of each document.")
    writing.add_argument("--max-texts", type=int, default=0, help="Documents; 0: all.")
    writing.add_argument("--threads", type=int, default=0)
    writing.add_argument("--cpu", default="", help="Name to store for the processor; an emulator hides it.")
    comparing = commands.add_parser("compare", help="Compare two stored files.")
    comparing.add_argument("first", type=Path)
    comparing.add_argument("second", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "write":
        if arguments.judged:
            texts = judged_texts(arguments.judged, arguments.max_texts, all_questions=arguments.all_questions)
        else:
            texts = listed_texts(arguments.texts, arguments.max_texts)
        maker = write(arguments.out, arguments.folder, texts, threads=arguments.threads, cpu=arguments.cpu)
        print(json.dumps(asdict(maker)))
        return
    try:
        print(json.dumps(compare(arguments.first, arguments.second), ensure_ascii=False))
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
