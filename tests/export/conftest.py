"""A BERT small enough to build in seconds, with random weights, and a recipe for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

WORDS = (
    "river bank stone water cell gene mouse protein law court rent tax bread oven salt train bridge steel "
    "school child test cloud rain wind engine fuel pump valve bird nest song price market share farm soil seed"
).split()


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a two-layer BERT whose channels differ as much as those of trained models do."""
    torch = pytest.importorskip("torch", reason="torch is not installed: run `make test-export`")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: run `make test-export`")
    pytest.importorskip("optimum.exporters.onnx", reason="optimum-onnx is not installed: run `make test-export`")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("weights")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {word: place for place, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_padding(length=24)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(7)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        max_position_embeddings=32,
        initializer_range=0.15,
    )
    model = transformers.BertModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("dense.weight"):
                # Output channels of very different widths: what a scale per tensor cannot serve.
                parameter *= torch.exp(1.2 * torch.randn(parameter.shape[0], 1))
            elif name.endswith("bias"):
                parameter += 0.1 * torch.randn(parameter.shape)
    model.save_pretrained(folder, safe_serialization=True)
    (folder / "LICENSE").write_text("Made by a test.\n", encoding="utf-8")
    return folder


def sentences(count: int, start: int) -> list[str]:
    """Texts of 3 to 18 words, each set its own."""
    return [
        " ".join(WORDS[(start + 7 * row + (row % 5 + 1) * place) % len(WORDS)] for place in range(3 + row % 16))
        for row in range(count)
    ]


@pytest.fixture
def write_recipe(tmp_path: Path) -> Callable[..., Path]:
    """Write a recipe for the small BERT; keyword arguments replace lines of its tables."""

    def write(*, extra: str = "", quantization: str = "", tolerance: str = "", architecture: str = "bert") -> Path:
        folder = tmp_path / "recipes"
        folder.mkdir(exist_ok=True)
        (folder / "calibration.txt").write_text("# made up\n" + "\n".join(sentences(48, 0)), encoding="utf-8")
        (folder / "check.txt").write_text("\n".join(sentences(40, 3)), encoding="utf-8")
        path = folder / "tiny.toml"
        path.write_text(
            f"""
name = "tiny"
architecture = "{architecture}"
license = "CC0-1.0"
pooling = "mean"
dim = 48
max_tokens = 24
languages = ["en"]
check = "check.txt"
{extra}
[source]
package = "tiny-weights"
version = "1.0"
sha256 = "{"0" * 64}"
folder = "tiny/model"
[quantization]
calibration = "calibration.txt"
outlier_channels = 8
{quantization}
[tolerance]
cosine_mean = 0.998
cosine_min = 0.99
top10_overlap = 0.9
{tolerance}
""",
            encoding="utf-8",
        )
        return path

    return write
