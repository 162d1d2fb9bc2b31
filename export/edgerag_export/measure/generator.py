"""What quantising cost a generator: its variant beside the float original, on the same tokens, by the program itself.

Perplexity is exp of the mean of -log p(token | tokens before it), natural logarithm, over all tokens of the text but
the first. The text is tokenised whole, control marks in it as plain text. Windows of `WINDOW` = 512 tokens are
evaluated one by one, each from an empty memory, with the model's first token before it where the model wants one. A
window begins `OVERLAP` = 64 tokens before the end of the last: those are its context and are not scored again. So each
token is scored exactly once; the first window's tokens from as few as one token of context on, all others from at least
64. Values of other programs with other windows are other values: compare within one table only.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgerag.cores import usable_cores
from edgerag.errors import ModelError
from edgerag.inference.generator_native import LlamaContext
from edgerag_export.progress import Progress

WINDOW = 512
OVERLAP = 64
LEAST_TOKENS = 128
"""A shorter text says nothing."""
BATCH = 128
"""Tokens evaluated at once, whatever the model's size, so that all variants are computed in the same steps."""
GREEDY_TOKENS = 64
"""Length of the free answers that are compared."""
_SPEED_PROMPT, _SPEED_ANSWER = 256, 24


@dataclass(frozen=True, slots=True)
class GeneratorFigures:
    name: str
    size_mb: float
    """Of the file, in 10^6 bytes."""
    load_ms: float
    """Until the model can be asked, its file already in the system's cache."""
    perplexity: float
    perplexity_float: float
    """The original's, on the same tokens."""
    greedy_agreement: float
    """Share of scored tokens at which the variant's most likely token is the original's, both after the same text."""
    kl_divergence: float
    """Mean over scored tokens of KL(original || variant), in nats."""
    common_prefix: float
    """Share of the answer's tokens, of at most `GREEDY_TOKENS`, up to the first that differs when both answer freely
    and greedily; mean over the prompts. One early difference makes all that follows another text."""
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    """Both with one thread for each usable core, best of three runs in turn with the original."""
    prefill_float_tokens_per_s: float
    decode_float_tokens_per_s: float
    scored_tokens: int

    @property
    def perplexity_increase(self) -> float:
        """Relative to the original: 0.02 is 2 % more. Negative where the variant happens to do better."""
        return self.perplexity / self.perplexity_float - 1


@dataclass(frozen=True, slots=True)
class _Scores:
    """Sums over the tokens scored so far."""

    variant: float = 0.0
    reference: float = 0.0
    divergence: float = 0.0
    agreeing: int = 0
    count: int = 0


def measure_generator(
    variant: Path,
    reference: Path,
    text: str,
    prompts: Sequence[str],
    *,
    name: str = "",
    threads: int = 0,
    progress: Progress = lambda step, done, total: None,
) -> GeneratorFigures:
    """Compare a GGUF file with the float one it was made from. Everything but times is the same every time.

    Args:
        variant: May be the reference itself, whose figures are then those of a perfect copy.
        reference: The float original, of the same vocabulary.
        text: At least `LEAST_TOKENS` tokens, none of which was used to calibrate.
        prompts: For free answers; taken as they are, without a chat format. May be empty: `common_prefix` is 1.
        threads: 0: one for each usable core.
        progress: Is told tokens of the text, then prompts.

    Raises:
        ModelError: A model cannot be loaded or evaluated, their vocabularies differ, the text is too short, or a
            score is no number.
    """
    threads = threads or usable_cores()
    load_ms = _load_time(variant, threads)
    with _opened(variant, threads) as tried, _opened(reference, threads) as exact:
        if tried.num_vocab != exact.num_vocab:
            raise ModelError(
                f"{variant.name} knows {tried.num_vocab} tokens and {reference.name} {exact.num_vocab}.",
                hint="Compare a variant with the original it was made from.",
            )
        tokens = exact.tokenize(text, special=False)
        if len(tokens) < LEAST_TOKENS:
            raise ModelError(
                f"The text to measure with holds {len(tokens)} tokens, and {LEAST_TOKENS} are needed.",
                hint="Name a longer text in the recipe.",
            )
        scores = _Scores()
        for done, window in enumerate(windows(len(tokens))):
            progress("perplexity", done * (WINDOW - OVERLAP), len(tokens))
            scores = _score_window(tried, exact, tokens[window.start : window.stop], window.num_context, scores)
        progress("perplexity", len(tokens), len(tokens))
        if not math.isfinite(scores.variant + scores.reference + scores.divergence):
            raise ModelError(f"{variant.name} computes scores that are no numbers.", hint="Quantise it again.")
        shares = []
        for done, prompt in enumerate(prompts):
            progress("greedy answers", done, len(prompts))
            answers = [_greedy(context, prompt) for context in (tried, exact)]
            shares.append(_common_share(*answers))
        progress("greedy answers", len(prompts), len(prompts))
        speed, exact_speed = _speeds(tried, exact, tokens)
    return GeneratorFigures(
        name=name or variant.stem,
        size_mb=variant.stat().st_size / 1e6,
        load_ms=load_ms,
        perplexity=math.exp(min(700.0, scores.variant / scores.count)),
        perplexity_float=math.exp(min(700.0, scores.reference / scores.count)),
        greedy_agreement=scores.agreeing / scores.count,
        kl_divergence=scores.divergence / scores.count,
        common_prefix=float(np.mean(shares)) if shares else 1.0,
        prefill_tokens_per_s=speed[0],
        decode_tokens_per_s=speed[1],
        prefill_float_tokens_per_s=exact_speed[0],
        decode_float_tokens_per_s=exact_speed[1],
        scored_tokens=scores.count,
    )


def perplexity(
    model: Path, text: str, *, threads: int = 0, progress: Progress = lambda step, done, total: None
) -> float:
    """Perplexity of one model, as defined above.

    Raises:
        ModelError: As `measure_generator`.
    """
    with _opened(model, threads or usable_cores()) as context:
        tokens = context.tokenize(text, special=False)
        if len(tokens) < 2:
            raise ModelError("The text to measure with holds no two tokens.", hint="Name a longer text.")
        total = 0.0
        for done, window in enumerate(windows(len(tokens))):
            progress("perplexity", done * (WINDOW - OVERLAP), len(tokens))
            part = tokens[window.start : window.stop]
            for scores, targets in _next_scores(context, part, window.num_context):
                total -= float(_log_probabilities(scores)[np.arange(len(targets)), targets].sum())
    return math.exp(total / (len(tokens) - 1))


@dataclass(frozen=True, slots=True)
class Window:
    start: int
    stop: int
    num_context: int
    """Tokens at its beginning that are not scored: 1 in the first window, `OVERLAP` in all others."""


def windows(num_tokens: int) -> list[Window]:
    """Cut a text into windows so that every token but the first is scored in exactly one."""
    found = [Window(0, min(WINDOW, num_tokens), 1)]
    while found[-1].stop < num_tokens:
        start = found[-1].stop - OVERLAP
        found.append(Window(start, min(start + WINDOW, num_tokens), OVERLAP))
    return found


def _next_scores(
    context: LlamaContext, tokens: Sequence[int], num_context: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Evaluate a window; yields the scores that decided its scored tokens, and those tokens. Valid until the next."""
    context.keep(0)
    first = context.first_token()
    head = [] if first is None else [first]
    row = [*head, *tokens]
    for start in range(0, len(row), BATCH):
        part = row[start : start + BATCH]
        scores = context.evaluate_all(part)
        # Row i of the scores is about the token at place start + i + 1.
        lowest = max(0, len(head) + num_context - 1 - start)
        targets = np.array(row[start + lowest + 1 : start + len(part) + 1], dtype=np.int64)
        if len(targets):
            yield scores[lowest : lowest + len(targets)], targets


def _score_window(
    tried: LlamaContext, exact: LlamaContext, tokens: Sequence[int], num_context: int, scores: _Scores
) -> _Scores:
    pairs = zip(_next_scores(tried, tokens, num_context), _next_scores(exact, tokens, num_context), strict=True)
    for (tried_scores, targets), (exact_scores, _) in pairs:
        places = np.arange(len(targets))
        tried_log, exact_log = _log_probabilities(tried_scores), _log_probabilities(exact_scores)
        scores = replace(
            scores,
            variant=scores.variant - float(tried_log[places, targets].sum()),
            reference=scores.reference - float(exact_log[places, targets].sum()),
            divergence=scores.divergence + float((np.exp(exact_log) * (exact_log - tried_log)).sum(dtype=np.float64)),
            agreeing=scores.agreeing + int((tried_scores.argmax(axis=1) == exact_scores.argmax(axis=1)).sum()),
            count=scores.count + len(targets),
        )
    return scores


def _log_probabilities(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    logs: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs


def _greedy(context: LlamaContext, prompt: str) -> list[int]:
    """The most likely answer, token by token, without its end mark."""
    first = context.first_token()
    tokens = [*([] if first is None else [first]), *context.tokenize(prompt, special=False)]
    tokens = tokens[: WINDOW - GREEDY_TOKENS]
    context.keep(0)
    for start in range(0, len(tokens), BATCH):
        context.evaluate(tokens[start : start + BATCH])
    answer: list[int] = []
    while len(answer) < GREEDY_TOKENS:
        token = int(context.logits().argmax())
        if context.is_end(token):
            break
        answer.append(token)
        context.evaluate([token])
    return answer


def _common_share(one: Sequence[int], other: Sequence[int]) -> float:
    longest = max(len(one), len(other))
    if not longest:
        return 1.0
    same = next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    return same / longest


def _speeds(
    tried: LlamaContext, exact: LlamaContext, tokens: Sequence[int]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Tokens a second of a prompt and of an answer, best of three: others use the machine too."""
    rounds = [(_speed(tried, tokens), _speed(exact, tokens)) for _ in range(3)]
    best = [(max(speed[0] for speed in runs), max(speed[1] for speed in runs)) for runs in zip(*rounds, strict=True)]
    return best[0], best[1]


def _speed(context: LlamaContext, tokens: Sequence[int]) -> tuple[float, float]:
    prompt, answer = list(tokens[:_SPEED_PROMPT]), list(tokens[:_SPEED_ANSWER])
    context.keep(0)
    start = time.perf_counter()
    for place in range(0, len(prompt), BATCH):
        context.evaluate(prompt[place : place + BATCH])
    context.logits()
    middle = time.perf_counter()
    for token in answer:
        context.evaluate([token])
        context.logits()
    return len(prompt) / (middle - start), len(answer) / (time.perf_counter() - middle)


def _load_time(path: Path, threads: int) -> float:
    with _opened(path, threads):  # brings the file into memory
        pass
    start = time.perf_counter()
    with _opened(path, threads):
        return (time.perf_counter() - start) * 1000


@contextlib.contextmanager
def _opened(path: Path, threads: int) -> Iterator[LlamaContext]:
    context = LlamaContext(path, threads=threads, context_tokens=WINDOW + 1, batch_tokens=BATCH)
    try:
        yield context
    finally:
        context.close()
