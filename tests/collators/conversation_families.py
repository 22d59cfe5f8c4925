"""What belongs to a chat template: the tokens it needs, and how to read off its text where the model speaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.collators.conftest import make_tokenizer
from tests.collators.conversation_templates import DEEPSEEK, GLM4_TOOLS, GLM45, HERMES, LLAMA31, MISTRAL, QWEN3_TOOLS

Message = dict[str, Any]


@dataclass(frozen=True)
class Family:
    """A chat template, and what of its text the model must produce."""

    template: str
    start: str
    """Pattern of what the format writes before the model speaks."""
    end: str
    """Pattern of what ends the turn; the end of the text ends it too."""
    specials: tuple[str, ...] = ()
    """Control tokens that no tokenizer of the tests has by itself."""
    marks: tuple[str, ...] = ()
    """Added tokens that are not special, as `<think>` and `<tool_call>` in the real vocabularies."""
    num_turns: Callable[[Message], int] = lambda message: 1
    """How often the model speaks in one assistant message."""


def with_family(state: str, family: Family) -> Any:
    """A tokenizer with that template, and the tokens it needs, on the backend whose JSON is `state`."""
    from tokenizers import AddedToken, Tokenizer

    tokenizer = make_tokenizer(Tokenizer.from_str(state), family.template)
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=True) for text in family.specials])
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=False) for text in family.marks])
    return tokenizer


CHATML_TURN = (r"<\|im_start\|>assistant\n", r"<\|im_end\|>")
_GLM_SPECIALS = ("[gMASK]", "<sop>", "<|observation|>")
_TOOL_MARKS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
_DEEPSEEK_NAMES = [f"tool▁{part}▁{end}" for part in ("calls", "call", "outputs", "output") for end in ("begin", "end")]
_DEEPSEEK_SPECIALS = tuple(
    f"<｜{name}｜>" for name in ("User", "Assistant", "end▁of▁sentence", "tool▁sep", *_DEEPSEEK_NAMES)
)
_MISTRAL_NAMES = ("INST", "AVAILABLE_TOOLS", "TOOL_RESULTS", "/INST", "/AVAILABLE_TOOLS", "/TOOL_RESULTS", "TOOL_CALLS")

FAMILIES: dict[str, Family] = {
    "hermes": Family(HERMES, *CHATML_TURN, marks=_TOOL_MARKS),
    "qwen3": Family(QWEN3_TOOLS, *CHATML_TURN, marks=_TOOL_MARKS),
    "glm4": Family(
        GLM4_TOOLS,
        r"<\|assistant\|>",
        r"<\|(?:user|assistant|observation)\|>",
        _GLM_SPECIALS,
        num_turns=lambda message: (
            bool(message["content"] or not message.get("tool_calls")) + len(message.get("tool_calls") or [])
        ),
    ),
    "glm45": Family(
        GLM45,
        r"<\|assistant\|>",
        r"<\|(?:user|assistant|observation)\|>",
        _GLM_SPECIALS,
        (*_TOOL_MARKS, "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"),
    ),
    "llama31": Family(
        LLAMA31,
        r"<\|start_header_id\|>assistant<\|end_header_id\|>\n\n",
        r"<\|eot_id\|>",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    ),
    "mistral": Family(
        MISTRAL,
        r"\[/INST\]|\[/TOOL_RESULTS\]|(?<=</s>)(?=\[TOOL_CALLS\])",
        r"</s>",
        tuple(f"[{name}]" for name in _MISTRAL_NAMES),
    ),
    "deepseek": Family(
        DEEPSEEK,
        r"<｜Assistant｜>|<｜tool▁outputs▁end｜>(?!<｜User｜>)",
        r"<｜end▁of▁sentence｜>",
        _DEEPSEEK_SPECIALS,
    ),
}
