"""The chat formats of known model families: which control tokens stand around the system text, the user's, the answer.

A chat template inside a model file is a program; it is never run (CVE-2024-34359).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """Control text around the parts of one exchange."""

    system_open: str
    system_close: str
    user_open: str
    user_close: str
    answer_open: str
    stop: tuple[str, ...] = ()
    """Strings that end an answer, besides the model's own end tokens."""
    has_system: bool = True
    """False: the system text stands at the head of the user's part."""


_CHATML = Family(
    "<|im_start|>system\n",
    "<|im_end|>\n",
    "<|im_start|>user\n",
    "<|im_end|>\n",
    "<|im_start|>assistant\n",
    ("<|im_end|>",),
)

FAMILIES: dict[str, Family] = {
    "chatml": _CHATML,
    # An empty thought, as Qwen3's own template writes it with thinking switched off.
    "qwen3": Family(
        _CHATML.system_open,
        _CHATML.system_close,
        _CHATML.user_open,
        _CHATML.user_close,
        _CHATML.answer_open + "<think>\n\n</think>\n\n",
        _CHATML.stop,
    ),
    "llama3": Family(
        "<|start_header_id|>system<|end_header_id|>\n\n",
        "<|eot_id|>",
        "<|start_header_id|>user<|end_header_id|>\n\n",
        "<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ("<|eot_id|>",),
    ),
    "gemma": Family(
        "",
        "\n\n",
        "<start_of_turn>user\n",
        "<end_of_turn>\n",
        "<start_of_turn>model\n",
        ("<end_of_turn>",),
        has_system=False,
    ),
    "mistral": Family("", "\n\n", "[INST] ", " [/INST]", "", ("[INST]",), has_system=False),
    "phi3": Family("<|system|>\n", "<|end|>\n", "<|user|>\n", "<|end|>\n", "<|assistant|>\n", ("<|end|>",)),
    "zephyr": Family("<|system|>\n", "</s>\n", "<|user|>\n", "</s>\n", "<|assistant|>\n", ("</s>", "<|user|>")),
    # A base model: it continues the text, and would go on to ask itself the next question.
    "plain": Family("", "\n\n", "", "\n", "Answer:", ("\nQuestion:", "\n\n"), has_system=False),
}
