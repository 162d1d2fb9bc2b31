"""A model's tokenizer: token ids within a limit, and where each token begins in a text of any length."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgerag.errors import ModelError
from edgerag.inference.manifest import REINSTALL_HINT, Manifest, verified_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PIECE_CHARS = 65_536
"""Longest text given to `tokenizers` at once: its memory is about a hundred bytes a character."""
_SPACES = " \n\t\r\u3000"
"""Not all that Python calls white space: BERT's clean-up deletes U+0085, which joins the words beside it."""
_WORD = re.compile(r"[^\W_]")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One input of a graph, special tokens included."""

    ids: NDArray[np.int64]
    """Shape (length,)."""
    type_ids: NDArray[np.int64]
    """Shape (length,): 0 for the first text of a pair, 1 for the second, where the model tells them apart."""
    spans: list[tuple[int, int]]
    """The code points of its own text that each token covers; empty for special tokens."""

    def inputs(self) -> dict[str, NDArray[np.int64]]:
        """As a batch of one, by the names graphs use."""
        import numpy as np  # already loaded by whoever runs a graph

        return {
            "input_ids": self.ids[None, :],
            "attention_mask": np.ones((1, len(self.ids)), dtype=np.int64),
            "token_type_ids": self.type_ids[None, :],
            "position_ids": np.arange(len(self.ids), dtype=np.int64)[None, :],
        }


class ModelTokenizer:
    """A `tokenizers` tokenizer without padding and truncation; safe to share between threads."""

    def __init__(self, content: bytes, *, name: str) -> None:
        """Load a `tokenizer.json`.

        Raises:
            ModelError: It is none, or `tokenizers` does not know its parts.
        """
        from tokenizers import Tokenizer  # deferred: lexical search does without its 25 ms

        self.name = name
        self._tokenizer = _guarded(
            lambda: Tokenizer.from_buffer(content), f"The tokenizer of {name} cannot be read", REINSTALL_HINT
        )
        # The file may ask for either (all-MiniLM-L6-v2's pads to 128); length is decided here.
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        # "[SEP]" in a document is six characters of text, not the end of the input.
        self._tokenizer.encode_special_tokens = True
        self.num_special_tokens = int(self._tokenizer.num_special_tokens_to_add(False))
        self.num_special_tokens_in_pair = int(self._tokenizer.num_special_tokens_to_add(True))

    @classmethod
    def open(cls, folder: Path, manifest: Manifest) -> ModelTokenizer:
        """Load the tokenizer of a model folder from the very bytes whose hash was checked.

        Raises:
            ModelError: As the constructor, or the file is missing, truncated or of another hash.
        """
        return cls(verified_bytes(folder, manifest, "tokenizer"), name=manifest.name)

    def encode(self, text: str, *, max_tokens: int) -> TokenRow:
        """Tokenise one text, keeping its first tokens so that the row has at most `max_tokens`."""
        encoding = self._head(text, max_tokens - self.num_special_tokens)
        return _row(self._finish(encoding, None))

    def encode_pair(self, first: str, second: str, *, max_tokens: int) -> TokenRow:
        """Tokenise a pair; only the second text is shortened, unless the first leaves it nothing.

        Of a first text longer than half the row only the first half row is kept.
        """
        room = max_tokens - self.num_special_tokens_in_pair
        head = self._head(first, room // 2)
        return _row(self._finish(head, self._head(second, room - len(head))))

    def token_starts(self, text: str) -> list[int]:
        """Return the code point offset at which each token begins, without special tokens, never falling."""
        starts: list[int] = []
        for begin, end in text_pieces(text, PIECE_CHARS):
            offsets = self._encode_plain(text[begin:end]).offsets
            starts += [begin + start for start, _ in offsets]
        return starts

    def _head(self, text: str, num_tokens: int) -> Any:
        """Tokenise no more of the text than is needed for its first `num_tokens` tokens."""
        window = PIECE_CHARS
        encoding = self._encode_plain(text[:window])
        while len(encoding) <= num_tokens and window < len(text):
            window *= 4
            encoding = self._encode_plain(text[:window])
        if len(encoding) > num_tokens:
            encoding.truncate(max(0, num_tokens))
        return encoding

    def _encode_plain(self, text: str) -> Any:
        # A lone surrogate cannot be passed to Rust; the replacement has the same number of code points.
        clean = _LONE_SURROGATE.sub("\ufffd", text)
        return _guarded(
            lambda: self._tokenizer.encode(clean, add_special_tokens=False),
            f"The tokenizer of {self.name} failed on a text of {len(text)} characters",
            REINSTALL_HINT,
        )

    def _finish(self, encoding: Any, pair: Any) -> Any:
        return _guarded(
            lambda: self._tokenizer.post_process(encoding, pair, True),
            f"The tokenizer of {self.name} failed",
            REINSTALL_HINT,
        )


def text_pieces(text: str, piece_chars: int) -> Iterator[tuple[int, int]]:
    """Cut a text into ranges of at most `piece_chars`, after white space where there is any.

    The ranges are in order and cover the text without gaps.
    """
    begin = 0
    while len(text) - begin > piece_chars:
        window = text[begin : begin + piece_chars]
        end = begin + (max(window.rfind(space) for space in _SPACES) + 1 or piece_chars)
        yield begin, end
        begin = end
    if begin < len(text):
        yield begin, len(text)


def word_mask(text: str, row: TokenRow) -> NDArray[np.bool_]:
    """Tell the tokens that cover a letter or a digit from punctuation and special tokens.

    Returns:
        Shape (length,); all true where no token is a word, so that something is left to compare.
    """
    import numpy as np

    mask = np.array([_WORD.search(text, start, end) is not None for start, end in row.spans], dtype=np.bool_)
    return mask if mask.any() else ~mask


def _row(encoding: Any) -> TokenRow:
    import numpy as np

    return TokenRow(
        ids=np.array(encoding.ids, dtype=np.int64),
        type_ids=np.array(encoding.type_ids, dtype=np.int64),
        spans=encoding.offsets,
    )


def _guarded(call: Callable[[], _Result], what: str, hint: str) -> _Result:
    """Run a call into `tokenizers`, whose panics derive from BaseException; both kinds become ModelError."""
    try:
        return call()
    except Exception as error:  # `tokenizers` raises plain Exception
        raise ModelError(f"{what}: {error}", hint=hint) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # pyo3's; it cannot be imported by name
            raise
        raise ModelError(f"{what}: {error}", hint=hint) from error
