"""GGUF files in fewer bits, by llama.cpp's own quantiser."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from edgerag.cores import usable_cores
from edgerag.errors import ModelError
from edgerag.models.disk import SPARE_BYTES
from edgerag.models.gguf import read_gguf_header
from edgerag_export.disk import check_room
from edgerag_export.generators.native import run_job
from edgerag_export.progress import Progress

RUNGS = {
    "f32": "LLAMA_FTYPE_ALL_F32",
    "bf16": "LLAMA_FTYPE_MOSTLY_BF16",
    "f16": "LLAMA_FTYPE_MOSTLY_F16",
    "q8_0": "LLAMA_FTYPE_MOSTLY_Q8_0",
    "q6_k": "LLAMA_FTYPE_MOSTLY_Q6_K",
    "q5_k_m": "LLAMA_FTYPE_MOSTLY_Q5_K_M",
    "q4_k_m": "LLAMA_FTYPE_MOSTLY_Q4_K_M",
    "q4_1": "LLAMA_FTYPE_MOSTLY_Q4_1",
    "q4_0": "LLAMA_FTYPE_MOSTLY_Q4_0",
}
"""llama.cpp's constant for each; largest first."""
FLOAT_RUNGS = ("f32", "bf16", "f16")
"""Those for which nothing is rounded to a grid, so that an importance matrix has nothing to weigh."""


@dataclass(frozen=True, slots=True)
class Quantized:
    path: Path
    tensor_types: dict[str, int]
    """How many tensors are stored as what. The k-types need rows of a multiple of 256; llama.cpp stores others in a
    related type of 32 (Q4_K: Q5_0, Q5_K: Q5_1, Q6_K: Q8_0), which makes the file larger than the rung's name says."""
    complaints: tuple[str, ...]
    """Warnings of llama.cpp, e.g. about such tensors."""


def quantize(
    source: Path,
    target: Path,
    rung: str,
    *,
    importance: Path | None = None,
    threads: int = 0,
    progress: Progress = lambda step, done, total: None,
) -> Quantized:
    """Write a GGUF file's tables in another type. Same input, same bytes, whatever the number of threads.

    Args:
        source: Best a float file. One that is quantised already works too; its rounding stays in.
        target: Appears whole or not at all.
        rung: One of `RUNGS`.
        importance: An importance matrix of this model (`importance.collect_importance`); ignored by `FLOAT_RUNGS`.
        threads: 0: one for each usable core.

    Raises:
        ModelError: No usable GGUF, not enough disk, or llama.cpp refused or broke off.
    """
    if rung not in RUNGS:
        raise ModelError(f"There is no quantisation {rung}.", hint=f"Known: {', '.join(RUNGS)}.")
    read_gguf_header(source)
    # Floats may come out of a file that was quantised: at most 4 bytes for what took half of one.
    check_room(target, source.stat().st_size * (8 if rung in FLOAT_RUNGS else 2) // 2)
    arriving = target.parent / f".{target.name}.part"
    arriving.unlink(missing_ok=True)
    request = {
        "job": "quantize",
        "source": str(source),
        "target": str(arriving),
        "file_type": RUNGS[rung],
        "importance": str(importance) if importance is not None and rung not in FLOAT_RUNGS else None,
        "threads": threads or usable_cores(),
    }
    try:
        answer = run_job(request, step=f"quantise {rung}", what=source.name, progress=progress)
        read_gguf_header(arriving)  # whole?
        arriving.replace(target)
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror or error}.", hint="Is the disk full?") from error
    except ModelError as error:
        # llama.cpp says no more than that it could not write.
        if shutil.disk_usage(target.parent).free < SPARE_BYTES // 16:
            raise ModelError(
                f"The disk is full: {target} could not be written.", hint="Free some space, then run it again."
            ) from error
        raise
    finally:
        arriving.unlink(missing_ok=True)
    return Quantized(target, answer["tensor_types"], tuple(answer["complaints"]))
