"""What a weights folder says about itself: read and judged before anything slow begins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgerag.errors import ModelError

TASKS = ("embedding", "cross-encoder")
MAX_FLOAT32_BYTES = 2**31 - 1
"""What one protobuf message, and so a single-file ONNX graph, can hold."""
_POSITION_FROM_PADDING = ("xlm-roberta", "roberta", "camembert")
"""Their first token has the position `pad_token_id + 1`; the rows before that are never looked up."""
FAMILIES = ("bert", *_POSITION_FROM_PADDING)
"""`model_type` of the encoders whose graph this package can take apart and rebuild: learned positions, attention over
all tokens, GELU, and the norm behind each residual sum."""
_NO_MODEL = "It is not the folder of a trained model."


@dataclass(frozen=True, slots=True)
class Architecture:
    family: str
    num_heads: int
    hidden: int
    """Width of a token's vector."""
    first_position: int
    """Row of the position table that the first token gets."""
    max_tokens: int
    """Longest input that has positions, special tokens included."""


def read_architecture(weights: Path, *, architecture: str, task: str) -> Architecture:
    """Read `config.json` and the names of the weights.

    Args:
        weights: Hugging Face folder.
        architecture: What the recipe says the model is.
        task: One of `TASKS`.

    Raises:
        ModelError: Unknown or another architecture, a variety of it that is not supported, no classifier for a
            cross-encoder or one with more than two labels, or too large for a single file.
    """
    if task not in TASKS:
        raise ValueError(f"task {task!r} is none of {TASKS}")
    config = check_family(weights, architecture)
    _check_variety(weights, config)
    if task == "cross-encoder":
        _check_classifier(weights, config)
    _check_tensors(weights, task)
    try:
        first = int(config.get("pad_token_id", 1)) + 1 if architecture in _POSITION_FROM_PADDING else 0
        return Architecture(
            family=architecture,
            num_heads=int(config["num_attention_heads"]),
            hidden=int(config["hidden_size"]),
            first_position=first,
            max_tokens=int(config["max_position_embeddings"]) - first,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{weights / 'config.json'} lacks {error}.", hint=_NO_MODEL) from error


def check_family(weights: Path, architecture: str) -> Mapping[str, Any]:
    """Return `config.json` of weights that are what the recipe says.

    Raises:
        ModelError: Not readable, or an unknown or another architecture.
    """
    if architecture not in FAMILIES:
        raise ModelError(
            f"`{architecture}` is no architecture that can be built.", hint=f"Known: {', '.join(FAMILIES)}."
        )
    path = weights / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}.", hint=_NO_MODEL) from error
    if not isinstance(config, dict):
        raise ModelError(f"{path} is not a JSON object.", hint=_NO_MODEL)
    if (family := config.get("model_type")) != architecture:
        raise ModelError(
            f"{weights} is a `{family}` model; the recipe says `{architecture}`.",
            hint=f"Correct `architecture`; known are {', '.join(FAMILIES)}.",
        )
    return config


def _check_variety(weights: Path, config: Mapping[str, Any]) -> None:
    activation = config.get("hidden_act", "gelu")
    positions = config.get("position_embedding_type", "absolute")
    for holds, complaint in (
        (activation == "gelu", f"the activation `{activation}`"),
        (positions == "absolute", f"`{positions}` positions"),
        (not config.get("is_decoder", False), "attention to the left only"),
    ):
        if not holds:
            raise ModelError(
                f"{weights} has {complaint}, which cannot be taken apart.",
                hint="Only encoders with GELU, learned positions and attention over all tokens can be built.",
            )


def _check_classifier(weights: Path, config: Mapping[str, Any]) -> None:
    kinds = config.get("architectures") or []
    if not any(str(kind).endswith("ForSequenceClassification") for kind in kinds):
        # transformers would give it a classifier of random numbers, with a warning nobody sees.
        raise ModelError(
            f"{weights} has no classifier ({', '.join(map(str, kinds)) or 'no `architectures`'}).",
            hint="A cross-encoder is saved as ...ForSequenceClassification; is this the embedder?",
        )
    labels = len(config.get("id2label") or (0, 1))  # two is the default of transformers, which it does not save
    if labels not in (1, 2):
        raise ModelError(
            f"{weights} tells {labels} labels apart; a reranker has one or two.",
            hint="It was trained for another task.",
        )


def _check_tensors(weights: Path, task: str) -> None:
    """Look into the header of safetensors: names and shapes are there without reading the weights."""
    path = weights / "model.safetensors"
    if not path.is_file():
        return
    try:
        with path.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        shapes = {str(name): tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    except (OSError, ValueError, KeyError, TypeError, MemoryError, OverflowError) as error:
        raise ModelError(f"{path} is not in the safetensors form.", hint="Download it again.") from error
    needed = ["word_embeddings.weight", *(["classifier"] if task == "cross-encoder" else [])]
    for part in needed:
        if not any(part in name for name in shapes):
            raise ModelError(
                f"{path} holds no `{part}`; transformers would put random numbers in its place.",
                hint="These are not the weights that config.json describes.",
            )
    size = sum(4 * _count(shape) for shape in shapes.values())
    if size > MAX_FLOAT32_BYTES:
        raise ModelError(
            f"{path} is {size / 1e9:.1f} GB in float32.",
            hint="Models above 2 GB cannot be one ONNX file; use a GGUF for them.",
        )


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for extent in shape:
        count *= int(extent)
    return count
