"""From files to a library: scan -> parse -> chunk -> embed -> store."""
