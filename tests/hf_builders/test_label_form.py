"""Labels checked without their records: each way to get one wrong that the rows alone show is found, none besides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("transformers", reason="rows are tokenized, which needs transformers")

import datasets
from datasets import Dataset, Features, LargeList, List, Value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hf_builders
from collators import IGNORE_INDEX, load_tokenizer, pack, tokenize
from hf_builders.label_form import FormCheck, Rules, check_form
from hf_builders.registry import builder_class, list_datasets
from hf_builders.token_columns import why_no_token_rows
from tests.collators.conftest import (
    BACKENDS,
    CHATML,
    FAMILIES,
    GLM4,
    LLAMA2,
    byte_level_backend,
    make_tokenizer,
    metaspace_backend,
)
from tests.collators.conversation_families import FAMILIES as CONVERSATION_FAMILIES
from tests.collators.conversation_families import with_family
from tests.collators.conversation_references import as_messages, rendered_reference
from tests.collators.conversation_rows import conversations
from tests.collators.test_thinking import thoughtful
from tests.hf_builders.test_label_check import (
    CHANGES,
    CHATS,
    PARTS,
    ROW,
    TOOL_CHATS,
    places,
    records_of,
    train,
    untrain,
)

TOKENIZER = str(Path(__file__).parents[2] / "configs" / "demo_tokenizer")
KNOWN = Rules(loss="assistant", overflow="drop", max_length=4096)
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def chatml() -> Any:
    return make_tokenizer(byte_level_backend(), CHATML)


@pytest.fixture(scope="module")
def chatglm3() -> Any:
    return load_tokenizer(TOKENIZER)


def changed(rows: Dataset, change: Change) -> Dataset:
    """The rows, the first of them changed."""
    listed = rows.to_list()
    change(listed[0])
    return Dataset.from_list(listed, features=rows.features)


@pytest.mark.parametrize("rules", [None, KNOWN])
@pytest.mark.parametrize("kind", BACKENDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_right_labels_pass_with_every_template_on_every_kind_of_tokenizer(
    family: str, kind: str, rules: Rules | None
) -> None:
    from tokenizers import decoders

    tokenizer = make_tokenizer(BACKENDS[kind](), FAMILIES[family])
    if kind.startswith(("metaspace", "stripping")):
        tokenizer.backend_tokenizer.decoder = decoders.Metaspace()
    found = check_form(tokenize(records_of(CHATS), tokenizer), tokenizer, rules)
    assert (found.offenders, found.rows, found.spans, list(found.unproven())) == ([], 3, 4, [])
    assert (found.ends, found.without_end) == ((1, 3) if family == "glm4" else (4, 0))


@pytest.mark.parametrize("loss", ["assistant", "last"])
def test_right_labels_of_chatglm3_pass_with_its_calls_of_tools(loss: Any, chatglm3: Any) -> None:
    for records, num_spans in ((records_of(CHATS), 4), (records_of(TOOL_CHATS, "conversations"), 8)):
        found = check_form(tokenize(records, chatglm3, loss=loss), chatglm3)
        expected = num_spans if loss == "assistant" else len(records)
        assert found.counts() == [len(records), expected, expected, 0, 0, 0]


@pytest.mark.parametrize("name", CONVERSATION_FAMILIES)
def test_what_a_reference_that_knows_offsets_alone_labels_passes(name: str) -> None:
    family = CONVERSATION_FAMILIES[name]
    tokenizer = with_family(byte_level_backend().to_str(), family)
    num_checked = 0

    @given(
        chats=st.lists(conversations(PARTS, loss=True).map(as_messages) | thoughtful(), min_size=2, max_size=5),
        train_thinking=st.booleans(),
    )
    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    def check(chats: list[list[dict[str, Any]]], train_thinking: bool) -> None:
        nonlocal num_checked
        rows = []
        for place, chat in enumerate(chats):
            expected = rendered_reference(tokenizer, family, chat, train_thinking=train_thinking)
            if any(label != IGNORE_INDEX for label in expected.labels[1:]):
                length = len(expected.ids)
                rows.append(
                    {"id": f"row {place}", "input_ids": expected.ids, "labels": expected.labels, "length": length}
                )
        found = check_form(Dataset.from_list(rows, features=ROW), tokenizer) if rows else FormCheck()
        assert found.offenders == []
        num_checked += found.spans

    check()
    assert num_checked > 5


NEWLINE = "the newline behind the end of a turn is trained, as peers have it"
PLANTED: dict[str, Change] = {
    **{name: change for name, change in CHANGES.items() if name != "the row is another record's"},
    NEWLINE: lambda row: train(row, places(row, True)[-1] + 1),
    "the prompt is trained from its second token on": lambda row: [
        train(row, place) for place in places(row, False) if place > 1
    ],
    "labels are those of the next token": lambda row: row.update(labels=[*row["labels"][1:], IGNORE_INDEX]),
}


CASES = [
    (kind, change)
    for kind in ("chatml", "chatglm3", "tools of chatglm3", "llama2", "alpaca")
    for change in PLANTED
    if kind == "chatml" or change not in (NEWLINE, "all labels one later")  # nothing stands behind the last end
]


@pytest.mark.parametrize("rules", [None, KNOWN])
@pytest.mark.parametrize(("kind", "change"), CASES)
def test_a_wrong_label_fails_and_the_row_is_named(kind: str, change: str, rules: Rules | None) -> None:
    tokenizer = (
        load_tokenizer(TOKENIZER) if "chatglm3" in kind else make_tokenizer(byte_level_backend(), FAMILIES[kind])
    )
    rows = tokenize(records_of(TOOL_CHATS, "conversations") if "tools" in kind else records_of(CHATS), tokenizer)
    found = check_form(changed(rows, PLANTED[change]), tokenizer, rules)
    assert (found.rows + (change == "a label is missing"), found.failed) == (len(rows), 1)
    assert found.offenders[0].startswith("row 0: ")


TOLD = {
    "a user's token is trained": "'em' is trained, and system says it",
    "the token before an answer is trained": (
        "'\\n一条裙子' is trained, and the template writes it before the model speaks"
    ),
    "the first token of an answer is not trained": "'��条裙子' is trained, and the turn begins before it",
    "a token within an answer is not trained": "'�' is trained, and what follows in the turn is not",
    "the end of the last turn is not trained": "'一条裙子' is trained, and its end, <|im_end|>, is not",
    NEWLINE: "'\\n' is trained, and stands behind the end of the turn",
    "labels are those of the next token": (
        "has the ids of the next tokens for labels; a model shifts labels itself, leave them as they are"
    ),
    "no token is trained": "has no trained token that a model could predict",
    "a label is missing": "has not one label for each of its ids",
}


@pytest.mark.parametrize("change", TOLD)
def test_what_is_wrong_is_told(change: str, chatml: Any) -> None:
    found = check_form(changed(tokenize(records_of(CHATS), chatml), PLANTED[change]), chatml)
    assert found.offenders == [f"row 0: {TOLD[change]}"]


def test_what_another_says_within_a_span_is_told(chatml: Any) -> None:
    def train_on(row: dict[str, Any]) -> None:
        first, start = places(row, True)[0], row["input_ids"].index(chatml.convert_tokens_to_ids("<|im_end|>"), 20)
        del row["input_ids"][start], row["labels"][start]  # no end between the answer and the next turn
        for place in range(first, len(row["labels"])):
            train(row, place)

    found = check_form(changed(tokenize(records_of(CHATS[1:]), chatml), train_on), chatml)
    assert found.failed == 1
    assert found.offenders[0].endswith("is trained, and another begins to speak in it")


def test_a_users_turn_trained_behind_an_answer_is_found_where_plain_words_mark_it() -> None:
    tokenizer = make_tokenizer(byte_level_backend(), FAMILIES["alpaca"])

    def train_all_behind(row: dict[str, Any]) -> None:
        for place in range(places(row, True)[0], len(row["labels"])):
            train(row, place)

    found = check_form(changed(tokenize(records_of(CHATS[1:2]), tokenizer), train_all_behind), tokenizer)
    assert found.offenders == [
        "row 0: '### Instruction:\\nhello\\n\\n### Response:\\nworld, how\\n\\nare you' is trained, and user says it"
    ]


@pytest.mark.parametrize("words", ["### Instruction:\nx", "### Response:\nx", "[INST] x [/INST]", "<|im_start|>user"])
def test_words_of_a_template_within_an_answer_are_its_own(words: str) -> None:
    chats = [[{"role": "user", "content": words}, {"role": "assistant", "content": f"a {words}"}]] * 2
    chats += [[{"role": "user", "content": "a"}, {"role": "assistant", "content": words}]]
    for family in ("alpaca", "llama2", "chatml"):
        tokenizer = make_tokenizer(byte_level_backend(), FAMILIES[family])
        found = check_form(tokenize(records_of(chats), tokenizer), tokenizer, KNOWN)
        assert found.counts() == [3, 3, 3, 0, 0, 0]


def test_rows_trained_from_end_to_end_are_no_fault_where_nothing_else_is_known(chatml: Any) -> None:
    rows = tokenize(records_of(CHATS), chatml, loss="all")
    found = check_form(rows, chatml)
    assert found.counts() == [3, 0, 0, 0, 3, 0]
    assert list(found.unproven()) == ["whether prompts were to be trained too: 3 rows are trained from end to end"]
    assert check_form(rows, chatml, Rules(loss="all")).counts() == [3, 0, 0, 0, 0, 0]
    assert check_form(rows, chatml, KNOWN).failed == 3


def test_of_loss_all_it_is_told_that_what_is_not_trained_is_not_proven(chatml: Any) -> None:
    chats = [[*CHATS[1][:1], {**CHATS[1][1], "loss": False}, *CHATS[1][2:]], CHATS[0]]
    found = check_form(tokenize(records_of(chats), chatml, loss="all"), chatml, Rules(loss="all"))
    assert (found.failed, list(found.unproven())) == (
        0,
        ["whether what is not trained was to be left out: of loss=all, 1 rows are not trained from end to end"],
    )


def test_plain_texts_are_trained_from_end_to_end(chatml: Any) -> None:
    rows = tokenize(Dataset.from_dict({"id": ["row 0", "row 1"], "text": ["白色的裙子。", "hello\nworld"]}), chatml)
    rules = Rules(loss="assistant", is_text=True, max_length=4096, overflow="truncate")
    for set_ in (rows, pack(rows, 64)):
        assert check_form(set_, chatml, rules).counts() == [2, 0, 0, 0, 0, 0]
        assert check_form(set_, chatml).not_proven.total() == 2
    found = check_form(changed(rows, lambda row: untrain(row, 2)), chatml, rules)
    assert found.offenders == ["row 0: has tokens that are not trained; of a plain text all are"]


def test_a_last_answer_may_lack_its_end_only_where_max_length_cut_it(chatml: Any) -> None:
    records = records_of([[{"role": "user", "content": "a"}, {"role": "assistant", "content": "白色的裙子。" * 9}]] * 2)
    rows = tokenize(records, chatml, max_length=30, overflow="truncate")
    cut = Rules(loss="assistant", overflow="truncate", max_length=30)
    assert check_form(rows, chatml, cut).counts() == [2, 2, 0, 2, 0, 0]
    for rules in (Rules(loss="assistant", overflow="drop", max_length=30), Rules(overflow="truncate", max_length=31)):
        found = check_form(rows, chatml, rules)
        assert found.failed == 2
        assert found.offenders[0].endswith("is trained, and what ends the turn is not there")
    longer = tokenize(records, chatml)
    mixed = datasets.concatenate_datasets([rows, longer.select([0])])
    assert check_form(mixed, chatml).failed == 2  # they are not the longest, so that nothing cut them
    found = check_form(rows, chatml)
    assert (found.failed, found.not_proven.total()) == (0, 2)
    assert next(found.unproven()).startswith("what ends the last answer: 2 rows end without")
    too_long = check_form(longer, chatml, cut)
    assert too_long.offenders[0].endswith("tokens, more than max_length=30")


def test_a_template_that_ends_no_last_answer_passes_and_is_counted() -> None:
    tokenizer = make_tokenizer(byte_level_backend(), GLM4)
    assert check_form(tokenize(records_of(CHATS), tokenizer), tokenizer).counts() == [3, 4, 1, 3, 0, 0]


def test_a_token_across_the_border_of_prompt_and_answer_is_not_trained() -> None:
    from tokenizers import decoders

    tokenizer = make_tokenizer(metaspace_backend("always"), CHATML)
    tokenizer.backend_tokenizer.decoder = decoders.Metaspace()
    records = records_of([[{"role": "user", "content": "a"}, {"role": "assistant", "content": "\nb"}]])
    rows = tokenize(records, tokenizer)
    assert check_form(rows, tokenizer, KNOWN).counts() == [1, 1, 1, 0, 0, 0]
    found = check_form(changed(rows, lambda row: train(row, places(row, True)[0] - 1)), tokenizer, KNOWN)
    assert found.failed == 1


def test_without_a_tokenizer_ids_and_labels_alone_are_compared(chatml: Any) -> None:
    rows = tokenize(records_of(CHATS), chatml)
    assert check_form(rows).counts() == [3, 0, 0, 0, 0, 0]
    assert check_form(changed(rows, PLANTED["a user's token is trained"])).failed == 0
    assert check_form(changed(rows, PLANTED["a label is another id"])).failed == 1


def test_rows_that_the_template_does_not_mark_are_not_proven_and_no_fault(chatml: Any) -> None:
    ids = [
        chatml.encode("Q: hello\nA: world", add_special_tokens=False),
        chatml.encode("a b c d e f", add_special_tokens=False),
    ]
    labels = [[IGNORE_INDEX] * (len(row) - 2) + row[-2:] for row in ids]
    rows = Dataset.from_dict({"input_ids": ids, "labels": labels})
    for tokenizer in (chatml, make_tokenizer(byte_level_backend(), None)):
        found = check_form(rows, tokenizer)
        assert found.counts() == [2, 0, 0, 0, 2, 0]
        assert next(found.unproven()).startswith("who says what is trained: in 2 rows the tokenizer's chat template")


def test_ids_that_the_tokenizer_has_not_fail(chatml: Any) -> None:
    rows = Dataset.from_dict(
        {"input_ids": [[1, 2**40], [1, -1], [1, 2]], "labels": [[-100, 2**40], [-100, -1], [-100, 2]]}
    )
    found = check_form(rows, chatml)
    assert found.offenders == [
        "row 0: has the id 1099511627776, which the tokenizer has not",
        "row 1: has the id -1, which the tokenizer has not",
    ]


WIDE = Features({"input_ids": LargeList(Value("int64")), "labels": LargeList(Value("int64"))})
SHAPES: dict[str, Callable[[Dataset], Dataset]] = {
    "no names and no lengths": lambda rows: rows.remove_columns(["id", "length"]),
    "64 bits and large lists": lambda rows: rows.remove_columns(["id", "length"]).cast(WIDE),
    "a length that is another, and numbers for names": lambda rows: (
        rows.remove_columns(["id", "length"])
        .add_column("length", ["long"] * len(rows))
        .add_column("id", list(range(len(rows))))
    ),
    "columns besides": lambda rows: rows.add_column("score", [0.5] * len(rows)).add_column("text", ["x"] * len(rows)),
    "a mask of ones": lambda rows: rows.add_column("attention_mask", [[1] * len(ids) for ids in rows["input_ids"]]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_of_others_are_read_whatever_their_columns(shape: str, chatml: Any) -> None:
    rows = SHAPES[shape](tokenize(records_of(CHATS), chatml))
    assert check_form(rows, chatml).counts() == [3, 4, 4, 0, 0, 0]
    found = check_form(changed(rows, PLANTED["the token before an answer is trained"]), chatml)
    assert (found.failed, found.offenders[0][:7]) == (1, "row 0: ")


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_left_aside_and_must_not_be_trained(side: str, chatml: Any) -> None:
    rows = tokenize(records_of(CHATS), chatml).to_list()
    width = max(row["length"] for row in rows)

    def padded(values: list[int], fill: int) -> list[int]:
        fills = [fill] * (width - len(values))
        return fills + values if side == "left" else values + fills

    columns = {
        "input_ids": [padded(row["input_ids"], 0) for row in rows],
        "labels": [padded(row["labels"], IGNORE_INDEX) for row in rows],
        "attention_mask": [padded([1] * row["length"], 0) for row in rows],
    }
    features = Features(
        {
            "input_ids": List(Value("int64"), length=width),
            "labels": List(Value("int64"), length=width),
            "attention_mask": List(Value("int8"), length=width),
        }
    )
    assert check_form(Dataset.from_dict(columns, features=features), chatml).counts() == [3, 4, 4, 0, 0, 0]
    shortest = min(range(3), key=lambda number: rows[number]["length"])
    place = 0 if side == "left" else -1
    columns["labels"][shortest][place] = columns["input_ids"][shortest][place]
    assert check_form(Dataset.from_dict(columns), chatml).offenders == [f"row {shortest}: trains its padding"]
    columns["attention_mask"][0] = [1]
    assert "row 0: has not one attention mask for each of its ids" in check_form(Dataset.from_dict(columns)).offenders


def test_nulls_are_told_and_stop_nothing() -> None:
    rows = Dataset.from_dict(
        {
            "input_ids": [[1, 2], [1, None], None, [1, 2], [3, 4]],
            "labels": [[-100, None], [-100, 2], [1], None, [-100, 4]],
        },
        features=Features({"input_ids": List(Value("int32")), "labels": List(Value("int32"))}),
    )
    found = check_form(rows)
    assert (found.rows, found.failed) == (1, 4)
    assert found.offenders == [
        "row 1: has nulls in its input_ids",
        "row 0: has nulls in its labels",
        "row 2: has not one label for each of its ids",
        "row 3: has not one label for each of its ids",
    ]


def test_rows_over_many_batches_keep_their_numbers() -> None:
    labels = [[-100, 2]] * 2500
    rows = Dataset.from_dict({"input_ids": [[1, 2]] * 2500, "labels": [*labels[:2345], [-100, 3], *labels[2346:]]})
    done: list[int] = []
    found = check_form(rows, progress=done.append)
    assert found.offenders == ["row 2345: token 1 is 2, and its label is 3; expected the same or -100"]
    assert (found.rows, done) == (2500, [1000, 1000, 500])


def packed_rows(chatml: Any) -> Dataset:
    return pack(tokenize(records_of(CHATS * 3), chatml), 200)


def swap_borders(row: dict[str, Any]) -> None:
    row["seq_lengths"][0] += 1
    row["seq_lengths"][1] -= 1


PACKED: dict[str, tuple[Change, str]] = {
    "borders": (swap_borders, "has position_ids that do not count the tokens of its records"),
    "a border gone": (
        lambda row: row["seq_lengths"].pop(), "has seq_lengths that are not the lengths of its records",
    ),
    "a record of no token": (
        lambda row: row["seq_lengths"].append(0), "has seq_lengths that are not the lengths of its records",
    ),
    "positions that run on": (
        lambda row: row.update(position_ids=list(range(len(row["input_ids"])))),
        "has position_ids that do not count the tokens of its records",
    ),
    "the first token of a record trained": (
        lambda row: train(row, row["seq_lengths"][0]),
        "trains the first token of a record, which another record would predict",
    ),
    "a label missing": (lambda row: row["labels"].pop(), "has not one label for each of its ids"),
}  # fmt: skip


@pytest.mark.parametrize("change", PACKED)
def test_packed_rows_pass_and_each_fault_of_one_is_told(change: str, chatml: Any) -> None:
    rows = packed_rows(chatml)
    assert check_form(rows, chatml).counts() == [9, 12, 12, 0, 0, 0]
    plant, fault = PACKED[change]
    found = check_form(changed(rows, plant), chatml)
    name = rows[0]["ids"][0]
    assert found.offenders == [f"packed row with {name}: {fault}"]
    assert found.rows == 9 - len(rows[0]["ids"])


def test_packed_rows_of_others_need_their_lengths_alone(chatml: Any) -> None:
    rows = packed_rows(chatml).remove_columns(["ids", "position_ids", "length"])
    assert check_form(rows, chatml).counts() == [9, 12, 12, 0, 0, 0]
    found = check_form(changed(rows, PACKED["a border gone"][0]), chatml)
    assert found.offenders == ["packed row with row 0: has seq_lengths that are not the lengths of its records"]
    found = check_form(changed(rows, lambda row: train(row, 2)), chatml)
    assert found.offenders[0].startswith("row 0: ")
    names = rows.remove_columns("seq_lengths").add_column("seq_lengths", [1] * len(rows))  # no list: not packed
    assert check_form(names, chatml).failed == 0


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"input_ids": pa.list_(pa.int32())}, "there is no column labels"),
        ({"input_ids": pa.string(), "labels": pa.list_(pa.int8())}, "input_ids is string, no list of whole numbers"),
        (
            {"input_ids": pa.list_(pa.int32()), "labels": pa.list_(pa.float32())},
            "labels is list<item: float>, no list of whole numbers",
        ),
    ],
)
def test_what_are_no_token_rows_is_told(schema: dict[str, Any], reason: str) -> None:
    assert why_no_token_rows(pa.schema(schema)).replace("element", "item") == reason


@pytest.mark.parametrize("name", list_datasets())
def test_the_sample_of_every_dataset_passes_in_every_view_packed_or_not(name: str, chatglm3: Any) -> None:
    views = [config.name for config in builder_class(name).BUILDER_CONFIGS]
    num_checked = 0
    for view in {"messages", "conversations", "instruction", "text"} & set(views):
        loaded = hf_builders.load_dataset(name, view, sample=True, on_bad_row="quarantine")
        for records in loaded.values():
            options: dict[str, Any] = {"max_length": 600, "overflow": "truncate"}
            rows = tokenize(records, chatglm3, **options)
            known = Rules(loss="assistant", packed_length=1200, is_text=view == "text", **options)
            for set_ in (rows, pack(rows, 1200)):
                for rules in (None, known):
                    found = check_form(set_, chatglm3, rules)
                    assert (found.offenders, found.rows) == ([], len(rows))
                    assert rules is None or not found.not_proven
                    num_checked += found.rows
    assert num_checked > 100


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "template"), [("chatglm3", None), ("qwen2_5", None), ("llama2", "alpaca")])
def test_all_real_rows_pass_with_real_tokenizers_and_planted_faults_do_not(
    name: str, template: str | None, shared_realdata: Callable[[str], Path], shared_tokenizer: Callable[[str], Path]
) -> None:
    tokenizer = load_tokenizer(shared_tokenizer(name))
    source = str(shared_realdata("Chinese-medical-dialogue-data"))
    records = hf_builders.load_dataset("chinese_medical_dialogue", "messages", data_dir=source, split="train")
    rows = tokenize(records, tokenizer, template=template, max_length=1024, overflow="truncate")
    rules = Rules(template=template, loss="assistant", max_length=1024, overflow="truncate")
    found = check_form(rows, tokenizer, rules)
    assert (found.offenders, found.rows, found.spans) == ([], len(rows), len(rows))
    assert len(rows) > 3900
    some = rows.select(range(200))
    trained = np.random.default_rng(1).integers(1, 8, len(some))

    def train_prompt(row: dict[str, Any], place: int) -> dict[str, Any]:
        train(row, places(row, True)[0] - int(trained[place]))
        return row

    assert check_form(some.map(train_prompt, with_indices=True), tokenizer, rules).failed == 200


def test_llama2s_own_format_passes_and_its_prompt_must_not_be_trained() -> None:
    tokenizer = make_tokenizer(byte_level_backend(), LLAMA2)
    rows = tokenize(records_of(CHATS[1:2]), tokenizer)
    assert check_form(rows, tokenizer, KNOWN).counts() == [1, 2, 2, 0, 0, 0]
    found = check_form(changed(rows, lambda row: train(row, places(row, True)[0] - 1)), tokenizer, KNOWN)
    assert found.offenders == ["row 0: '] 白色的裙子。 ' is trained, and user says it"]
