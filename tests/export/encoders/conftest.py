"""Models of each architecture, small and with random weights, and their variants as folders that the runtime opens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgerag.inference.manifest import Manifest, describe_file, write_manifest
from edgerag_export.encoders.workshop import EncoderWorkshop
from edgerag_export.recipe import Quantization
from edgerag_export.step_cache import StepCache
from edgerag_export.variant import parse_variant

WORDS = (
    "river bank stone water cell gene mouse protein law court rent tax bread oven salt train bridge steel "
    "school child test cloud rain wind engine fuel pump valve bird nest song price market share farm soil seed "
    "query passage find :"
).split()
MAX_TOKENS = 24
SIZES: dict[str, int] = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 34,
}
MODELS: dict[str, dict[str, Any]] = {
    "bert-embedder": {"family": "bert"},
    "bge-embedder": {"family": "bert", "pooling": "cls", "query_prefix": "find passage : "},
    "bert-cross-1": {"family": "bert", "labels": 1},
    "bert-cross-2": {"family": "bert", "labels": 2},
    "e5-embedder": {"family": "xlm-roberta", "query_prefix": "query : ", "document_prefix": "passage : "},
    "xlm-roberta-cross": {"family": "xlm-roberta", "labels": 1},
    "roberta-embedder": {"family": "roberta"},
    "camembert-cross": {"family": "camembert", "labels": 2},
}
"""In the manner of all-MiniLM, bge-small, ms-marco-MiniLM, multilingual-e5-small and bge-reranker-base."""


class Models:
    """Makes each model and each variant of it once in a session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def weights(self, kind: str) -> Path:
        target = self.folder / "weights" / kind
        if not target.is_dir():
            target.mkdir(parents=True)
            _save_weights(target, MODELS[kind]["family"], MODELS[kind].get("labels", 0))
        return target

    def workshop(self, kind: str, **changes: Any) -> EncoderWorkshop:
        spec = MODELS[kind]
        given: dict[str, Any] = {
            "weights": self.weights(kind),
            "weights_key": {"weights": kind},
            "task": task_of(kind),
            "architecture": spec["family"],
            "max_tokens": MAX_TOKENS,
            "calibration": sentences(48, 0),
            "query_prefix": spec.get("query_prefix", ""),
            "document_prefix": spec.get("document_prefix", ""),
            "quantization": Quantization(calibration="", outlier_channels=8),
            "cache": StepCache(self.folder / "steps"),
        }
        return EncoderWorkshop(**given | changes)

    def variant(self, kind: str, variant: str) -> Path:
        """Return a model folder with a manifest."""
        target = self.folder / "variants" / kind / variant
        if not target.is_dir():
            self.write(target, kind, self.workshop(kind).graph(parse_variant(variant)))
        return target

    def write(self, target: Path, kind: str, graph: bytes) -> Path:
        spec, task = MODELS[kind], task_of(kind)
        target.mkdir(parents=True)
        (target / "model.onnx").write_bytes(graph)
        (target / "tokenizer.json").write_bytes((self.weights(kind) / "tokenizer.json").read_bytes())
        is_embedder = task == "embedding"
        manifest = Manifest(
            name=kind,
            task="embedding" if is_embedder else "cross-encoder",
            files={
                "model": describe_file(target, "model.onnx"),
                "tokenizer": describe_file(target, "tokenizer.json"),
            },
            license="CC0-1.0",
            dim=SIZES["hidden_size"] if is_embedder else 0,
            pooling=spec.get("pooling", "mean") if is_embedder else "none",
            query_prefix=spec.get("query_prefix", ""),
            document_prefix=spec.get("document_prefix", ""),
            max_tokens=MAX_TOKENS,
        )
        write_manifest(target, manifest)
        return target


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    for package in ("torch", "transformers", "optimum.exporters.onnx"):
        pytest.importorskip(package, reason=f"{package} is not installed: run `make test-export`")
    return Models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def make_sentences() -> Callable[[int, int], list[str]]:
    return sentences


def task_of(kind: str) -> str:
    return "cross-encoder" if MODELS[kind].get("labels") else "embedding"


def sentences(count: int, start: int) -> list[str]:
    """Texts of 3 to 18 words, each set its own."""
    words = WORDS[:-4]
    return [
        " ".join(words[(start + 7 * row + (row % 5 + 1) * place) % len(words)] for place in range(3 + row % 16))
        for row in range(count)
    ]


def _save_weights(folder: Path, family: str, labels: int) -> None:
    import torch
    import transformers

    is_bert = family == "bert"
    vocabulary = _save_bert_tokenizer(folder) if is_bert else _save_unigram_tokenizer(folder)
    prefix = {"bert": "Bert", "xlm-roberta": "XLMRoberta", "roberta": "Roberta", "camembert": "Camembert"}[family]
    options = SIZES | {"vocab_size": vocabulary, "initializer_range": 0.1, "pad_token_id": 0 if is_bert else 1}
    if not is_bert:
        options["type_vocab_size"] = 1
    if labels:
        options["num_labels"] = labels
    config = getattr(transformers, f"{prefix}Config")(**options)
    torch.manual_seed(7)
    model = getattr(transformers, f"{prefix}{'ForSequenceClassification' if labels else 'Model'}")(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("dense.weight") and "layer." in name:
                # Output channels of very different widths: what a scale per tensor cannot serve.
                parameter *= torch.exp(0.7 * torch.randn(parameter.shape[0], 1))
            elif name.endswith("bias"):
                parameter += 0.1 * torch.randn(parameter.shape)
    model.save_pretrained(folder, safe_serialization=True)


def _save_bert_tokenizer(folder: Path) -> int:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return len(vocabulary)


def _save_unigram_tokenizer(folder: Path) -> int:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((f"▁{word}", -3.0) for word in WORDS)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    return len(content["model"]["vocab"])
