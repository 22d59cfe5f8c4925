"""`tokenize` and `token_rows` on every kind of dataset: same rows, counted, cached by content."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="collators need transformers")

from datasets import Dataset, DatasetDict, Features, IterableDataset, IterableDatasetDict, List, Value

import collators
from collators import TokenizationError, Tokenize, token_rows, tokenize
from tests.collators.conftest import CHATML

LEDGER = ["set_aside", "straddling", "cut", "cut_trained", "cut_turns", "left_out", "control_texts"]
COLUMNS = ["id", "input_ids", "labels", "length"]
FEATURES = Features(
    {"id": Value("string"), "input_ids": List(Value("int32")), "labels": List(Value("int32")), "length": Value("int32")}
)


def chat(num_words: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "world " * num_words}]


SIZES = [1, 30, 2, 40, 3]


@pytest.fixture
def data() -> Dataset:
    return Dataset.from_dict({"id": [f"r{n}" for n in SIZES], "messages": [chat(n) for n in SIZES], "other": SIZES})


@pytest.fixture
def tokenizer(tokenizer_of: Callable[..., Any]) -> Any:
    return tokenizer_of("words")


def test_kept_rows_in_order_and_one_line_that_counts_the_rest(
    data: Dataset, tokenizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rows = tokenize(data, tokenizer, max_length=20)
    assert rows.features == FEATURES
    assert rows["id"][:] == ["r1", "r2", "r3"]
    assert rows["length"][:] == [8, 9, 10]
    assert caplog.messages == ["set aside 2 of 5 rows: too_long 2"]
    caplog.clear()
    assert tokenize(data, tokenizer).num_rows == 5
    assert not caplog.messages


def test_token_rows_keeps_every_row_and_says_why(data: Dataset, tokenizer: Any) -> None:
    rows = token_rows(data, tokenizer, max_length=20)
    assert rows.column_names == [*COLUMNS, *LEDGER]
    assert rows["set_aside"][:] == [None, "too_long", None, "too_long", None]
    assert rows["length"][:] == [8, 37, 9, 47, 10]
    assert [len(ids) for ids in rows["input_ids"]] == [8, 0, 9, 0, 10]


def test_token_rows_tells_how_many_tokens_were_cut(data: Dataset, tokenizer: Any) -> None:
    whole = token_rows(data, tokenizer, max_length=99)
    assert whole["cut"][:] == [0] * 5
    rows = token_rows(data, tokenizer, max_length=20, overflow="truncate")
    assert rows["cut"][:] == [0, 17, 0, 27, 0]
    assert [length + cut for length, cut in zip(rows["length"], rows["cut"], strict=True)] == whole["length"][:]
    assert token_rows(data, tokenizer, max_length=20)["cut"][:] == [0] * 5


def test_nothing_kept_is_an_error_that_says_what_would_help(data: Dataset, tokenizer: Any) -> None:
    def message(rows: Any, **options: Any) -> str:
        with pytest.raises(TokenizationError) as raised:
            tokenize(rows, tokenizer, **options)
        return str(raised.value)

    too_long = (
        "max_length=4: no row of 5 keeps a trained token (too_long 5); the shortest has 8 tokens; raise max_length"
    )
    assert message(data, max_length=4) == too_long
    assert message(DatasetDict({"train": data}), max_length=4) == f"train: {too_long}"
    untrained = Dataset.from_dict({"messages": [chat(1)[:1]] * 3})
    assert message(untrained) == (
        "no row of 3 keeps a trained token (nothing_to_train 3); token_rows() shows the rows; "
        "see that assistant messages are there, not empty, not loss: false"
    )


def test_a_bad_row_is_named_by_its_place_in_the_dataset(tokenizer: Any) -> None:
    rows = [chat(1)] * 1500
    rows[1234] = [{"role": "bot", "content": "x"}]
    with pytest.raises(TokenizationError, match=r"^row 1234: messages\[0\]: role is 'bot'; expected one of"):
        tokenize(Dataset.from_dict({"messages": rows}), tokenizer)


def test_every_way_gives_the_same_rows(data: Dataset, tokenizer: Any) -> None:
    expected = tokenize(data, tokenizer, max_length=20)[:]
    step = Tokenize(tokenizer, max_length=20)
    remove = data.column_names
    ways = {
        "dict of splits": tokenize(DatasetDict({"train": data}), tokenizer, max_length=20)["train"],
        "two processes": tokenize(data, tokenizer, max_length=20, num_proc=2),
        "an indexed dataset": tokenize(data.select([4, 3, 2, 1, 0]).select([4, 3, 2, 1, 0]), tokenizer, max_length=20),
        "own map": data.map(step, batched=True, remove_columns=remove),
        "own map on Arrow": data.with_format("arrow").map(step, batched=True, remove_columns=remove).with_format(None),
        "small batches": data.map(step, batched=True, batch_size=2, remove_columns=remove),
    }
    for way, rows in ways.items():
        assert rows[:] == expected, way
        assert rows.features == FEATURES, way


@pytest.mark.parametrize("whole", [True, False])
def test_streams_give_the_same_rows(data: Dataset, tokenizer: Any, whole: bool) -> None:
    function = token_rows if whole else tokenize
    expected = function(data, tokenizer, max_length=20).to_list()

    def rows() -> Any:
        yield from data.to_list()

    streams = {
        "a dataset": data.to_iterable_dataset(num_shards=2),
        "a generator": IterableDataset.from_generator(rows),
        "a dict": IterableDatasetDict({"train": data.to_iterable_dataset()}),
    }
    for way, stream in streams.items():
        tokenized = function(stream, tokenizer, max_length=20)
        tokenized = tokenized["train"] if isinstance(tokenized, dict) else tokenized
        assert list(tokenized) == expected, way
        assert tokenized.column_names == list(expected[0]), way
    step = Tokenize(tokenizer, max_length=20)
    own = data.to_iterable_dataset().map(step, batched=True, remove_columns=data.column_names)
    if not whole:
        assert [{**row, "input_ids": list(row["input_ids"]), "labels": list(row["labels"])} for row in own] == expected


def test_an_empty_dataset_stays_empty_with_the_right_columns(data: Dataset, tokenizer: Any) -> None:
    assert tokenize(data.select([]), tokenizer).features == FEATURES
    assert token_rows(data.select([]), tokenizer).column_names == [*COLUMNS, *LEDGER]


def test_wrong_options_are_named(data: Dataset, tokenizer_of: Callable[..., Any]) -> None:
    tokenizer = tokenizer_of()
    for options, message in {
        ("overflow", "truncat"): "overflow='truncat': no such choice; did you mean 'truncate'?",
        ("loss", "none"): "loss='none': no such choice; choose one of 'assistant', 'last', 'all'",
        ("max_length", 0): "max_length=0: expected a number of tokens, 1 or more",
        ("template", "chatglm"): "template='chatglm': no such template; did you mean 'chatglm3'?",
    }.items():
        with pytest.raises(TokenizationError) as raised:
            tokenize(data, tokenizer, **dict([options]))
        assert str(raised.value) == message
    with pytest.raises(
        TokenizationError, match=r"the tokenizer has no chat template; set .*choose template= one of 'chatglm3'"
    ):
        tokenize(data, tokenizer_of(template=None))
    with pytest.raises(TokenizationError, match=r"^list: expected a datasets.Dataset"):
        tokenize([chat(1)], tokenizer)  # type: ignore[type-var]
    with pytest.raises(TokenizationError, match=r"^object is not a fast tokenizer; load one with"):
        tokenize(data, object())


SCRIPT = """
import sys
from datasets import load_from_disk
from collators import load_tokenizer, tokenize
folder, max_length, chat_template = sys.argv[1:]
tokenizer = load_tokenizer(folder + "/tokenizer")
tokenizer.chat_template = chat_template or tokenizer.chat_template
if max_length == "20":  # a used tokenizer is the same tokenizer
    tokenizer(["a", "hello world"], padding="max_length", max_length=4, truncation=True)
rows = tokenize(load_from_disk(folder + "/data"), tokenizer, max_length=int(max_length))
print(rows.cache_files[0]["filename"], rows[0]["input_ids"])
"""


def test_cache_is_used_across_processes_and_rebuilt_after_every_change(
    data: Dataset, tokenizer_of: Callable[..., Any], tmp_path: Path
) -> None:
    data.save_to_disk(str(tmp_path / "data"))
    tokenizer_of("words", pad_token="<unk>").save_pretrained(tmp_path / "tokenizer")
    # A copy, so that its code can be edited.
    shutil.copytree(Path(collators.__file__).parent, tmp_path / "code" / "collators")

    def run(max_length: int = 30, template: str = "") -> tuple[str, str, float]:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path), str(max_length), template],
            env={**os.environ, "PYTHONPATH": str(tmp_path / "code")}, cwd=tmp_path,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        file, ids = done.stdout.strip().split(" ", 1)
        return file, ids, os.stat(file).st_mtime_ns

    first = run()
    assert run() == first
    assert run(20)[0] != first[0]
    assert run(20) == run(20)
    assert run(template="{% for m in messages %}<s>{{ m.content }}</s>{% endfor %}")[:2] != first[:2]
    module = tmp_path / "code" / "collators" / "encoding.py"
    module.write_text(module.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    edited = run()
    assert edited[0] != first[0]
    assert edited[1] == first[1]
    assert run() == edited
    tokenizer = tokenizer_of("words", pad_token="<unk>")
    tokenizer.add_tokens(["hello world"])
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    assert run()[0] != edited[0]


def test_a_template_that_refuses_is_quoted(tokenizer_of: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    system = [{"role": "system", "content": "s"}, *chat(1)]
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    tokenizer = tokenizer_of(template=refusing + CHATML)
    said = "the chat template refuses it: System role not supported"
    with pytest.raises(TokenizationError) as raised:
        tokenize(Dataset.from_dict({"messages": [system] * 2}), tokenizer)
    assert str(raised.value) == (
        f"no row of 2 keeps a trained token (template_refuses 2 ({said})); token_rows() shows the rows"
    )
    some = Dataset.from_dict({"messages": [chat(1), system]})
    tokenize(some, tokenizer)
    Tokenize(tokenizer)(some[:])
    assert caplog.messages == [f"set aside 1 of 2 rows: template_refuses 1 ({said})"] * 2
    silent = CHATML.replace("in messages", "in messages if m.role != 'system'")
    with pytest.raises(TokenizationError, match=r"writes message 0 \(system\) 0 times"):
        tokenize(Dataset.from_dict({"messages": [system] * 2}), tokenizer_of(template=silent))
