"""Everything on disk: SQLite is the truth, the vector index a disposable cache of it."""
