"""The process in which llama.cpp quantises and observes: what it dislikes ends in `abort()`, and ends this one only.

Reads one JSON request from stdin and writes lines of JSON to stdout: `progress` (done, total), then `result` or
`error`.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
from pathlib import Path
from typing import Any

from edgerag.errors import ModelError
from edgerag.inference.generator_native import load_library
from edgerag_export.generators.ggml import load_ggml, tensor_types

_TENSOR = re.compile(r"^\[\s*(\d+)/\s*(\d+)\]")


def main() -> int:
    request = json.load(sys.stdin)
    try:
        if request["job"] == "quantize":
            result = _quantize(request)
        else:
            from edgerag_export.generators.observe import observe  # deferred: the other job does not need it

            result = observe(request, report_progress)
    except ModelError as error:
        _say({"error": {"message": str(error), "hint": error.hint}})
        return 1
    _say({"result": result})
    return 0


def report_progress(done: int, total: int) -> None:
    _say({"progress": [done, total]})


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _quantize(request: dict[str, Any]) -> dict[str, Any]:
    api = load_library()
    complaints: list[str] = []

    def on_log(level: int, text: bytes, _user_data: object) -> None:
        line = text.decode("utf-8", "replace").strip()
        if match := _TENSOR.match(line):
            report_progress(int(match[1]), int(match[2]))
        elif level in (3, 4) and line:  # GGML_LOG_LEVEL_WARN, GGML_LOG_LEVEL_ERROR
            complaints.append(line)

    callback = api.llama_log_callback(on_log)
    api.llama_log_set(callback, ctypes.c_void_p(0))
    options = api.llama_model_quantize_default_params()
    options.nthread = int(request["threads"])
    options.ftype = int(getattr(api, request["file_type"]))
    options.allow_requantize = True
    weights = _importance(api, request["importance"])
    if weights is not None:
        options.imatrix = ctypes.cast(weights, ctypes.POINTER(api.llama_model_imatrix_data))
    source, target = str(request["source"]).encode(), str(request["target"]).encode()
    status = api.llama_model_quantize(source, target, ctypes.byref(options))
    if status:
        reason = complaints[-1] if complaints else f"status {status}"
        raise ModelError(f"llama.cpp could not quantise {Path(request['source']).name}: {reason}")
    return {"complaints": complaints, "tensor_types": tensor_types(load_ggml(api), Path(request["target"]))}


def _importance(api: Any, path: str | None) -> Any:
    """The matrix as llama.cpp wants it: an array that ends with an entry without a name."""
    if path is None:
        return None
    from edgerag_export.generators.importance import read_importance

    means = read_importance(Path(path)).means()
    entries = (api.llama_model_imatrix_data * (len(means) + 1))()
    for entry, (name, values) in zip(entries, means.items(), strict=False):
        entry.name = name.encode()
        entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        entry.size = values.size
    entries.kept = means  # ctypes keeps the names alive, the arrays are ours to keep
    return entries


if __name__ == "__main__":
    raise SystemExit(main())
