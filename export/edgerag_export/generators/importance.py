"""The importance matrix: how much each input channel of each table matters, so that its rounding errors go elsewhere.

A quantiser chooses the scale of each block of weights. With the mean square of what each weight is multiplied by, it
can choose the scale that keeps the product close rather than the weights. Stored in the GGUF form of llama.cpp's
`llama-imatrix`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgerag.cores import usable_cores
from edgerag.errors import ModelError
from edgerag.models.gguf import read_gguf_header
from edgerag_export.generators.native import run_job
from edgerag_export.progress import Progress

WINDOW = 512
"""Tokens evaluated together; llama.cpp's default."""
_DATASET = "calibration"
_SUMS, _COUNTS = ".in_sum2", ".counts"


@dataclass(frozen=True, slots=True)
class Importance:
    sums: Mapping[str, NDArray[np.float32]]
    """By table (`blk.0.attn_q.weight`), shape (inputs,): squares of its inputs, summed over all rows seen."""
    counts: Mapping[str, int]
    """Rows seen, by table."""
    num_windows: int
    window: int

    def means(self) -> dict[str, NDArray[np.float32]]:
        """Mean squares, shape (inputs,), as the quantiser wants them."""
        return {
            name: np.ascontiguousarray(values / np.float32(self.counts[name]), dtype=np.float32)
            for name, values in self.sums.items()
        }


def collect_importance(
    model: Path,
    texts: Sequence[str],
    target: Path,
    *,
    window: int = WINDOW,
    threads: int = 0,
    progress: Progress = lambda step, done, total: None,
) -> Path:
    """Run texts through a model and write its importance matrix. Same input and threads, same bytes.

    Args:
        model: A GGUF file, best the float one.
        texts: Like those that the model will meet; a few thousand tokens. Not those it will be judged by.
        window: Most tokens evaluated together; texts are joined by line breaks and cut into windows.

    Raises:
        ModelError: No usable model, one with experts, too little text, or another llama.cpp than is known.
    """
    read_gguf_header(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    request = {
        "job": "observe",
        "model": str(model),
        "target": str(target),
        "texts": list(texts),
        "window": window,
        "threads": threads or usable_cores(),
    }
    run_job(request, step="importance", what=model.name, progress=progress)
    return target


def write_importance(importance: Importance, target: Path) -> None:
    """Write it as `llama-imatrix` of the same version does; the file appears whole or not at all.

    Raises:
        ModelError: It cannot be written.
    """
    from gguf import GGUFWriter  # deferred: of the export side

    arriving = target.parent / f".{target.name}.part"
    try:
        writer = GGUFWriter(arriving, arch="imatrix")
        writer.add_type("imatrix")
        writer.add_array("imatrix.datasets", [_DATASET])
        writer.add_uint32("imatrix.chunk_count", importance.num_windows)
        writer.add_uint32("imatrix.chunk_size", importance.window)
        for name in sorted(importance.sums):
            writer.add_tensor(name + _SUMS, importance.sums[name].reshape(1, -1))
            writer.add_tensor(name + _COUNTS, np.full((1, 1), importance.counts[name], np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        arriving.replace(target)
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror or error}.", hint="Is the disk full?") from error
    finally:
        arriving.unlink(missing_ok=True)


def read_importance(file: Path) -> Importance:
    """Read an importance matrix in the GGUF form, ours or of `llama-imatrix`.

    Raises:
        ModelError: It is none, or one for a model with experts.
    """
    from edgerag_export.generators.dequantize import open_gguf

    reader = open_gguf(file)
    tensors = {tensor.name: np.array(tensor.data, dtype=np.float32) for tensor in reader.tensors}
    names = [name.removesuffix(_SUMS) for name in tensors if name.endswith(_SUMS)]
    if not names or any(name + _COUNTS not in tensors for name in names):
        raise ModelError(f"{file.name} is no importance matrix.", hint="Make one, or leave it out.")
    counts = {name: tensors[name + _COUNTS] for name in names}
    if any(count.size != 1 or count[0, 0] < 1 for count in counts.values()):
        raise ModelError(f"{file.name} is for a model with experts, or lacks tables.", hint="Leave it out.")

    def number(key: str) -> int:
        return int(reader.fields[key].contents()) if key in reader.fields else 0

    return Importance(
        {name: tensors[name + _SUMS].reshape(-1) for name in sorted(names)},
        {name: int(count[0, 0]) for name, count in counts.items()},
        num_windows=number("imatrix.chunk_count"),
        window=number("imatrix.chunk_size"),
    )
