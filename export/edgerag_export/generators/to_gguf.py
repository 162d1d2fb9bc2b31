"""Run llama.cpp's converter on a Hugging Face folder, or on a LoRA adapter, and say in our words what it refuses."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from edgerag.errors import ModelError
from edgerag_export.disk import check_room
from edgerag_export.generators.converter import Converter
from edgerag_export.progress import Progress

logger = logging.getLogger(__name__)

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_WRITING = re.compile(r"Writing:\s*(\d+)%")
_BYTES_EACH = {"f16": 2, "f32": 4}
_UNSUPPORTED_LORA = {
    "use_dora": "DoRA changes the length of the weights' columns, which an adapter in GGUF cannot say",
    "use_rslora": "its scale goes by the root of the rank, and llama.cpp divides by the rank",
    "alpha_pattern": "it has a scale for each layer, and GGUF holds one for all",
    "modules_to_save": "it brings whole layers of its own, and GGUF holds differences only",
    "fan_in_fan_out": "its tables are transposed",
}


def convert(
    folder: Path,
    target: Path,
    *,
    converter: Converter,
    outtype: Literal["f16", "f32"] = "f16",
    name: str = "",
    progress: Progress = lambda step, done, total: None,
) -> Path:
    """Write the weights of a Hugging Face folder to a GGUF file. Same input, same bytes.

    Args:
        folder: `config.json`, weights (safetensors or pytorch_model.bin), and a tokenizer.
        target: The file to write; it appears whole or not at all.
        outtype: Of the tables; one-dimensional tensors stay float32.
        name: Goes into the file's metadata; default: the folder's name.

    Raises:
        ModelError: The folder is incomplete or carries code; architecture or tokenizer are unknown to the converter;
            torch is missing, the disk is full, or the converter failed.
    """
    _check_torch()
    weights = _check_model(folder)
    # float16 is what most weights are published in, and float32 twice that.
    needed = sum(path.stat().st_size for path in weights) * _BYTES_EACH[outtype] // 2
    check_room(target, needed)
    arguments = ["--outtype", outtype, "--model-name", name or folder.name]
    # The converter takes more metadata (base name, version) from the folder's name: it is always shown the same one.
    with _shown_as(folder, name or folder.name) as shown:
        _run(converter, "convert_hf_to_gguf.py", [*arguments, str(shown)], folder.name, target, progress)
    return target


def convert_lora(
    adapter: Path,
    base: Path,
    target: Path,
    *,
    converter: Converter,
    outtype: Literal["f16", "f32"] = "f32",
    name: str = "",
    progress: Progress = lambda step, done, total: None,
) -> Path:
    """Write a LoRA adapter in the form of `peft` to a GGUF file. Same input, same bytes.

    Args:
        adapter: `adapter_config.json` and `adapter_model.safetensors` (or `.bin`).
        base: The folder of the model it was trained on; its `config.json` and tokenizer suffice.

    Raises:
        ModelError: As `convert`; or the adapter is of a kind that GGUF cannot express, which the converter would not
            notice.
    """
    check_lora(adapter, base)
    needed = 2 * sum(path.stat().st_size for path in adapter.glob("adapter_model.*"))
    check_room(target, needed, hint="Free some space, or write to a larger disk.")
    with _shown_as(adapter, name or adapter.name) as shown:
        arguments = ["--outtype", outtype, "--base", str(base.absolute()), str(shown)]
        _run(converter, "convert_lora_to_gguf.py", arguments, adapter.name, target, progress)
    return target


def check_lora(adapter: Path, base: Path) -> None:
    """Look at what `convert_lora` will need, before anything is fetched for it.

    Raises:
        ModelError: A package is missing; the adapter is none of peft's, or of a kind that GGUF cannot express; or the
            base is no model folder.
    """
    _check_torch()
    _check_adapter(adapter)
    _check_model(base, needs_weights=False)


# --- before ---------------------------------------------------------------------------------------


def _check_torch() -> None:
    for module in ("torch", "transformers", "safetensors"):
        if importlib.util.find_spec(module) is None:
            raise ModelError(
                f"{module} is not installed, and the converter needs it.",
                hint="Set up the export side: export/README.md says how to get torch's CPU build.",
            )


def _check_model(folder: Path, *, needs_weights: bool = True) -> list[Path]:
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} holds no config.json.", hint="Name a folder in Hugging Face's form.")
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise ModelError(
            f"{folder} holds no tokenizer: {', '.join(TOKENIZERS)} are missing.",
            hint="Save it with `AutoTokenizer.from_pretrained(...).save_pretrained(FOLDER)`.",
        )
    if code := sorted(folder.glob("*.py")):
        # For a few architectures the converter asks transformers to run what a model's author put beside the weights.
        raise ModelError(
            f"{folder} carries program code ({code[0].name}), which the converter might run.",
            hint="Remove the .py files; architectures that transformers knows do not need them.",
        )
    weights = [path for pattern in _WEIGHTS for path in sorted(folder.glob(pattern))]
    if needs_weights and not weights:
        raise ModelError(f"{folder} holds no weights.", hint="model.safetensors is looked for.")
    return weights


def _check_adapter(folder: Path) -> None:
    path = folder / "adapter_config.json"
    if not path.is_file():
        raise ModelError(f"{folder} holds no adapter_config.json.", hint="Name a folder in the form of peft.")
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kind, bias = config.get("peft_type", "LORA"), config.get("bias", "none")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{path} cannot be read: {error}.", hint="Save the adapter again with peft.") from error
    if kind != "LORA":
        raise ModelError(f"{folder} is an adapter of the kind {kind}.", hint="Only LORA can be converted.")
    if bias != "none":
        raise ModelError(f"The adapter {folder} changes biases, and GGUF holds none.", hint='Train with bias="none".')
    for key, reason in _UNSUPPORTED_LORA.items():
        if config.get(key):
            raise ModelError(
                f"The adapter {folder} uses {key}: {reason}.",
                hint="Merge it into the model with peft, and convert that.",
            )
    if not any((folder / name).is_file() for name in ("adapter_model.safetensors", "adapter_model.bin")):
        raise ModelError(f"{folder} holds no adapter_model.safetensors.", hint="Name a peft folder.")


@contextlib.contextmanager
def _shown_as(folder: Path, name: str) -> Iterator[Path]:
    """The folder under another name, where the system has symbolic links for everyone."""
    with tempfile.TemporaryDirectory(prefix="edgerag-convert-") as scratch:
        link = Path(scratch) / (re.sub(r"[^\w.-]+", "-", name) or "model")
        try:
            link.symlink_to(folder.absolute(), target_is_directory=True)
        except (OSError, NotImplementedError):
            link = folder.absolute()
        yield link


# --- the run, and what its failure means ----------------------------------------------------------


def _run(
    converter: Converter, script: str, arguments: Sequence[str], what: str, target: Path, progress: Progress
) -> None:
    # The writer refuses a name that is taken, and the converter puts its own between curly brackets.
    arriving = target.parent / f".{target.name.translate(str.maketrans('{}', '__'))}.part"
    arriving.unlink(missing_ok=True)
    command = [sys.executable, str(converter.folder / script), "--outfile", str(arriving), *arguments]
    logger.info("Converting %s to %s", what, target)
    progress("convert", 0, 100)
    try:
        lines, status = _watch(command, _environment(converter), progress)
        if status != 0:
            logger.debug("%s failed:\n%s", script, "\n".join(lines))
            raise _translate(lines, status, what, target)
        arriving.replace(target)
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror or error}.", hint="Is the disk full?") from error
    finally:
        arriving.unlink(missing_ok=True)
    progress("convert", 100, 100)


def _environment(converter: Converter) -> dict[str, str]:
    path = os.pathsep.join([str(converter.folder), str(converter.folder / "gguf-py")])
    return {
        **{key: value for key, value in os.environ.items() if key != "NO_LOCAL_GGUF"},
        # Its own gguf, not one that happens to be installed: the two are of one version.
        "PYTHONPATH": path,
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "ORT_DISABLE_TELEMETRY": "1",
    }


def _watch(command: list[str], environment: dict[str, str], progress: Progress) -> tuple[list[str], int]:
    """Run it; returns what it said, line by line, and its status. Its bar becomes ours."""
    lines: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    ) as process:
        assert process.stdout is not None
        rest = ""
        try:
            while block := os.read(process.stdout.fileno(), 65_536):
                *whole, rest = re.split(r"[\r\n]", rest + block.decode("utf-8", "replace"))
                for line in whole:
                    if match := _WRITING.search(line):
                        progress("convert", int(match[1]), 100)
                    elif line.strip():
                        lines.append(line.strip())
        except BaseException:  # Ctrl-C too: nobody is left to stop it
            process.kill()
            raise
    return [*lines, *filter(None, [rest.strip()])], process.returncode


def _translate(lines: list[str], status: int, what: str, target: Path) -> ModelError:
    text = "\n".join(lines)
    if "BPE pre-tokenizer was not recognized" in text:
        match = re.search(r"chkhsh:\s*([0-9a-f]{64})", text)
        fingerprint = match[1][:16] if match else "not given"
        return ModelError(
            f"The tokenizer of {what} is unknown to the converter (fingerprint {fingerprint}).",
            hint="It knows the tokenizers of published families. A newer llama-cpp-python may know this one.",
        )
    if match := re.search(r"Model (\S+) is not supported", text):
        return ModelError(
            f"The architecture {match[1]} of {what} is unknown to the converter.",
            hint="A newer llama-cpp-python may know it; or choose another model.",
        )
    if match := re.search(r"No module named '([\w.]+)'", text):
        return ModelError(
            f"The converter needs the Python package {match[1]} for {what}.",
            hint=f"Install it: pip install {match[1]}.",
        )
    if "No space left on device" in text or "Errno 28" in text:
        return ModelError(
            f"The disk is full: {target} could not be written.", hint="Free some space, then run it again."
        )
    if re.search(r"FileNotFoundError.*token|Can't load tokenizer|Couldn't instantiate the backend tokenizer", text):
        return ModelError(f"{what} has no usable tokenizer: {lines[-1]}", hint="tokenizer.json is looked for.")
    if status < 0:
        return ModelError(
            f"The converter was ended by signal {-status} while it worked on {what}.", hint="Is there enough memory?"
        )
    return ModelError(
        f"The converter failed on {what}: {lines[-1] if lines else 'it said nothing'}"[:500],
        hint="`-v` shows all that it said.",
    )
