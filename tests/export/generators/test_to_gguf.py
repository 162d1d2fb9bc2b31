"""From a Hugging Face folder to GGUF: what is refused before, what failures mean, and that the result is always one."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgerag.errors import ModelError
from edgerag_export.cli import export
from edgerag_export.generators import to_gguf
from edgerag_export.generators.converter import Converter
from edgerag_export.generators.to_gguf import convert, convert_lora

pytest.importorskip("torch", reason="torch is not installed: run `make test-export`")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Enough of a model's folder to be passed on to a converter."""
    made = tmp_path / "model"
    made.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (made / name).write_text("{}", encoding="utf-8")
    return made


def pretend(tmp_path: Path, script: str) -> Converter:
    """A converter that does what the script says."""
    place = tmp_path / "converter"
    place.mkdir()
    (place / "convert_hf_to_gguf.py").write_text("import sys\n" + script, encoding="utf-8")
    return Converter(place, "0", "0")


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "holds no config.json"),
        ("tokenizer.json", "holds no tokenizer"),
        ("model.safetensors", "holds no weights"),
    ],
)
def test_an_incomplete_folder_is_refused(folder: Path, tmp_path: Path, missing: str, message: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(ModelError, match=message):
        convert(folder, tmp_path / "out.gguf", converter=pretend(tmp_path, "raise SystemExit('reached')"))


def test_a_folder_with_program_code_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "modeling_custom.py").write_text("", encoding="utf-8")
    with pytest.raises(ModelError, match=r"carries program code \(modeling_custom\.py\)"):
        convert(folder, tmp_path / "out.gguf", converter=pretend(tmp_path, ""))


def test_too_little_disk_is_noticed_before(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 10_000_000))
    with pytest.raises(ModelError, match=r"has 10 MB free, and out\.gguf needs about 67 MB"):
        convert(folder, tmp_path / "out.gguf", converter=pretend(tmp_path, ""))


def test_without_torch_the_error_names_it(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_gguf.importlib.util, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(ModelError, match="torch is not installed"):
        convert(folder, tmp_path / "out.gguf", converter=pretend(tmp_path, ""))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "print('WARNING:hf-to-gguf:** chkhsh:  ' + 'ab' * 32, file=sys.stderr)\n"
            "raise NotImplementedError('BPE pre-tokenizer was not recognized - update get_vocab_base_pre()')",
            r"The tokenizer of model is unknown to the converter \(fingerprint abababababababab\)",
        ),
        (
            "print('ERROR:hf-to-gguf:Model OddForCausalLM is not supported', file=sys.stderr); sys.exit(1)",
            "The architecture OddForCausalLM of model is unknown to the converter",
        ),
        ("import a_package_that_is_absent", "needs the Python package a_package_that_is_absent"),
        ("raise OSError(28, 'No space left on device')", "The disk is full"),
        ("raise ValueError('odd weights')", "The converter failed on model: ValueError: odd weights"),
        ("import os; os.kill(os.getpid(), 9)", "ended by signal 9"),
    ],
    ids=["tokenizer", "architecture", "package", "disk", "crash", "signal"],
)
def test_a_failure_of_the_converter_is_told_in_our_words(
    folder: Path, tmp_path: Path, script: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        convert(folder, tmp_path / "out" / "model.gguf", converter=pretend(tmp_path, script))
    assert list((tmp_path / "out").iterdir()) == []


def test_the_converter_is_offline_and_uses_its_own_gguf(folder: Path, tmp_path: Path) -> None:
    script = """
import json, os, pathlib
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
seen = {name: os.environ.get(name, "") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "PYTHONPATH")}
pathlib.Path(arguments["--outfile"]).write_text(json.dumps(seen))
print("Writing:  50%|#####", file=sys.stderr)
"""
    converter = pretend(tmp_path, script)
    steps: list[tuple[str, int, int]] = []
    made = convert(folder, tmp_path / "m.gguf", converter=converter, progress=lambda *step: steps.append(step))
    seen = json.loads(made.read_text(encoding="utf-8"))
    assert (seen["HF_HUB_OFFLINE"], seen["TRANSFORMERS_OFFLINE"]) == ("1", "1")
    assert seen["PYTHONPATH"].endswith("gguf-py")
    assert steps == [("convert", 0, 100), ("convert", 50, 100), ("convert", 100, 100)]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"peft_type": "IA3"}, "an adapter of the kind IA3"),
        ({"use_dora": True}, "uses use_dora"),
        ({"use_rslora": True}, "uses use_rslora"),
        ({"alpha_pattern": {"q_proj": 3}}, "uses alpha_pattern"),
        ({"modules_to_save": ["lm_head"]}, "uses modules_to_save"),
        ({"bias": "all"}, "changes biases"),
        ({}, r"holds no adapter_model\.safetensors"),
    ],
    ids=["kind", "dora", "rslora", "alpha", "modules", "bias", "weights"],
)
def test_an_adapter_that_gguf_cannot_express_is_refused(
    folder: Path, tmp_path: Path, config: dict[str, object], message: str
) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "lora_alpha": 8, **config}))
    with pytest.raises(ModelError, match=message):
        convert_lora(adapter, folder, tmp_path / "out.gguf", converter=pretend(tmp_path, ""))


def test_too_little_disk_for_an_adapter_names_what_helps(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "lora_alpha": 8}))
    (adapter / "adapter_model.safetensors").write_bytes(b"0" * 1000)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 1_000_000))
    with pytest.raises(ModelError, match=r"has 1 MB free") as caught:
        convert_lora(adapter, folder, tmp_path / "out.gguf", converter=pretend(tmp_path, ""))
    assert caught.value.hint == "Free some space, or write to a larger disk."


def test_a_folder_without_an_adapter_costs_no_download(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    command = ["lora", str(tmp_path / "empty"), "--base", str(folder), "--output", str(tmp_path / "x.gguf")]
    done = CliRunner().invoke(export, [*command, "--cache", str(tmp_path / "cache")])
    assert done.exit_code == 2
    assert "holds no adapter_config.json" in done.stderr
    assert not (tmp_path / "cache").exists()


# --- with the real converter ----------------------------------------------------------------------


def test_the_same_weights_in_another_folder_give_the_same_bytes(
    llama_folder: Path, llama_gguf: Path, converter: Converter, tmp_path: Path
) -> None:
    elsewhere = shutil.copytree(llama_folder, tmp_path / "of-another-name-7B-v2")
    again = convert(elsewhere, tmp_path / "again.gguf", converter=converter, outtype="f32", name=llama_folder.name)
    assert again.read_bytes() == llama_gguf.read_bytes()


def test_the_real_converter_names_a_tokenizer_it_does_not_know(
    llama_folder: Path, converter: Converter, tmp_path: Path
) -> None:
    folder = shutil.copytree(llama_folder, tmp_path / "model")
    path = folder / "tokenizer.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    # Digits together instead of one by one: the same vocabulary, cut otherwise.
    settings["pre_tokenizer"] = settings["pre_tokenizer"]["pretokenizers"][1]
    settings["model"]["merges"] = settings["model"]["merges"][:1000]
    path.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(
        ModelError, match=r"tokenizer of model is unknown to the converter \(fingerprint [0-9a-f]{16}\)"
    ):
        convert(folder, tmp_path / "out.gguf", converter=converter)


def test_the_real_converter_names_an_architecture_it_does_not_know(
    llama_folder: Path, converter: Converter, tmp_path: Path
) -> None:
    folder = shutil.copytree(llama_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["OddForCausalLM"]}), encoding="utf-8")
    with pytest.raises(ModelError, match="architecture OddForCausalLM of model is unknown"):
        convert(folder, tmp_path / "out.gguf", converter=converter)
