"""From a generator's tokens to text: whole characters only, and nothing that may turn out to be a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextAssembler:
    """Turns the bytes of tokens into text that can be shown at once."""

    def __init__(self, stop: Sequence[str] = ()) -> None:
        """Start an answer.

        Args:
            stop: Strings at which it ends; they are not part of it. Empty ones are ignored.
        """
        self._stop = tuple(string for string in stop if string)
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""
        self._has_begun = False
        self.is_stopped = False
        """Whether a stop string was reached."""
        self.stopped_by = ""
        """Which."""

    def feed(self, piece: bytes) -> str:
        """Take the bytes of one token; a character or stop string may be spread over several.

        Returns:
            What can be shown now, often nothing.
        """
        return self._release(self._decode.decode(piece), is_end=False)

    def finish(self) -> str:
        """End the answer; what was held back turns out to be no stop string."""
        return self._release(self._decode.decode(b"", final=True), is_end=True)

    def _release(self, text: str, *, is_end: bool) -> str:
        if self.is_stopped:
            return ""
        self._held += text
        if not self._has_begun:
            # Models begin with a space or a newline that belongs to the prompt rather than to the answer.
            self._held = self._held.lstrip()
            self._has_begun = bool(self._held)
        found = [(place, string) for string in self._stop if (place := self._held.find(string)) >= 0]
        if found:
            # Of two at the same place the one that was named first.
            place, self.stopped_by = min(found, key=lambda item: item[0])
            self.is_stopped = True
            shown, self._held = self._held[:place], ""
            return shown
        keep = 0 if is_end else max((_overlap(self._held, string) for string in self._stop), default=0)
        end = len(self._held) - keep
        shown, self._held = self._held[:end], self._held[end:]
        return shown


def _overlap(text: str, string: str) -> int:
    """How many characters at the end of `text` could be the beginning of `string`."""
    longest = min(len(text), len(string) - 1)
    return next((length for length in range(longest, 0, -1) if text.endswith(string[:length])), 0)
