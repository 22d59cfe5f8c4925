"""What `export_agreement` counts as equal and what it calls a difference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers", reason="the tokenizer of the test is one of transformers")

from tests.benchmarks.export_differences import Row, compare, reason
from tests.collators.conftest import byte_level_backend, make_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return make_tokenizer(byte_level_backend())


def row(tokenizer: Any, text: str, trained: str = "") -> Row:
    """The tokens of a text, trained where `trained` stands in it."""
    ids = tokenizer.encode(text, add_special_tokens=False)
    labels = [-100] * len(ids)
    if trained:
        before = len(tokenizer.encode(text[: text.index(trained)], add_special_tokens=False))
        end = before + len(tokenizer.encode(trained, add_special_tokens=False))
        labels[before:end] = ids[before:end]
    return Row(np.array(ids), np.array(labels))


def test_a_newline_behind_the_end_is_of_the_format_and_another_answer_is_not(tokenizer: Any) -> None:
    text = "<|im_start|>assistant\nhello<|im_end|>\n"
    ours = row(tokenizer, text, "hello<|im_end|>")
    found = compare(
        [ours, ours, ours], [ours, row(tokenizer, text, "hello<|im_end|>\n"), row(tokenizer, text)], tokenizer
    )
    assert (found.rows, found.read, found.ids_equal, found.labels_equal, found.answers_equal) == (3, 3, 3, 1, 2)
    assert found.kinds == {
        "labels: only the peer trains '\\n' behind '<|im_end|>'": 1,
        "labels: only ours trains a stretch that ends with '<|im_end|>'": 1,
    }
    assert reason("labels: only ours trains a stretch that ends with '<|im_end|>'") == "**Not explained.**"


def test_other_ids_are_told_by_where_they_part(tokenizer: Any) -> None:
    found = compare([row(tokenizer, "hello world")], [row(tokenizer, "hello you")], tokenizer)
    assert found.ids_equal == found.labels_equal == 0
    assert list(found.lines()) == [
        "1 row: ids: behind 'hello ', as ours goes on 'world', the peer 'you'. **Not explained.**"
    ]


def test_rows_that_the_peer_leaves_out_are_passed_over(tokenizer: Any) -> None:
    a, b, c = (row(tokenizer, text) for text in ("a", "b", "c"))
    found = compare([a, b, b, c], [a, c], tokenizer)
    assert (found.rows, found.read, found.ids_equal) == (4, 2, 2)
    assert found.kinds == {"rows: the peer leaves it out": 2}
