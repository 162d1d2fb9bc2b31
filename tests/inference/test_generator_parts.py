"""The pure parts of a generator: text from bytes, the next token from scores, the family from a template."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerag.ask.families import FAMILIES
from edgerag.datatypes import Sampling
from edgerag.inference.generator_family import _MARKS, detect_family
from edgerag.inference.generator_sampling import pick_token
from edgerag.inference.generator_text import TextAssembler

RANDOM = np.random.default_rng(0)


def assemble(pieces: list[bytes], *stop: str) -> tuple[list[str], bool]:
    text = TextAssembler(stop)
    shown = [text.feed(piece) for piece in pieces]
    return [*shown, text.finish()], text.is_stopped


def test_a_character_is_shown_once_it_is_whole() -> None:
    assert assemble([b"a\xe7", b"\x9f", b"\xa5b"])[0] == ["a", "", "知b", ""]


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    assert "".join(assemble([b"a", b"\xff", b"b", b"\xe7"])[0]) == "a\ufffdb\ufffd"


def test_leading_space_belongs_to_the_prompt() -> None:
    assert "".join(assemble([b" \n", b" Yes", b" it"])[0]) == "Yes it"


def test_what_could_become_a_stop_string_is_held_back_and_released() -> None:
    shown, is_stopped = assemble([b"one\n", b"Quest", b"ing"], "\nQuestion:")
    assert shown == ["one", "", "\nQuesting", ""]
    assert not is_stopped


def test_the_earliest_stop_string_ends_the_answer() -> None:
    shown, is_stopped = assemble([b"abc END", b" more STOP"], "STOP", "END")
    assert "".join(shown) == "abc "
    assert is_stopped


def test_the_stop_string_that_ended_an_answer_is_told() -> None:
    text = TextAssembler(("STOP", "END"))
    assert text.stopped_by == ""
    text.feed(b"abc E")
    text.feed(b"ND more STOP")
    assert text.stopped_by == "END"


@given(st.text(max_size=60), st.integers(1, 5), st.sampled_from(["ab", "\n\n", "知识", "aab"]))
def test_however_the_bytes_are_cut_the_text_is_that_before_the_stop_string(text: str, length: int, stop: str) -> None:
    encoded = text.encode()
    pieces = [encoded[start : start + length] for start in range(0, len(encoded), length)]
    stripped = text.lstrip()
    assert "".join(assemble(pieces, stop)[0]) == stripped.split(stop, 1)[0]


def test_temperature_zero_takes_the_best() -> None:
    logits = np.array([0.1, 2.0, 1.9], dtype=np.float32)
    assert pick_token(logits, [], Sampling(repeat_penalty=1.0), RANDOM) == 1


def test_a_repeated_token_loses_whatever_the_sign_of_its_score() -> None:
    sampling = Sampling(repeat_penalty=1.5)
    assert pick_token(np.array([2.0, 1.9, 0.0], dtype=np.float32), [0], sampling, RANDOM) == 1
    assert pick_token(np.array([-2.0, -2.1, -9.0], dtype=np.float32), [0], sampling, RANDOM) == 1


def test_scores_are_not_changed_in_place() -> None:
    logits = np.array([2.0, 1.0], dtype=np.float32)
    pick_token(logits, [0], Sampling(repeat_penalty=2.0), RANDOM)
    assert logits.tolist() == [2.0, 1.0]


def test_top_k_and_top_p_bound_what_is_drawn() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], dtype=np.float32))
    random = np.random.default_rng(7)

    def drawn(**options: float) -> set[int]:
        sampling = Sampling(temperature=1.0, repeat_penalty=1.0, **options)  # type: ignore[arg-type]
        return {pick_token(logits, [], sampling, random) for _ in range(300)}

    assert drawn(top_k=2, top_p=1.0) == {0, 1}
    assert drawn(top_k=0, top_p=0.7) == {0, 1}
    assert drawn(top_k=0, top_p=1.0) == {0, 1, 2, 3}
    assert drawn(top_k=0, top_p=0.0) == {0}


@pytest.mark.parametrize(
    ("template", "family"),
    [
        pytest.param("{{'<|im_start|>' + role}}", "chatml", id="chatml"),
        pytest.param("<|im_start|>{% if enable_thinking %}", "qwen3", id="qwen3"),
        pytest.param("<|start_header_id|>x<|end_header_id|>", "llama3", id="llama3"),
        pytest.param("<start_of_turn>model", "gemma", id="gemma"),
        pytest.param("[INST] x [/INST]", "mistral", id="mistral"),
        pytest.param("<|user|>x<|end|><|assistant|>", "phi3", id="phi3"),
        pytest.param("<|user|>x</s><|assistant|>", "zephyr", id="zephyr"),
        pytest.param("{{ ''.__class__.__mro__ }}", "plain", id="unknown template that is code"),
        pytest.param("", "plain", id="none"),
    ],
)
def test_the_family_is_told_from_the_template_without_running_it(template: str, family: str) -> None:
    assert detect_family(template) == family


def test_every_family_that_can_be_detected_has_a_prompt_format() -> None:
    assert {family for family, _ in _MARKS} | {"plain"} == set(FAMILIES)
