"""The texts of records: all of those meant and no others, each back in its place."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_builders.cleaned_texts import RecordTexts
from hf_builders.json_columns import json_lists

ROLES = ("system", "user", "assistant")
MESSAGES = pa.list_(pa.struct({"role": pa.string(), "content": pa.string(), "loss": pa.bool_()}))


def test_texts_come_in_the_order_of_the_records_and_blank_ones_do_not() -> None:
    table = pa.table({"id": ["x", "y"], "output": ["c", "f"], "input": [" ", "e"], "history": [[["a", "b"]], []]})
    texts = RecordTexts(table, ROLES)
    assert [texts.values.to_pylist()[a:b] for a, b in zip(texts.offsets, texts.offsets[1:], strict=False)] == [
        ["c", "a", "b"],
        ["f", "e"],
    ]


def test_only_messages_of_the_roles_asked_for_are_texts() -> None:
    conversation = [
        {"role": "system", "content": "s", "loss": None},
        {"role": "user", "content": "u", "loss": False},
        {"role": "tool", "content": "t", "loss": None},
        {"role": "assistant", "content": None, "loss": True},
        {"role": "assistant", "content": "a", "loss": True},
    ]
    table = pa.table({"id": ["x"], "conversations": pa.array([conversation], MESSAGES)})
    texts = RecordTexts(table, ("user", "assistant"))
    assert texts.values.to_pylist() == ["u", "a"]
    (changed,) = texts.put_back(pc.utf8_upper(texts.values))["conversations"].to_pylist()
    assert [message["content"] for message in changed] == ["s", "U", "t", None, "A"]
    assert [{**message, "content": None} for message in changed] == [
        {**message, "content": None} for message in conversation
    ]


def test_messages_in_json_keep_all_but_the_texts_that_change() -> None:
    conversation = [
        '{"role": "user",  "content": "u 甲", "weight": 3.0}',
        '{"role": "assistant", "content": null, "tool_calls": [{"name": "f", "arguments": {"n": 0.30}}]}',
        '{"role": "tool", "content": "t"}',
        '{"role": "tool", "name": "f", "parameters": {"k": 1}, "observation": {"t": 1.50}}',
        '{"role": "assistant", "content": "", "loss": false}',
        '{"role": "assistant", "content": "a", "loss": true}',
    ]
    table = pa.table({"id": ["x", "y"], "messages": json_lists([conversation, []])})
    texts = RecordTexts(table, ROLES)
    assert (texts.values.to_pylist(), texts.offsets.tolist()) == (["u 甲", "a"], [0, 2, 2])
    changed = texts.put_back(pc.utf8_upper(texts.values))
    assert changed.schema == table.schema
    assert changed["messages"].to_pylist() == [
        [
            '{"role": "user", "content": "U 甲", "weight": 3.0}',
            *conversation[1:5],
            conversation[5].replace('"a"', '"A"'),
        ],
        [],
    ]
    assert texts.put_back(texts.values).equals(table)


def test_columns_and_rounds_have_speakers_too() -> None:
    table = pa.table(
        {"id": ["x"], "instruction": ["i"], "input": ["p"], "output": ["o"], "system": ["s"], "history": [[["q", "a"]]]}
    )
    for roles, expected in ((["user"], ["i", "p", "q"]), (["assistant"], ["o", "a"]), (["system"], ["s"]), ([], [])):
        assert RecordTexts(table, roles).values.to_pylist() == expected
    assert RecordTexts(table, ROLES).is_needed.tolist() == [True, False, True, False, True, True]
    assert RecordTexts(pa.table({"text": ["t"]}), []).values.to_pylist() == ["t"]


def test_a_table_without_texts_stays_as_it_is() -> None:
    table = pa.table({"id": ["x"], "title": ["t"]})
    texts = RecordTexts(table, ROLES)
    assert (len(texts.values), texts.offsets.tolist()) == (0, [0, 0])
    assert texts.put_back(texts.values).equals(table)


text = st.none() | st.sampled_from(["", " ", "a", "二"])
message = st.fixed_dictionaries(
    {"role": st.sampled_from([*ROLES, "tool"]), "content": text, "loss": st.none() | st.booleans()}
)
record = st.fixed_dictionaries(
    {
        "messages": st.none() | st.lists(message, max_size=3),
        "history": st.none() | st.lists(st.lists(text, max_size=2), max_size=2),
        "output": text,
    }
)
SCHEMA = pa.schema({"messages": MESSAGES, "history": pa.list_(pa.list_(pa.string())), "output": pa.string()})


@given(records=st.lists(record, max_size=6), begin=st.integers(0, 3), length=st.integers(0, 4))
def test_what_is_put_back_unchanged_is_the_same_table_also_of_a_slice(
    records: list[dict[str, Any]], begin: int, length: int
) -> None:
    table = pa.Table.from_pylist(records, schema=SCHEMA).slice(begin, length)
    texts = RecordTexts(table, ROLES)
    assert texts.put_back(texts.values).to_pylist() == table.to_pylist()
    expected = [
        [
            *(m["content"] for m in row["messages"] or [] if m["role"] in ROLES),
            *(each for pair in row["history"] or [] for each in pair),
            row["output"],
        ]
        for row in table.to_pylist()
    ]
    flat = [each for row in expected for each in row if each is not None and each.strip()]
    assert texts.values.to_pylist() == flat
    assert len(texts.offsets) == len(table) + 1


@pytest.mark.parametrize("num_rows", [1, 7])
def test_every_text_can_be_told_apart_when_it_comes_back(num_rows: int) -> None:
    records = [
        {
            "messages": [{"role": "user", "content": f"m{n}", "loss": None}],
            "history": [[f"h{n}", ""]],
            "output": f"o{n}",
        }
        for n in range(num_rows)
    ]
    texts = RecordTexts(pa.Table.from_pylist(records, schema=SCHEMA), ROLES)
    changed = texts.put_back(pc.binary_join_element_wise(texts.values, "!", "")).to_pylist()
    assert [(row["messages"][0]["content"], row["history"], row["output"]) for row in changed] == [
        (f"m{n}!", [[f"h{n}!", ""]], f"o{n}!") for n in range(num_rows)
    ]
