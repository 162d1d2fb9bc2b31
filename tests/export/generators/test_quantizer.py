"""llama.cpp's quantiser and importance matrix, on a tiny model."""

from __future__ import annotations

import hashlib
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from edgerag.errors import ModelError
from tests.inference.tiny_gguf import DIM, LAYERS, write_tiny_model

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: run `make test-export`")
pytest.importorskip("gguf", reason="gguf is not installed: run `make test-export`")

from edgerag.inference.generator_native import load_library
from edgerag_export.generators import ggml as binding
from edgerag_export.generators import native
from edgerag_export.generators.importance import (
    Importance,
    collect_importance,
    read_importance,
    write_importance,
)
from edgerag_export.generators.quantizer import quantize

TEXT = "Each flood comes in and goes out again, and a keeper in his lighthouse writes down when. " * 3


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def matrix(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return collect_importance(source, [TEXT], tmp_path_factory.mktemp("matrix") / "matrix.gguf", window=64, threads=1)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_file_holds_the_types_of_its_rung(source: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    made = quantize(source, tmp_path / "small.gguf", "q8_0", progress=lambda *step: steps.append(step), threads=1)
    # Two layers of seven tables, the words' and the output's; norms stay as they are.
    assert made.tensor_types == {"q8_0": 7 * LAYERS + 2, "f32": 2 * LAYERS + 1}
    assert made.complaints == ()
    # Tables of 32 weights a block: two bytes of scale and 32 of weights instead of 128.
    assert made.path.stat().st_size < 0.45 * source.stat().st_size
    assert steps[0] == ("quantise q8_0", 1, 21)
    assert steps[-1] == ("quantise q8_0", 21, 21)
    assert [path.name for path in tmp_path.iterdir()] == ["small.gguf"]


def test_rows_too_short_for_a_k_type_are_stored_in_its_relative_and_said_so(source: Path, tmp_path: Path) -> None:
    made = quantize(source, tmp_path / "small.gguf", "q6_k", threads=1)
    assert made.tensor_types == {"q8_0": 7 * LAYERS + 2, "f32": 2 * LAYERS + 1}
    assert any("fallback" in line for line in made.complaints)


def test_the_same_input_gives_the_same_bytes_on_any_number_of_threads(
    source: Path, matrix: Path, tmp_path: Path
) -> None:
    made = [quantize(source, tmp_path / f"{n}.gguf", "q4_0", importance=matrix, threads=n) for n in (1, 2)]
    assert digest(made[0].path) == digest(made[1].path)


def test_a_quantised_file_can_be_quantised_again(source: Path, tmp_path: Path) -> None:
    first = quantize(source, tmp_path / "q4_1.gguf", "q4_1", threads=1)
    again = quantize(first.path, tmp_path / "q4_0.gguf", "q4_0", threads=1)
    assert again.tensor_types["q4_0"] == 7 * LAYERS + 1


def test_an_importance_matrix_changes_what_it_should(source: Path, matrix: Path, tmp_path: Path) -> None:
    plain, weighted = (
        quantize(source, tmp_path / f"{bool(importance)}.gguf", "q4_0", importance=importance, threads=1)
        for importance in (None, matrix)
    )
    assert digest(plain.path) != digest(weighted.path)
    floats = [quantize(source, tmp_path / f"f16-{n}.gguf", "f16", importance=n, threads=1) for n in (None, matrix)]
    assert digest(floats[0].path) == digest(floats[1].path)


def test_an_unknown_rung_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no quantisation q3_x"):
        quantize(source, tmp_path / "small.gguf", "q3_x", threads=1)


def test_what_llama_cpp_cannot_read_is_refused_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
    broken = tmp_path / "in" / "broken.gguf"
    broken.parent.mkdir()
    # Whole as GGUF, yet without a key that llama.cpp needs.
    broken.write_bytes(source.read_bytes().replace(b"llama.block_count", b"llama.block_kount"))
    with pytest.raises(ModelError, match=r"llama\.cpp could not quantise broken\.gguf: .*block_count"):
        quantize(broken, tmp_path / "out" / "small.gguf", "q8_0", threads=1)
    assert list((tmp_path / "out").iterdir()) == []


def test_too_little_disk_is_noticed_before(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 1_000_000))
    with pytest.raises(ModelError, match=r"has 1 MB free, and small\.gguf needs about 67 MB"):
        quantize(source, tmp_path / "small.gguf", "q8_0", threads=1)


def test_an_assertion_in_llama_cpp_ends_the_worker_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = tmp_path / "python"
    worker.write_text("#!/bin/sh\necho 'ggml.c:7: GGML_ASSERT(rows > 0) failed' >&2\necho trace >&2\nkill -ABRT $$\n")
    worker.chmod(0o755)
    monkeypatch.setattr(native.sys, "executable", str(worker))
    with pytest.raises(ModelError, match=r"broke off \(SIGABRT\) while it worked on some\.gguf: .*GGML_ASSERT\(rows"):
        native.run_job({"job": "quantize"}, step="s", what="some.gguf", progress=lambda *_: None)


# --- the importance matrix ------------------------------------------------------------------------


def test_the_matrix_holds_the_mean_squares_that_torch_sees(
    llama_folder: Path, llama_gguf: Path, tmp_path: Path
) -> None:
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM

    found = read_importance(collect_importance(llama_gguf, [TEXT], tmp_path / "matrix.gguf", window=512, threads=1))
    tokens = Tokenizer.from_file(str(llama_folder / "tokenizer.json")).encode(TEXT.strip() + "\n").ids
    model = AutoModelForCausalLM.from_pretrained(llama_folder, dtype=torch.float32).eval()
    expected: dict[str, np.ndarray] = {}
    places = {"self_attn.q_proj": "attn_q", "self_attn.o_proj": "attn_output", "mlp.down_proj": "ffn_down"}
    for layer in range(2):
        for ours, theirs in places.items():

            def keep(_module: object, inputs: tuple[torch.Tensor], name: str = f"blk.{layer}.{theirs}.weight") -> None:
                expected[name] = inputs[0][0].pow(2).mean(dim=0).numpy()

            model.get_submodule(f"model.layers.{layer}.{ours}").register_forward_pre_hook(keep)
    with torch.no_grad():
        model(torch.tensor([tokens]))
    assert set(found.counts.values()) == {len(tokens)}
    assert len(found.sums) == 14
    means = found.means()
    for name, values in expected.items():
        # Measured: 0.0005; keys and values are float16 in llama.cpp.
        assert np.abs(means[name] - values).max() < 0.005 * values.max(), name


def test_the_same_texts_give_the_same_matrix(source: Path, matrix: Path, tmp_path: Path) -> None:
    again = collect_importance(source, [TEXT], tmp_path / "again.gguf", window=64, threads=1)
    assert digest(again) == digest(matrix)


def test_texts_are_joined_and_cut_into_windows(source: Path, tmp_path: Path) -> None:
    # The tiny model's tokens are bytes: three texts of 49 and a line break each.
    found = read_importance(collect_importance(source, ["x" * 49] * 3, tmp_path / "m.gguf", window=64, threads=1))
    # 150 tokens: windows of 64, 64 and 22.
    assert (found.num_windows, found.window, set(found.counts.values())) == (3, 64, {150})
    # A last window of fewer than 16 tokens is left out.
    found = read_importance(collect_importance(source, ["x" * 137], tmp_path / "m.gguf", window=64, threads=1))
    assert (found.num_windows, set(found.counts.values())) == (2, {128})


def test_too_little_text_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="fewer than 16 tokens"):
        collect_importance(source, ["short"], tmp_path / "m.gguf", threads=1)
    assert list(tmp_path.iterdir()) == []


def test_the_file_has_the_form_of_llama_imatrix(matrix: Path) -> None:
    from gguf import GGUFReader

    reader = GGUFReader(str(matrix))
    assert reader.fields["general.type"].contents() == "imatrix"
    assert reader.fields["imatrix.chunk_size"].contents() == 64
    assert reader.fields["imatrix.chunk_count"].contents() == 4  # 267 bytes; the last 11 are left out
    shapes = {tensor.name: tuple(map(int, tensor.shape)) for tensor in reader.tensors}
    assert shapes["blk.0.attn_q.weight.in_sum2"] == (DIM, 1)
    assert shapes["blk.0.attn_q.weight.counts"] == (1, 1)
    assert len(shapes) == 2 * 7 * LAYERS


def test_a_matrix_that_was_written_is_read_back(tmp_path: Path) -> None:
    written = Importance({"blk.0.ffn_up.weight": np.array([2.0, 8.0], np.float32)}, {"blk.0.ffn_up.weight": 4}, 1, 32)
    write_importance(written, tmp_path / "m.gguf")
    assert read_importance(tmp_path / "m.gguf").means()["blk.0.ffn_up.weight"].tolist() == [0.5, 2.0]


def test_a_model_is_no_matrix(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"tiny\.gguf is no importance matrix"):
        quantize(source, tmp_path / "small.gguf", "q4_0", importance=source, threads=1)


def test_another_layout_of_tensors_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    library = binding.load_ggml(load_library())
    binding.check_layout(library)
    fields = [*binding.GgmlTensor._fields_]
    fields[2], fields[3] = fields[3], fields[2]  # sizes and strides exchanged: the same length, another meaning
    other = type("GgmlTensor", (binding.ctypes.Structure,), {"_fields_": tuple(fields)})
    monkeypatch.setattr(binding, "GgmlTensor", other)
    with pytest.raises(ModelError, match="keeps its tensors in another layout"):
        binding.check_layout(library)
