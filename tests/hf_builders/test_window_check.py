"""`inspect` of windows: the answer is shown as what is trained, and `--check` finds each way to get a window wrong."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

pytest.importorskip("transformers", reason="windows are tokenized, which needs transformers")

from hf_builders.check_results import Check
from hf_builders.cli import main
from hf_builders.errors import OptionError, SourceError
from hf_builders.prepare import Prepared, prepare
from hf_builders.prepared_rows import open_prepared, open_run, pick_rows
from hf_builders.run_config import DatasetSection, OutputSection, RunConfig, TokenizeSection
from hf_builders.window_check import WindowCheck, check_windows
from tests.hf_builders.reading_files import write
from tests.hf_builders.span_runs import VOCABULARY, article, config_of

ROOT = Path(__file__).parents[2]
CHANGED = "the windows are not those the manifest names: data/ was changed after it was prepared"
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(config_of(tmp_path_factory.mktemp("checked") / "out"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """40 questions to train on, and the same to be evaluated on."""
    raw = str(ROOT / "hf_builders" / "cmrc2018" / "sample" / "data" / "cmrc2018_trial.json")
    files = {"train": raw, "validation": raw}
    return prepare(config_of(tmp_path_factory.mktemp("small") / "out", dataset={"data_files": files}))


def found_in(check: Check, split: str) -> WindowCheck:
    found = check.splits[split]
    assert isinstance(found, WindowCheck)
    return found


def check_of(prepared: Prepared, split: str, change: Callable[[Rows], None]) -> Check:
    """The check of a prepared folder with the rows of one split changed."""
    opened = open_prepared(prepared.folder)
    rows = opened.splits[split].to_list()
    change(rows)
    opened.splits[split] = datasets.Dataset.from_list(rows, features=opened.splits[split].features)
    return check_windows(opened)


def is_answered(row: dict[str, Any]) -> bool:
    return bool(row["start_positions"] > 0)


def windows_of(rows: Rows, number: int) -> range:
    """The windows of a record, given by its number."""
    ids = list(dict.fromkeys(row["example_id"] for row in rows))
    places = [place for place, row in enumerate(rows) if row["example_id"] == ids[number]]
    return range(places[0], places[-1] + 1)


# Inspect


def test_a_window_is_shown_with_its_answer_as_what_is_trained(
    prepared: Prepared, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = open_prepared(prepared.folder)
    place = next(place for place, row in enumerate(opened.splits["train"]) if is_answered(row))
    row = opened.splits["train"][place]
    num_trained = row["end_positions"] - row["start_positions"] + 1
    assert main(["inspect", str(prepared.folder), "--split", "train", "--row", str(place)]) == 0
    head, *stretches = capsys.readouterr().out.strip().splitlines()
    assert head == f"train[{place}]  id {row['example_id']}  128 tokens, {num_trained} trained"
    assert [line[0] for line in stretches] == ["-", "+", "-"]
    answer = opened.tokenizer.decode(row["input_ids"][row["start_positions"] : row["end_positions"] + 1])
    assert stretches[1].split()[2] == str(num_trained)
    assert stretches[1].endswith(answer)
    assert "[CLS]" in stretches[0]


def test_a_window_without_an_answer_has_nothing_trained(prepared: Prepared, capsys: pytest.CaptureFixture[str]) -> None:
    rows = open_prepared(prepared.folder).splits["trial"]
    place = next(place for place, row in enumerate(rows) if not is_answered(row))
    assert main(["inspect", str(prepared.folder), "--split", "trial", "--row", str(place), "--ids"]) == 0
    head, *stretches = capsys.readouterr().out.strip().splitlines()
    assert head.endswith("tokens, 0 trained")
    assert not [line for line in stretches if line.startswith("+")]


def test_windows_are_picked_by_place_and_by_the_id_of_their_record(prepared: Prepared) -> None:
    opened = open_prepared(prepared.folder)

    def picked(**options: Any) -> list[str]:
        return [str(row).partition("  ")[0] for row in pick_rows(opened, **options)]

    own = windows_of(opened.splits["validation"].to_list(), 7)
    id_ = opened.splits["validation"][own[0]]["example_id"]
    assert picked() == ["train[0]", "trial[0]", "validation[0]"]
    assert len(own) > 1
    assert picked(id=id_, num_rows=len(own)) == [f"validation[{place}]" for place in own]
    with pytest.raises(OptionError, match=r"no row with the id 'x'; .*out/quarantine has those that were set aside"):
        picked(id="x")
    with pytest.raises(OptionError, match=r"no row 9999; train has \d+ rows, trial has \d+ rows, validation has"):
        picked(row=9999)


def test_a_page_of_windows_is_written(prepared: Prepared, tmp_path: Path) -> None:
    assert main(["inspect", str(prepared.folder), "--rows", "2", "--html", str(tmp_path / "rows.html")]) == 0
    page = (tmp_path / "rows.html").read_text(encoding="utf-8")
    assert page.count("<h2>") == 6
    opened = open_prepared(prepared.folder)
    texts = [opened.tokenizer.decode(rows[place]["input_ids"]) for rows in opened.splits.values() for place in (0, 1)]
    shown = re.sub(r"<[^>]*>", "", page).replace(" ", "")
    assert all(text.replace(" ", "").partition("[SEP]")[0] in shown for text in texts)  # the questions


def test_a_folder_prepared_with_other_options_is_not_taken_for_the_runs(prepared: Prepared) -> None:
    with pytest.raises(SourceError, match=r"was prepared with spans\.doc_stride=48, the run config says 16; run"):
        open_run(config_of(prepared.folder, doc_stride=16))
    tokens = RunConfig(
        dataset=DatasetSection(name="cmrc2018", view="mrc", sample=True),
        tokenize=TokenizeSection(tokenizer=str(VOCABULARY)),
        output=OutputSection(dir=str(prepared.folder)),
    )
    with pytest.raises(SourceError, match=r"out: was prepared without tokenize, the run config is with it; run"):
        open_run(tokens)


def test_a_manifest_of_another_version_is_told(prepared: Prepared, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(prepared.folder, folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest["spans"]["max_question_length"]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(SourceError, match=r"manifest\.json: spans\.max_question_length is not as this version writes"):
        open_prepared(folder)


def test_token_rows_prepared_before_there_were_windows_are_still_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = RunConfig(
        dataset=DatasetSection(name="adgen", sample=True),
        tokenize=TokenizeSection(tokenizer=str(ROOT / "configs" / "demo_tokenizer")),
        output=OutputSection(dir=str(tmp_path / "out")),
    )
    prepare(config)
    path = tmp_path / "out" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["spans"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    open_run(config)
    assert main(["inspect", str(tmp_path / "out"), "--check"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "every label is right"


# The check: what is right


def test_a_prepared_set_passes_with_a_table_and_exit_code_0(
    prepared: Prepared, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(prepared.folder), "--check"]) == 0
    head, *lines, last = capsys.readouterr().out.splitlines()
    assert head.split() == ["split", "windows", "records", "answered", "no", "answer", "not", "compared", "failed"]
    assert last == "every label is right"
    for line, (split, summary) in zip(lines, prepared.splits.items(), strict=True):
        counts = [summary.windows, summary.rows_kept, summary.windows_answered]
        unanswered = summary.windows - summary.windows_answered
        assert line.split() == [split, *map(str, [*counts, unanswered, 0, 0])]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cmrc2018", {"max_length": 512, "doc_stride": 256}),
        ("cmrc2018", {"max_question_length": 4}),
        ("webqa", {"doc_stride": 0}),
        ("les_mrc", {}),
    ],
)
def test_the_samples_pass_under_every_rule(name: str, options: dict[str, int], tmp_path: Path) -> None:
    done = prepare(config_of(tmp_path / "out", name, **options))
    check = check_windows(open_prepared(done.folder))
    assert check.passed, check
    found = [found_in(check, split) for split in check.splits]
    assert sum(each.answered for each in found) > 100
    assert sum(each.not_compared for each in found) == 0
    assert sum(each.records for each in found) == sum(summary.rows_kept for summary in done.splits.values())


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "place", "split", "max_length", "counts"),
    [
        # Windows, records, answered, without an answer, not compared, failed.
        ("cmrc2018", "cmrc2018/data/cmrc2018_trial.json", "train", 512, [1528, 1002, 1121, 407, 0, 0]),
        ("cmrc2018", "cmrc2018/squad-style-data/cmrc2018_trial.json", "train", 384, [1973, 997, 1111, 862, 0, 0]),
        ("cmrc2018", "cmrc2018/data/cmrc2018_trial.json", "validation", 384, [1988, 1002, 1111, 877, 0, 0]),
        ("webqa", "webqa/WebQA.v1.0/me_test.ann.json", "train", 512, [1484, 1484, 1484, 0, 0, 0]),
        ("webqa", "webqa/WebQA.v1.0/me_test.ann.json", "validation", 512, [1500, 1500, 1484, 16, 0, 0]),
    ],
)
def test_all_real_windows_pass_with_the_real_vocabulary(
    name: str,
    place: str,
    split: str,
    max_length: int,
    counts: list[int],
    shared_tokenizer: Callable[[str], Path],
    shared_realdata: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    files, tokenizer = {split: str(shared_realdata(place))}, str(shared_tokenizer("bert_chinese"))
    options = {"tokenizer": tokenizer, "max_length": max_length, "doc_stride": 256 if max_length == 512 else 128}
    prepare(config_of(tmp_path / "out", name, dataset={"data_files": files}, **options))
    check = check_windows(open_prepared(tmp_path / "out"))
    assert (check.faults, found_in(check, split).offenders) == ([], [])
    assert found_in(check, split).counts() == counts


def checked(tmp_path: Path, articles: list[dict[str, Any]], **options: Any) -> WindowCheck:
    """The check of articles to be evaluated on, of which none may be left out."""
    path = write(tmp_path / "articles.json", articles)
    done = prepare(config_of(tmp_path / "out", dataset={"data_files": {"validation": str(path)}}, **options))
    check = check_windows(open_prepared(done.folder))
    assert check.faults == []
    return found_in(check, "validation")


def test_control_tokens_in_the_texts_are_compared_as_text(tmp_path: Path) -> None:
    texts = article("用[SEP]隔开[CLS]和[PAD]，[UNK]是小明[MASK]写的", q="小明", cls="[CLS]和[PAD]")
    texts["qas"][0]["query_text"] = "[MASK]是谁写的[SEP]？"
    found = checked(tmp_path, [texts])
    assert (found.records, found.answered, found.not_compared, found.offenders) == (2, 2, 0, [])


def test_a_question_cut_within_a_word_is_compared_where_its_part_has_the_same_tokens(tmp_path: Path) -> None:
    texts = article("小明来了", word="小明", emoji="小明")
    texts["qas"][0]["query_text"] = "谁?abc来"
    texts["qas"][1]["query_text"] = "谁?ab🦜来"  # a word with an unknown character is one unknown token
    found = checked(tmp_path, [texts], max_question_length=3)
    assert (found.records, found.answered, found.not_compared, found.offenders) == (2, 2, 0, [])


@pytest.mark.parametrize(
    ("context", "answer"),
    [
        ("  小明  来了 ", " 小明 "),  # white space at the borders of an answer has no token
        ("\u200b小明\u200b来了", "\u200b小明"),
        ("\u200b\u200b", "\u200b"),  # nor has this context
        ("他叫Tom，来自İzmir", "Tom"),
        ("Ａｌｉｃｅ来了", "Ａ"),
        ("程海根1991年退休", "1991年"),
        ("小明来了", "小红"),
    ],
)
def test_odd_texts_pass(context: str, answer: str, tmp_path: Path) -> None:
    found = checked(tmp_path, [article(context, q=answer)], max_length=16, doc_stride=4)
    assert (found.records, found.offenders) == (1, [])


def test_windows_of_a_tokenizer_laid_out_like_robertas_pass(tmp_path: Path) -> None:
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    from collators import load_tokenizer

    backend = load_tokenizer(VOCABULARY).backend_tokenizer
    marks = [(mark, backend.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
    backend.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] [SEP] $B [SEP]", special_tokens=marks
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    articles = [article("小明来了" * 5, q="小明")]
    found = checked(tmp_path, articles, tokenizer=str(tmp_path / "tokenizer"), max_length=16, doc_stride=4)
    assert (found.windows, found.answered, found.offenders) == (3, 1, [])
    rows = datasets.load_from_disk(tmp_path / "out" / "data" / "validation")
    assert "token_type_ids" not in rows.column_names


# The check: what is wrong


def move(name: str, by: int) -> Callable[[Rows], None]:
    """Of the first answer of several tokens the start or end is moved."""

    def change(rows: Rows) -> None:
        row = next(row for row in rows if row["end_positions"] > row["start_positions"] + 1)
        row[name] += by

    change.__name__ = f"{name} {by:+}"
    return change


def point_at_nothing(rows: Rows) -> None:
    row = next(filter(is_answered, rows))
    row["start_positions"] = row["end_positions"] = 0


def end_before_start(rows: Rows) -> None:
    row = next(row for row in rows if row["end_positions"] > row["start_positions"])
    row["start_positions"], row["end_positions"] = row["end_positions"], row["start_positions"]


def point_at_something(rows: Rows) -> None:
    row = next(row for row in rows if not is_answered(row))
    row["start_positions"], row["end_positions"] = row["context_start"] + 1, row["context_start"] + 2


def point_into_the_question(rows: Rows) -> None:
    row = next(row for row in rows if not is_answered(row))
    row["start_positions"] = row["end_positions"] = 1


def point_at_the_end(rows: Rows) -> None:
    row = next(row for row in rows if not is_answered(row))
    row["start_positions"] = row["end_positions"] = len(row["input_ids"]) - 1


def half_pointed(rows: Rows) -> None:
    next(row for row in rows if not is_answered(row))["end_positions"] = 20


def shift_offsets(rows: Rows) -> None:
    row = next(filter(is_answered, rows))
    start = row["context_start"]
    row["offset_mapping"][start:-1] = [[first + 1, end + 1] for first, end in row["offset_mapping"][start:-1]]


def shift_offsets_and_all(rows: Rows) -> None:
    """As if every character counted as two: what a tokenizer that counts bytes would give."""
    for row in rows:
        row["offset_mapping"] = [[2 * first, 2 * end] for first, end in row["offset_mapping"]]


def context_one_later(rows: Rows) -> None:
    next(row for row in rows if not is_answered(row))["context_start"] += 1


def other_token(rows: Rows) -> None:
    rows[3]["input_ids"][30] += 1


def other_type(rows: Rows) -> None:
    rows[3]["token_type_ids"][30] = 0


def masked_token(rows: Rows) -> None:
    rows[3]["attention_mask"][30] = 0


def other_id(rows: Rows) -> None:
    for place in windows_of(rows, 5):
        rows[place]["example_id"] = "nobody"


def other_id_of_one_window(rows: Rows) -> None:
    rows[windows_of(rows, 5)[1]]["example_id"] = "nobody"


def id_of_the_next_record(rows: Rows) -> None:
    own = windows_of(rows, 5)
    rows[own[-1]]["example_id"] = rows[own[-1] + 1]["example_id"]


def gone(rows: Rows) -> None:
    del rows[windows_of(rows, 5)[1]]


def doubled(rows: Rows) -> None:
    place = windows_of(rows, 5)[1]
    rows.insert(place, rows[place])


def record_gone(rows: Rows) -> None:
    own = windows_of(rows, 5)
    del rows[own[0] : own[-1] + 1]


def moved_elsewhere(rows: Rows) -> None:
    rows.append(rows.pop(windows_of(rows, 5)[1]))


def swapped_with_another_record(rows: Rows) -> None:
    """The ids of two records with different texts are exchanged."""
    first, second = windows_of(rows, 5), windows_of(rows, 20)
    ids = [rows[own[0]]["example_id"] for own in (first, second)]
    for own, id_ in ((first, ids[1]), (second, ids[0])):
        for place in own:
            rows[place]["example_id"] = id_


def swapped_within_a_record(rows: Rows) -> None:
    first, second = windows_of(rows, 5)[:2]
    rows[first], rows[second] = rows[second], rows[first]


NO_ANSWER = "is no answer of the record"
# What is done, what is said of a record, and whether the digest shows it too.
FAULTS: list[tuple[Callable[[Rows], None], str, bool]] = [
    (move("start_positions", 1), NO_ANSWER, True),
    (move("start_positions", -1), NO_ANSWER, True),
    (move("end_positions", 1), NO_ANSWER, True),
    (move("end_positions", -1), NO_ANSWER, True),
    (point_at_nothing, "stands whole in a window that points at no answer", True),
    (end_before_start, "start and end are no tokens of the context", True),
    (point_at_something, NO_ANSWER, True),
    (point_into_the_question, "start and end are no tokens of the context", True),
    (point_at_the_end, "start and end are no tokens of the context", True),
    (half_pointed, "start and end do not both point at the first token", True),
    (shift_offsets, "has other offset_mapping than transformers gives its question and context", False),
    (shift_offsets_and_all, "has other offset_mapping than transformers gives", False),
    (context_one_later, "has a context_start that is not the first token of its context", False),
    (other_token, "has other input_ids than transformers gives", True),
    (other_type, "has other token_type_ids than transformers gives", False),
    (masked_token, "has other attention_mask than transformers gives", False),
    (other_id, "nobody: has no record of this id", False),
    (other_id_of_one_window, "nobody: has no record of this id", False),
    (id_of_the_next_record, "has other input_ids than transformers gives", False),
    (gone, "has other input_ids than transformers gives", True),
    (doubled, "has other input_ids than transformers gives", True),
    (moved_elsewhere, "has windows in two places", True),
    (swapped_with_another_record, "has other input_ids than transformers gives", False),
    (swapped_within_a_record, "has other input_ids than transformers gives", True),
]


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize(("change", "said", "shows_in_digest"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS])
def test_a_wrong_window_fails_and_the_record_is_named(
    change: Callable[[Rows], None], said: str, shows_in_digest: bool, split: str, small: Prepared
) -> None:
    ids = set(open_prepared(small.folder).splits[split]["example_id"])
    check = check_of(small, split, change)
    assert not check.passed
    found = found_in(check, split)
    assert found.failed >= 1
    assert any(said in offender for offender in found.offenders), found.offenders
    assert {offender.partition(": ")[0] for offender in found.offenders} <= {*ids, "nobody"}
    assert (CHANGED in check.faults) == shows_in_digest
    assert not any(found_in(check, other).failed for other in check.splits if other != split)


def test_the_fault_of_a_window_is_told_with_the_text_it_is_about(small: Prepared) -> None:
    opened = open_prepared(small.folder)
    rows = opened.splits["train"].to_list()
    row = next(row for row in rows if row["end_positions"] > row["start_positions"] + 1)
    first, last = row["start_positions"] + 1, row["end_positions"]
    check = check_of(small, "train", move("start_positions", 1))
    text = opened.tokenizer.decode(row["input_ids"][first : last + 1]).replace(" ", "")
    assert found_in(check, "train").offenders == [f"{row['example_id']}: {text!r} is no answer of the record"]


@pytest.mark.parametrize("change", [gone, doubled, record_gone, other_id])
def test_windows_that_came_or_went_are_told_of_the_whole(change: Callable[[Rows], None], small: Prepared) -> None:
    check = check_of(small, "validation", change)
    assert not check.passed
    assert check.faults[-1].startswith("validation: 40 records, ")
    assert check.faults[-1].endswith(" 0 set aside: rows have come or gone")


def test_a_record_of_which_every_window_was_made_to_say_that_there_is_no_answer_fails_where_it_is_trained_on(
    tmp_path: Path,
) -> None:
    """Its answer is whole in no window, so only the record tells that it should have been left out."""
    path = write(tmp_path / "articles.json", [article("海" * 90, q="海" * 60, other="海")])
    done = prepare(config_of(tmp_path / "out", dataset={"data_files": str(path)}, max_length=24, doc_stride=8))
    opened = open_prepared(done.folder)
    kept = opened.splits["train"].to_list()
    lost = [{**row, "example_id": "q", "start_positions": 0, "end_positions": 0} for row in kept]
    opened.splits["train"] = datasets.Dataset.from_list([*lost, *kept], features=opened.splits["train"].features)
    found = found_in(check_windows(opened), "train")
    assert found.offenders == ["q: has an answer, and windows to be trained on that all say it has none"]


def test_a_damaged_folder_fails_with_exit_code_1(
    small: Prepared, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(small.folder, folder)
    splits = datasets.load_from_disk(small.folder / "data")
    rows = splits["validation"].to_list()
    for row in filter(is_answered, rows):
        row["start_positions"] += 1
        row["end_positions"] += 1
    splits["validation"] = datasets.Dataset.from_list(rows, features=splits["validation"].features)
    shutil.rmtree(folder / "data")
    splits.save_to_disk(folder / "data")
    assert main(["inspect", str(folder), "--check"]) == 1
    out = capsys.readouterr().out.splitlines()
    num_failed = sum(map(is_answered, rows))
    assert out[2].split()[-1] == str(num_failed)
    assert out[3] == CHANGED
    assert [line.partition(": ")[0] for line in out[4:-1]] == ["validation"] * 11
    assert out[-2] == f"validation: … and {num_failed - 10:,} more"
    assert out[-1] == f"{folder}: the check failed"


def test_raw_files_that_changed_since_are_no_proof(tmp_path: Path) -> None:
    path = write(tmp_path / "articles.json", [article("小明来了", q="小明")])
    done = prepare(config_of(tmp_path / "out", dataset={"data_files": str(path)}))
    assert check_windows(open_prepared(done.folder)).passed
    write(path, [article("小红来了", q="小红")])
    with pytest.raises(SourceError, match=r"articles\.json changed since it was prepared, so rows cannot be compared"):
        check_windows(open_prepared(done.folder))


def test_records_with_one_id_cannot_be_joined(tmp_path: Path) -> None:
    paths = [str(write(tmp_path / name, [article("小明来了", q="小明")])) for name in ("a.json", "b.json")]
    done = prepare(config_of(tmp_path / "out", dataset={"data_files": {"train": paths}}))
    with pytest.raises(SourceError, match="two records have the same id, so windows cannot be compared"):
        check_windows(open_prepared(done.folder))


def test_progress_is_told_of_every_record(prepared: Prepared) -> None:
    seen: list[int] = []
    check_windows(open_prepared(prepared.folder), seen.append)
    assert sum(seen) == sum(summary.rows_kept for summary in prepared.splits.values())
