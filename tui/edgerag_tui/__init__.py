"""The terminal application: a person's documents, questions and work in progress. It holds no retrieval logic."""
