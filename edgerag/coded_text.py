"""What the engine says, with a stable code beside its English, so that an interface may say it in its own language.

The engine knows no other language and no interface. A `CodedText` is a string like any other: it is printed, stored
in JSON and compared as the English that it is. Who wants to translate it looks at `code` and `fields`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

Field = str | int | float
"""A value in a text; a `CodedText` too, where one text tells another."""


class CodedText(str):
    """English, and where it comes from: `text == template of code, filled in with fields`."""

    __slots__ = ("code", "fields")
    code: str
    """Dotted and stable, e.g. `library.locked`."""
    fields: Mapping[str, Field]

    def __new__(cls, text: str, code: str, fields: Mapping[str, Field]) -> Self:
        self = super().__new__(cls, text)
        self.code = code
        self.fields = dict(fields)
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        return str(self), self.code, self.fields


def coded(code: str, template: str, /, **fields: object) -> CodedText:
    """The English text of a code: `coded("library.locked", "{path} is locked by another program.", path=path)`.

    Args:
        template: As for `str.format`.
        fields: Every name in the template. What is neither text nor number is taken as text.
    """
    kept = {name: value if isinstance(value, str | int | float) else str(value) for name, value in fields.items()}
    return CodedText(template.format(**kept), code, kept)


def to_json(text: str) -> str | dict[str, Any]:
    """A text as something that JSON can hold without losing its code."""
    if not isinstance(text, CodedText):
        return text
    fields = {name: to_json(value) if isinstance(value, str) else value for name, value in text.fields.items()}
    return {"text": str(text), "code": text.code, "fields": fields}


def from_json(value: Any) -> str:
    """The reverse of `to_json`; anything that is no coded text comes back as plain text."""
    match value:
        case {"text": str(text), "code": str(code), "fields": dict(fields)}:
            known = {
                str(name): field if isinstance(field, int | float) else from_json(field)
                for name, field in fields.items()
            }
            return CodedText(text, code, known)
        case {"text": text}:
            return str(text)
    return str(value)


def at_stage(stage: str, reason: str) -> CodedText:
    """An entry of `degraded`: `stage: reason`."""
    return coded("degraded.at_stage", "{stage}: {reason}", stage=stage, reason=reason)


def with_hint(message: str, hint: str) -> str:
    """A message and what to do about it in one line."""
    if not hint:
        return message
    if not isinstance(message, CodedText):
        return f"{message} {hint}"  # said in English whatever the interface's language is
    return coded("with_hint", "{message} {hint}", message=message, hint=hint)


def one_after_the_other(texts: Sequence[str]) -> str:
    """Several texts in one line, each once."""
    told = ""
    for text in dict.fromkeys(texts):
        told = with_hint(told, text) if told else text
    return told
