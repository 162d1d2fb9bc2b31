"""Settings from the file and the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerag.config import load_settings
from edgerag.datatypes import Sampling
from edgerag.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "expected"), [("false", False), ("No", False), ("0", False), ("on", True), ("1", True)]
)
def test_switch_in_the_environment(tmp_path: Path, text: str, expected: bool) -> None:
    settings = load_settings(tmp_path / "none.toml", {"EDGERAG_SAVE_CONVERSATIONS": text})
    assert settings.save_conversations is expected


def test_switch_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("rewrite_questions = false\n")
    assert load_settings(tmp_path / "config.toml", {}).rewrite_questions is False


@pytest.mark.parametrize("line", ["save_conversations = 1", 'save_conversations = "yes"'])
def test_anything_else_in_the_file_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "config.toml").write_text(line + "\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "config.toml", {})
    assert "true or false" in caught.value.hint


def test_anything_else_in_the_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'maybe'"):
        load_settings(tmp_path / "none.toml", {"EDGERAG_SAVE_CONVERSATIONS": "maybe"})


def test_a_switch_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("candidates = true\n")
    with pytest.raises(SettingsError, match="candidates"):
        load_settings(tmp_path / "config.toml", {})


def test_sampling_is_that_of_the_settings(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "none.toml", {"EDGERAG_TEMPERATURE": "0.5", "EDGERAG_STOP": "a|b"})
    assert settings.sampling() == Sampling(max_tokens=160, temperature=0.5, stop=("a", "b"))


@pytest.mark.parametrize("number", ["nan", "-nan", "inf", "-inf", "1e999", "9" * 400], ids=lambda text: text[:5])
def test_numbers_that_are_none_are_refused(tmp_path: Path, number: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"temperature = {number}\n".replace("1e999", "1.0e999"))
    for where, environment in ((file, {}), (tmp_path / "none.toml", {"EDGERAG_TEMPERATURE": number})):
        with pytest.raises(SettingsError, match="`temperature`") as caught:
            load_settings(where, environment)
        assert caught.value.hint == "It must be from 0 to 2."


def test_a_number_too_long_to_read_is_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f"candidates = {'9' * 5000}\n")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "config.toml", {})
