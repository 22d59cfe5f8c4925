"""`Tokenize`: a step that travels, and whose fingerprint is its content."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("transformers", reason="collators need transformers")

import numpy as np
from datasets.fingerprint import Hasher

from collators import TokenizationError, Tokenize
from tests.collators.conftest import QWEN

BATCH = {
    "id": ["x", "y"],
    "messages": [
        [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "a b"}],
        [{"role": "user", "content": "no answer"}],
    ],
}


def test_a_dict_gives_a_dict_and_a_table_a_table(tokenizer_of: Callable[..., Any], caplog: Any) -> None:
    step = Tokenize(tokenizer_of("words"))
    lists, table = step(BATCH), step(pa.table(BATCH))
    assert caplog.messages == ["set aside 1 of 2 rows: nothing_to_train 1"] * 2
    assert lists["id"] == ["x"]
    assert lists["input_ids"][0].dtype == lists["labels"][0].dtype == np.int32
    assert isinstance(table, pa.Table)
    assert table.column_names == ["id", "input_ids", "labels", "length"]
    assert table["input_ids"].to_pylist() == [ids.tolist() for ids in lists["input_ids"]]
    assert table["labels"].to_pylist() == [labels.tolist() for labels in lists["labels"]]


def test_a_pickled_step_gives_the_same_rows(tokenizer_of: Callable[..., Any]) -> None:
    step = Tokenize(tokenizer_of(template=QWEN), max_length=50, overflow="truncate_prompt", loss="last")
    again = pickle.loads(pickle.dumps(step))
    assert again(pa.table(BATCH)) == step(pa.table(BATCH))
    assert Hasher.hash(again) == Hasher.hash(step)


def test_fingerprint_is_of_content_and_options_not_of_use(tokenizer_of: Callable[..., Any]) -> None:
    def fingerprints(step: Tokenize) -> tuple[str, str]:
        return Hasher.hash(step), step.digest

    first = fingerprints(Tokenize(tokenizer_of(pad_token="<s>")))
    used_tokenizer = tokenizer_of(pad_token="<s>")
    used_tokenizer(["a", "hello"], padding="max_length", truncation=True, max_length=3)
    used = Tokenize(used_tokenizer)
    used(BATCH)
    assert fingerprints(used) == first
    others = [
        Tokenize(tokenizer_of(pad_token="<s>"), max_length=99),
        Tokenize(tokenizer_of(pad_token="<s>"), overflow="truncate"),
        Tokenize(tokenizer_of(pad_token="<s>"), loss="last"),
        Tokenize(tokenizer_of(template=QWEN, pad_token="<s>")),
        Tokenize(tokenizer_of("words", pad_token="<s>")),
        Tokenize(tokenizer_of(bos_token="<|user|>", pad_token="<s>")),
    ]
    seen = [first, *map(fingerprints, others)]
    assert len({hash_ for hash_, _ in seen}) == len({digest for _, digest in seen}) == len(seen)


def test_a_named_template_refuses_a_tokenizer_without_its_control_tokens(tokenizer_of: Callable[..., Any]) -> None:
    with pytest.raises(TokenizationError) as raised:
        Tokenize(tokenizer_of(), template="chatglm3")
    assert str(raised.value) == (
        "template='chatglm3': the tokenizer has no control token '[gMASK]'; leave template out to take the "
        "tokenizer's own, or load the tokenizer of the model the template is for"
    )


def test_a_column_of_mixed_values_is_named(tokenizer_of: Callable[..., Any]) -> None:
    with pytest.raises(TokenizationError, match=r"^columns text: values of different kinds in one column \("):
        Tokenize(tokenizer_of(pad_token="<s>"))({"text": ["a", 1]})


def test_a_later_change_of_the_tokenizer_changes_no_rows(tokenizer_of: Callable[..., Any]) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = tokenizer_of("words")
    step = Tokenize(tokenizer)
    batches = [pa.table({"text": ["hello hello world"]}), pa.table(BATCH)]
    tokenizer.add_tokens(["hello hello"])
    tokenizer.chat_template = QWEN
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=["<s>", "$A"], special_tokens=[("<s>", 1)])
    unchanged = Tokenize(tokenizer_of("words"))
    assert [step(batch) for batch in batches] == [unchanged(batch) for batch in batches]


def test_a_row_instead_of_a_batch_is_named(tokenizer_of: Callable[..., Any]) -> None:
    with pytest.raises(TokenizationError, match=r"^a single row, not a batch of them; call map with batched=True$"):
        Tokenize(tokenizer_of())({"prompt": "q", "completion": "a"})
