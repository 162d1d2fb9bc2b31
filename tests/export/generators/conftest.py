"""Small generators with random weights, in Hugging Face's form and as GGUF, on the tokenizer of a published family.

Those made by the real converter need its source distribution (76 MB, fetched by `make test-export` and kept in the
cache of the export side) and a GGUF file of SmolLM2, whose vocabulary is all that is taken: the converter refuses
tokenizers it does not know. What cannot be had skips its tests and says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgerag.errors import ModelError

ROOT = Path(__file__).parents[3]
HIDDEN, FEED_FORWARD = 64, 128


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The generator's GGUF file, in the folder of `EDGERAG_TEST_MODELS` or in .demo/models."""
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: run `make test-export`")
    folder = Path(os.environ.get("EDGERAG_TEST_MODELS") or ROOT / ".demo" / "models")
    files = sorted(folder.glob("smollm2-135m*/*.gguf"))
    if not files:
        pytest.skip(f"there is no SmolLM2 in {folder}: run `make models`, or set EDGERAG_TEST_MODELS")
    return files[0]


@pytest.fixture(scope="session")
def converter() -> Any:
    """The real converter, in `EDGERAG_TEST_CONVERTER` or where `make test-export` puts it; never from an index."""
    for module in ("torch", "transformers", "gguf", "sentencepiece"):
        pytest.importorskip(module, reason=f"{module} is not installed: run `make test-export`")
    from edgerag_export.generators.converter import get_converter

    cache = Path(os.environ.get("EDGERAG_TEST_CONVERTER") or ROOT / ".venv-export" / "cache" / "converter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        try:
            return get_converter(cache)
        except ModelError as error:
            pytest.skip(f"the converter cannot be had: {error} `make test-export` fetches it.")


@pytest.fixture(scope="session")
def tokenizer(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with SmolLM2's tokenizer, rebuilt from its GGUF."""
    pytest.importorskip("gguf", reason="gguf is not installed: run `make test-export`")
    from edgerag_export.generators.dequantize import read_vocabulary, write_tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(read_vocabulary(smollm2), folder)
    return folder


@pytest.fixture(scope="session")
def make_model(tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make a Hugging Face folder of `Llama` or `Qwen3`: two layers, grouped heads, every tensor random."""
    torch = pytest.importorskip("torch", reason="torch is not installed: run `make test-export`")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: run `make test-export`")

    def make(family: str) -> Path:
        folder = tmp_path_factory.mktemp(family) / f"tiny-{family.lower()}"
        torch.manual_seed(11)
        config = getattr(transformers, f"{family}Config")(
            vocab_size=49_152,
            hidden_size=HIDDEN,
            intermediate_size=FEED_FORWARD,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            max_position_embeddings=1024,
            rope_theta=100_000.0,
            tie_word_embeddings=family == "Llama",
            bos_token_id=1,
            eos_token_id=2,
        )
        model = getattr(transformers, f"{family}ForCausalLM")(config).float().eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                # Norms that are not one, and tables wide enough that the answer depends on every one of them.
                parameter.normal_(1.0, 0.2) if "norm" in name else parameter.normal_(0.0, 0.15)
        model.save_pretrained(folder, safe_serialization=True)
        for file in tokenizer.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        return folder

    return make


@pytest.fixture(scope="session")
def llama_folder(make_model: Callable[[str], Path]) -> Path:
    return make_model("Llama")


@pytest.fixture(scope="session")
def qwen3_folder(make_model: Callable[[str], Path]) -> Path:
    return make_model("Qwen3")


@pytest.fixture(scope="session")
def llama_gguf(llama_folder: Path, converter: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgerag_export.generators.to_gguf import convert

    return convert(llama_folder, tmp_path_factory.mktemp("gguf") / "llama.gguf", converter=converter, outtype="f32")


@pytest.fixture(scope="session")
def qwen3_gguf(qwen3_folder: Path, converter: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgerag_export.generators.to_gguf import convert

    return convert(qwen3_folder, tmp_path_factory.mktemp("gguf") / "qwen3.gguf", converter=converter, outtype="f32")
