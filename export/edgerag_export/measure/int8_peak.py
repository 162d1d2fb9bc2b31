"""The most integer and float products that this machine gives onnxruntime, one thread on each core."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgerag.cores import usable_cores

SHAPES = ((256, 1024, 1024), (256, 384, 1536), (1024, 2048, 512))
"""(rows, inner, columns) of the products tried: the best counts. Large enough to hide the cost of a call, and small
enough that the weights stay in a core's cache."""
_SAMPLE_S = 0.05
_OPSET, _IR_VERSION = 17, 8


@dataclass(frozen=True, slots=True)
class Peak:
    """Billions of operations a second over all cores; a multiply and an add are two."""

    cores: int
    int8_gops: float
    float32_gops: float


class PeakMeter:
    """Measures in small samples, so that they can be taken between others; `peak` is the best of them."""

    def __init__(self) -> None:
        self._cores = usable_cores()
        self._sessions = [(kind, shape, _session(kind, shape)) for kind in ("int8", "float32") for shape in SHAPES]
        self._best = {"int8": 0.0, "float32": 0.0}

    def sample(self) -> None:
        """Run each product for a moment on all cores: about 0.3 s in all."""
        with ThreadPoolExecutor(self._cores) as pool:
            for kind, (rows, inner, columns), session in self._sessions:
                feeds = {"a": _inputs(kind, (rows, inner))}
                session.run(None, feeds)
                runs = list(pool.map(_repeat, [session] * self._cores, [feeds] * self._cores))
                # All threads run for the whole time, so their rates may be added up.
                rate = sum(count / seconds for count, seconds in runs)
                self._best[kind] = max(self._best[kind], 2e-9 * rows * inner * columns * rate)

    @property
    def peak(self) -> Peak:
        """The best of all samples; at least one must have been taken."""
        return Peak(self._cores, self._best["int8"], self._best["float32"])


def measure_peak(*, samples: int = 5) -> Peak:
    """Measure the machine by itself; beside variants that are measured too, share a `PeakMeter` instead."""
    meter = PeakMeter()
    for _ in range(samples):
        meter.sample()
    return meter.peak


def _repeat(session: Any, feeds: dict[str, Any]) -> tuple[int, float]:
    start = time.perf_counter()
    count = 0
    while (elapsed := time.perf_counter() - start) < _SAMPLE_S or not count:
        session.run(None, feeds)
        count += 1
    return count, elapsed


def _inputs(kind: str, shape: tuple[int, int]) -> Any:
    random = np.random.default_rng(0)
    if kind == "int8":
        return random.integers(0, 256, shape, dtype=np.uint8)
    return random.standard_normal(shape, dtype=np.float32)


def _session(kind: str, shape: tuple[int, int, int]) -> Any:
    """Open a graph of one product with fixed weights, under the same options as the runtime's."""
    # deferred: onnx is part of the extra `export`
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    rows, inner, columns = shape
    weight = np.random.default_rng(1).integers(-64, 65, (inner, columns), dtype=np.int8)
    if kind == "int8":
        tensors = {"b": weight, "a_scale": np.float32(0.01), "b_scale": np.full(columns, 0.01, np.float32),
                   "a_zero": np.uint8(128)}  # fmt: skip
        node = helper.make_node(
            "MatMulIntegerToFloat", ["a", "b", "a_scale", "b_scale", "a_zero"], ["y"], domain="com.microsoft"
        )
        element = TensorProto.UINT8
    else:
        tensors = {"b": weight.astype(np.float32)}
        node = helper.make_node("MatMul", ["a", "b"], ["y"])
        element = TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        "peak",
        [helper.make_tensor_value_info("a", element, [rows, inner])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, columns])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
