"""Who may speak after whom, and what must not be blank: checked once, on ChatGLM3's form, for every file format."""

from __future__ import annotations

from collections.abc import Sequence

from hf_builders.conversations.fields import Message
from hf_builders.quarantine import RowProblem


def check_order(conversation: Sequence[Message]) -> None:
    """Raises `RowProblem` unless the conversation is one that a chat model can be trained on.

    A user turn that is blank, follows another or stays without an answer spoils no row: the answers can be trained.
    """
    _check_system(conversation)
    turns = [message for message in conversation if message["role"] != "system"]
    for before, message in zip([None, *turns], turns, strict=False):
        _check_pair(before, message)
        _check_blank(message)
    _check_results(turns)
    if not any(message["role"] in ("assistant", "tool") for message in turns):
        raise RowProblem("no_assistant", "the conversation has no assistant turn; there is nothing to train on")


def _check_system(conversation: Sequence[Message]) -> None:
    places = [i for i, message in enumerate(conversation) if message["role"] == "system"]
    if len(places) > 1:
        raise RowProblem(
            "second_system", f"a second system message ({_shown(conversation[places[1]])}); join it with the first"
        )
    if places and places[0] > 0:
        raise RowProblem(
            "late_system", f"the system message ({_shown(conversation[places[0]])}) comes after a turn; put it first"
        )


def _check_pair(before: Message | None, message: Message) -> None:
    role, role_before = message["role"], before["role"] if before else None
    if before is None and role == "observation":
        raise RowProblem("observation_without_call", f"the result {_shown(message)} answers no call; add the call")
    if before is None and role != "user":
        raise RowProblem(
            "first_turn_not_user",
            f"the first turn is of the {role} ({_shown(message)}); a conversation begins with the user, behind system",
        )
    if before is None:
        return
    # Text and then code for the interpreter are two messages of one turn; text and then a tool need no rule here.
    if role == "assistant" and role_before == "assistant" and ("metadata" in before or "metadata" not in message):
        raise RowProblem(
            "two_assistant_turns",
            f"two assistant turns in a row ({_shown(before)}, {_shown(message)}), and no call explains it; join them",
        )
    # Without metadata, the assistant wrote its call as text.
    if role == "observation" and role_before != "assistant":
        raise RowProblem(
            "observation_without_call",
            f"the result {_shown(message)} answers no call; an observation follows an assistant message, a tool "
            "message brings its own",
        )


def _check_blank(message: Message) -> None:
    is_silent = not (message.get("content", "").strip() or message.get("reasoning_content", "").strip())
    if message["role"] == "assistant" and is_silent:
        raise RowProblem("blank_assistant", "an assistant message is blank; a turn needs text, reasoning or a call")


def _check_results(turns: Sequence[Message]) -> None:
    """Only calls that end the conversation may be without a result."""
    num_open = 0
    for message in reversed(turns):
        if message["role"] != "tool" or "observation" in message:
            break
        num_open += 1
    for message in turns[: len(turns) - num_open]:
        if message["role"] == "tool" and "observation" not in message:
            raise RowProblem(
                "call_without_result",
                f"the call of {message['name']!r} has no result, and the conversation goes on; add the observation",
            )


def _shown(message: Message) -> str:
    return f"{message.get('content', message.get('name'))!r:.40}"
