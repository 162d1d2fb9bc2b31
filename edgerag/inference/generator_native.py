"""The part of llama.cpp's C interface that a generator needs, with Python types and our errors."""

from __future__ import annotations

import ctypes
import logging
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerag.coded_text import coded
from edgerag.errors import ModelError
from edgerag.inference.generator_abort import AbortSwitch
from edgerag.inference.ggml_variants import prepare_arithmetic, prepared_arithmetic

logger = logging.getLogger(__name__)

INSTALL_HINT = coded("hint.install_llm", 'Install it: pip install "edgerag[llm]".')
OTHER_MODEL_HINT = coded("hint.other_model", "Use another model.")
MEMORY_HINT = coded("hint.memory", "Close other programs, choose a smaller model, or set a smaller `context_tokens`.")
DECODE_ABORTED = 2
"""What `llama_decode` returns when it was aborted, see llama.h."""
PREFILL_BATCH = 128
"""Tokens of a prompt evaluated at once, whatever the model: as fast as 512, while 16 took 2.9 times as long and 32
2.3 times (SmolLM2-135M, 896 tokens). Fixed, because where a prompt is cut changes its state (`REUSE_STEP`)."""
TOKEN_ATTR_USER_DEFINED = 1 << 4
"""`LLAMA_TOKEN_ATTR_USER_DEFINED` of llama.h: tokens that are recognised even with special tokens off."""

REUSE_STEP = 16
"""A prompt may be cut at multiples of this without a change of any bit in its scores
(`test_whatever_was_kept_the_scores_are_the_same`). Formats whose rows are interleaved by four take multiples of four
only (Q4_K_M); a token by itself is computed by other code than several, which with AVX512 moved scores by 0.9."""

_library_lock = threading.Lock()
_log_callback: Any = None
_complaints: list[str] = []
"""What llama.cpp last said at warning level or above; it tells nothing through its return values."""


def load_library() -> Any:
    """Import llama_cpp and turn its log from stderr into ours.

    Raises:
        ModelError: Not installed, its shared library does not load here, or it has no code for this processor.
    """
    global _log_callback
    with _library_lock:
        try:
            import llama_cpp  # deferred: 0.2 s, and optional
        except ImportError as error:
            raise ModelError(
                coded("generator.not_installed", "llama-cpp-python is not installed."), hint=INSTALL_HINT
            ) from error
        except (OSError, RuntimeError) as error:
            raise ModelError(
                coded("generator.does_not_load", "llama.cpp does not load: {problem}", problem=error),
                hint=coded("hint.reinstall_llama", "Reinstall llama-cpp-python."),
            ) from error
        if _log_callback is None:
            _log_callback = llama_cpp.llama_log_callback(_on_log)  # kept: C holds a bare pointer to it
            llama_cpp.llama_log_set(_log_callback, ctypes.c_void_p(0))
        if prepared_arithmetic() is None:
            prepare_arithmetic(llama_cpp)
            llama_cpp.llama_backend_init()
        return llama_cpp


def _on_log(level: int, text: bytes, _user_data: object) -> None:
    line = text.decode("utf-8", "replace").strip()
    if not line:
        return
    if level in (3, 4):  # GGML_LOG_LEVEL_WARN, GGML_LOG_LEVEL_ERROR
        _complaints.append(line)
        del _complaints[:-8]
    logger.debug("llama.cpp: %s", line)


def _last_complaint() -> str:
    return f" llama.cpp says: {_complaints[-1]}" if _complaints else ""


class LlamaContext:
    """A loaded model with one sequence in memory; not safe to share between threads."""

    def __init__(self, path: Path, *, threads: int, context_tokens: int, batch_tokens: int = PREFILL_BATCH) -> None:
        """Load a model.

        Args:
            path: A GGUF file whose hash has been checked: llama.cpp trusts what it reads.
            threads: For prompt and answer.
            context_tokens: Wanted room; capped by what the model was trained for.
            batch_tokens: Most tokens per call of `evaluate`.

        Raises:
            ModelError: Not loadable, not a text generator, or out of memory.
        """
        self._api = api = load_library()
        _complaints.clear()
        params = api.llama_model_default_params()
        params.n_gpu_layers = 0
        model = api.llama_model_load_from_file(str(path).encode("utf-8"), params)
        if not model:
            raise ModelError(
                coded(
                    "generator.cannot_load",
                    "{name} cannot be loaded.{complaint}",
                    name=path.name,
                    complaint=_last_complaint(),
                ),
                hint=MEMORY_HINT,
            )
        self._model = model
        self._free_model = weakref.finalize(self, api.llama_model_free, model)
        if not api.llama_model_has_decoder(model) or api.llama_model_has_encoder(model):
            self.close()
            raise ModelError(
                coded("generator.no_generator", "{name} is no text generator.", name=path.name),
                hint=coded("hint.choose_generator", "Choose another: `edgerag models list`."),
            )
        self.vocab = api.llama_model_get_vocab(model)
        self.num_vocab = int(api.llama_vocab_n_tokens(self.vocab))
        self.context_tokens = min(context_tokens, int(api.llama_model_n_ctx_train(model)) or context_tokens)
        self.batch_tokens = batch_tokens
        self.reuse_step = min(REUSE_STEP, self.batch_tokens)
        options = api.llama_context_default_params()
        options.n_ctx = self.context_tokens
        options.n_batch = options.n_ubatch = self.batch_tokens
        options.n_threads = options.n_threads_batch = threads
        options.n_seq_max = 1
        options.swa_full = True  # without it a kept prefix is not whole in models with a sliding window
        options.offload_kqv = options.op_offload = False
        # With it a token's scores depend on the number of threads from 512 tokens on (by up to 1.1 in SmolLM2), and
        # that number changes. Without it decoding is faster, too: 1.1 x after 512 tokens, 1.25 to 1.5 x after 1,664.
        options.flash_attn_type = api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        context = api.llama_init_from_model(model, options)
        if not context:
            self.close()
            raise ModelError(
                coded(
                    "generator.no_memory",
                    "There is not enough memory for {number} tokens of context.{complaint}",
                    number=self.context_tokens,
                    complaint=_last_complaint(),
                ),
                hint=MEMORY_HINT,
            )
        self._context = context
        self.threads = threads
        self._free_context = weakref.finalize(self, api.llama_free, context)
        self._memory = api.llama_get_memory(context)
        self.abort = AbortSwitch()
        self.abort.install(api, context)
        self._piece_buffer = ctypes.create_string_buffer(256)

    def close(self) -> None:
        """Free the memory; the context cannot be used afterwards."""
        for name in ("_free_context", "_free_model"):
            if free := getattr(self, name, None):
                free()

    def use_adapter(self, path: Path, *, scale: float = 1.0) -> None:
        """Let a LoRA adapter change what the model computes, from the next evaluation on; clears the memory.

        Args:
            path: A GGUF file whose hash has been checked; it must belong to this very model.
            scale: How much of its effect; 0: none.

        Raises:
            ModelError: No adapter, or one for another model.
        """
        _complaints.clear()
        adapter = self._api.llama_adapter_lora_init(self._model, str(path).encode("utf-8"))  # freed with the model
        if not adapter:
            raise ModelError(
                f"{path.name} is no adapter for this model.{_last_complaint()}",
                hint="Convert it with the model it was trained on as its base.",
            )
        adapters = (self._api.llama_adapter_lora_p_ctypes * 1)(adapter)
        if self._api.llama_set_adapters_lora(self._context, adapters, 1, (ctypes.c_float * 1)(scale)):
            raise ModelError(f"{path.name} cannot be used with this model.{_last_complaint()}", hint=MEMORY_HINT)
        self.keep(0)

    # --- text and tokens --------------------------------------------------------------------------

    def metadata(self, key: str) -> str:
        """A value of the file's header as text, or nothing."""
        size = 2**16
        buffer = ctypes.create_string_buffer(size)
        length = self._api.llama_model_meta_val_str(self._model, key.encode(), buffer, size)
        if length >= size:
            buffer = ctypes.create_string_buffer(length + 1)
            self._api.llama_model_meta_val_str(self._model, key.encode(), buffer, length + 1)
        return buffer.value.decode("utf-8", "replace") if length > 0 else ""

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Tokens of a text; with `special`, control tokens written in it become such."""
        encoded = text.encode("utf-8", "replace")
        room = len(encoded) + 8
        tokens = (self._api.llama_token * room)()
        count = self._api.llama_tokenize(self.vocab, encoded, len(encoded), tokens, room, False, special)
        if count < 0:
            room = -count
            tokens = (self._api.llama_token * room)()
            count = self._api.llama_tokenize(self.vocab, encoded, len(encoded), tokens, room, False, special)
        if count < 0:
            raise ModelError(coded("generator.no_tokens", "The text cannot be tokenised."), hint=OTHER_MODEL_HINT)
        return list(tokens[:count])

    def piece(self, token: int) -> bytes:
        """The bytes that a token adds to a text; none for control tokens."""
        size = len(self._piece_buffer)
        length = self._api.llama_token_to_piece(self.vocab, token, self._piece_buffer, size, 0, False)
        if length < 0:
            self._piece_buffer = ctypes.create_string_buffer(-length)
            length = self._api.llama_token_to_piece(self.vocab, token, self._piece_buffer, -length, 0, False)
        return self._piece_buffer.raw[: max(0, length)]

    def token_text(self, token: int) -> str:
        """A token as the vocabulary writes it, control tokens too."""
        return (self._api.llama_vocab_get_text(self.vocab, token) or b"").decode("utf-8", "replace")

    def is_control(self, token: int) -> bool:
        return bool(self._api.llama_vocab_is_control(self.vocab, token) or self.is_end(token))

    def is_user_defined(self, token: int) -> bool:
        return bool(self._api.llama_vocab_get_attr(self.vocab, token) & TOKEN_ATTR_USER_DEFINED)

    def is_end(self, token: int) -> bool:
        """Whether the token ends an answer."""
        return bool(self._api.llama_vocab_is_eog(self.vocab, token))

    def first_token(self) -> int | None:
        """The token that has to stand before every prompt, for models that want one."""
        if not self._api.llama_vocab_get_add_bos(self.vocab):
            return None
        token = int(self._api.llama_vocab_bos(self.vocab))
        return token if token >= 0 else None

    # --- evaluation -------------------------------------------------------------------------------

    def use_threads(self, number: int) -> None:
        """How many threads compute single tokens from now on, at most `threads`; prompts keep all of them.

        Scores do not change by a bit (`test_the_number_of_threads_changes_no_bit`).
        """
        self._api.llama_set_n_threads(self._context, min(number, self.threads), self.threads)

    def keep(self, length: int) -> int:
        """Forget all but the first tokens in memory; returns how many stay, which is none where a part cannot."""
        if length and self._api.llama_memory_seq_rm(self._memory, 0, length, -1):
            return length
        self._api.llama_memory_clear(self._memory, False)
        return 0

    def evaluate(self, tokens: Sequence[int]) -> bool:
        """Append tokens, at most `batch_tokens`, to those in memory; `logits` then tells what may follow.

        Returns:
            False where `abort` was on: these tokens are not in memory, those before them are, once `keep` has been
            called with their number.

        Raises:
            ModelError: llama.cpp failed; memory is in no known state (`keep(0)` clears it).
        """
        return self._decode(tokens, wants_all=False)

    def evaluate_all(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """As `evaluate`, for measuring: returns the scores after each of the tokens.

        Returns:
            Shape (len(tokens), num_vocab); valid until the next call.

        Raises:
            ModelError: As `evaluate`.
        """
        if not self._decode(tokens, wants_all=True):
            raise ModelError("The measurement was aborted.", hint="Start it again.")
        pointer = self._api.llama_get_logits(self._context)
        if not pointer:
            raise ModelError(coded("generator.no_scores", "The generator gave no scores."), hint=OTHER_MODEL_HINT)
        scores: NDArray[np.float32] = np.ctypeslib.as_array(pointer, shape=(len(tokens), self.num_vocab))
        return scores

    def _decode(self, tokens: Sequence[int], *, wants_all: bool) -> bool:
        array = (self._api.llama_token * len(tokens))(*tokens)
        batch = self._api.llama_batch_get_one(array, len(tokens))
        if wants_all:
            flags = (ctypes.c_int8 * len(tokens))(*([1] * len(tokens)))  # lives until the call below is over
            batch.logits = ctypes.cast(flags, ctypes.POINTER(ctypes.c_int8))
        _complaints.clear()
        status = self._api.llama_decode(self._context, batch)
        if status == DECODE_ABORTED:
            return False
        if status:
            raise ModelError(
                coded(
                    "generator.failed",
                    "The generator failed with status {status}.{complaint}",
                    status=status,
                    complaint=_last_complaint(),
                ),
                hint=MEMORY_HINT,
            )
        return True

    def logits(self) -> NDArray[np.float32]:
        """Scores of all tokens after the last one evaluated, shape (num_vocab,); valid until the next call."""
        pointer = self._api.llama_get_logits_ith(self._context, -1)
        if not pointer:
            raise ModelError(coded("generator.no_scores", "The generator gave no scores."), hint=OTHER_MODEL_HINT)
        scores: NDArray[np.float32] = np.ctypeslib.as_array(pointer, shape=(self.num_vocab,))
        return scores
