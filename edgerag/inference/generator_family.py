"""Which chat format a model was trained on, told from its template's text; the template itself is never run."""

from __future__ import annotations

# In this order: a template may hold the marks of several (Qwen3's holds ChatML's too).
_MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("qwen3", ("<|im_start|>", "enable_thinking")),
    ("chatml", ("<|im_start|>",)),
    ("llama3", ("<|start_header_id|>",)),
    ("gemma", ("<start_of_turn>",)),
    ("phi3", ("<|assistant|>", "<|end|>")),
    ("zephyr", ("<|assistant|>", "eos_token")),
    ("zephyr", ("<|assistant|>", "</s>")),
    ("mistral", ("[INST]",)),
)


def detect_family(chat_template: str) -> str:
    """Name the family, a key of `edgerag.ask.families.FAMILIES`; `plain` for none or an unknown template."""
    for family, marks in _MARKS:
        if all(mark in chat_template for mark in marks):
            return family
    return "plain"
