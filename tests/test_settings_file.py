"""Changing `config.toml` for a person: nothing else in it moves, and a half-written file is never seen."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerag.config import load_settings
from edgerag.errors import SettingsError
from edgerag.settings_file import reset_setting, setting_values, write_setting


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings" / "config.toml"


def write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_a_first_setting_makes_folder_and_file(file: Path) -> None:
    write_setting("top_k", 20, file)
    assert file.read_text(encoding="utf-8") == "top_k = 20\n"


def test_comments_and_other_settings_stay_to_the_letter(file: Path) -> None:
    write(file, "# mine\ntop_k  =  30   # not # more\n\ntemperature = 0.5\n")
    write_setting("top_k", 20, file)
    assert file.read_text(encoding="utf-8") == "# mine\ntop_k = 20   # not # more\n\ntemperature = 0.5\n"


def test_a_list_over_several_lines_is_replaced_whole(file: Path) -> None:
    write(file, 'top_k = 1\nstop = [\n  "a", # one\n  "b",\n]\nmax_tokens = 9\n')
    write_setting("stop", ("x", 'y"|'), file)
    assert file.read_text(encoding="utf-8") == 'top_k = 1\nstop = ["x", "y\\"|"]\nmax_tokens = 9\n'


def test_a_reset_takes_the_line_out_and_says_whether_there_was_one(file: Path) -> None:
    write(file, "top_k = 30\nmax_tokens = 9\n")
    assert reset_setting("top_k", file) is True
    assert reset_setting("top_k", file) is False
    assert file.read_text(encoding="utf-8") == "max_tokens = 9\n"


def test_a_line_inside_a_text_is_not_taken_for_a_setting(file: Path) -> None:
    write(file, 'generator = """\ntop_k = 30\n"""\ntop_k = 30\n')
    write_setting("top_k", 7, file)
    assert tomllib.loads(file.read_text(encoding="utf-8")) == {"generator": "top_k = 30\n", "top_k": 7}


def test_a_broken_file_is_left_as_it_is(file: Path) -> None:
    write(file, "top_k = \n")
    with pytest.raises(SettingsError, match="cannot be read"):
        write_setting("top_k", 20, file)
    assert file.read_text(encoding="utf-8") == "top_k = \n"


def test_half_a_character_is_refused_and_leaves_nothing_behind(file: Path) -> None:
    write(file, "top_k = 30\n")
    with pytest.raises(SettingsError, match="cannot be written"):
        write_setting("generator", "\udcff", file)
    assert [entry.name for entry in file.parent.iterdir()] == ["config.toml"]
    assert file.read_text(encoding="utf-8") == "top_k = 30\n"


@pytest.mark.skipif(os.name != "posix", reason="links and rights of POSIX")
def test_a_link_stays_a_link_and_rights_stay(file: Path, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles.toml"
    kept.write_text("top_k = 30\n", encoding="utf-8")
    kept.chmod(0o640)
    file.parent.mkdir()
    file.symlink_to(kept)
    write_setting("top_k", 20, file)
    assert file.is_symlink()
    assert kept.read_text(encoding="utf-8") == "top_k = 20\n"
    assert kept.stat().st_mode & 0o777 == 0o640


def test_each_value_says_who_gave_it(file: Path) -> None:
    write(file, "top_k = 30\nmax_tokens = 9\n")
    values = {value.name: value for value in setting_values(file, {"EDGERAG_MAX_TOKENS": "5"})}
    told = {name: (values[name].value, values[name].origin) for name in ("top_k", "max_tokens", "temperature")}
    assert told == {"top_k": (30, "file"), "max_tokens": (5, "environment"), "temperature": (0.0, "default")}


@given(text=st.text(st.characters(exclude_categories=("Cs",))))
def test_any_text_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.mktemp("any") / "config.toml"
    write_setting("generator", text, file)
    write_setting("top_k", 3, file)
    settings = load_settings(file, {})
    assert (settings.generator, settings.top_k) == (text, 3)
