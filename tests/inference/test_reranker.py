"""Late interaction and cross-encoders behind the same protocol."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerag.errors import ModelError
from edgerag.inference.embedder import OnnxEmbedder
from edgerag.inference.reranker import CrossEncoderReranker, MaxSimReranker
from edgerag.inference.token_codes import maxsim
from edgerag.protocols import RerankCandidate
from tests.fakes import FakeEmbedder
from tests.inference.small_models import (
    bert_tokenizer,
    cross_encoder_graph,
    encoder_graph,
    model_folder,
    unigram_tokenizer,
)

PASSAGES = ["the cat sat on the mat", "a dog ran", "red moon, blue moon", "the cat"]


def cross_encoder(
    folder: Path, *, num_logits: int = 1, has_types: bool = True, max_tokens: int = 32
) -> CrossEncoderReranker:
    tokenizer = bert_tokenizer() if has_types else unigram_tokenizer()
    content = cross_encoder_graph(num_logits=num_logits, has_types=has_types)
    model_folder(folder, content, tokenizer, task="cross-encoder", pooling="none", max_tokens=max_tokens)
    return CrossEncoderReranker.open(folder, threads=2)


def candidates(*texts: str) -> list[RerankCandidate]:
    return [RerankCandidate(text, None) for text in texts]


def test_stored_codes_are_scored_without_embedding_a_passage() -> None:
    embedder = FakeEmbedder()
    stored = [
        RerankCandidate(text, encoding.token_codes)
        for text, encoding in zip(PASSAGES, embedder.encode_documents(PASSAGES), strict=True)
    ]
    embedder.document_calls.clear()
    scores = MaxSimReranker(embedder).score("blue moon", stored)
    assert scores.argmax() == 2
    assert embedder.document_calls == []


def test_a_candidate_without_codes_is_embedded_and_scores_as_if_it_had_them() -> None:
    embedder = FakeEmbedder()
    codes = [encoding.token_codes for encoding in embedder.encode_documents(PASSAGES)]
    embedder.document_calls.clear()
    mixed = [
        RerankCandidate(text, code if number % 2 else None)
        for number, (text, code) in enumerate(zip(PASSAGES, codes, strict=True))
    ]
    scores = MaxSimReranker(embedder).score("the cat ran", mixed)
    assert np.array_equal(scores, maxsim(embedder.query_token_embeddings("the cat ran"), codes))
    assert embedder.document_calls == [(PASSAGES[0], PASSAGES[2])]


def test_texts_that_are_not_stored_are_compared_in_full_precision() -> None:
    """Equal words have cosine 1; `cat` is in both and weighs the least that a token may."""
    scores = MaxSimReranker(FakeEmbedder()).score("cat moon", candidates("cat moon", "cat"))
    moon_cat = float(FakeEmbedder().token_embeddings(["moon"])[0][0] @ FakeEmbedder().token_embeddings(["cat"])[0][0])
    weight = 1 - (1 + moon_cat) / 2
    assert scores[0] == pytest.approx(1.0)
    assert scores[1] == pytest.approx((0.05 + weight * moon_cat) / (0.05 + weight), abs=1e-5)


def test_no_candidates_give_no_scores(tmp_path: Path) -> None:
    assert MaxSimReranker(FakeEmbedder()).score("cat", []).shape == (0,)
    assert cross_encoder(tmp_path).score("cat", []).shape == (0,)


def test_codes_of_another_embedder_are_refused() -> None:
    foreign = FakeEmbedder(dim=32).encode_documents(["cat"])[0].token_codes
    with pytest.raises(ModelError, match="another embedder"):
        MaxSimReranker(FakeEmbedder(dim=64)).score("cat", [RerankCandidate("cat", foreign)])


def test_the_late_interaction_is_named_after_its_embedder() -> None:
    assert MaxSimReranker(FakeEmbedder(name="mini")).name == "maxsim:mini"


@pytest.mark.parametrize(
    ("num_logits", "has_types", "expected"),
    [
        # Types are 1 over the passage and its [SEP]: 3 and 2 tokens. Largest ids: dog 6, sat 7.
        pytest.param(1, True, [3.0, 2.0], id="bert, one logit"),
        pytest.param(2, True, [3.0 - 6, 2.0 - 7], id="bert, two logits"),
        # <s> the </s></s> cat dog </s>: 0+3+1+1+4+5+1, and 0+3+1+1+6+1 (sat)
        pytest.param(1, False, [15.0, 12.0], id="xlm-r, one logit"),
        pytest.param(2, False, [15.0 - 5, 12.0 - 6], id="xlm-r, two logits"),
    ],
)
def test_pairs_are_judged_one_by_one(tmp_path: Path, num_logits: int, has_types: bool, expected: list[float]) -> None:
    reranker = cross_encoder(tmp_path, num_logits=num_logits, has_types=has_types)
    scores = reranker.score("the", candidates("cat dog", "sat"))
    assert scores.dtype == np.float32
    assert scores.tolist() == expected


def test_a_long_passage_is_shortened_and_the_question_is_not(tmp_path: Path) -> None:
    """16 tokens: [CLS] + 3 + [SEP], which leaves 10 of the passage and the last [SEP]."""
    reranker = cross_encoder(tmp_path, max_tokens=16)
    assert reranker.score("the cat sat", candidates("dog " * 500)).tolist() == [11.0]


def test_a_score_does_not_depend_on_the_other_candidates(tmp_path: Path) -> None:
    reranker = cross_encoder(tmp_path)
    together = reranker.score("the", candidates(*PASSAGES))
    alone = [float(reranker.score("the", candidates(text))[0]) for text in PASSAGES]
    assert together.tolist() == alone
    reranker.close()


def test_three_logits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="3 numbers"):
        cross_encoder(tmp_path, num_logits=3).score("the", candidates("cat"))


def test_an_embedder_is_no_cross_encoder(tmp_path: Path) -> None:
    model_folder(tmp_path, encoder_graph(), bert_tokenizer())
    with pytest.raises(ModelError, match="no cross-encoder"):
        CrossEncoderReranker.open(tmp_path)


@pytest.mark.models
def test_stored_codes_of_the_packaged_model_rank_as_full_precision_does(bundled_embedder: OnnxEmbedder) -> None:
    texts = [
        "Photosynthesis turns sunlight into sugar in green plants.",
        "The bank raised its interest rate by a quarter point.",
        "Plants need water, light and air to grow.",
        "He parked the car behind the house.",
    ]
    encodings = bundled_embedder.encode_documents(texts)
    stored = [RerankCandidate(text, own.token_codes) for text, own in zip(texts, encodings, strict=True)]
    reranker = MaxSimReranker(bundled_embedder)
    packed = reranker.score("How do plants make food from light?", stored)
    full = reranker.score("How do plants make food from light?", candidates(*texts))
    assert np.argsort(packed)[2:].tolist() == np.argsort(full)[2:].tolist() == [0, 2]
    assert np.corrcoef(packed, full)[0, 1] > 0.99
