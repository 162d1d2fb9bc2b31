"""One module per family of formats; each has `parse(source) -> ParsedDocument`."""
