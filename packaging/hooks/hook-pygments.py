"""Pygments shows tracebacks, should the terminal application ever fail, and nothing else: one of its 500 languages."""

hiddenimports = ["pygments.lexers.python", "pygments.styles.default", "pygments.formatters.terminal256"]
