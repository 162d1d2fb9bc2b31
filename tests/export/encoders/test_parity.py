"""Every architecture and task in every form, run by the program's own embedder and reranker, against torch in float32.

The models have random weights, whose rounding errors a trained model would forgive more of. Beside each tolerance
stands the worst that was measured over all models of that kind (x86-64 with AVX512-VNNI, onnxruntime 1.31.1).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerag.inference.embedder import OnnxEmbedder
from edgerag.inference.reranker import CrossEncoderReranker
from edgerag.protocols import RerankCandidate

Array = NDArray[np.float32]
Sentences = Callable[[int, int], list[str]]

EMBEDDERS = {
    "bert-embedder": ("mean", "", ""),
    "bge-embedder": ("cls", "find passage : ", ""),
    "e5-embedder": ("mean", "query : ", "passage : "),
    "roberta-embedder": ("mean", "", ""),
}
"""Pooling, prefix of questions, prefix of documents."""
CROSS_ENCODERS = ("bert-cross-1", "bert-cross-2", "xlm-roberta-cross", "camembert-cross")
SMALLEST_COSINE = {
    "float32": 0.999999,  # 1.000000
    "float16": 0.99999,  # 1.000000
    "static": 0.998,  # 0.998937
    "static-percentile": 0.997,  # 0.998477
    "static-entropy": 0.997,  # 0.998388
    "static@x86-vnni": 0.998,  # 0.998744
    "dynamic": 0.999,  # 0.999433
    "dynamic@x86-vnni": 0.9995,  # 0.999705
    "weights-8bit": 0.9995,  # 0.999770
    "weights-4bit": 0.95,  # 0.964540
}
SMALLEST_CORRELATION = {
    "float32": 0.999999,  # 1.00000
    "float16": 0.9999,  # 0.99999
    "static": 0.995,  # 0.99737
    "static-percentile": 0.993,  # 0.99729
    "static-entropy": 0.993,  # 0.99552
    "static@x86-vnni": 0.995,  # 0.99732
    "dynamic": 0.98,  # 0.98828
    "dynamic@x86-vnni": 0.985,  # 0.99082
    "weights-8bit": 0.99,  # 0.99320
    "weights-4bit": 0.94,  # 0.96047
}
"""Of a cross-encoder's scores with torch's: the scores of random weights hardly differ, so that their errors loom."""


@pytest.mark.parametrize("variant", SMALLEST_COSINE)
@pytest.mark.parametrize("kind", EMBEDDERS)
def test_embedder_agrees_with_torch(models: Any, make_sentences: Sentences, kind: str, variant: str) -> None:
    pooling, query_prefix, document_prefix = EMBEDDERS[kind]
    texts = make_sentences(30, 3)

    embedder = OnnxEmbedder.open(models.variant(kind, variant))
    documents = np.stack([item.embedding for item in embedder.encode_documents(texts)])
    queries = np.stack([embedder.encode_query(text).embedding for text in texts])
    embedder.close()

    weights = models.weights(kind)
    exact_documents = _torch_embeddings(weights, [document_prefix + text for text in texts], pooling)
    exact_queries = _torch_embeddings(weights, [query_prefix + text for text in texts], pooling)
    assert np.sum(documents * exact_documents, axis=1).min() >= SMALLEST_COSINE[variant]
    assert np.sum(queries * exact_queries, axis=1).min() >= SMALLEST_COSINE[variant]


@pytest.mark.parametrize("variant", SMALLEST_CORRELATION)
@pytest.mark.parametrize("kind", CROSS_ENCODERS)
def test_cross_encoder_agrees_with_torch(models: Any, make_sentences: Sentences, kind: str, variant: str) -> None:
    pairs = _pairs(make_sentences)

    scores = _scores(models.variant(kind, variant), pairs)

    exact = _torch_scores(models.weights(kind), pairs)
    assert np.corrcoef(scores, exact)[0, 1] >= SMALLEST_CORRELATION[variant]
    if variant == "float32":
        assert scores == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("kind", ["bert-cross-1", "bert-cross-2"])
def test_question_and_passage_are_told_apart_in_every_form(models: Any, make_sentences: Sentences, kind: str) -> None:
    pairs = _pairs(make_sentences)
    exact, swapped = (_torch_scores(models.weights(kind), pairs, first_type=place) for place in (0, 1))

    for variant in ("static", "weights-8bit", "dynamic"):
        scores = _scores(models.variant(kind, variant), pairs)
        assert np.abs(scores - exact).max() < 0.5 * np.abs(scores - swapped).max()


def _pairs(make_sentences: Sentences) -> list[tuple[str, str]]:
    texts = make_sentences(26, 3)
    pairs = [(question, passage) for question in texts[:6] for passage in texts[6:]]
    # Those that need no cutting: where to cut is the tokenizer's business and tested there.
    return [pair for pair in pairs if len(" ".join(pair).split()) <= 20]


def _scores(folder: Path, pairs: list[tuple[str, str]]) -> Array:
    reranker = CrossEncoderReranker.open(folder)
    scores = [reranker.score(question, [RerankCandidate(passage, None)])[0] for question, passage in pairs]
    reranker.close()
    return np.array(scores, dtype=np.float32)


def _torch_embeddings(weights: Path, texts: list[str], pooling: str) -> Array:
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
    tokenizer.enable_truncation(24)
    model = AutoModel.from_pretrained(weights).eval()
    rows = []
    for text in texts:
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.inference_mode():
            hidden = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        pooled = hidden[0] if pooling == "cls" else hidden.mean(dim=0)
        rows.append((pooled / pooled.norm()).numpy())
    return np.stack(rows)


def _torch_scores(weights: Path, pairs: list[tuple[str, str]], *, first_type: int = 0) -> Array:
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForSequenceClassification

    tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
    model = AutoModelForSequenceClassification.from_pretrained(weights).eval()
    scores = []
    for question, passage in pairs:
        encoding = tokenizer.encode(question, passage)
        ids = torch.tensor([encoding.ids])
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if model.config.type_vocab_size > 1:
            inputs["token_type_ids"] = torch.tensor([[abs(first_type - kind) for kind in encoding.type_ids]])
        with torch.inference_mode():
            logits = model(**inputs).logits[0].tolist()
        scores.append(logits[0] if len(logits) == 1 else logits[1] - logits[0])
    return np.array(scores, dtype=np.float32)
