"""Versions of what turns a file into chunks. They stand apart, so that a sync with nothing to do loads no parser."""

PARSER_VERSION = 3
"""Raised whenever a parser makes another text of the same file: a sync then parses every file again."""
CHUNKER_VERSION = 1
"""Raised when the same document would be cut in another way; documents are then chunked again."""
