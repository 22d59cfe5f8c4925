"""Ids and labels of a conversation, worked out slowly and plainly: what the package's own are held against.

Conversations come in ChatGLM3's form (`role` system, user, assistant, observation, or tool with `name`, `parameters`,
`observation`), tools as any JSON value. Nothing here reads the package's code.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.collators.conversation_families import Family, Message

IGNORED = -100
TOOLS_LINE = "Answer the following questions as best as you can. You have access to the following tools:\n"


def as_text(observation: Any) -> str:
    return observation if isinstance(observation, str) else json.dumps(observation, ensure_ascii=False)


def as_messages(conversation: list[Message]) -> list[Message]:
    """The same conversation in OpenAI's form: a call joins the answer before it where both are trained alike."""
    messages: list[Message] = []
    for message in conversation:
        if message["role"] != "tool":
            messages.append(message | ({"role": "tool"} if message["role"] == "observation" else {}))
            continue
        call = {"type": "function", "function": {"name": message["name"], "arguments": message["parameters"]}}
        loss = {"loss": message["loss"]} if "loss" in message else {}
        before = messages[-1] if messages else {}
        if before.get("role") == "assistant" and before.get("loss") == message.get("loss"):
            before["tool_calls"] = [call]
        else:
            messages.append({"role": "assistant", "content": "", "tool_calls": [call], **loss})
        if "observation" in message:
            messages.append({"role": "tool", "name": message["name"], "content": as_text(message["observation"])})
    return messages


def python_call(parameters: dict[str, Any]) -> str:
    """`tool_call(k='v')`, as Python itself writes such a call."""
    keywords = [ast.keyword(arg=name, value=ast.Constant(value)) for name, value in parameters.items()]
    return ast.unparse(ast.Call(func=ast.Name(id="tool_call"), args=[], keywords=keywords))


@dataclass(frozen=True)
class Piece:
    """One message as ChatGLM3 writes it; a call and its result are two."""

    role: str
    metadata: str
    text: str
    trained: bool
    message: int | None
    """Which message of the conversation it is of; None: the tools."""


def chatglm3_pieces(conversation: list[Message], tools: Any = None) -> list[Piece]:
    pieces = []
    if tools:
        pieces.append(
            Piece(
                "system", "", TOOLS_LINE + json.dumps(tools, indent=4, ensure_ascii=False), trained=False, message=None
            )
        )
    for place, message in enumerate(conversation):
        if message["role"] == "tool":
            code = f"```python\n{python_call(message['parameters'])}\n```"
            pieces.append(Piece("assistant", message["name"], code, message.get("loss", True), place))
            if "observation" in message:
                pieces.append(Piece("observation", "", as_text(message["observation"]), False, place))
        else:
            is_trained = message["role"] == "assistant" and message.get("loss", True)
            pieces.append(Piece(message["role"], message.get("metadata", ""), message["content"], is_trained, place))
    return pieces


@dataclass(frozen=True)
class Reference:
    ids: list[int]
    labels: list[int]
    owners: list[int | None]
    """Per token, which message it is of, where the reference knows."""


def chatglm3_reference(
    conversation: list[Message], tools: Any, encode: Callable[[str], list[int]], id_of: Callable[[str], int]
) -> Reference:
    """A token counts if the message that holds the one before it is trained."""
    ids, trained, owners = [id_of("[gMASK]"), id_of("sop")], [False, False], [None, None]
    for piece in chatglm3_pieces(conversation, tools):
        new = [id_of(f"<|{piece.role}|>"), *encode(f"{piece.metadata}\n"), *encode(piece.text)]
        ids += new
        trained += [piece.trained] * len(new)
        owners += [piece.message] * len(new)
    ids.append(id_of("</s>"))
    owners.append(owners[-1])
    labels = [IGNORED] + [id_ if counts else IGNORED for id_, counts in zip(ids[1:], trained, strict=True)]
    return Reference(ids, labels, owners)


def rendered_reference(
    tokenizer: Any,
    family: Family,
    messages: list[Message],
    tools: Any = None,
    *,
    trained: Sequence[bool] | None = None,
    train_thinking: bool = True,
    unprompted: str = "",
    **kwargs: Any,
) -> Reference:
    """Ids of the rendered text; trained are the tokens that lie wholly where the model speaks.

    `trained` says for each assistant message whether it is; `unprompted` is what `kwargs` put into the generation
    prompt, where it stands at the head of a turn.
    """
    text = tokenizer.apply_chat_template(messages, tools=tools or None, tokenize=False, **kwargs)
    answers = [message for message in messages if message["role"] == "assistant"]
    flags = [m.get("loss", True) for m in answers] if trained is None else list(trained)
    per_turn = [flag for flag, m in zip(flags, answers, strict=True) for _ in range(family.num_turns(m))]
    turns = _turns(text, family)
    assert len(turns) == len(per_turn), (text, turns)
    regions = []
    for (first, last), flag in zip(turns, per_turn, strict=True):
        if unprompted and text.startswith(unprompted, first):
            first += len(unprompted)
        spoken = [(first, last)]
        if not train_thinking:
            spoken = _without_thinking(text, first, last)
        regions += spoken if flag else []
    ids, labels = labels_by_offsets(tokenizer, text, regions)
    assert ids == tokenizer.apply_chat_template(messages, tools=tools or None, return_dict=False, **kwargs)
    return Reference(ids, labels, [])


def _turns(text: str, family: Family) -> list[tuple[int, int]]:
    turns = []
    for start in re.finditer(family.start, text):
        end = re.compile(family.end).search(text, start.end())
        if start.end() < len(text):
            turns.append((start.end(), end.end() if end else len(text)))
    return turns


def _without_thinking(text: str, first: int, last: int) -> list[tuple[int, int]]:
    # One space right before it is its own: SentencePiece's prefix of the text.
    block = re.compile(r"(\s*?) ?<think>.*?</think>\s*", re.DOTALL).match(text, first, last)
    return [(first, block.end(1)), (block.end(), last)] if block else [(first, last)]


def labels_by_offsets(tokenizer: Any, text: str, regions: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Ids of `text`, and labels of those that lie wholly in a region; regions that touch are one."""
    joined: list[tuple[int, int]] = []
    for first, last in regions:
        if joined and joined[-1][1] == first:
            first = joined.pop()[0]
        joined.append((first, last))
    encoding = whole_offsets_backend(tokenizer).encode(text, add_special_tokens=False)
    labels = [
        id_ if any(first <= start and end <= last for first, last in joined) else IGNORED
        for id_, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
    ]
    return encoding.ids, labels


@cache
def whole_offsets_backend(tokenizer: Any) -> Any:
    """The backend without its post-processor: a byte-level one takes the spaces out of the offsets."""
    backend = tokenizer.backend_tokenizer
    return type(backend).from_str(json.dumps(json.loads(backend.to_str()) | {"post_processor": None}))


def without_controls(tokenizer: Any, texts: dict[str, str], text: str) -> list[int]:
    """Ids of a rendered `text` in which data wrote `texts[stand_in]` wherever `stand_in` stands: as mere text."""
    backend = whole_offsets_backend(tokenizer)
    state = json.loads(backend.to_str()) | {"added_tokens": []}
    bare = type(backend).from_str(json.dumps(state))
    controls = {token.content: id_ for id_, token in tokenizer.added_tokens_decoder.items()}
    pattern = "|".join(map(re.escape, sorted(controls, key=len, reverse=True)))
    ids = []
    for part in re.split(f"({pattern})", text):
        if part in controls:
            ids.append(controls[part])
            continue
        for stand_in, typed in texts.items():
            part = part.replace(stand_in, typed)
        ids += bare.encode(part, add_special_tokens=False).ids if part else []
    return ids
