"""Turn a GGUF file back into a Hugging Face folder: float weights and a tokenizer, for models that exist as GGUF alone.

What a quantisation rounded away stays away: the floats are those that the file's numbers stand for.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgerag.errors import ModelError
from edgerag.models.gguf import read_gguf_header
from edgerag_export.progress import Progress

logger = logging.getLogger(__name__)

ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
_LAYER = "model.layers.{}."
_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": _LAYER + "input_layernorm",
    "ffn_norm": _LAYER + "post_attention_layernorm",
    "attn_q": _LAYER + "self_attn.q_proj",
    "attn_k": _LAYER + "self_attn.k_proj",
    "attn_v": _LAYER + "self_attn.v_proj",
    "attn_output": _LAYER + "self_attn.o_proj",
    "attn_q_norm": _LAYER + "self_attn.q_norm",
    "attn_k_norm": _LAYER + "self_attn.k_norm",
    "ffn_gate": _LAYER + "mlp.gate_proj",
    "ffn_up": _LAYER + "mlp.up_proj",
    "ffn_down": _LAYER + "mlp.down_proj",
}
_ROTATED = re.compile(r"self_attn\.([qk])_proj\.")
_CONTROL, _USER_DEFINED = 3, 4
_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3 = _QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokenizer that a GGUF file holds."""

    kind: str
    """`tokenizer.ggml.pre`: how text is cut before merging, e.g. `smollm`, `qwen2`."""
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[tuple[str, str], ...]
    first: str
    """Stands before a text, or nothing. So do the next three where there is no such token."""
    last: str
    unknown: str
    padding: str
    adds_first: bool
    template: str


def dequantize(file: Path, folder: Path, *, progress: Progress = lambda step, done, total: None) -> Path:
    """Write the model of a GGUF file as a Hugging Face folder: config, float32 safetensors, tokenizer, model card.

    Raises:
        ModelError: No usable GGUF, of an architecture or with a tokenizer that cannot be written, or packages are
            missing.
    """
    header = read_gguf_header(file)
    if header.architecture not in ARCHITECTURES:
        raise ModelError(
            f"{file.name} has the architecture {header.architecture}, which cannot be turned back.",
            hint=f"Possible: {', '.join(ARCHITECTURES)}. Or start from the published weights.",
        )
    reader = open_gguf(file)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_tokenizer(_vocabulary(reader, file.name), folder)
        config = _config(reader, header.architecture)
        tables: dict[str, Any] = {}
        for done, tensor in enumerate(reader.tensors):
            progress("dequantise", done, len(reader.tensors))
            name, values = _table(tensor, file.name)
            if header.architecture == "llama" and (match := _ROTATED.search(name)):
                heads = config["num_attention_heads" if match[1] == "q" else "num_key_value_heads"]
                values = _unpermute(values, heads)
            tables[name] = values
        from safetensors.numpy import save_file  # deferred: of the export side

        save_file(tables, folder / "model.safetensors", metadata={"format": "pt"})
        text = json.dumps(config, indent=1, sort_keys=True)
        (folder / "config.json").write_text(text + "\n", encoding="utf-8")
        # The converter reads the licence from a model card's head.
        card = [f"license: {header.license}"] if header.license else []
        (folder / "README.md").write_text("\n".join(["---", *card, "---", ""]), encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{folder} cannot be written: {error.strerror or error}.", hint="Is the disk full?") from error
    progress("dequantise", len(reader.tensors), len(reader.tensors))
    return folder


def open_gguf(file: Path) -> Any:
    """A `gguf.GGUFReader` over a file whose header has been checked.

    Raises:
        ModelError: No usable GGUF, or the package is missing.
    """
    read_gguf_header(file)  # bounds what a hostile header can do
    try:
        from gguf import GGUFReader  # deferred: of the export side
    except ImportError as error:
        raise ModelError("gguf is not installed.", hint='Install it: pip install "edgerag[export]".') from error
    return GGUFReader(str(file))


def _value(reader: Any, key: str, absent: Any = None) -> Any:
    return reader.fields[key].contents() if key in reader.fields else absent


def _table(tensor: Any, what: str) -> tuple[str, Any]:
    """A tensor's name in the checkpoint, and its values as float32."""
    import numpy as np
    from gguf import dequantize as to_float

    match = re.fullmatch(r"(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)", tensor.name)
    place = _NAMES.get(match[2]) if match else None
    if match is None or place is None:
        raise ModelError(
            f"{what} has a tensor {tensor.name}, for which there is no place.", hint="Start from the published weights."
        )
    name = place.format(match[1]) + f".{match[3]}"
    return name, np.ascontiguousarray(to_float(tensor.data, tensor.tensor_type), dtype=np.float32)


def _unpermute(values: Any, heads: int) -> Any:
    """Undo the converter's reordering of rows: GGUF has the two halves that rotate together beside each other."""
    import numpy as np

    half = values.shape[0] // heads // 2
    turned = values.reshape(heads, half, 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
    return np.ascontiguousarray(turned)


def _config(reader: Any, architecture: str) -> dict[str, Any]:
    def of(key: str, absent: Any = None) -> Any:
        return _value(reader, f"{architecture}.{key}", absent)

    heads, width = int(of("attention.head_count")), int(of("embedding_length"))
    config = {
        "architectures": [ARCHITECTURES[architecture]],
        "model_type": architecture,
        "hidden_size": width,
        "intermediate_size": int(of("feed_forward_length")),
        "num_hidden_layers": int(of("block_count")),
        "num_attention_heads": heads,
        "num_key_value_heads": int(of("attention.head_count_kv", heads)),
        "head_dim": int(of("attention.key_length", of("rope.dimension_count", width // heads))),
        "max_position_embeddings": int(of("context_length")),
        "rms_norm_eps": float(of("attention.layer_norm_rms_epsilon")),
        "rope_theta": float(of("rope.freq_base", 10_000.0)),
        "vocab_size": len(_value(reader, "tokenizer.ggml.tokens")),
        "tie_word_embeddings": all(tensor.name != "output.weight" for tensor in reader.tensors),
        "hidden_act": "silu",
        "torch_dtype": "float32",
    }
    for key, name in (("bos_token_id", "bos"), ("eos_token_id", "eos"), ("pad_token_id", "padding")):
        if (token := _value(reader, f"tokenizer.ggml.{name}_token_id")) is not None:
            config[key] = int(token)
    return config


def read_vocabulary(file: Path) -> Vocabulary:
    """Read the byte-level BPE tokenizer out of a GGUF file.

    Raises:
        ModelError: No usable GGUF, or another kind of tokenizer.
    """
    return _vocabulary(open_gguf(file), file.name)


def _vocabulary(reader: Any, what: str) -> Vocabulary:
    def value(key: str, absent: Any = None) -> Any:
        return _value(reader, key, absent)

    if value("tokenizer.ggml.model") != "gpt2":
        raise ModelError(
            f"{what} has a tokenizer of the kind {value('tokenizer.ggml.model')}, which cannot be rebuilt.",
            hint="Only byte-level BPE can. Take the tokenizer from the published model.",
        )
    tokens = tuple(value("tokenizer.ggml.tokens"))

    def token(name: str) -> str:
        place = value(f"tokenizer.ggml.{name}_token_id")
        return tokens[place] if place is not None and 0 <= place < len(tokens) else ""

    return Vocabulary(
        kind=str(value("tokenizer.ggml.pre", "default")),
        tokens=tokens,
        types=tuple(map(int, value("tokenizer.ggml.token_type", [1] * len(tokens)))),
        merges=tuple(_pair(merge) for merge in value("tokenizer.ggml.merges", [])),
        first=token("bos"),
        last=token("eos"),
        unknown=token("unknown"),
        padding=token("padding"),
        adds_first=bool(value("tokenizer.ggml.add_bos_token", False)),
        template=str(value("tokenizer.chat_template", "")),
    )


def _pair(merge: str) -> tuple[str, str]:
    # A space stands between the two; tokens themselves write it as another character.
    left, _, right = merge.partition(" ")
    return left, right


def write_tokenizer(vocabulary: Vocabulary, folder: Path) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json`.

    Raises:
        ModelError: The file cuts text in a way that is not known here.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    whole = {"qwen2": _QWEN2, "llama-bpe": _LLAMA3}
    kind = vocabulary.kind
    if kind not in ("smollm", "gpt-2", *whole):
        raise ModelError(
            f"The tokenizer cuts text in the manner of {kind}, which is not known here.",
            hint="Take the tokenizer from the published model.",
        )
    ids = {token: place for place, token in enumerate(vocabulary.tokens)}
    special = [place for place, kind_ in enumerate(vocabulary.types) if kind_ in (_CONTROL, _USER_DEFINED)]
    # llama.cpp passes over a merge whose result is no token; this library refuses the tokenizer.
    merges = [pair for pair in vocabulary.merges if all(part in ids for part in (*pair, "".join(pair)))]
    tokenizer = Tokenizer(models.BPE(ids, merges, ignore_merges=kind == "llama-bpe"))
    if kind in whole:
        split = pre_tokenizers.Split(Regex(whole[kind]), behavior="isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, _bytes(pre_tokenizers, use_regex=False)])
    elif kind == "smollm":
        digits = pre_tokenizers.Digits(individual_digits=True)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, _bytes(pre_tokenizers, use_regex=True)])
    else:
        tokenizer.pre_tokenizer = _bytes(pre_tokenizers, use_regex=True)
    if kind == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    if vocabulary.adds_first and vocabulary.first:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{vocabulary.first} $A", special_tokens=[(vocabulary.first, ids[vocabulary.first])]
        )
    added = [
        AddedToken(vocabulary.tokens[place], normalized=False, special=vocabulary.types[place] == _CONTROL)
        for place in special
    ]
    tokenizer.add_tokens(added)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"bos_token": "first", "eos_token": "last", "unk_token": "unknown", "pad_token": "padding"}
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "add_bos_token": vocabulary.adds_first,
        **{key: getattr(vocabulary, name) for key, name in names.items() if getattr(vocabulary, name)},
        **({"chat_template": vocabulary.template} if vocabulary.template else {}),
    }
    text = json.dumps(config, indent=1, ensure_ascii=False)
    (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")


def _bytes(pre_tokenizers: Any, *, use_regex: bool) -> Any:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)
