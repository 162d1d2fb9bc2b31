"""How fast a model is on this machine: measured when someone asks for it, and kept beside the models."""

from __future__ import annotations

import json
import platform
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from edgerag import paths
from edgerag.cores import usable_cores
from edgerag.errors import ModelError
from edgerag.models.disk import check_stop, disk_error
from edgerag.models.store import InstalledModel
from edgerag.protocols import StopFlag

SPEEDS_NAME = "speeds.json"
SCHEMA_VERSION = 1
MEASURED_S = 2.0
"""At least so long, so that a short burst of the processor does not count for the whole."""
BATCH = 8
GENERATED_TOKENS = 48
# About 190 tokens of English prose, the length of a chunk as the settings make it.
PARAGRAPH = (
    "The lighthouse on the northern headland was rebuilt after the great storm, and its keeper wrote down every night "
    "what he saw: the colour of the sea, the ships that passed, the hour at which the fog came in and the hour at "
    "which it went. Most of the entries are short. Some nights he noted only the wind and the height of the water at "
    "the landing stage. When a vessel was in trouble he wrote more, with the names of those who rowed out, the state "
    "of the boat when it came back, and what the rescued had to eat. The books were kept in a chest in the watch "
    "room, and after his death the parish took them. They are the only record of the weather on this coast for a "
    "period of thirty-one years, and they have been used to tell when the sandbank moved, how often the harbour "
    "froze, and why the second pier, which had cost the town more than the church, was given up only eight years "
    "after it had been finished."
)
QUESTION = "Who wrote down the weather on this coast?"


@dataclass(frozen=True, slots=True)
class Speed:
    """A measurement; a paragraph has about 190 tokens."""

    texts_per_s: float | None = None
    """Paragraphs embedded, or judged against a question, per second."""
    query_ms: float | None = None
    """An embedding of a question, in ms."""
    prefill_tokens_per_s: float | None = None
    """How fast a generator reads."""
    decode_tokens_per_s: float | None = None
    """How fast a generator writes; None where it had nothing to say."""
    threads: int = 0
    measured_at: str = ""
    """ISO 8601, UTC."""


def measure(model: InstalledModel, *, threads: int = 0, stop: StopFlag | None = None) -> Speed:
    """Load a model by itself and let it work on a fixed text for some seconds.

    Args:
        threads: The setting of this name.

    Raises:
        ModelError: It cannot be loaded, or fails.
        StoppedError: The stop flag was set.
    """
    stop = stop or threading.Event()
    measures = {"embedding": _embedding, "cross-encoder": _cross_encoder, "generator": _generator}
    figures = measures[model.manifest.task](model, threads, stop)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Speed(**figures, threads=threads or usable_cores(), measured_at=now)


def read_speeds() -> dict[str, Speed]:
    """What was measured on this machine, by `key_of`; a file that cannot be read counts as empty."""
    try:
        raw = json.loads(_file().read_text(encoding="utf-8"))
        if raw["schema_version"] != SCHEMA_VERSION:
            return {}
        return {str(key): Speed(**values) for key, values in raw["machines"].get(_machine(), {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def keep_speed(model: InstalledModel, speed: Speed) -> None:
    """Remember a measurement in place of an earlier one.

    Raises:
        ModelError: The models folder cannot be written.
    """
    file = _file()
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        machines: dict[str, Any] = dict(raw["machines"]) if raw["schema_version"] == SCHEMA_VERSION else {}
    except (OSError, ValueError, KeyError, TypeError):
        machines = {}
    machines[_machine()] = {**machines.get(_machine(), {}), key_of(model): asdict(speed)}
    draft = file.with_name(SPEEDS_NAME + ".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"schema_version": SCHEMA_VERSION, "machines": machines}, indent=2, sort_keys=True)
        draft.write_text(text + "\n", encoding="utf-8", newline="\n")
        draft.replace(file)
    except OSError as error:
        raise disk_error(error, file) from error


def key_of(model: InstalledModel) -> str:
    """Name and beginning of the hash: another file under the same name has no speed yet."""
    return f"{model.name}:{model.manifest.files['model'].sha256[:16]}"


def _file() -> Path:
    return paths.models_dir() / SPEEDS_NAME


def _machine() -> str:
    # A home folder may be shared by several machines.
    return f"{platform.node()} {platform.machine()} {usable_cores()} cores"


def _embedding(model: InstalledModel, threads: int, stop: StopFlag) -> dict[str, Any]:
    from edgerag.inference.embedder import OnnxEmbedder  # onnxruntime

    embedder = OnnxEmbedder.open(model.folder, threads=threads)
    try:
        embedder.encode_query(QUESTION)
        texts_per_s = _texts_per_s(lambda texts: embedder.encode_documents(texts), stop)
        start = time.perf_counter()
        for number in range(BATCH):
            embedder.encode_query(f"{QUESTION} {number}")  # the embedder remembers the questions it has had
        return {"texts_per_s": texts_per_s, "query_ms": (time.perf_counter() - start) * 1000 / BATCH}
    finally:
        embedder.close()


def _cross_encoder(model: InstalledModel, threads: int, stop: StopFlag) -> dict[str, Any]:
    from edgerag.inference.reranker import CrossEncoderReranker
    from edgerag.protocols import RerankCandidate

    reranker = CrossEncoderReranker.open(model.folder, threads=threads)
    try:
        return {
            "texts_per_s": _texts_per_s(
                lambda texts: reranker.score(QUESTION, [RerankCandidate(text, None) for text in texts]), stop
            )
        }
    finally:
        reranker.close()


def _generator(model: InstalledModel, threads: int, stop: StopFlag) -> dict[str, Any]:
    from edgerag.datatypes import PromptPart, Sampling
    from edgerag.inference.generator import LlamaGenerator

    generator = LlamaGenerator.open(model.file("model"), name=model.name, threads=threads)
    try:
        for _ in generator.stream([PromptPart(PARAGRAPH, False)], Sampling(max_tokens=GENERATED_TOKENS), stop):
            pass  # what it says does not matter here
        check_stop(stop)
        run = generator.last_run
        if run is None or not run.prefill_ms:
            raise ModelError(f"{model.name} read nothing.", hint="Verify it, and install it again.")
        return {
            "prefill_tokens_per_s": 1000 * run.prompt_tokens / run.prefill_ms,
            "decode_tokens_per_s": run.decode_tokens_per_s or None,
        }
    finally:
        generator.close()


def _texts_per_s(work: Callable[[list[str]], object], stop: StopFlag) -> float:
    """Batches of different texts until enough time has gone by; the first one warms up."""
    texts = _paragraphs()
    work(list(islice(texts, 2)))
    done, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < MEASURED_S:
        check_stop(stop)
        work(list(islice(texts, BATCH)))
        done += BATCH
    return done / elapsed


def _paragraphs() -> Iterator[str]:
    """The paragraph beginning at another word each time, so that no cache knows it."""
    words = PARAGRAPH.split()
    for place in cycle(range(len(words))):
        yield " ".join(words[place:] + words[:place])
