"""What every dataset has in common: options, errors as ours, quarantine, ids, processes, streaming."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, load_dataset

import hf_builders
from hf_builders import Account, HfBuildersError, OptionError, RowError, SourceError
from tests.hf_builders.peak_memory import PEAK_MIB, needs_peak_memory

ADGEN, MEDICAL = "hf_builders/adgen", "hf_builders/chinese_medical_dialogue"
GOOD_LINE = '{"content": "类型#裙", "summary": "一条好裙子。"}\n'
HEADER = "department,title,ask,answer\n"
GOOD_ROW = "内科,咳嗽,咳了两周,多喝水\n"
QUARANTINE_HINT = "; fix the row, or set it aside with on_bad_row='quarantine'"


def quarantined(dataset: Any) -> list[dict[str, str]]:
    """The rows in the files beside the Arrow files."""
    some: Dataset = next(iter(dataset.values()))
    folder = Path(some.cache_files[0]["filename"]).parent
    return [
        json.loads(line)
        for path in sorted(folder.glob("quarantine-*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


BAD_FILES = [
    (ADGEN, "train.json", b"", SourceError, "train.json: the file is empty; get it again, or leave it out"),
    (
        ADGEN,
        "train.json",
        (GOOD_LINE + GOOD_LINE[:34]).encode(),
        RowError,
        "train.json:2: invalid JSON at column 32 (Unterminated string starting at); "
        "expected one JSON value on each line" + QUARANTINE_HINT,
    ),
    (
        ADGEN,
        "train.json",
        (GOOD_LINE + '{"content": "类型#裙"}\n').encode(),
        RowError,
        "train.json:2: 'summary' is missing; expected the fields content, summary" + QUARANTINE_HINT,
    ),
    (
        ADGEN,
        "train.json",
        (GOOD_LINE + '{"content": "类型#裙", "summary": 3}\n').encode(),
        RowError,
        "train.json:2: 'summary' is a number (3); expected text" + QUARANTINE_HINT,
    ),
    (
        ADGEN,
        "train.json",
        (GOOD_LINE + '{"content": "类型#裙", "summary": null}\n').encode(),
        RowError,
        "train.json:2: 'summary' is null; expected text" + QUARANTINE_HINT,
    ),
    (
        ADGEN,
        "train.json",
        (GOOD_LINE + '{"content": "类型#裙", "summary": "好", "label": 1}\n').encode(),
        RowError,
        "train.json:2: 'label' is no field of this dataset; expected the fields content, summary" + QUARANTINE_HINT,
    ),
    (
        ADGEN,
        "train.json",
        (GOOD_LINE * 9 + '{"content": "类型#裙", "summary": "好?"}\n').encode().replace(b"?", b"\xff"),
        RowError,
        "train.json:10: the row holds bytes or escapes that are no text" + QUARANTINE_HINT,
    ),
    (
        MEDICAL,
        "内科.csv",
        (HEADER + GOOD_ROW + "内科,咳嗽,咳了,两周,多喝水\n").encode("gb18030"),
        RowError,
        "内科.csv:3: the row has 5 columns; expected the 4 columns department, title, ask, answer" + QUARANTINE_HINT,
    ),
    (
        MEDICAL,
        "内科.csv",
        (HEADER + GOOD_ROW + '内科,咳嗽,咳了两周,"多喝水\n内科,咳嗽,咳了两周,多喝水\n').encode("gb18030"),
        RowError,
        "内科.csv:3: a quote opens here and never closes (2 lines up to the end)" + QUARANTINE_HINT,
    ),
    (
        MEDICAL,
        "内科.csv",
        (HEADER + GOOD_ROW).encode("gb18030") + "内科,咳嗽,咳了?,多喝水\n".encode("gb18030").replace(b"?", b"\xff"),
        RowError,
        "内科.csv:3: the row holds bytes that are no gb18030 text" + QUARANTINE_HINT,
    ),
    (
        MEDICAL,
        "内科.csv",
        b"title,question\n",
        SourceError,
        "内科.csv:1: the header is 'title,question'; expected the columns department, title, ask, answer; "
        "is this a file of another dataset?",
    ),
]


@pytest.mark.parametrize("num_proc", [None, 2])
@pytest.mark.parametrize(("dataset", "name", "data", "error", "message"), BAD_FILES, ids=range(len(BAD_FILES)))
def test_bad_input_is_our_error_with_file_line_fact_and_way_out(
    tmp_path: Path,
    dataset: str,
    name: str,
    data: bytes,
    error: type[HfBuildersError],
    message: str,
    num_proc: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / name).write_bytes(data)
    files = [str(tmp_path / name)]
    if num_proc:  # processes are used where a split has several files
        second = GOOD_LINE if dataset == ADGEN else HEADER + GOOD_ROW
        (tmp_path / "外科 2").write_text(second, encoding="utf-8")
        files.append(str(tmp_path / "外科 2"))
    cache = tmp_path / "cache"
    for route in (load_dataset, hf_builders.load_dataset):
        with pytest.raises(error) as raised:
            route(dataset, data_files=files, num_proc=num_proc, cache_dir=str(cache))
        assert str(raised.value) == message
    with pytest.raises(error) as raised:
        list(load_dataset(dataset, data_files=files, streaming=True)["train"])
    assert str(raised.value) == message
    assert not list(cache.rglob("*.arrow")), "nothing half-written is left behind"


@pytest.mark.parametrize("view", ["messages", "conversations", "instruction"])
@pytest.mark.parametrize(
    ("line", "place", "fact"),
    [
        ('{"content": "类型#裙", "summary": "\\u3000 "}', "train.json:2", "the assistant message is blank"),
        ('{"content": "", "summary": "好"}', "train.json:2", "the user message is blank"),
        ('{"content": "", "summary": ""}', "train.json:2", "the user message is blank"),
    ],
)
def test_a_blank_message_breaks_a_dialogue_but_is_kept_in_the_source(
    tmp_path: Path, view: str, line: str, place: str, fact: str
) -> None:
    (tmp_path / "train.json").write_text(GOOD_LINE + line + "\n" + GOOD_LINE, encoding="utf-8")
    assert load_dataset(ADGEN, data_dir=tmp_path, split="train").to_list()[1] == json.loads(line)
    with pytest.raises(RowError) as error:
        load_dataset(ADGEN, view, data_dir=tmp_path)
    assert str(error.value) == f"{place}: {fact}; a dialogue needs a question and an answer{QUARANTINE_HINT}"
    loaded = load_dataset(ADGEN, view, data_dir=tmp_path, on_bad_row="quarantine")
    assert loaded["train"]["id"][:] == ["train.json:1", "train.json:3"]
    assert [json.loads(row["raw"]) for row in quarantined(loaded)] == [json.loads(line)]
    assert hf_builders.account(loaded)["train"].is_balanced()


BAD_MEDICAL = {
    "内科.csv": (HEADER + GOOD_ROW + "a,b\n" + GOOD_ROW + "内科,咳嗽二,无,\n" + "a,b,c,d,e\n").encode("gb18030"),
    "外科.csv": (HEADER + "外科,骨折,手臂骨折,打石膏\n").encode("gb18030")
    + b"a,b,\xff,c\n"
    + '外科,"骨折'.encode("gb18030"),
}


@pytest.mark.parametrize("num_proc", [None, 2])
@pytest.mark.parametrize("fractions", [{}, {"validation": 0.3, "test": 0.3}])
def test_what_is_set_aside_and_what_is_kept_is_what_was_read(
    tmp_path: Path, num_proc: int | None, fractions: dict[str, float]
) -> None:
    for name, data in BAD_MEDICAL.items():
        (tmp_path / name).write_bytes(data)
    rows = "".join(f"内科,第{i}问,怎么办{i},答{i}\n" for i in range(40))
    (tmp_path / "儿科.csv").write_text(HEADER + rows, encoding="utf-8")
    for _ in ("made", "cached"):
        loaded = load_dataset(
            MEDICAL, "messages", data_dir=tmp_path, on_bad_row="quarantine", num_proc=num_proc, **fractions
        )
        assert list(loaded) == ["train", *fractions]
        accounts = hf_builders.account(loaded)
        assert {split: account.kept for split, account in accounts.items()} == {s: len(r) for s, r in loaded.items()}
        assert all(account.is_balanced() for account in accounts.values())
        total = sum(accounts.values(), start=Account())
        assert (total.read, total.kept) == (5 + 3 + 40, 43)
        assert total.quarantined == {
            "wrong_column_count": 2,
            "undecodable": 1,
            "unclosed_quote": 1,
            "blank_assistant": 1,
        }
        assert sorted((row["place"], row["reason"]) for row in quarantined(loaded)) == [
            ("内科.csv#4", "blank_assistant"),
            ("内科.csv:3", "wrong_column_count"),
            ("内科.csv:6", "wrong_column_count"),
            ("外科.csv:3", "undecodable"),
            ("外科.csv:4", "unclosed_quote"),
        ]


def test_streaming_passes_over_bad_rows_or_stops_as_asked(tmp_path: Path) -> None:
    for name, data in BAD_MEDICAL.items():
        (tmp_path / name).write_bytes(data)
    rows = load_dataset(MEDICAL, data_dir=tmp_path, on_bad_row="quarantine", streaming=True)["train"]
    assert [row["answer"] for row in rows] == ["多喝水", "多喝水", "", "打石膏"]
    for split in ("train", "test"):  # wherever a row that cannot be read would have belonged
        with pytest.raises(RowError, match=r"内科.csv:3: the row has 2 columns"):
            list(load_dataset(MEDICAL, data_dir=tmp_path, test=0.5, streaming=True)[split])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"name": "mesages"},
            "adgen has no view 'mesages'; did you mean 'messages'?; "
            "its views are source, messages, conversations, instruction",
        ),
        ({"on_bad_rows": "raise"}, "adgen has no option 'on_bad_rows'; did you mean 'on_bad_row'?"),
        ({"divisions": ["内科"]}, "adgen has no option 'divisions'"),
        ({"on_bad_row": "skip"}, "on_bad_row='skip': takes 'raise' or 'quarantine'"),
        (
            {"sample": True},
            "adgen: sample=True, but data_files, data_dir or download too; choose one",
        ),
    ],
)
def test_options_that_do_not_exist_are_refused(adgen_folder: Path, arguments: dict[str, Any], message: str) -> None:
    for route in (load_dataset, hf_builders.load_dataset):
        given = {**arguments, "data_dir": adgen_folder}
        with pytest.raises(OptionError) as error:
            route(ADGEN, given.pop("name", None), **given)
        assert str(error.value) == message


def test_a_missing_or_wrong_folder_is_our_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as error:
        load_dataset(ADGEN, data_dir=tmp_path / "no")
    assert str(error.value) == f"{tmp_path}/no: no such folder; data_dir is where the files of adgen lie"
    with pytest.raises(SourceError, match="holds none of the files of adgen"):
        load_dataset(ADGEN, data_dir=tmp_path)
    with pytest.raises(SourceError, match=r"a\.json: no such file"):
        load_dataset(ADGEN, data_files=str(tmp_path / "a.json"))


def test_without_data_the_sample_is_used_with_one_warning_that_says_so(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="invented rows") as caught:
        loaded = load_dataset(ADGEN)
    assert [str(warning.message) for warning in caught] == [
        "adgen: no data was named, so these are 280 invented rows bundled as a sample; the real set has 115,669. "
        "Get it with download=True, name its folder with data_dir= or HF_BUILDERS_DATA (a folder that holds adgen/), "
        "or keep the sample with sample=True"
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_dataset(ADGEN, sample=True)["train"].to_list() == loaded["train"].to_list()


def test_the_environment_variable_names_the_data(adgen_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adgen_folder.rename(adgen_folder.with_name("adgen"))
    monkeypatch.setenv("HF_BUILDERS_DATA", str(adgen_folder.parent))
    assert load_dataset(ADGEN, split="validation")["summary"][:] == ["一条好裙子。", "一双好鞋。"]


@pytest.mark.parametrize("given", ["data_dir", "data_files", "patterns", "gz", "zip"])
def test_every_way_to_name_the_files_gives_the_same_rows_and_ids(adgen_folder: Path, given: str) -> None:
    expected = load_dataset(ADGEN, "messages", data_dir=adgen_folder)
    files = {"train": adgen_folder / "train.json", "validation": adgen_folder / "dev.json"}
    arguments: dict[str, Any] = {"data_dir": adgen_folder}
    if given == "data_files":
        arguments = {"data_files": {split: str(path) for split, path in files.items()}}
    elif given == "patterns":
        arguments = {"data_dir": adgen_folder, "data_files": {"train": ["tr*.json"], "validation": "d*.json"}}
    elif given == "gz":
        for path in files.values():
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    elif given == "zip":
        with zipfile.ZipFile(adgen_folder / "AdvertiseGen.zip", "w") as archive:
            for path in files.values():
                archive.write(path, f"AdvertiseGen/{path.name}")
                path.unlink()
    loaded = load_dataset(ADGEN, "messages", **arguments)
    assert {split: rows.to_list() for split, rows in loaded.items()} == {
        split: rows.to_list() for split, rows in expected.items()
    }
    assert expected["train"].num_rows == 3


@pytest.mark.parametrize("cut", [20, 60])
def test_a_damaged_archive_is_our_error(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "train.json.gz"
    path.write_bytes(gzip.compress(os.urandom(100).hex().encode() + GOOD_LINE.encode())[:-cut])
    with pytest.raises(SourceError) as error:
        load_dataset(ADGEN, data_dir=tmp_path)
    assert str(error.value) == (
        f"{path}: cannot be read (Compressed file ended before the end-of-stream marker was reached); "
        "get the file again"
    )


def test_a_file_that_may_not_be_read_is_our_error(adgen_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hf_builders.sources.open", refuse, raising=False)  # the tests may run as root
    with pytest.raises(SourceError) as error:
        load_dataset(ADGEN, data_dir=adgen_folder)
    assert str(error.value) == f"{adgen_folder}/train.json: cannot be read (Permission denied)"


def test_processes_and_streaming_give_the_same_rows_in_the_same_order_with_unique_ids(tmp_path: Path) -> None:
    for folder in ("一", "二 #", "三"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "train.json").write_text(
            "".join(f'{{"content": "{folder}{i}", "summary": "好{i}"}}\n' for i in range(50)), encoding="utf-8"
        )
    files = str(tmp_path / "*" / "train.json")
    one = load_dataset(ADGEN, "messages", data_files=files, split="train")
    assert len(set(one["id"])) == len(one) == 150
    assert set(one["id"][:2]) <= {"一/train.json:1", "一/train.json:2"}
    two = load_dataset(
        ADGEN, "messages", data_files=files, split="train", num_proc=2, cache_dir=str(tmp_path / "other cache")
    )
    assert two.to_list() == one.to_list()
    assert list(load_dataset(ADGEN, "messages", data_files=files, split="train", streaming=True)) == one.to_list()
    assert load_dataset(ADGEN, "messages", data_files=files, split="train[:10%]").to_list() == one.to_list()[:15]


def test_a_file_named_twice_is_read_once(adgen_folder: Path) -> None:
    files = [str(adgen_folder / "train.json"), str(adgen_folder / "*.json")]
    assert sorted(load_dataset(ADGEN, "messages", data_files=files, split="train")["id"]) == [
        "dev.json:1",
        "dev.json:2",
        "train.json:1",
        "train.json:2",
        "train.json:3",
    ]


@pytest.mark.parametrize("dataset", [ADGEN, MEDICAL])
@pytest.mark.parametrize("view", ["source", "messages"])
def test_a_file_without_rows_is_fine_beside_others_but_a_split_needs_some(
    tmp_path: Path, dataset: str, view: str
) -> None:
    empty, full = ("[]", f"[{GOOD_LINE}]") if dataset == ADGEN else (HEADER, HEADER + GOOD_ROW)
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for path, text in zip(files, (empty, full), strict=True):
        path.write_text(text, encoding="utf-8")
    for num_proc in (None, 2):
        loaded = load_dataset(
            dataset, view, data_files=files, num_proc=num_proc, split="train", cache_dir=str(tmp_path / str(num_proc))
        )
        assert loaded.num_rows == 1
    with pytest.raises(SourceError) as error:
        load_dataset(dataset, view, data_files=files[0])
    assert str(error.value) == (
        f"{dataset.removeprefix('hf_builders/')}: no row is left for 'train' of a.txt; 0 read; "
        "a header or brackets alone are no rows: put some in, or leave the file out"
    )


def test_a_split_that_options_leave_empty_says_so(medical_folder: Path) -> None:
    with pytest.raises(SourceError) as error:
        load_dataset(MEDICAL, data_dir=medical_folder, max_answer_chars=1)
    assert str(error.value) == (
        "chinese_medical_dialogue: no row is left for 'train' of 内科5000-33000.csv, 外科5-14000.csv; "
        "6 read, 6 left out (answer_too_long 6); change the options that leave them out"
    )


@pytest.mark.parametrize("num_proc", [None, 2])
@pytest.mark.parametrize(
    ("dataset", "good", "bad"),
    [
        ("instructions", {"instruction": "一", "output": "二"}, {"instruction": "一", "output": None}),
        ("conversations", {"messages": [{"role": "user", "content": "一"}, {"role": "assistant", "content": "二"}]}, 3),
    ],
)
def test_files_whose_rows_are_all_bad_are_fine_beside_others_but_a_split_needs_some(
    tmp_path: Path, dataset: str, good: Any, bad: Any, num_proc: int | None
) -> None:
    options = {"on_bad_row": "quarantine", "num_proc": num_proc}
    rows = {"a.json": [bad], "b.json": [], "c.json": [good], "d.json": [bad], "e.json": [good]}
    for name, values in rows.items():
        (tmp_path / name).write_text(json.dumps(values), encoding="utf-8")
    files = [str(tmp_path / name) for name in rows]
    loaded = hf_builders.load_dataset(dataset, "messages", data_files=files, **options)
    assert loaded["train"]["id"] == ["c.json#1", "e.json#1"]
    account = hf_builders.account(loaded)["train"]
    assert (account.read, account.kept, account.quarantined.total()) == (4, 2, 2)
    by_split = {"train": files[2], "validation": files[4], "test": [files[0], files[1], files[3]]}
    with pytest.raises(SourceError) as error:
        hf_builders.load_dataset(dataset, "messages", data_files=by_split, **options)
    reason = "blank_assistant" if dataset == "instructions" else "not_an_object"
    assert str(error.value) == (
        f"{dataset}: no row is left for 'test' of a.json, b.json, d.json; 2 read, 2 set aside ({reason} 2); "
        "on_bad_row='raise' shows the first bad row"
    )


def test_paths_may_be_relative(adgen_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(adgen_folder.parent)
    for arguments in ({"data_dir": "AdvertiseGen"}, {"data_files": "AdvertiseGen/train.json"}, {"data_dir": Path()}):
        assert load_dataset(ADGEN, split="train", **arguments).num_rows == 3


def test_many_processes_may_load_the_same_data_at_once(
    adgen_folder: Path, tmp_path: Path, run_python: Callable[..., str]
) -> None:
    code = (
        "import hf_builders; "
        f"d = hf_builders.load_dataset('adgen', 'messages', data_dir={str(adgen_folder)!r}, "
        f"cache_dir={str(tmp_path / 'cache')!r}); "
        "assert [len(d['train']), hf_builders.account(d)['train'].kept] == [3, 3]"
    )
    running = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(4)]
    results = [(process.communicate()[1], process.returncode) for process in running]
    assert [code for _, code in results] == [0] * 4, results


@needs_peak_memory
def test_memory_stays_far_below_the_size_of_the_file(tmp_path: Path, run_python: Callable[..., str]) -> None:
    title, ask, answer = "高血压能吃党参吗" * 5, "我有高血压，\n" * 60, "可以，但要听医生的。" * 30
    row = f'内科,{title},"{ask}",{answer}\n'.encode("gb18030")
    num_rows = (200 << 20) // len(row)
    with open(tmp_path / "内科.csv", "wb") as file:
        file.write(HEADER.encode())
        for _ in range(num_rows // 100):
            file.write(row * 100)
    peak = run_python(
        "import hf_builders, datasets\n"
        "hf_builders.load_dataset('chinese_medical_dialogue', sample=True)\n"
        f"before = {PEAK_MIB}\n"
        f"loaded = hf_builders.load_dataset('chinese_medical_dialogue', 'messages', data_dir={str(tmp_path)!r})\n"
        f"assert len(loaded['train']) == {num_rows // 100 * 100}\n"
        f"print({PEAK_MIB} - before)"
    )
    assert int(peak) < 450, "MiB more than with the sample, Arrow file in the page cache included"
