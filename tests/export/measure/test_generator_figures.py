"""Figures of a generator: perplexity by its definition, agreement with the original, and damage that shows."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgerag.errors import ModelError
from edgerag.inference.generator_native import LlamaContext
from tests.inference.tiny_gguf import write_tiny_model

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: run `make test-export`")

from edgerag_export.measure import generator as module
from edgerag_export.measure.generator import Window, measure_generator, perplexity, windows

# No word begins with a t: the tiny model's one merge makes something that is no token, and llama.cpp leaves it out.
TEXT = ("Snow lay on a high pass until June. Mules brought mail on Mondays; letters were read aloud. " * 15)[:1300]
"""1,300 bytes, and as many tokens in the tiny model: three windows."""
THREADS = 1
"""The tiny model computes in microseconds; threads that wait for one another would take milliseconds."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def eight_bits(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgerag_export.generators.quantizer import quantize

    return quantize(source, tmp_path_factory.mktemp("small") / "q8_0.gguf", "q8_0", threads=THREADS).path


@pytest.mark.parametrize(
    ("num_tokens", "expected"),
    [
        (2, [Window(0, 2, 1)]),
        (512, [Window(0, 512, 1)]),
        (513, [Window(0, 512, 1), Window(448, 513, 64)]),
        (1300, [Window(0, 512, 1), Window(448, 960, 64), Window(896, 1300, 64)]),
    ],
    ids=str,
)
def test_windows_score_each_token_but_the_first_once(num_tokens: int, expected: list[Window]) -> None:
    assert windows(num_tokens) == expected
    scored = [place for window in expected for place in range(window.start + window.num_context, window.stop)]
    assert scored == list(range(1, num_tokens))


def test_perplexity_is_what_torch_computes_from_the_same_weights(source: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: run `make test-export`")
    pytest.importorskip("gguf", reason="gguf is not installed: run `make test-export`")
    from transformers import AutoModelForCausalLM

    from edgerag_export.generators.dequantize import dequantize

    model = AutoModelForCausalLM.from_pretrained(dequantize(source, tmp_path / "model"), dtype=torch.float32).eval()
    context = LlamaContext(source, threads=1, context_tokens=64)
    tokens = context.tokenize(TEXT, special=False)
    context.close()
    assert len(tokens) == 1300
    losses: list[float] = []
    for start, stop, unscored in ((0, 512, 1), (448, 960, 64), (896, 1300, 64)):
        ids = torch.tensor([tokens[start:stop]])
        with torch.no_grad():
            scores = model(ids).logits[0]
        loss = torch.nn.functional.cross_entropy(scores[unscored - 1 : -1], ids[0, unscored:], reduction="none")
        losses += loss.tolist()
    assert len(losses) == 1299
    # Measured: 1e-4 relative; llama.cpp keeps keys and values in float16.
    assert perplexity(source, TEXT, threads=THREADS) == pytest.approx(math.exp(np.mean(losses)), rel=5e-4)


def test_a_model_that_wants_a_first_token_is_given_it_in_every_window(tmp_path: Path) -> None:
    source = write_tiny_model(tmp_path / "tiny")
    wanting = tmp_path / "wanting.gguf"
    key = b"tokenizer.ggml.add_bos_token" + (7).to_bytes(4, "little")
    wanting.write_bytes(source.read_bytes().replace(key + b"\0", key + b"\1"))
    context = LlamaContext(wanting, threads=1, context_tokens=64)
    assert context.first_token() == 256
    tokens = context.tokenize(TEXT[:40], special=False)
    context.keep(0)
    logits = context.evaluate_all([256, *tokens]).astype(np.float64)
    context.close()
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    # The first token of the text is not scored, with or without another before it.
    expected = math.exp(-np.mean([logs[place, tokens[place]] for place in range(1, 40)]))
    assert perplexity(wanting, TEXT[:40], threads=THREADS) == pytest.approx(expected, rel=1e-9)
    assert perplexity(source, TEXT[:40], threads=THREADS) != pytest.approx(expected, rel=1e-3)


def test_a_copy_of_the_original_has_perfect_figures(source: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    figures = measure_generator(
        source,
        source,
        TEXT,
        ("Snow", "A mule"),
        name="copy",
        threads=THREADS,
        progress=lambda *step: steps.append(step),
    )
    assert figures.name == "copy"
    assert figures.perplexity == figures.perplexity_float
    assert figures.perplexity_increase == 0.0
    assert (figures.greedy_agreement, figures.kl_divergence, figures.common_prefix) == (1.0, 0.0, 1.0)
    assert figures.scored_tokens == 1299
    assert figures.size_mb == source.stat().st_size / 1e6
    assert figures.perplexity == pytest.approx(perplexity(source, TEXT, threads=THREADS), rel=1e-12)
    assert min(figures.load_ms, figures.prefill_tokens_per_s, figures.decode_float_tokens_per_s) > 0
    assert steps[0] == ("perplexity", 0, 1300)
    assert ("perplexity", 1300, 1300) in steps
    assert steps[-1] == ("greedy answers", 2, 2)


def test_figures_but_times_are_the_same_every_time(source: Path, eight_bits: Path) -> None:
    one, other = (measure_generator(eight_bits, source, TEXT, ("Snow",), threads=THREADS) for _ in range(2))
    for name in ("perplexity", "greedy_agreement", "kl_divergence", "common_prefix"):
        assert getattr(one, name) == getattr(other, name), name


def test_a_damaged_table_shows_in_the_figures(source: Path, eight_bits: Path, tmp_path: Path) -> None:
    damaged = widen_scales(eight_bits, "blk.1.ffn_down.weight", tmp_path / "damaged.gguf")
    sound, broken = (measure_generator(file, source, TEXT, (), threads=THREADS) for file in (eight_bits, damaged))
    # Measured: 0.0022 and 0.22, 0.94 and 0.63, -1 % and 47 %.
    assert broken.kl_divergence > 20 * sound.kl_divergence
    assert broken.greedy_agreement < 0.8 < sound.greedy_agreement
    assert broken.perplexity_increase > 0.2 > sound.perplexity_increase


def widen_scales(file: Path, table: str, target: Path) -> Path:
    """Multiply the scale of every block of one q8_0 table by 1.5."""
    from gguf import GGUFReader

    shutil.copyfile(file, target)
    tensor = next(tensor for tensor in GGUFReader(str(target)).tensors if tensor.name == table)
    content = np.memmap(target, dtype=np.uint8, mode="r+")
    start = int(tensor.data_offset)
    blocks = content[start : start + int(tensor.n_bytes)].reshape(-1, 34)  # a float16 scale and 32 bytes
    scales = np.ascontiguousarray(blocks[:, :2]).view(np.float16)
    blocks[:, :2] = (scales * np.float16(1.5)).view(np.uint8)
    content.flush()
    return target


def test_a_table_of_no_numbers_is_refused(source: Path, tmp_path: Path) -> None:
    from edgerag_export.generators.quantizer import quantize

    broken = quantize(source, tmp_path / "f32.gguf", "f32", threads=THREADS).path
    content = bytearray(broken.read_bytes())
    content[-64:] = np.full(16, np.nan, np.float32).tobytes()
    broken.write_bytes(content)
    with pytest.raises(ModelError, match="no numbers"):
        measure_generator(broken, source, TEXT, (), threads=THREADS)


def test_another_vocabulary_is_refused(source: Path, eight_bits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(LlamaContext):
        def __init__(self, path: Path, **options: int) -> None:
            super().__init__(path, **options)  # type: ignore[arg-type]
            if path == eight_bits:
                self.num_vocab = 300

    monkeypatch.setattr(module, "LlamaContext", Other)
    with pytest.raises(ModelError, match=r"q8_0\.gguf knows 300 tokens and tiny\.gguf 260"):
        measure_generator(eight_bits, source, TEXT, (), threads=THREADS)


def test_a_text_too_short_to_say_anything_is_refused(source: Path) -> None:
    with pytest.raises(ModelError, match="holds 9 tokens, and 128 are needed"):
        measure_generator(source, source, "too short", (), threads=THREADS)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [([], [], 1.0), ([1, 2, 3, 4], [1, 2, 3, 4], 1.0), ([1, 2, 3, 4], [1, 2, 9, 4], 0.5), ([1, 2], [1, 2, 3, 4], 0.5)],
    ids=["nothing", "same", "third differs", "ends early"],
)
def test_the_common_prefix_ends_at_the_first_difference(one: list[int], other: list[int], expected: float) -> None:
    assert module._common_share(one, other) == expected


def test_a_refused_file_is_named_with_llama_cpps_reason(source: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(source.read_bytes().replace(b"llama.block_count", b"llama.block_kount"))
    with pytest.raises(ModelError, match=r"broken\.gguf cannot be loaded\. llama\.cpp says: .*failed to load model"):
        perplexity(broken, TEXT, threads=THREADS)
