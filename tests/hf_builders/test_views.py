"""Views built from whole columns equal the same views built row by row."""

from __future__ import annotations

import pyarrow as pa
import pytest

from hf_builders.schema import FEATURES
from hf_builders.views import Dialogue, arrange, is_blank

QUESTIONS, ANSWERS = ["问一", "问\n二", "", "😀"], ["答一", "", "答三", '"答"四']
IDS = [f"a.csv#{i}" for i in range(4)]
DIALOGUE = Dialogue(*map(pa.array, (QUESTIONS, ANSWERS, [f"任务{i}" for i in range(4)], QUESTIONS)))
EXPECTED = {
    "messages": [
        {"id": i, "messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]}
        for i, q, a in zip(IDS, QUESTIONS, ANSWERS, strict=True)
    ],
    "conversations": [
        {
            "id": i,
            "conversations": [
                {"role": "user", "content": q, "loss": False},
                {"role": "assistant", "content": a, "loss": True},
            ],
        }
        for i, q, a in zip(IDS, QUESTIONS, ANSWERS, strict=True)
    ],
    "instruction": [
        {"id": i, "instruction": f"任务{n}", "input": q, "output": a}
        for n, (i, q, a) in enumerate(zip(IDS, QUESTIONS, ANSWERS, strict=True))
    ],
}


@pytest.mark.parametrize("view", EXPECTED)
@pytest.mark.parametrize("num_rows", [0, 1, 4])
def test_a_view_has_its_rows_and_types(view: str, num_rows: int) -> None:
    dialogue = Dialogue(*(column.slice(0, num_rows) for column in DIALOGUE))
    table = arrange(view, pa.array(IDS[:num_rows], pa.string()), dialogue)
    table.validate(full=True)
    assert table.to_pylist() == EXPECTED[view][:num_rows]
    assert table.schema.remove_metadata() == FEATURES[view].arrow_schema.remove_metadata()


def test_columns_that_are_slices_of_others_are_read_at_their_place() -> None:
    dialogue = Dialogue(*(column.slice(2, 2) for column in DIALOGUE))
    assert arrange("messages", pa.array(IDS[2:]), dialogue).to_pylist() == EXPECTED["messages"][2:]


def test_blank_is_null_empty_or_whitespace() -> None:
    column = pa.array([None, "", " \n", "\u3000\u00a0", "a", " 无 "])
    assert is_blank(column).to_pylist() == [True, True, True, True, False, False]
