"""`inspect --check`: right labels pass, and each way to get one wrong is found and told by the row's id."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

pytest.importorskip("transformers", reason="rows are tokenized, which needs transformers")

from datasets import Dataset, Features, Json, List, Value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hf_builders
from collators import IGNORE_INDEX, load_tokenizer, tokenize
from hf_builders.cli import main
from hf_builders.errors import OptionError, SourceError
from hf_builders.label_check import SplitCheck, check_labels, check_rows
from hf_builders.prepare import Prepared, prepare
from hf_builders.prepared_rows import open_prepared, pick_rows
from hf_builders.registry import builder_class, list_datasets
from hf_builders.run_config import DatasetSection, OutputSection, RunConfig, TokenizeSection
from hf_builders.spoken_turns import Called, Said, chosen_utterances, is_written
from tests.collators.conftest import (
    ALPACA,
    CHATML,
    FAMILIES,
    GLM4,
    byte_level_backend,
    make_tokenizer,
    metaspace_backend,
)
from tests.collators.conversation_families import FAMILIES as CONVERSATION_FAMILIES
from tests.collators.conversation_families import with_family
from tests.collators.conversation_references import as_messages, rendered_reference
from tests.collators.conversation_rows import conversations
from tests.collators.test_thinking import thoughtful

ROOT = Path(__file__).parents[2]
PARTS = ["hello", " ", "\n", "你好", "\n\n", "a", "。", "1 2", "🦜", "\u3000", "'", '"', "\\"]
ROW = Features(
    {"id": Value("string"), "input_ids": List(Value("int32")), "labels": List(Value("int32")), "length": Value("int32")}
)
TOKENIZER = str(ROOT / "configs" / "demo_tokenizer")
OPTIONS = {"template": None, "max_length": 4096, "overflow": "drop", "loss": "assistant"}
CHATS = [
    [
        {"role": "system", "content": "你好"}, {"role": "user", "content": "类型#裙"},
        {"role": "assistant", "content": "一条裙子"},
    ],
    [
        {"role": "user", "content": "a"}, {"role": "assistant", "content": "白色的裙子。"},
        {"role": "user", "content": "hello"}, {"role": "assistant", "content": "world, how\n\nare you"},
    ],
    [{"role": "user", "content": "<|user|>"}, {"role": "assistant", "content": "<|user|> <|im_end|> </s>"}],
]  # fmt: skip
CALL = {
    "role": "tool",
    "name": "查天气",
    "parameters": {"城市": "北京", "days": 2, "note": "a \"b\" 'c'"},
    "observation": "晴",
}
TOOL_CHATS = [
    [{"role": "user", "content": "天气？"}, CALL, {"role": "assistant", "content": "北京是晴天。"}],
    [
        {"role": "user", "content": "天气？"}, {"role": "assistant", "content": "我来查。"}, CALL, CALL,
        {"role": "assistant", "content": "好。"},
        {"role": "user", "content": "再写代码"},
        {"role": "assistant", "metadata": "interpreter", "content": "print(1)"},
        {"role": "observation", "content": "1"}, {"role": "assistant", "content": "完了"},
    ],
]  # fmt: skip


def records_of(chats: list[list[dict[str, Any]]], column: str = "messages") -> Dataset:
    ids = [f"row {place}" for place in range(len(chats))]
    features = Features({"id": Value("string"), column: List(Json())})
    return Dataset.from_dict({"id": ids, column: chats}, features=features)


def check(
    tokenizer: Any, records: Dataset, change: Callable[[dict[str, Any]], None] | None = None, **options: Any
) -> SplitCheck:
    """The check of token rows of these records, each changed by `change` before."""
    rows = tokenize(records, tokenizer, **{**OPTIONS, **options})
    if change is not None:
        changed = rows.to_list()
        for row in changed:
            change(row)
        rows = Dataset.from_list(changed, features=rows.features)
    return check_rows(rows, records, tokenizer, {**OPTIONS, **options})


@pytest.fixture(scope="module")
def chatml() -> Any:
    return make_tokenizer(byte_level_backend(), CHATML)


@pytest.fixture(scope="module")
def chatglm3() -> Any:
    return load_tokenizer(TOKENIZER)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("loss", "num_spans"), [("assistant", 4), ("last", 3), ("all", 3)])
def test_right_labels_pass(family: str, loss: str, num_spans: int) -> None:
    tokenizer = make_tokenizer(byte_level_backend(), FAMILIES[family])
    found = check(tokenizer, records_of(CHATS), loss=loss)
    assert (found.offenders, found.rows, found.spans) == ([], 3, num_spans)
    without_end = {"glm4": 3}.get(family, 0) if loss != "all" else 0
    assert found.without_end == without_end
    if loss != "all":
        assert found.ends == num_spans - without_end


@pytest.mark.parametrize(("loss", "num_spans"), [("assistant", 4), ("last", 3), ("all", 3)])
def test_right_labels_of_chatglm3_pass(loss: str, num_spans: int, chatglm3: Any) -> None:
    found = check(chatglm3, records_of(CHATS), loss=loss)
    assert (found.offenders, found.rows, found.spans, found.without_end) == ([], 3, num_spans, 0)


@pytest.mark.parametrize(("loss", "num_spans"), [("assistant", 8), ("last", 2), ("all", 2)])
def test_calls_of_tools_and_code_pass(loss: str, num_spans: int, chatglm3: Any) -> None:
    found = check(chatglm3, records_of(TOOL_CHATS, "conversations"), loss=loss)
    assert (found.offenders, found.rows, found.spans) == ([], 2, num_spans)


def test_a_messages_own_loss_is_heeded(chatml: Any) -> None:
    chats = [[*CHATS[1][:1], {**CHATS[1][1], "loss": False}, *CHATS[1][2:]]]
    assert check(chatml, records_of(chats)).counts() == [1, 1, 1, 0, 0, 0, 0]
    assert check(chatml, records_of(chats), loss="all").counts() == [1, 2, 3, 0, 0, 0, 0]
    # The same rows without the flag in their record have an answer that should be trained and is not.
    rows = tokenize(records_of(chats), chatml)
    found = check_rows(rows, records_of(CHATS[1:2]), chatml, OPTIONS)
    assert found.offenders == ["row 0: 'world, how\\n\\nare you' is trained, and it is no turn that comes here"]


def places(row: dict[str, Any], trained: bool) -> list[int]:
    return [place for place, label in enumerate(row["labels"]) if (label != IGNORE_INDEX) == trained]


def train(row: dict[str, Any], place: int) -> None:
    row["labels"][place] = row["input_ids"][place]


def untrain(row: dict[str, Any], place: int) -> None:
    row["labels"][place] = IGNORE_INDEX


def shift(row: dict[str, Any], by: int) -> None:
    moved = [*row["labels"][by:], *row["labels"][:by]]
    row["labels"] = [
        IGNORE_INDEX if label == IGNORE_INDEX else id_ for id_, label in zip(row["input_ids"], moved, strict=True)
    ]


def set_other(row: dict[str, Any]) -> None:
    row["labels"][places(row, True)[0]] += 1


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "all labels one earlier": lambda row: shift(row, 1),
    "all labels one later": lambda row: shift(row, -1),
    "the end of the last turn is not trained": lambda row: untrain(row, places(row, True)[-1]),
    "the first token of an answer is not trained": lambda row: untrain(row, places(row, True)[0]),
    "a token within an answer is not trained": lambda row: untrain(row, places(row, True)[1]),
    "a user's token is trained": lambda row: train(row, places(row, False)[3]),
    "the token before an answer is trained": lambda row: train(row, places(row, True)[0] - 1),
    "no token is trained": lambda row: row.update(labels=[IGNORE_INDEX] * len(row["labels"])),
    "only the first token is trained": lambda row: (
        row.update(labels=[IGNORE_INDEX] * len(row["labels"])), train(row, 0)
    ),
    "a label is another id": set_other,
    "a label is missing": lambda row: row["labels"].pop(),
    "the row is another record's": lambda row: row.update(id="row 9"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["chatml", "chatglm3", "tools of chatglm3"])
def test_a_wrong_label_fails_and_the_row_is_named(kind: str, change: str, chatml: Any, chatglm3: Any) -> None:
    is_tools = kind == "tools of chatglm3"
    records = records_of(TOOL_CHATS, "conversations") if is_tools else records_of(CHATS)
    num_rows = len(records)

    def change_first(row: dict[str, Any]) -> None:
        if row["id"] == "row 0":
            CHANGES[change](row)

    found = check(chatml if kind == "chatml" else chatglm3, records, change_first)
    assert (found.rows, found.failed) == (num_rows, 1)
    assert found.offenders[0].startswith("row 9: " if change.startswith("the row is") else "row 0: ")


def test_the_label_that_is_another_id_is_told(chatml: Any) -> None:
    found = check(chatml, records_of(CHATS[:1]), set_other)
    row = tokenize(records_of(CHATS[:1]), chatml)[0]
    place = places(row, True)[0]
    id_ = row["input_ids"][place]
    expected = f"row 0: token {place} is {id_}, and its label is {id_ + 1}; expected the same or -100"
    assert found.offenders == [expected]


def test_the_end_that_is_not_trained_is_told(chatml: Any) -> None:
    found = check(chatml, records_of(CHATS[:1]), CHANGES["the end of the last turn is not trained"])
    assert found.offenders == ["row 0: '一条裙子' is trained, and its end, <|im_end|>, is not"]


def test_only_the_first_offenders_are_kept_and_all_are_counted(chatml: Any) -> None:
    found = check(chatml, records_of(CHATS * 5), CHANGES["no token is trained"])
    assert (found.failed, len(found.offenders)) == (15, 10)


def test_rows_cut_at_max_length_may_lack_the_rest_of_their_last_turn_and_no_others(chatml: Any) -> None:
    records = records_of([[{"role": "user", "content": "a"}, {"role": "assistant", "content": "白色的裙子。" * 9}]] * 2)
    found = check(chatml, records, max_length=30, overflow="truncate")
    assert found.counts() == [2, 2, 0, 0, 0, 2, 0]
    rows = tokenize(records, chatml, max_length=30, overflow="truncate")
    # The same rows were not cut by another policy, nor by a longer max_length.
    for options in ({"max_length": 30}, {"max_length": 31, "overflow": "truncate"}):
        assert check_rows(rows, records, chatml, {**OPTIONS, **options}).failed == 2


def test_rows_without_their_oldest_turns_pass_where_the_policy_drops_them(chatml: Any) -> None:
    records = records_of([CHATS[1]])
    length = tokenize(records, chatml)[0]["length"]
    found = check(chatml, records, max_length=length - 1, overflow="truncate_turns")
    assert found.counts() == [1, 1, 1, 0, 0, 0, 0]
    rows = tokenize(records, chatml, max_length=length - 1, overflow="truncate_turns")
    assert check_rows(rows, records, chatml, OPTIONS).failed == 1


def test_a_token_across_the_border_of_prompt_and_answer_is_counted() -> None:
    from tokenizers import decoders

    tokenizer = make_tokenizer(metaspace_backend("always"), CHATML)
    tokenizer.backend_tokenizer.decoder = decoders.Metaspace()
    records = records_of([[{"role": "user", "content": "a"}, {"role": "assistant", "content": "\nb"}]])
    assert check(tokenizer, records).counts() == [1, 1, 1, 0, 1, 0, 0]


def test_a_template_that_ends_no_last_answer_passes_and_is_counted() -> None:
    tokenizer = make_tokenizer(byte_level_backend(), GLM4)
    found = check(tokenizer, records_of(CHATS))
    assert found.counts() == [3, 4, 1, 3, 0, 0, 0]


def test_words_for_control_tokens_pass() -> None:
    tokenizer = make_tokenizer(byte_level_backend(), ALPACA)
    assert check(tokenizer, records_of(CHATS)).counts() == [3, 4, 4, 0, 0, 0, 0]


def test_plain_texts_are_trained_from_end_to_end(chatml: Any) -> None:
    records = Dataset.from_dict({"id": ["row 0", "row 1"], "text": ["白色的裙子。", "hello\nworld"]})
    assert check(chatml, records).counts() == [2, 2, 2, 0, 0, 0, 0]
    found = check(chatml, records, lambda row: untrain(row, 2))
    assert found.offenders[0] == "row 0: has tokens that are not trained; of a plain text all are"
    assert found.failed == 2


THINKING = CHATML.replace(
    "m['content'] + '<|im_end|>'",
    "('<think>\\n' + m['reasoning_content'] + '\\n</think>\\n\\n' if m['reasoning_content'] else '')"
    " + m['content'] + '<|im_end|>'",
)


@pytest.mark.parametrize("train_thinking", [True, False])
def test_reasoning_is_trained_or_not_as_was_asked_for(train_thinking: bool) -> None:
    tokenizer = make_tokenizer(byte_level_backend(), THINKING)
    answer = {"role": "assistant", "content": "world", "reasoning_content": "a b c"}
    records = records_of([[{"role": "user", "content": "hello"}, answer]])
    assert check(tokenizer, records, train_thinking=train_thinking).counts() == [1, 1, 1, 0, 0, 0, 0]
    rows = tokenize(records, tokenizer, train_thinking=False)
    found = check_rows(rows, records, tokenizer, {**OPTIONS, "train_thinking": True})
    assert found.offenders == ["row 0: 'a b c' is what the assistant thought, and it is not trained"]


@pytest.mark.parametrize("train_thinking", [True, False])
@pytest.mark.parametrize("name", CONVERSATION_FAMILIES)
def test_what_a_reference_that_knows_offsets_alone_labels_passes(name: str, train_thinking: bool) -> None:
    family = CONVERSATION_FAMILIES[name]
    tokenizer = with_family(byte_level_backend().to_str(), family)
    options = {**OPTIONS, "train_thinking": train_thinking}
    num_checked = 0

    @given(chats=st.lists(conversations(PARTS, loss=True).map(as_messages) | thoughtful(), min_size=2, max_size=5))
    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    def check(chats: list[list[dict[str, Any]]]) -> None:
        nonlocal num_checked
        rows = []
        for place, chat in enumerate(chats):
            expected = rendered_reference(tokenizer, family, chat, train_thinking=train_thinking)
            if any(label != IGNORE_INDEX for label in expected.labels[1:]):
                length = len(expected.ids)
                rows.append(
                    {"id": f"row {place}", "input_ids": expected.ids, "labels": expected.labels, "length": length}
                )
        records = records_of(chats)
        found = check_rows(Dataset.from_list(rows, features=ROW), records, tokenizer, options) if rows else SplitCheck()
        assert found.offenders == []
        num_checked += found.rows

    check()
    assert num_checked > 5


def test_records_with_one_id_cannot_be_joined(chatml: Any) -> None:
    records = records_of(CHATS[:2])
    rows = tokenize(records, chatml)
    twice = Dataset.from_dict({"id": ["row 0", "row 0"], "messages": records["messages"][:]}, features=records.features)
    with pytest.raises(SourceError, match="two records have the same id, so rows cannot be compared"):
        check_rows(rows, twice, chatml, OPTIONS)


def test_what_the_assistant_says_is_read_from_every_view() -> None:
    call = {"function": {"name": "f", "arguments": '{"x": ["y", 1]}'}}
    messages = [
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": "a", "loss": False, "tool_calls": None},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "t", "observation": {"t": 1}},
        {"role": "assistant", "content": "<think>\nb\n</think>\n\nc"},
    ]  # fmt: skip
    thought = Said(2, "\n\nc", reasoning="b", written="<think>\nb\n</think>\n\nc")
    assert chosen_utterances({"messages": messages}, "assistant") == [Called(1, "f", ("y",)), thought]
    assert chosen_utterances({"messages": messages}, "last") == [thought]
    assert chosen_utterances({"messages": messages}, "all") == [Said(0, "a", written="a")]
    assert chosen_utterances({"conversations": [CALL]}, "assistant") == [Called(0, "查天气", ("北京", "a \"b\" 'c'"))]
    alpaca = {"instruction": "i", "input": "", "output": "o", "history": [["q", "p"]], "system": ""}
    assert chosen_utterances(alpaca, "assistant") == [Said(0, "p", written="p"), Said(1, "o", written="o")]
    assert chosen_utterances(alpaca, "assistant", only_last=True) == [Said(1, "o", written="o")]
    assert chosen_utterances({"text": "t"}, "last") == [Said(0, "t", written="t")]


@pytest.mark.parametrize("text", ["plain", 'a "b"', "it's", "'\"", "a\\b\n", "中文", "tab\t"])
def test_a_text_is_found_in_json_in_json_within_json_and_in_python(text: str) -> None:
    for place in (
        json.dumps({"k": text}),
        json.dumps({"k": text}, ensure_ascii=False),
        json.dumps(json.dumps({"k": text}, ensure_ascii=False), ensure_ascii=False),
        f"f(k={text!r})",
    ):
        assert is_written(text, place)
        assert not is_written(text + "x", place)


def config_of(folder: Path, **tokenize: Any) -> RunConfig:
    return RunConfig(
        dataset=DatasetSection(name="adgen", sample=True),
        tokenize=TokenizeSection(tokenizer=TOKENIZER, **tokenize),
        output=OutputSection(dir=str(folder)),
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(config_of(tmp_path_factory.mktemp("checked") / "out"))


def test_a_prepared_set_passes_with_a_table_and_exit_code_0(
    prepared: Prepared, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(prepared.folder), "--check"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "split       rows  trained spans  ends trained  no end  straddling  cut  failed",
        "train        240            240           240       0           0    0       0",
        "validation    40             40            40       0           0    0       0",
        "every label is right",
    ]


VIEWS = [
    (name, config.name)
    for name in list_datasets()
    for config in builder_class(name).BUILDER_CONFIGS
    if config.name in ("messages", "conversations")
]


@functools.cache
def length_that_cuts(name: str, view: str) -> int:
    """160 tokens, or more where not even a third of the sample is so short."""
    loaded = hf_builders.load_dataset(name, view, sample=True, on_bad_row="quarantine")
    tokenizer = load_tokenizer(TOKENIZER)
    lengths = sorted(n for records in loaded.values() for n in tokenize(records, tokenizer, max_length=4096)["length"])
    return max(160, lengths[len(lengths) // 3])


@pytest.mark.parametrize("overflow", ["drop", "truncate", "truncate_prompt", "truncate_turns"])
@pytest.mark.parametrize("loss", ["assistant", "last", "all"])
@pytest.mark.parametrize(("name", "view"), VIEWS)
def test_the_sample_of_every_dataset_passes_in_every_view_under_every_rule(
    name: str, view: str, loss: Any, overflow: Any, tmp_path: Path
) -> None:
    max_length = 4096 if overflow == "drop" else length_that_cuts(name, view)
    config = RunConfig(
        dataset=DatasetSection(name=name, view=view, sample=True, on_bad_row="quarantine"),
        tokenize=TokenizeSection(tokenizer=TOKENIZER, max_length=max_length, overflow=overflow, loss=loss),
        output=OutputSection(dir=str(tmp_path / "prepared")),
    )
    prepare(config)
    checked = check_labels(open_prepared(tmp_path / "prepared"))
    assert checked.passed, checked
    num_rows = builder_class(name).num_sample_rows
    assert sum(split.rows for split in checked.splits.values()) > (0.85 * num_rows if overflow == "drop" else 50)


def test_every_view_of_the_conversations_gives_the_same_tokens() -> None:
    tokenizer, rows = load_tokenizer(TOKENIZER), {}
    for view in ("conversations", "messages"):
        records = hf_builders.load_dataset("conversations", view, split="train", sample=True, on_bad_row="quarantine")
        rows[view] = tokenize(records, tokenizer, max_length=4096).to_list()
    assert rows["conversations"] == rows["messages"]
    observed = [message.get("observation") for row in records for message in row["messages"]]
    assert sum(value is not None and not isinstance(value, str) for value in observed) > 10


def test_a_set_with_one_shifted_label_fails_naming_the_row_with_exit_code_1(
    prepared: Prepared, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(prepared.folder, folder)
    splits = datasets.load_from_disk(prepared.folder / "data")
    rows = splits["train"].to_list()
    shift(rows[7], 1)
    splits["train"] = Dataset.from_list(rows, features=splits["train"].features)
    shutil.rmtree(folder / "data")
    splits.save_to_disk(folder / "data")
    assert main(["inspect", str(folder), "--check"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[1].split() == ["train", "240", "239", "239", "0", "0", "0", "1"]
    assert out[3] == "the ids and labels are not those the manifest names: data/ was changed after it was prepared"
    assert out[4].startswith("train: train.json:8: ")
    assert out[-1] == f"{folder}: the check failed"


def test_rows_that_are_gone_fail(prepared: Prepared) -> None:
    opened = open_prepared(prepared.folder)
    opened.splits["train"] = opened.splits["train"].select(range(200))
    found = check_labels(opened)
    assert not found.passed
    assert found.faults[-1] == "train: 240 records, and 200 rows of 240 kept, 0 set aside: rows have come or gone"


def test_raw_files_that_changed_since_are_no_proof(adgen_folder: Path, tmp_path: Path) -> None:
    config = config_of(tmp_path / "out")
    config = RunConfig(
        dataset=DatasetSection(name="adgen", data_dir=str(adgen_folder)), tokenize=config.tokenize, output=config.output
    )
    done = prepare(config)
    assert check_labels(open_prepared(done.folder)).passed
    raw = adgen_folder / "train.json"
    raw.write_text(raw.read_text(encoding="utf-8").replace("好", "坏"), encoding="utf-8")
    with pytest.raises(SourceError, match=r"train\.json changed since it was prepared, so rows cannot be compared"):
        check_labels(open_prepared(done.folder))


def test_rows_are_picked_by_place_by_id_and_by_split(prepared: Prepared) -> None:
    opened = open_prepared(prepared.folder)

    def picked(**options: Any) -> list[str]:
        return [str(row).partition("  ")[0] for row in pick_rows(opened, **options)]

    assert picked() == ["train[0]", "validation[0]"]
    assert picked(split="train", row=238, num_rows=5) == ["train[238]", "train[239]"]
    assert picked(row=100) == ["train[100]"]
    assert picked(id="dev.json:3", num_rows=2) == ["validation[2]", "validation[3]"]
    with pytest.raises(OptionError, match="no split 'trian'; did you mean 'train'"):
        picked(split="trian")
    with pytest.raises(OptionError, match="no row 240; train has 240 rows, validation has 40 rows, counted from 0"):
        picked(row=240)
    with pytest.raises(OptionError, match=r"no row with the id 'x'; .*out/quarantine has those that were set aside"):
        picked(id="x")


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["chatglm3", "qwen2_5"])
def test_all_real_rows_pass_with_real_tokenizers(
    name: str, shared_tokenizer: Callable[[str], Path], shared_realdata: Callable[[str], Path], tmp_path: Path
) -> None:
    config = RunConfig(
        dataset=DatasetSection(name="adgen", data_dir=str(shared_realdata("AdvertiseGen"))),
        tokenize=TokenizeSection(tokenizer=str(shared_tokenizer(name))),
        output=OutputSection(dir=str(tmp_path / "out")),
    )
    prepare(config)
    found = check_labels(open_prepared(tmp_path / "out"))
    assert found.faults == []
    counts = {split: each.counts() for split, each in found.splits.items()}
    assert counts == {"train": [400, 400, 400, 0, 0, 0, 0], "validation": [170, 170, 170, 0, 0, 0, 0]}


def test_a_manifest_of_another_version_is_told(prepared: Prepared, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(prepared.folder, folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["dataset"]["foo"] = 1
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(SourceError, match=r"manifest\.json: dataset\.foo is not as this version writes it; run"):
        open_prepared(folder)
