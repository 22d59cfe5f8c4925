"""Rows too long: what is left is a conversation, and the ledger says what is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("transformers", reason="chat templates are rendered by transformers")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collators import TokenizationError
from tests.collators.conversation_families import FAMILIES, Message, with_family
from tests.collators.conversation_references import IGNORED, Reference, as_messages, rendered_reference
from tests.collators.conversation_rows import (
    WEATHER,
    WEATHER_TOOLS,
    asks_the_same_at_the_end,
    conversations,
    demo_chatglm3,
    rows_of,
)

PARTS = ["hello", " ", "你好", "\n", "a", "。", "world 1 2"]
LEDGER = ["cut", "cut_trained", "cut_turns"]
some = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
References = Callable[[list[Message], Any], Reference]


def num_trained(labels: list[int]) -> int:
    return sum(label != IGNORED for label in labels)


def is_trained(reference: Reference) -> bool:
    return num_trained(reference.labels[1:]) > 0


def without_oldest(chat: list[Message], num_rounds: int) -> list[Message]:
    """`chat` without its first rounds: a question and all up to the next; what comes before questions stays."""
    starts = [place for place, message in enumerate(chat) if message["role"] == "user"]
    return chat[: starts[0]] + chat[starts[num_rounds] :]


def shortest_cut(chat: list[Message], tools: Any, max_length: int, reference: References) -> list[Message] | None:
    num_rounds = sum(message["role"] == "user" for message in chat)
    for dropped in range(num_rounds):
        shorter = without_oldest(chat, dropped)
        if len(reference(shorter, tools).ids) <= max_length:
            return shorter
    return None


def tokenizer_and_reference(name: str, backends: dict[str, str]) -> tuple[Any, References]:
    if name == "chatglm3":
        return demo_chatglm3()
    tokenizer = with_family(backends["byte_level"], FAMILIES[name])
    return tokenizer, lambda chat, tools: rendered_reference(tokenizer, FAMILIES[name], as_messages(chat), tools)


@pytest.mark.parametrize("form", ["conversations", "messages"])
@pytest.mark.parametrize("name", ["chatglm3", "hermes", "qwen3", "mistral"])
def test_truncate_turns_drops_the_oldest_rounds_until_the_row_fits(
    name: str, form: str, backends: dict[str, str]
) -> None:
    tokenizer, reference = tokenizer_and_reference(name, backends)
    num_cut = num_too_long = 0

    @given(
        drawn=st.lists(conversations(PARTS, loss=True, num_rounds=2), min_size=2, max_size=4),
        room=st.sampled_from([0.35, 0.5, 0.7, 0.85, 1.0]),
        tools=st.sampled_from([None, WEATHER_TOOLS]),
    )
    @some
    def check(drawn: list[list[Message]], room: float, tools: Any) -> None:
        nonlocal num_cut, num_too_long
        wholes = [reference(chat, tools) for chat in drawn]
        max_length = max(int(room * max(len(whole.ids) for whole in wholes)), 2)
        chats = drawn if form == "conversations" else [as_messages(chat) for chat in drawn]
        options: Any = {"overflow": "truncate_turns", "max_length": max_length}
        for chat, whole, row in zip(
            drawn, wholes, rows_of(chats, [tools] * len(chats), tokenizer, **options), strict=True
        ):
            if asks_the_same_at_the_end(chat) and row["set_aside"] == "template_rewrites":
                assert name == "mistral"  # It writes system text and tools before every one of these questions.
                continue
            shorter = shortest_cut(chat, tools, max_length, reference)
            if shorter is None or not is_trained(left := reference(shorter, tools)):
                assert row["set_aside"] is not None
                assert (row["input_ids"], row["length"]) == ([], len(whole.ids))
                assert [row[column] for column in LEDGER] == [0, 0, 0]
                num_too_long += shorter is None
                continue
            assert row["set_aside"] is None
            assert (row["input_ids"], row["labels"]) == (left.ids, left.labels), (chat, max_length)
            assert row["length"] + row["cut"] == len(whole.ids)
            assert row["cut_trained"] == num_trained(whole.labels) - num_trained(left.labels)
            if form == "messages":
                assert row["cut_turns"] == len(as_messages(chat)) - len(as_messages(shorter))
            assert (row["cut_turns"] > 0) == (len(shorter) < len(chat))
            num_cut += len(shorter) < len(chat)

    check()
    assert num_cut > 0
    assert num_too_long > 0


def test_truncate_turns_in_numbers() -> None:
    tokenizer, reference = demo_chatglm3()
    tools = [{"name": "查天气"}]
    last = [WEATHER[0], *WEATHER[5:]]
    whole, left = reference(WEATHER, tools), reference(last, tools)
    num_left, num_whole = len(left.ids), len(whole.ids)

    def row_at(max_length: int) -> Any:
        (row,) = rows_of([WEATHER], [tools], tokenizer, overflow="truncate_turns", max_length=max_length)
        return row

    assert row_at(num_whole)["input_ids"] == whole.ids
    for max_length in (num_whole - 1, num_left):
        row = row_at(max_length)
        assert (row["input_ids"], row["labels"]) == (left.ids, left.labels)
        # A question, an announcement, a call with its result, an answer.
        assert (row["cut"], row["cut_turns"]) == (num_whole - num_left, 4)
    row = row_at(num_left - 1)
    assert row["set_aside"] is not None
    assert row["length"] == num_whole


def test_a_row_that_only_dropped_rounds_would_train_is_set_aside() -> None:
    tokenizer, reference = demo_chatglm3()
    chat = [*WEATHER[1:6], WEATHER[6] | {"loss": False}]
    max_length = len(reference(chat, None).ids) - 1
    (row,) = rows_of([chat], None, tokenizer, overflow="truncate_turns", max_length=max_length)
    assert row["set_aside"] is not None
    assert row["input_ids"] == []


def test_the_ledger_of_truncate_by_owner_of_every_token() -> None:
    tokenizer, reference = demo_chatglm3()
    chat = [message for message in WEATHER if message["role"] != "tool"]
    whole = reference(chat, None)
    first = next(place for place, label in enumerate(whole.labels) if label != IGNORED)
    num_kept = 0
    for max_length in range(1, len(whole.ids) + 1):
        (row,) = rows_of([chat], None, tokenizer, overflow="truncate", max_length=max_length)
        if max_length <= first:
            assert (row["set_aside"], *(row[column] for column in LEDGER)) == ("answer_cut_off", 0, 0, 0)
            continue
        assert (row["input_ids"], row["labels"]) == (whole.ids[:max_length], whole.labels[:max_length])
        assert row["cut"] == len(whole.ids) - max_length
        assert row["cut_trained"] == num_trained(whole.labels[max_length:])
        lost = range(max_length, len(whole.ids))
        # A trained token is of the turn that holds the one before it: the next role token is what ends an answer.
        ended = {whole.owners[token - 1] for token in lost if whole.labels[token] != IGNORED}
        assert row["cut_turns"] == len(ended | {whole.owners[token] for token in lost})
        num_kept += 1
    assert num_kept == len(whole.ids) - first > 20


@pytest.mark.parametrize("overflow", ["truncate", "truncate_prompt", "drop"])
@pytest.mark.parametrize("name", ["chatglm3", "hermes", "glm45"])
def test_the_ledger_adds_up_for_every_policy(name: str, overflow: str, backends: dict[str, str]) -> None:
    tokenizer, reference = tokenizer_and_reference(name, backends)
    num_cut = 0

    @given(
        drawn=st.lists(conversations(PARTS, loss=True, num_rounds=2), min_size=2, max_size=4),
        room=st.sampled_from([0.4, 0.6, 0.8, 0.95]),
    )
    @some
    def check(drawn: list[list[Message]], room: float) -> None:
        nonlocal num_cut
        wholes = [reference(chat, WEATHER_TOOLS) for chat in drawn]
        max_length = int(room * max(len(whole.ids) for whole in wholes))
        options: Any = {"overflow": overflow, "max_length": max_length}
        rows = rows_of(drawn, [WEATHER_TOOLS] * len(drawn), tokenizer, **options)
        for whole, row in zip(wholes, rows, strict=True):
            if row["set_aside"] is not None:
                assert (row["input_ids"], row["length"]) == ([], len(whole.ids))
                assert [row[column] for column in LEDGER] == [0, 0, 0]
                continue
            assert row["length"] == len(row["input_ids"]) <= max_length
            assert row["length"] + row["cut"] == len(whole.ids)
            assert num_trained(row["labels"]) + row["cut_trained"] == num_trained(whole.labels)
            assert num_trained(row["labels"][1:]) > 0
            # An empty message may lose its frame alone, and a frame's last newline is of no message.
            assert (row["cut"] > 0) >= (row["cut_turns"] > 0) >= (row["cut_trained"] > 0)
            if overflow == "truncate":
                assert row["input_ids"] == whole.ids[:max_length]
            elif overflow == "truncate_prompt":
                answers = [label for label in whole.labels if label != IGNORED]
                assert [label for label in row["labels"] if label != IGNORED] == answers
            num_cut += row["cut"] > 0

    check()
    assert (num_cut > 0) == (overflow != "drop")


def test_the_error_offers_whole_turns(backends: dict[str, str]) -> None:
    tokenizer = with_family(backends["byte_level"], FAMILIES["hermes"])
    with pytest.raises(TokenizationError, match="truncate_turns"):
        rows_of([WEATHER], [WEATHER_TOOLS], tokenizer, overflow="error", max_length=10)
