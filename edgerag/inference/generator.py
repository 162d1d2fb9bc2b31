"""A generator on llama.cpp: streams text, stops on demand, and keeps the state of a prompt's head between questions."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgerag.coded_text import coded
from edgerag.cores import usable_cores
from edgerag.datatypes import PromptPart, Sampling
from edgerag.errors import ModelError, os_reason
from edgerag.file_hash import hash_file
from edgerag.inference.decode_threads import DecodeThreads
from edgerag.inference.generator_family import detect_family
from edgerag.inference.generator_native import LlamaContext
from edgerag.inference.generator_sampling import pick_token
from edgerag.inference.generator_text import TextAssembler
from edgerag.inference.manifest import MANIFEST_NAME, REINSTALL_HINT, read_manifest
from edgerag.inference.threads import worker_count
from edgerag.protocols import StopFlag

logger = logging.getLogger(__name__)

BUSY_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class GenerationRun:
    """What one answer cost."""

    prompt_tokens: int
    reused_tokens: int
    """Of the prompt's: their state was still there from the answer before."""
    generated_tokens: int
    prefill_ms: float
    ttft_ms: float
    """From the call to the first token, in ms; 0 where none came."""
    decode_tokens_per_s: float
    finish: str
    """`end`, `stop` (a stop string), `length` (`max_tokens`), `interrupted` or `failed`."""
    stopped_by: str = ""
    """The stop string, or nothing."""


class LlamaGenerator:
    """An `edgerag.protocols.Generator` over a GGUF file. One answer at a time; others wait."""

    def __init__(self, context: LlamaContext, *, name: str) -> None:
        self._context = context
        self._name = name
        self._template = context.metadata("tokenizer.chat_template")
        self._family = detect_family(self._template)
        self._threads = DecodeThreads(context.threads)
        self._lock = threading.Lock()
        self._holder: int | None = None
        self._in_memory: list[int] = []
        """Prompt tokens whose state llama.cpp holds."""
        self._is_closed = False
        self.last_run: GenerationRun | None = None
        """Of the last answer that ended; None before the first."""

    @classmethod
    def open(cls, path: Path, *, name: str, threads: int = 0, context_tokens: int = 2048) -> LlamaGenerator:
        """Load a GGUF file after comparing its hash with the manifest's.

        The whole file is hashed on every load: 98 MB take 0.06 s, and the pass brings the file into memory, where
        loading needs it anyway. Remembering a result by size and time would miss what hashes are for, bits that flip
        on a disk.

        Args:
            path: The model's folder, or the GGUF file in it.
            threads: 0: one for each core this process may use; more than that is not taken, since llama.cpp's
                threads wait for one another and spin (100 tokens/s became 40).
            context_tokens: Room for prompt and answer; capped by what the model was trained for.

        Raises:
            ModelError: Missing, of another hash, not a generator, or too large for the memory.
        """
        file = _verified(path)
        num_threads = min(worker_count(threads), usable_cores())
        return cls(LlamaContext(file, threads=num_threads, context_tokens=context_tokens), name=name)

    @property
    def name(self) -> str:
        return self._name

    @property
    def family(self) -> str:
        return self._family

    @property
    def context_tokens(self) -> int:
        return self._context.context_tokens

    def count_tokens(self, text: str) -> int:
        self._require_open()
        return len(self._context.tokenize(text, special=False))

    def stream(self, prompt: Sequence[PromptPart], sampling: Sampling, stop: StopFlag) -> Iterator[str]:
        if not self._acquire(stop):
            return
        try:
            with self._context.abort.following(stop):
                yield from self._stream(prompt, sampling, stop)
        finally:
            self._holder = None
            self._lock.release()

    def close(self) -> None:
        """Free the model; waits for an answer that is being generated."""
        if self._holder == threading.get_ident():
            raise ModelError(
                coded("generator.busy", "{name} is in the middle of an answer.", name=self._name),
                hint=coded("hint.close_stream", "Close its stream first."),
            )
        with self._lock:
            self._is_closed = True
            self._context.close()

    # --- one answer -------------------------------------------------------------------------------

    def _acquire(self, stop: StopFlag) -> bool:
        """Wait for the answer before this one; False if `stop` was set meanwhile."""
        if self._holder == threading.get_ident():
            raise ModelError(
                coded("generator.busy", "{name} is in the middle of an answer.", name=self._name),
                hint=coded("hint.close_stream", "Close its stream first."),
            )
        while not self._lock.acquire(timeout=BUSY_POLL_S):
            if stop.is_set():
                return False
        self._holder = threading.get_ident()
        return True

    def _stream(self, prompt: Sequence[PromptPart], sampling: Sampling, stop: StopFlag) -> Iterator[str]:
        self._require_open()
        start = time.perf_counter()
        tokens = self._prompt_tokens(prompt)
        if len(tokens) + sampling.max_tokens > self.context_tokens:
            raise ModelError(
                coded(
                    "generator.context",
                    "The prompt of {prompt} tokens and an answer of {answer} do not fit into {room}.",
                    prompt=len(tokens),
                    answer=sampling.max_tokens,
                    room=self.context_tokens,
                ),
                hint=coded(
                    "hint.context", "Set a smaller `evidence_tokens` or `max_tokens`, or a larger `context_tokens`."
                ),
            )
        reused = self._reuse(tokens)
        prefill_end = first = start
        answer: list[int] = []
        finish = "failed"
        text = TextAssembler(sampling.stop)
        try:
            if not self._prefill(tokens, reused, stop):
                finish = "interrupted"
                return
            prefill_end = time.perf_counter()
            random = np.random.default_rng(sampling.seed)
            finish = "length"
            while len(answer) < sampling.max_tokens:
                if stop.is_set():
                    finish = "interrupted"
                    break
                if answer and not self._evaluate_one(answer[-1]):
                    finish = "interrupted"
                    break
                token = pick_token(self._context.logits(), answer, sampling, random)
                if not answer:
                    first = time.perf_counter()
                if self._context.is_end(token):
                    finish = "end"
                    break
                answer.append(token)
                if shown := text.feed(self._context.piece(token)):
                    yield shown
                if text.is_stopped:
                    finish = "stop"
                    break
            if finish != "interrupted" and (shown := text.finish()):
                yield shown
        except ModelError:
            finish = "failed"
            self._in_memory = []
            raise
        finally:
            end = time.perf_counter()
            decode_s = end - first if first > start else 0.0
            self.last_run = GenerationRun(
                prompt_tokens=len(tokens),
                reused_tokens=reused,
                generated_tokens=len(answer),
                prefill_ms=(prefill_end - start) * 1000,
                ttft_ms=(first - start) * 1000,
                # The first token comes out of the prompt's evaluation, not out of a step of its own.
                decode_tokens_per_s=(len(answer) - 1) / decode_s if len(answer) > 1 and decode_s > 0 else 0.0,
                finish=finish,
                stopped_by=text.stopped_by,
            )
            logger.debug("generated: %s", self.last_run)

    def _evaluate_one(self, token: int) -> bool:
        """Append a token of the answer, by as many threads as pay just now; False if it was aborted."""
        self._context.use_threads(self._threads.number)
        start = time.perf_counter()
        if not self._context.evaluate([token]):
            return False
        self._threads.took(time.perf_counter() - start)
        return True

    def _reuse(self, tokens: Sequence[int]) -> int:
        """Drop what is in memory beyond the common head; returns how many tokens need no evaluation.

        Whole steps only: the prompt then gives the same answer to the last bit whether or not its head was still there.
        """
        common = 0
        for old, new in zip(self._in_memory, tokens[:-1], strict=False):
            if old != new:
                break
            common += 1
        kept = common - common % self._context.reuse_step
        if kept == len(tokens) - 1:
            # A token by itself may score otherwise than the same one at the end of a batch.
            kept = max(0, kept - self._context.reuse_step)
        kept = self._context.keep(kept)
        del self._in_memory[kept:]
        return kept

    def _prefill(self, tokens: Sequence[int], reused: int, stop: StopFlag) -> bool:
        """Evaluate the rest of the prompt; False if `stop` was set meanwhile, also in the midst of a batch."""
        size = self._context.batch_tokens
        # Batches end where those of a whole prompt do, so that its last one is the same.
        starts = [reused, *range(reused - reused % size + size, len(tokens), size)]
        for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
            if stop.is_set():
                return False
            batch = list(tokens[start:end])
            if not self._context.evaluate(batch):
                # What was evaluated before stays, as far as this kind of memory can be cut back to it.
                del self._in_memory[self._context.keep(len(self._in_memory)) :]
                return False
            self._in_memory += batch
        return True

    def _prompt_tokens(self, prompt: Sequence[PromptPart]) -> list[int]:
        tokens: list[int] = []
        for part in prompt:
            if part.is_control:
                tokens += self._context.tokenize(part.text, special=True)
            else:
                tokens += self._plain_tokens(part.text)
        first = self._context.first_token()
        if first is not None and tokens[:1] != [first]:
            tokens.insert(0, first)
        if not tokens:
            raise ModelError("The prompt is empty.", hint="Ask a question.")
        return tokens

    def _plain_tokens(self, text: str) -> list[int]:
        """Tokens of text that is not ours: none of them steers the model.

        llama.cpp leaves control tokens alone when special tokens are off, yet recognises `user defined` ones, as
        which some files declare the marks of their chat format. Such a mark is broken up by a space.
        """
        while True:
            tokens = self._context.tokenize(text, special=False)
            marks = {self._context.token_text(token) for token in set(tokens) if self._steers(token)}
            broken = text
            for mark in marks:
                if len(mark) > 1:
                    broken = broken.replace(mark, f"{mark[0]} {mark[1:]}")
            if broken == text:
                return [token for token in tokens if not self._steers(token)]
            text = broken

    def _steers(self, token: int) -> bool:
        context = self._context
        return context.is_control(token) or (
            context.is_user_defined(token)
            and not context.token_text(token).isspace()
            and context.token_text(token) in self._template
        )

    def _require_open(self) -> None:
        if self._is_closed:
            raise ModelError(
                coded("generator.closed", "{name} has been closed.", name=self._name),
                hint=coded("hint.open_again", "Open it again."),
            )


def _verified(path: Path) -> Path:
    """The GGUF file of a model folder, once its hash is the manifest's."""
    start = path if path.is_dir() else path.parent
    # A manifest may name its file in a subfolder.
    folder = next((place for place in (start, *start.parents[:2]) if (place / MANIFEST_NAME).is_file()), start)
    manifest = read_manifest(folder)
    if manifest.task != "generator":
        raise ModelError(
            coded("generator.no_generator", "{name} is no text generator.", name=manifest.name),
            hint=coded("hint.choose_generator", "Choose another: `edgerag models list`."),
        )
    entry = manifest.files["model"]
    file = folder / entry.path
    try:
        if not path.is_dir() and not path.samefile(file):
            raise ModelError(f"{path} is not in the manifest of {folder}.", hint="Type `edgerag models import FILE`.")
        size_bytes = file.stat().st_size
        if size_bytes != entry.size_bytes:
            raise ModelError(
                coded(
                    "model.wrong_size",
                    "{path} has {size} bytes instead of {expected}.",
                    path=file,
                    size=size_bytes,
                    expected=entry.size_bytes,
                ),
                hint=REINSTALL_HINT,
            )
        if hash_file(file) != entry.sha256:
            raise ModelError(
                coded("model.wrong_hash", "{path} is damaged: its hash is not the manifest's.", path=file),
                hint=REINSTALL_HINT,
            )
    except OSError as error:
        raise ModelError(
            coded("model.unreadable", "{path} cannot be read: {problem}.", path=file, problem=os_reason(error)),
            hint=REINSTALL_HINT,
        ) from error
    return file
