"""What stays of a row that is too long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="collators need transformers")

from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from collators import IGNORE_INDEX, TokenizationError, load_tokenizer, token_rows

ROOT = Path(__file__).parents[2]

CHAT = [
    {"role": "system", "content": "a b a b"},
    {"role": "user", "content": "hello hello hello"},
    {"role": "assistant", "content": "world a"},
    {"role": "user", "content": "b b b"},
    {"role": "assistant", "content": "a a"},
]
# In the words tokenizer: im_start, role, content, im_end for each message.
NUM_TOKENS = 5 * 3 + 4 + 3 + 2 + 3 + 2
ANSWERS = ["world", "a", "<|im_end|>", "a", "a", "<|im_end|>"]


@pytest.fixture
def rows(tokenizer_of: Callable[..., Any]) -> Callable[..., tuple[list[str], list[str], str | None]]:
    """Words and trained words of `CHAT`, and why it is set aside."""
    # No newline: it would stand between words and be dropped.
    tokenizer = tokenizer_of("words")

    def run(chat: list[dict[str, str]] = CHAT, **options: Any) -> tuple[list[str], list[str], str | None]:
        (row,) = token_rows(Dataset.from_dict({"messages": [chat]}), tokenizer, **options)
        trained = [label for label in row["labels"] if label != IGNORE_INDEX]
        assert row["set_aside"] is not None or row["length"] == len(row["input_ids"]) <= options["max_length"]
        words = tokenizer.convert_ids_to_tokens
        return words(row["input_ids"]), words(trained), row["set_aside"]

    return run


@pytest.mark.parametrize("overflow", ["drop", "truncate", "truncate_prompt", "error"])
def test_a_row_of_just_the_length_is_kept_whole(rows: Any, overflow: str) -> None:
    words, trained, set_aside = rows(max_length=NUM_TOKENS, overflow=overflow)
    assert (len(words), trained, set_aside) == (NUM_TOKENS, ANSWERS, None)


def test_drop_sets_aside(rows: Any) -> None:
    assert rows(max_length=NUM_TOKENS - 1) == ([], [], "too_long")


def test_truncate_keeps_the_beginning(rows: Any) -> None:
    whole, _, _ = rows(max_length=NUM_TOKENS)
    assert rows(max_length=18, overflow="truncate") == (whole[:18], ["world", "a", "<|im_end|>"], None)
    assert rows(max_length=16, overflow="truncate") == (whole[:16], ["world"], None)
    # Position 15 is the first answer's: without it nothing is trained.
    assert rows(max_length=15, overflow="truncate") == ([], [], "answer_cut_off")


def test_truncate_prompt_cuts_questions_first_the_oldest_first_and_the_system_text_last(rows: Any) -> None:
    def texts(max_length: int) -> list[int]:
        words, trained, set_aside = rows(max_length=max_length, overflow="truncate_prompt")
        assert (trained, set_aside, len(words)) == (ANSWERS, None, max_length)
        assert words.count("<|im_start|>") == words.count("<|im_end|>") == 5
        assert [w for w in words if w in ("system", "user", "assistant")] == [m["role"] for m in CHAT]
        turns = " ".join(words).split("<|im_start|>")[1:]
        return [len(turn.split()) - 2 for turn in turns]

    assert texts(NUM_TOKENS - 2) == [4, 1, 2, 3, 2]
    assert texts(NUM_TOKENS - 4) == [4, 0, 2, 2, 2]
    assert texts(NUM_TOKENS - 6) == [4, 0, 2, 0, 2]
    assert texts(NUM_TOKENS - 9) == [1, 0, 2, 0, 2]
    assert texts(NUM_TOKENS - 10) == [0, 0, 2, 0, 2]
    assert rows(max_length=NUM_TOKENS - 11, overflow="truncate_prompt") == ([], [], "answer_too_long")


def test_error_names_row_length_and_way_out(tokenizer_of: Callable[..., Any]) -> None:
    data = Dataset.from_dict({"id": ["first", "second"], "messages": [CHAT[:3], CHAT]})
    with pytest.raises(TokenizationError) as raised:
        token_rows(data, tokenizer_of("words"), max_length=NUM_TOKENS - 1, overflow="error")
    assert str(raised.value) == (
        "row 1 (id 'second'): 29 tokens, longer than max_length=28; "
        "raise max_length, or choose overflow='drop', 'truncate', 'truncate_prompt' or 'truncate_turns'"
    )


def test_nothing_to_train_goes_before_too_long(rows: Any) -> None:
    assert rows(CHAT[:2], max_length=3) == ([], [], "nothing_to_train")
    assert rows([], max_length=3) == ([], [], "nothing_to_train")


@pytest.mark.parametrize("overflow", ["truncate", "truncate_prompt", "truncate_turns"])
def test_all_trains_every_token_that_stays(overflow: str) -> None:
    # Here a token lies across the border of the format's words and the text.
    tokenizer = load_tokenizer(ROOT / "configs" / "demo_tokenizer")
    chat = [
        {"role": "user", "content": "类型#裙*颜色#白色" * 2},
        {"role": "assistant", "content": "这件白色的裙子。" * 3},
    ]
    num_kept = 0
    for max_length in range(10, 80, 3):
        data = Dataset.from_dict({"messages": [chat, chat * 2]})
        for row in token_rows(data, tokenizer, max_length=max_length, overflow=overflow, loss="all"):
            assert row["labels"] == row["input_ids"]
            num_kept += row["set_aside"] is None
    assert num_kept > 5


@pytest.mark.parametrize("loss", ["assistant", "last", "all"])
@pytest.mark.parametrize("overflow", ["drop", "truncate", "truncate_prompt", "truncate_turns"])
def test_no_kept_row_is_too_long_or_without_a_token_to_predict(
    loss: str, overflow: str, tokenizer_of: Callable[..., Any]
) -> None:
    tokenizer = tokenizer_of()

    @given(max_length=st.integers(1, 40), sizes=st.lists(st.tuples(*[st.integers(0, 9)] * 2), min_size=1, max_size=4))
    @settings(max_examples=15, deadline=None)
    def check(max_length: int, sizes: list[tuple[int, int]]) -> None:
        chat = [
            {"role": role, "content": "hello " * size}
            for pair in sizes
            for role, size in zip(("user", "assistant"), pair, strict=True)
        ]
        data = Dataset.from_dict({"messages": [chat, chat[:2], chat[:1]]})
        for row in token_rows(data, tokenizer, max_length=max_length, overflow=overflow, loss=loss):
            assert len(row["labels"]) == len(row["input_ids"]) <= max_length
            is_kept = row["set_aside"] is None
            assert is_kept == any(label != IGNORE_INDEX for label in row["labels"][1:])
            assert is_kept or not row["input_ids"]

    check()
