"""Texts into unit vectors: pooling, limits, independence of neighbours and threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edgerag.errors import ModelError
from edgerag.inference import embedder as embedder_module
from edgerag.inference.embedder import OnnxEmbedder
from edgerag.inference.manifest import Pooling
from edgerag.inference.token_codes import pack_tokens
from tests.inference.small_models import bert_tokenizer, cross_encoder_graph, encoder_graph, model_folder, table

TEXTS = [
    "The cat sat on the mat.",
    "",
    "Ein Satz, der nicht Englisch ist; 東京タワーは高い。😀",
    "Proteins fold. " * 200,
    "42",
    *(f"Paragraph {number} is about {'rivers ' * number}." for number in range(1, 20)),
]


def small(folder: Path, *, pooling: Pooling = "mean", scale: float = 1.0, threads: int = 2) -> OnnxEmbedder:
    model_folder(folder, encoder_graph(scale=scale), bert_tokenizer(), pooling=pooling)
    return OnnxEmbedder.open(folder, threads=threads)


@pytest.mark.parametrize(("pooling", "rows"), [("mean", [2, 5, 11, 3]), ("cls", [2])])
def test_pooling_is_the_manifests_and_the_vector_has_length_1(
    tmp_path: Path, pooling: Pooling, rows: list[int]
) -> None:
    expected = table(16)[rows].mean(axis=0)
    expected /= np.linalg.norm(expected)
    embedding = small(tmp_path, pooling=pooling).encode_documents(["cat red"])[0].embedding
    assert embedding.dtype == np.float32
    assert np.allclose(embedding, expected, atol=1e-6)


def test_codes_hold_the_words_without_punctuation_and_special_tokens(tmp_path: Path) -> None:
    codes = small(tmp_path).encode_documents(["cat, red."])[0].token_codes
    assert codes == pack_tokens(table(16)[[5, 11]])


def test_results_come_in_the_order_of_the_texts(tmp_path: Path) -> None:
    texts = ["the " * number + "cat" for number in range(40)]
    many = small(tmp_path).encode_documents(texts)
    single = OnnxEmbedder.open(tmp_path, threads=1)
    for text, encoding in zip(texts, many, strict=True):
        assert np.array_equal(encoding.embedding, single.encode_documents([text])[0].embedding)


def test_no_texts_give_nothing(tmp_path: Path) -> None:
    assert small(tmp_path).encode_documents([]) == []


def test_prefixes_are_put_in_front(tmp_path: Path) -> None:
    model_folder(tmp_path, encoder_graph(), bert_tokenizer(), query_prefix="blue ", document_prefix="moon ")
    prefixed = OnnxEmbedder.open(tmp_path)
    plain = small(tmp_path / "plain")
    for own, text in ((prefixed.encode_query("cat"), "blue cat"), (prefixed.encode_documents(["cat"])[0], "moon cat")):
        assert np.array_equal(own.embedding, plain.encode_documents([text])[0].embedding)


def test_longest_text_leaves_room_for_special_tokens(tmp_path: Path) -> None:
    own = small(tmp_path)
    assert own.max_tokens == 30
    longest = own.encode_documents(["cat " * 30])[0]
    longer = own.encode_documents(["cat " * 31 + "dog"])[0]
    assert np.array_equal(longest.embedding, longer.embedding)
    assert longest.token_codes == longer.token_codes


def test_vector_search_and_reranker_of_a_question_share_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = small(tmp_path)
    runs: list[object] = []
    run = own._model.run
    monkeypatch.setattr(own._model, "run", lambda inputs: runs.append(1) or run(inputs))
    first = own.encode_query("cat red")
    tokens = own.query_token_embeddings("cat red")
    assert own.is_cached("cat red")
    assert own.encode_query("cat red") is first
    assert len(runs) == 1
    expected = table(16)[[5, 11]]
    assert np.allclose(tokens, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)


def test_only_the_last_few_questions_are_kept(tmp_path: Path) -> None:
    own = small(tmp_path)
    first = own.encode_query("cat")
    for number in range(embedder_module.QUERY_CACHE_LENGTH):
        own.encode_query(f"cat {number}")
    assert not own.is_cached("cat")
    assert own.encode_query("cat") is not first
    assert len(own._queries) == embedder_module.QUERY_CACHE_LENGTH


def test_a_kept_question_cannot_be_changed_by_a_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        small(tmp_path).encode_query("cat").embedding[0] = 9


@pytest.mark.parametrize("scale", [0.0, float("nan"), float("inf")], ids=["zero", "nan", "infinite"])
def test_a_vector_without_direction_is_a_model_error(tmp_path: Path, scale: float) -> None:
    with pytest.raises(ModelError, match="without direction"):
        small(tmp_path, scale=scale).encode_documents(["cat", "dog"])


def test_another_width_than_the_manifests_is_a_model_error(tmp_path: Path) -> None:
    model_folder(tmp_path, encoder_graph(8), bert_tokenizer(), dim=16)
    with pytest.raises(ModelError, match=r"shape \(1, 3, 8\).*16 dimensions"):
        OnnxEmbedder.open(tmp_path).encode_query("cat")


def test_a_cross_encoder_is_no_embedder(tmp_path: Path) -> None:
    graph = cross_encoder_graph(num_logits=1, has_types=True)
    model_folder(tmp_path, graph, bert_tokenizer(), task="cross-encoder", pooling="none")
    with pytest.raises(ModelError, match="no embedding model"):
        OnnxEmbedder.open(tmp_path)


def test_a_closed_embedder_starts_again_when_needed(tmp_path: Path) -> None:
    own = small(tmp_path)
    before = own.encode_documents(["cat", "dog"])
    own.close()
    after = own.encode_documents(["cat", "dog"])
    assert [encoding.token_codes for encoding in before] == [encoding.token_codes for encoding in after]
    own.close()


@pytest.mark.models
def test_an_embedding_does_not_depend_on_its_batch(bundled_embedder: OnnxEmbedder) -> None:
    """Exactly equal, where 0.9999 is asked for."""
    together = bundled_embedder.encode_documents(TEXTS)
    for text, encoding in zip(TEXTS, together, strict=True):
        alone = bundled_embedder.encode_documents([text])[0]
        assert np.array_equal(alone.embedding, encoding.embedding)
        assert alone.token_codes == encoding.token_codes


@pytest.mark.models
def test_four_threads_get_what_one_gets(bundled_embedder: OnnxEmbedder) -> None:
    serial = [bundled_embedder.encode_query(text).embedding for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        parallel = list(pool.map(lambda _: bundled_embedder.encode_documents(TEXTS), range(4)))
    for encodings in parallel:
        for encoding, embedding in zip(encodings, serial, strict=True):
            assert np.array_equal(encoding.embedding, embedding)


@pytest.mark.models
def test_the_packaged_model_knows_what_belongs_together(bundled_embedder: OnnxEmbedder) -> None:
    """Float32 cosines 0.82 and 0.06 (sentence-transformers' order of magnitude); INT8 moves them by 0.02."""
    question = bundled_embedder.encode_query("How do plants make food from light?").embedding
    near, far = bundled_embedder.encode_documents(
        ["Photosynthesis turns sunlight into sugar in green plants.", "The bank raised its interest rate."]
    )
    assert question @ near.embedding > 0.6
    assert question @ far.embedding < 0.2
    assert bundled_embedder.max_tokens == 254
    assert bundled_embedder.dim == 384
