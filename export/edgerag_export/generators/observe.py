"""Watch what flows into each table of a model while llama.cpp computes: runs inside `native_worker`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerag.errors import ModelError
from edgerag.inference.generator_native import load_library
from edgerag_export.generators.ggml import F32, GgmlTensor, check_layout, load_ggml

LEAST_ROWS = 16
"""Shorter windows are left out: llama.cpp's own tool ignores them too."""


def observe(request: dict[str, Any], report: Callable[[int, int], None]) -> dict[str, Any]:
    """Evaluate texts and write the sums of squares of every table's input to an importance matrix.

    Args:
        request: `model`, `target` (paths), `texts`, `window` (tokens), `threads`.
        report: Is told windows done, and all.

    Raises:
        ModelError: Another ggml than is known, a model with experts, or one that cannot be loaded or evaluated.
    """
    from edgerag_export.generators.importance import Importance, write_importance

    api = load_library()
    ggml = load_ggml(api)
    check_layout(ggml)
    collector = _Collector(multiplication=_op_number(ggml, b"MUL_MAT"), by_expert=_op_number(ggml, b"MUL_MAT_ID"))
    callback = api.ggml_backend_sched_eval_callback(collector)
    model, context = _open(api, request, callback)
    try:
        windows = _windows(api, api.llama_model_get_vocab(model), request["texts"], int(request["window"]))
        if not windows:
            raise ModelError(
                f"The calibration texts hold fewer than {LEAST_ROWS} tokens.", hint="Give more text, best pages of it."
            )
        for done, window in enumerate(windows):
            report(done, len(windows))
            _evaluate(api, context, window)
            if collector.failure:
                raise ModelError(collector.failure, hint="Build the ladder without an importance matrix.")
        report(len(windows), len(windows))
    finally:
        api.llama_free(context)
        api.llama_model_free(model)
    sums = {name: collector.sums[name].astype(np.float32) for name in sorted(collector.sums)}
    importance = Importance(sums, collector.counts, num_windows=len(windows), window=int(request["window"]))
    write_importance(importance, Path(request["target"]))
    return {"tokens": sum(map(len, windows)), "tables": len(sums)}


class _Collector:
    """Called by llama.cpp before (`ask`) and after each operation. Nothing may be raised into C."""

    def __init__(self, *, multiplication: int, by_expert: int) -> None:
        self.sums: dict[str, NDArray[np.float64]] = {}
        self.counts: dict[str, int] = {}
        self.failure = ""
        self._multiplication = multiplication
        self._by_expert = by_expert

    def __call__(self, address: int, ask: bool, _user_data: object) -> bool:
        try:
            return self._see(GgmlTensor.from_address(address), ask)
        except Exception as error:  # noqa: BLE001 - it would be lost in C, and the collection silently wrong
            self.failure = f"The inputs cannot be observed: {error!r}."
            return False

    def _see(self, tensor: GgmlTensor, ask: bool) -> bool:
        if tensor.op == self._by_expert:
            self.failure = "The model has experts, whose inputs are not observed here."
            return False
        if tensor.op != self._multiplication:
            return not ask
        table, rows = GgmlTensor.from_address(tensor.src[0]), GgmlTensor.from_address(tensor.src[1])
        name = table.name.decode("utf-8", "replace")
        # The last table (the words') is left out as in llama.cpp's own tool: it stays in more bits in every rung.
        wanted = name.startswith("blk.") and name.endswith(".weight") and rows.type == F32 and rows.ne[1] >= LEAST_ROWS
        if ask or not wanted:
            return wanted if ask else True
        width, count = int(rows.ne[0]), int(rows.ne[1])
        if rows.nb[0] != 4 or rows.nb[1] != 4 * width or rows.ne[2] != 1 or rows.ne[3] != 1:
            raise ValueError(f"{name} has an input of an unknown shape")
        buffer = (ctypes.c_float * (width * count)).from_address(rows.data)
        values = np.ctypeslib.as_array(buffer).reshape(count, width)
        total = np.einsum("ij,ij->j", values, values, dtype=np.float64)
        if not np.isfinite(total).all():
            raise ValueError(f"{name} was given a value that is no number")
        self.sums[name] = self.sums.get(name, 0.0) + total
        self.counts[name] = self.counts.get(name, 0) + count
        return True


def _op_number(ggml: Any, name: bytes) -> int:
    return next(number for number in range(200) if ggml.ggml_op_name(number) == name)


def _open(api: Any, request: dict[str, Any], callback: Any) -> tuple[Any, Any]:
    params = api.llama_model_default_params()
    params.n_gpu_layers = 0
    model = api.llama_model_load_from_file(str(request["model"]).encode(), params)
    if not model:
        raise ModelError(f"{Path(request['model']).name} cannot be loaded.", hint="Is there enough memory?")
    options = api.llama_context_default_params()
    options.n_ctx = options.n_batch = options.n_ubatch = int(request["window"]) + 1
    options.n_threads = options.n_threads_batch = int(request["threads"])
    options.n_seq_max = 1
    options.offload_kqv = options.op_offload = False
    options.cb_eval = callback
    context = api.llama_init_from_model(model, options)
    if not context:
        api.llama_model_free(model)
        raise ModelError("There is not enough memory to observe the model.", hint="Close other programs.")
    return model, context


def _windows(api: Any, vocab: Any, texts: list[str], window: int) -> list[list[int]]:
    tokens: list[int] = []
    for text in texts:
        encoded = (text.strip() + "\n").encode("utf-8", "replace")
        room = (api.llama_token * (len(encoded) + 8))()
        count = api.llama_tokenize(vocab, encoded, len(encoded), room, len(room), False, False)
        tokens += room[: max(0, count)]
    first = [api.llama_vocab_bos(vocab)] if api.llama_vocab_get_add_bos(vocab) else []
    windows = [first + tokens[start : start + window] for start in range(0, len(tokens), window)]
    return [part for part in windows if len(part) >= LEAST_ROWS]


def _evaluate(api: Any, context: Any, tokens: list[int]) -> None:
    api.llama_memory_clear(api.llama_get_memory(context), True)
    array = (api.llama_token * len(tokens))(*tokens)  # the batch holds a bare pointer to it
    batch = api.llama_batch_get_one(array, len(tokens))
    # Scores after every token: else the last layer would compute, and show, the last row only.
    flags = (ctypes.c_int8 * len(tokens))(*([1] * len(tokens)))
    batch.logits = ctypes.cast(flags, ctypes.POINTER(ctypes.c_int8))
    if status := api.llama_decode(context, batch):
        raise ModelError(f"The model could not be evaluated (status {status}).", hint="Is there enough memory?")
