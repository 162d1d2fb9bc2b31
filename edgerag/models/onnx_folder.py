"""Look around in the folder of an ONNX encoder that has no manifest, as hubs and exporters leave it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgerag.errors import ModelError
from edgerag.inference.manifest import Pooling, Task
from edgerag.models.describe import OnnxTraits, trial_shape

MAX_JSON_BYTES = 2**20
# Their position numbers begin at 2, so that of 514 positions 512 are tokens.
_OFFSET_POSITIONS = {"roberta", "xlm-roberta", "camembert", "mpnet"}


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the user says; None, 0 or empty: look into the files."""

    task: Task | None = None
    pooling: Pooling | None = None
    query_prefix: str = ""
    document_prefix: str = ""
    max_tokens: int = 0
    languages: tuple[str, ...] = ("*",)
    precision: str = ""
    license: str = ""


def find_onnx_files(folder: Path) -> dict[str, Path]:
    """The graph and the tokenizer, by role.

    Raises:
        ModelError: One is missing, or there are several graphs and none is called `model.onnx`.
    """
    candidates = [folder / "model.onnx", folder / "onnx" / "model.onnx"]
    found = [file for file in candidates if file.is_file()][:1]
    if not found:
        found = sorted(file for parent in (folder, folder / "onnx") for file in parent.glob("*.onnx"))
    if not found:
        raise ModelError(f"{folder} holds no ONNX model.", hint="Give a GGUF file or the folder of an ONNX model.")
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise ModelError(f"{folder} holds several ONNX models: {names}.", hint="Name the one you want `model.onnx`.")
    tokenizer = folder / "tokenizer.json"
    if not tokenizer.is_file():
        raise ModelError(
            f"{folder} lacks tokenizer.json.",
            hint="Save the model's fast tokenizer there (`save_pretrained`).",
        )
    return {"model": found[0], "tokenizer": tokenizer}


def guess_traits(folder: Path, files: dict[str, Path], options: ImportOptions, *, name: str) -> OnnxTraits:
    """Complete what the user says by what the files say.

    Raises:
        ModelError: Pooling or longest input cannot be found out, or the graph does not run.
    """
    shape = trial_shape(files["model"], files["tokenizer"], name=name)
    task: Task = options.task or ("cross-encoder" if len(shape) == 2 and shape[1] == 1 else "embedding")
    pooling: Pooling = "none"
    if task == "embedding":
        guess = options.pooling or _pooling(folder)
        if guess not in ("mean", "cls"):
            raise ModelError(
                f"{folder} does not say how token vectors become one.",
                hint="Add `--pooling mean` or `--pooling cls`.",
            )
        pooling = guess
    max_tokens = options.max_tokens or _max_tokens(folder)
    if not max_tokens:
        raise ModelError(f"{folder} does not say how long an input may be.", hint="Add `--max-tokens`, e.g. 512.")
    return OnnxTraits(
        task=task,
        pooling=pooling,
        query_prefix=options.query_prefix,
        document_prefix=options.document_prefix,
        max_tokens=max_tokens,
        languages=options.languages,
        precision=options.precision or _precision(files["model"].stem),
    )


def guess_license(folder: Path) -> str:
    """What the model card says; empty if there is none."""
    try:
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as stream:
            head = stream.read(8192)
    except OSError:
        return ""
    match = re.search(r"^license:[ \t]*([A-Za-z0-9][A-Za-z0-9 ._+-]{0,60})", head, re.MULTILINE)
    return match[1].strip() if match else ""


def find_license_file(folder: Path) -> Path | None:
    """The licence's text, which has to travel with the weights."""
    for name in ("LICENSE", "LICENSE.txt", "LICENSE.md"):
        if (folder / name).is_file():
            return folder / name
    return None


def _pooling(folder: Path) -> Pooling | None:
    """As sentence-transformers writes it down."""
    config = _read_json(folder / "1_Pooling" / "config.json")
    if config.get("pooling_mode_cls_token") is True:
        return "cls"
    return "mean" if config.get("pooling_mode_mean_tokens") is True else None


def _max_tokens(folder: Path) -> int:
    """The smallest of the limits that the files name; 0 if they name none."""
    config = _read_json(folder / "config.json")
    positions = _count(config, "max_position_embeddings")
    if positions and config.get("model_type") in _OFFSET_POSITIONS:
        positions -= 2
    limits = [
        positions,
        _count(_read_json(folder / "tokenizer_config.json"), "model_max_length"),
        _count(_read_json(folder / "sentence_bert_config.json"), "max_seq_length"),
    ]
    return min((limit for limit in limits if limit > 0), default=0)


def _count(config: dict[str, Any], key: str) -> int:
    value = config.get(key)
    # `model_max_length` is 10**30 where nobody set it.
    return value if isinstance(value, int) and 0 < value < 10**6 else 0


def _precision(stem: str) -> str:
    if re.search(r"int8|quantized|uint8", stem):
        return "int8"
    if re.search(r"fp16|float16", stem):
        return "float16"
    return "float32"


def _read_json(file: Path) -> dict[str, Any]:
    """A JSON object, or an empty one: these files only spare the user an option."""
    try:
        if file.stat().st_size > MAX_JSON_BYTES:
            return {}
        raw = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}
