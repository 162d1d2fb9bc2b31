"""Generators: from a Hugging Face folder to GGUF, down the ladder of quantisations, and what each step cost."""
