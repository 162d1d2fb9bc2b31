"""Texts of exactly so many tokens, made of words that a model's tokenizer knows."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

from edgerag.errors import ModelError
from edgerag.inference.manifest import Manifest, read_manifest, verified_bytes
from edgerag.inference.tokenizer import ModelTokenizer

_MARKS = "▁Ġ"
"""In front of a word in the vocabularies of SentencePiece and of byte-level BPE."""
_WORDS = 400
_MIN_LETTERS = 3


class ExactTexts:
    """Makes texts by length for a model folder: single texts for an embedder, passages for a cross-encoder."""

    def __init__(self, folder: Path, *, question: str = "") -> None:
        """Choose words.

        Args:
            folder: Of the model.
            question: Stands in front of each passage; empty for an embedder.

        Raises:
            ModelError: The vocabulary has no word that stays one token between others.
        """
        self._manifest = read_manifest(folder)
        self._tokenizer = ModelTokenizer.open(folder, self._manifest)
        self._question = question
        self._random = random.Random(0)
        self._words = [word for word in _vocabulary(folder, self._manifest) if self._is_one_token(word)]
        if not self._words:
            raise ModelError(f"The tokenizer of {self._manifest.name} knows no whole word.")

    @property
    def max_tokens(self) -> int:
        return self._manifest.max_tokens

    def make(self, num_tokens: int, count: int) -> list[str]:
        """Return `count` different texts that give rows of exactly `num_tokens`, all that the model adds included.

        Raises:
            ModelError: The row has no room for a word, or no such text was found.
        """
        # Not the length of an empty text: a prefix that ends in a space may be a token longer by itself.
        room = num_tokens - (self._length(self._words[0]) - 1)
        if room < 1:
            raise ModelError(f"{num_tokens} tokens leave no room for a text of {self._manifest.name}.")
        texts = [" ".join(self._random.choices(self._words, k=room)) for _ in range(count)]
        for text in texts:
            if self._length(text) != num_tokens:
                raise ModelError(f"No text of exactly {num_tokens} tokens was found for {self._manifest.name}.")
        return texts

    def _length(self, text: str) -> int:
        passage = self._manifest.document_prefix + text
        limit = 1 << 30
        if self._question:
            question = self._manifest.query_prefix + self._question
            return len(self._tokenizer.encode_pair(question, passage, max_tokens=limit).ids)
        return len(self._tokenizer.encode(passage, max_tokens=limit).ids)

    def _is_one_token(self, word: str) -> bool:
        return self._length(f"{word} {word} {word}") - self._length(word) == 2


def _vocabulary(folder: Path, manifest: Manifest) -> Sequence[str]:
    """Words of a `tokenizer.json`, evenly spread over it and the same every time."""
    raw = json.loads(verified_bytes(folder, manifest, "tokenizer"))["model"].get("vocab", {})
    tokens = list(raw) if isinstance(raw, dict) else [row[0] for row in raw]  # Unigram: pairs of token and score
    marked = [token[1:] for token in tokens if token[:1] in _MARKS]
    words = sorted(word for word in marked or tokens if len(word) >= _MIN_LETTERS and word.isalpha())
    step = max(1, len(words) // _WORDS)
    return words[::step]
