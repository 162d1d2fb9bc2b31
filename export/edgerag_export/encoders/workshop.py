"""All forms of one encoder, each made from what was already made: exported, fused and calibrated once for all."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from edgerag.errors import ModelError
from edgerag_export.encoders.architecture import Architecture, read_architecture
from edgerag_export.packages import versions
from edgerag_export.progress import Progress
from edgerag_export.recipe import Quantization
from edgerag_export.step_cache import StepCache
from edgerag_export.variant import Variant

_PACKAGES = ("torch", "transformers", "optimum-onnx", "onnx", "onnxruntime", "numpy", "tokenizers")
_NOT_IN_GRAPHS = ("calibration", "variant")
"""Options that say where texts are and which form is shipped: neither changes a form's bytes."""
_GRAPH = "model.onnx"


class EncoderWorkshop:
    """Makes single-file ONNX graphs of an embedder or cross-encoder; the same input gives the same bytes.

    Every step is kept in the cache by all that decides about it, this package's own code included.
    """

    def __init__(
        self,
        *,
        weights: Path,
        weights_key: Mapping[str, str],
        task: str,
        architecture: str,
        max_tokens: int,
        calibration: Sequence[str],
        document_prefix: str,
        quantization: Quantization,
        cache: StepCache,
        query_prefix: str = "",
        progress: Progress = lambda step, done, total: None,
    ) -> None:
        """Read what the weights folder says; nothing is computed yet.

        Args:
            weights: Hugging Face folder: `config.json`, weights, `tokenizer.json`.
            weights_key: Hashes of the weights.
            task: `embedding` or `cross-encoder`.
            architecture: One of `architecture.FAMILIES`; the folder must agree.
            max_tokens: Longest input, special tokens included.
            calibration: Texts as they are indexed; for a cross-encoder `question<tab>passage`, or texts whose
                first words serve as the question (`calibrate.calibration_pairs`).
            document_prefix: Put in front of texts and passages, as the manifest will say.
            quantization: Options of the recipe.
            cache: Where finished steps are kept.
            query_prefix: Put in front of questions. An embedder whose prefixes differ is calibrated on both.
            progress: Called as steps begin and go on.

        Raises:
            ModelError: Unknown or another architecture, a variety that cannot be built, too large for one file, no
                tokenizer, or fewer positions than `max_tokens`.
        """
        self.architecture: Architecture = read_architecture(weights, architecture=architecture, task=task)
        if max_tokens > self.architecture.max_tokens:
            raise ModelError(
                f"{weights} has positions for {self.architecture.max_tokens} tokens, the recipe asks for {max_tokens}.",
                hint="Lower `max_tokens`.",
            )
        self._tokenizer = weights / "tokenizer.json"
        if not self._tokenizer.is_file():
            raise ModelError(
                f"{weights} holds no tokenizer.json.",
                hint="A fast tokenizer is needed; save it with `AutoTokenizer.save_pretrained`.",
            )
        self._weights, self._task, self._max_tokens = weights, task, max_tokens
        self._calibration, self._prefixes = tuple(calibration), (query_prefix, document_prefix)
        self._options, self._cache, self._progress = quantization, cache, progress
        self._export_key: dict[str, Any] = {
            "weights": dict(weights_key),
            "config": _hash((weights / "config.json").read_bytes()),
            "task": task,
            "architecture": architecture,
            "versions": versions(*_PACKAGES),
            "code": _code_hash(),
        }

    def float32(self) -> bytes:
        """Return the graph as optimum exports it: what every form is measured against.

        Raises:
            ModelError: torch or optimum is absent, the exporter failed, or a single file cannot hold the weights.
        """
        return self._exported().read_bytes()

    def graph(self, variant: Variant) -> bytes:
        """Return the graph of a variant, token vectors (of a cross-encoder: logits) as its first output.

        Raises:
            ModelError: As `float32`, or the graph did not fuse into an encoder's parts.
        """
        if variant.method == "float32":
            return self.float32()
        key = self._export_key | {"variant": variant.name}
        if variant.method == "static":
            key |= {"calibration": self._calibration_key, "options": self._option_key}

        def make(folder: Path) -> None:
            (folder / _GRAPH).write_bytes(self._make(variant))

        return (self._cache.step(f"graph-{variant.name}", key, make) / _GRAPH).read_bytes()

    def _make(self, variant: Variant) -> bytes:
        # deferred: numpy and the extra's packages, which a wrong recipe need not wait for
        from edgerag_export.encoders import block_weights, int8_graph, ordinary_graphs, quantize, shrink_embeddings

        # What the step needs is made before it is announced.
        fused, encoder = self._fused(), self._encoder()
        statistics = self._statistics if variant.method == "static" else {}
        self._progress("quantise", 0, 1)
        cannot_overflow = variant.target in ("portable", "x86-avx2")
        if variant.method == "float16":
            return ordinary_graphs.float16_graph(fused)
        if variant.method == "dynamic":
            return ordinary_graphs.dynamic_graph(fused, reduce_range=cannot_overflow)
        words = shrink_embeddings.shrink(encoder.words)
        if variant.method in ("weights-8bit", "weights-4bit"):
            bits = 8 if variant.method == "weights-8bit" else 4
            return block_weights.write_block_graph(encoder, words, bits=bits)
        fits_pairs = self._options.fits_pairs if variant.target == "portable" else cannot_overflow
        options = replace(self._options, fits_pairs=fits_pairs)
        layers = quantize.quantize(encoder, statistics, options, variant.ranges)
        return int8_graph.write_graph(encoder, layers, words)

    def _exported(self) -> Path:
        from edgerag_export.encoders.torch_to_onnx import export_float32, single_file  # deferred: as above

        def make(folder: Path) -> None:
            self._progress("export", 0, 1)
            made = export_float32(
                self._weights, folder / "made", architecture=self.architecture.family, task=self._task
            )
            made.rename(folder / _GRAPH)
            shutil.rmtree(folder / "made")

        return single_file(self._cache.step("export", self._export_key, make) / _GRAPH)

    def _fused(self) -> Any:
        import onnx  # deferred: as above

        from edgerag_export.encoders.fuse_graph import fuse

        def make(folder: Path) -> None:
            exported = self._exported()
            self._progress("fuse", 0, 1)
            fused = fuse(exported, num_heads=self.architecture.num_heads, hidden=self.architecture.hidden)
            (folder / _GRAPH).write_bytes(fused.SerializeToString(deterministic=True))

        return onnx.load(self._cache.step("fuse", self._export_key, make) / _GRAPH)

    def _encoder(self) -> Any:
        from edgerag_export.encoders.fuse_graph import read_encoder  # deferred: as above

        return read_encoder(self._fused(), first_position=self.architecture.first_position)

    @property
    def _calibration_key(self) -> dict[str, Any]:
        texts = [*self._prefixes, *self._calibration]
        return {
            "texts": _hash("\0".join(texts).encode()),
            "num_texts": len(texts),
            "tokenizer": _hash(self._tokenizer.read_bytes()),
            "max_tokens": self._max_tokens,
        }

    @property
    def _option_key(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self._options).items() if name not in _NOT_IN_GRAPHS}

    @cached_property
    def _statistics(self) -> Any:
        from edgerag_export.encoders.calibrate import collect, load_statistics, save_statistics, sites  # as above

        def make(folder: Path) -> None:
            inputs = self._calibration_inputs()
            done = 0

            def advance() -> None:
                nonlocal done
                done += 1
                self._progress("calibrate", done, len(inputs))

            statistics = collect(
                self._fused(),
                sites(self._encoder()),
                inputs,
                self._tokenizer,
                max_tokens=self._max_tokens,
                advance=advance,
            )
            save_statistics(folder / "statistics.npz", statistics)

        folder = self._cache.step("calibrate", self._export_key | {"calibration": self._calibration_key}, make)
        return load_statistics(folder / "statistics.npz")

    def _calibration_inputs(self) -> list[str] | list[tuple[str, str]]:
        from edgerag_export.encoders.calibrate import calibration_pairs, with_long_texts  # deferred: as above

        query, document = self._prefixes
        if self._task == "cross-encoder":
            pairs = calibration_pairs(self._calibration, max_tokens=self._max_tokens)
            return [(query + question, document + passage) for question, passage in pairs]
        texts = [document + text for text in with_long_texts(self._calibration, max_tokens=self._max_tokens)]
        # A prefix such as "query: " is in every question's first tokens, and in no document's.
        return texts + ([query + text for text in self._calibration] if query != document else [])


def oldest_runtime(variant: Variant) -> str:
    """Return the oldest onnxruntime that opens this variant, e.g. `1.20`; all but one run on what edgerag asks for."""
    from edgerag_export.encoders.block_weights import OLDEST_RUNTIME  # deferred: numpy

    return OLDEST_RUNTIME[8 if variant.method == "weights-8bit" else 4]


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _code_hash() -> str:
    """Hash of the code that makes the graphs: a changed step must not be answered from an old cache."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return _hash(b"\0".join(file.name.encode() + b"\0" + file.read_bytes() for file in files))
