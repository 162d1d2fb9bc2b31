"""The ladder of a tiny model: each rung measured, nothing done twice, and a matrix where it helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerag.errors import ModelError
from edgerag_export.step_cache import StepCache
from tests.inference.tiny_gguf import write_tiny_model

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: run `make test-export`")
pytest.importorskip("gguf", reason="gguf is not installed: run `make test-export`")

from edgerag_export.generators import ladder as module
from edgerag_export.generators.ladder import Trial, build_ladder
from edgerag_export.generators.quantizer import quantize
from edgerag_export.measure.generator import perplexity

TRIAL = Trial("Rain fell on the roof of the mill until the wheel stood under water. " * 4, ("Rain", "The mill"))
CALIBRATION = ("Wind drives sand along the dunes, and grass holds it. " * 4,)
RUNGS = ("f16", "q8_0", "q4_0")


def test_rungs_come_in_order_with_figures_that_tell_them_apart(tmp_path: Path) -> None:
    source = write_tiny_model(tmp_path / "tiny")
    half, eight, four = build_ladder(source, RUNGS, cache=StepCache(tmp_path / "cache"), trial=TRIAL, threads=1)
    assert [rung.name for rung in (half, eight, four)] == ["f16", "q8_0", "q4_0"]
    assert half.figures.size_mb > eight.figures.size_mb > four.figures.size_mb
    assert half.figures.kl_divergence < eight.figures.kl_divergence < four.figures.kl_divergence
    assert half.figures.greedy_agreement > 0.98 > four.figures.greedy_agreement
    assert {rung.figures.perplexity_float for rung in (half, eight, four)} == {eight.figures.perplexity_float}
    assert four.tensor_types["q4_0"] == 15


def test_what_was_built_and_measured_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_tiny_model(tmp_path / "tiny")
    cache = StepCache(tmp_path / "cache")
    first = build_ladder(source, RUNGS, cache=cache, trial=TRIAL, threads=1, calibration=CALIBRATION)
    for name in ("quantize", "collect_importance", "measure_generator"):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("done again"))
    assert build_ladder(source, RUNGS, cache=cache, trial=TRIAL, threads=1, calibration=CALIBRATION) == first


def test_an_interrupted_build_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_tiny_model(tmp_path / "tiny")
    cache = StepCache(tmp_path / "cache")
    made: list[str] = []

    def stop_at_second(source: Path, target: Path, rung: str, **options: object) -> object:
        made.append(rung)
        if len(made) == 2:
            raise KeyboardInterrupt
        return quantize(source, target, rung, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "quantize", stop_at_second)
    with pytest.raises(KeyboardInterrupt):
        build_ladder(source, RUNGS, cache=cache, trial=TRIAL, threads=1)
    assert len(build_ladder(source, RUNGS, cache=cache, trial=TRIAL, threads=1)) == 3
    assert made == ["f16", "q8_0", "q8_0", "q4_0"]


def test_two_ladders_hold_the_same_files(tmp_path: Path) -> None:
    source = write_tiny_model(tmp_path / "tiny")
    one, other = (
        build_ladder(source, RUNGS, cache=StepCache(tmp_path / name), trial=TRIAL, threads=1, calibration=CALIBRATION)
        for name in ("one", "other")
    )
    assert [(rung.name, rung.sha256) for rung in one] == [(rung.name, rung.sha256) for rung in other]


def test_a_matrix_is_used_below_eight_bits_and_named(tmp_path: Path) -> None:
    source = write_tiny_model(tmp_path / "tiny")
    cache = StepCache(tmp_path / "cache")
    plain = build_ladder(source, RUNGS, cache=cache, trial=TRIAL, threads=1)
    weighted = build_ladder(source, RUNGS, cache=cache, trial=TRIAL, threads=1, calibration=CALIBRATION)
    assert [rung.name for rung in weighted] == ["f16", "q8_0", "q4_0-weighted"]
    assert [a.sha256 == b.sha256 for a, b in zip(plain, weighted, strict=True)] == [True, True, False]


def test_another_matrix_gets_figures_of_its_own(tmp_path: Path) -> None:
    source = write_tiny_model(tmp_path / "tiny")
    cache = StepCache(tmp_path / "cache")
    one, other = (
        build_ladder(source, ("q4_0",), cache=cache, trial=TRIAL, threads=1, calibration=(text,))[0]
        for text in (CALIBRATION[0], "0123456789 " * 20)
    )
    assert one.name == other.name
    assert one.figures.kl_divergence != other.figures.kl_divergence


def test_an_unknown_rung_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    source = write_tiny_model(tmp_path / "tiny")
    with pytest.raises(ModelError, match="There is no quantisation q9"):
        build_ladder(source, ("f16", "q9"), cache=StepCache(tmp_path / "cache"), trial=TRIAL, threads=1)
    assert not (tmp_path / "cache").exists()


@pytest.mark.models
@pytest.mark.slow
def test_a_matrix_lowers_the_perplexity_of_the_real_model(smollm2: Path, tmp_path: Path) -> None:
    texts = Path(__file__).parents[3] / "export" / "recipes" / "texts"
    calibration, check = (
        [line for line in (texts / f"{name}-en.txt").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
        for name in ("calibration", "check")
    )
    matrix = module.collect_importance(smollm2, calibration[-12:], tmp_path / "matrix.gguf")
    text = "\n".join(check)[:2200]
    found = {
        name: perplexity(quantize(smollm2, tmp_path / f"{name}.gguf", "q4_0", importance=importance).path, text)
        for name, importance in (("plain", None), ("weighted", matrix))
    }
    found["original"] = perplexity(smollm2, text)
    # The share of the loss that is left.
    left = (found["weighted"] - found["original"]) / (found["plain"] - found["original"])
    assert left < 0.75, found
