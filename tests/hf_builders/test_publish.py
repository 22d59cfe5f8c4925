"""What is pushed is what was prepared: through the real client, over HTTP, to a Hub on this machine, and back."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="prepare tokenizes")

import datasets

import hf_builders
from hf_builders.cli import main
from hf_builders.errors import OptionError, SourceError
from hf_builders.prepare import prepare
from hf_builders.publish import Pushed
from hf_builders.run_config import DatasetSection, OutputSection, PackSection, RunConfig, TokenizeSection
from tests.hf_builders.hub_stand_in import Hub, at_hub

# The client itself hands a file to its HTTP library in a way that library is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TOKENIZER = str(Path(__file__).parents[2] / "configs" / "demo_tokenizer")
NAME = "somebody/rows"
COMMIT = ("POST", "/commit/main$")


def prepared(
    name: str, folder: Path, *, pack: bool = False, overflow: str = "truncate_prompt", **options: object
) -> Path:
    origin = {} if {"data_dir", "data_files"} & set(options) else {"sample": True}
    prepare(
        RunConfig(
            dataset=DatasetSection(name=name, **(origin | options)),  # type: ignore[arg-type]
            tokenize=TokenizeSection(tokenizer=TOKENIZER, overflow=overflow, max_length=256),  # type: ignore[arg-type]
            pack=PackSection() if pack else None,
            output=OutputSection(dir=str(folder)),
        )
    )
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """The Hub of this process; nobody sleeps before trying again."""
    monkeypatch.setattr("hf_builders.hub_calls.sleep", lambda seconds: None)
    with Hub() as hub:
        at_hub(monkeypatch, hub, tmp_path / "home")
        yield hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return prepared("adgen", tmp_path / "out")


def write_one_row(folder: Path) -> Path:
    datasets.Dataset.from_dict({"x": [1]}).to_parquet(folder / "one.parquet")
    return folder / "one.parquet"


def dict_of(splits: datasets.DatasetDict) -> dict[str, dict[str, list[object]]]:
    return {name: split.to_dict() for name, split in splits.items()}


def test_what_is_pushed_loads_with_plain_load_dataset_and_is_equal(hub: Hub, folder: Path) -> None:
    pushed = hf_builders.push(folder, NAME, views=["messages", "source"])
    tokens = datasets.load_dataset(NAME)  # the default config
    saved = datasets.load_from_disk(folder / "data")
    assert dict_of(tokens) == dict_of(saved)
    assert tokens["train"].features == saved["train"].features
    for view in ("messages", "source"):
        own = hf_builders.load_dataset("adgen", view, sample=True)
        rows = datasets.load_dataset(NAME, view)
        assert dict_of(rows) == dict_of(own)
        assert rows["train"].features == own["train"].features
    assert pushed.configs == {name: {"train": 240, "validation": 40} for name in ("tokens", "messages", "source")}
    assert pushed.commit == hub.commits(NAME)[0].oid


def test_another_process_that_knows_nothing_of_us_loads_it(
    hub: Hub, folder: Path, tmp_path: Path, run_python: Callable[..., str]
) -> None:
    hf_builders.push(folder, NAME)
    printed = run_python(
        "import json, sys, datasets\n"
        f"rows = datasets.load_dataset({NAME!r}, 'tokens')\n"
        "assert not [name for name in sys.modules if name.startswith(('hf_builders', 'collators'))]\n"
        "print(json.dumps({name: split.to_dict() for name, split in rows.items()}))",
        **hub.environment(tmp_path / "other_home"),
    )
    assert json.loads(printed) == dict_of(datasets.load_from_disk(folder / "data"))


def test_all_of_it_is_one_commit(hub: Hub, folder: Path) -> None:
    pushed = hf_builders.push(folder, NAME, views=["instruction"])
    made, first = hub.commits(NAME)
    assert made.title == "Upload tokens, instruction with hf-builders"
    assert {name: len(data) for name, data in hub.files(NAME).items() if name != ".gitattributes"} == pushed.files
    assert set(first.files) == {".gitattributes"}


def test_the_manifest_there_names_every_file_by_its_hash_and_nothing_of_this_machine(hub: Hub, folder: Path) -> None:
    hf_builders.push(folder, NAME)
    files = hub.files(NAME)
    manifest = json.loads(files["manifest.json"])
    assert set(files) - set(manifest["files"]) == {".gitattributes", "README.md", "manifest.json"}
    assert manifest["digest"] == json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["digest"]
    assert manifest["tokenize"]["tokenizer"] == "demo_tokenizer"
    for data in files.values():
        assert str(folder.parent).encode() not in data
        assert str(Path(TOKENIZER).parent).encode() not in data


@pytest.mark.parametrize("pack", [False, True])
def test_the_command_pushes_and_proves_and_the_set_verifies(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], pack: bool
) -> None:
    folder = prepared("cmrc2018", tmp_path / "out", pack=pack)
    rows = datasets.load_from_disk(folder / "data").num_rows
    capsys.readouterr()
    assert main(["push", str(folder), "--repo-id", NAME, "--private", "--view", "messages"]) == 0
    printed = capsys.readouterr().out
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    commit = hub.commits(NAME)[0].oid
    for line in (
        *(f"tokens    {split:<10}  {number:>4}" for split, number in rows.items()),
        "licence cc-by-sa-4.0",
        f"digest  {manifest['digest']}",
        f"to {NAME}, commit {commit}",
        "proven  downloaded again: every hash, the number of rows and the digest are equal",
    ):
        assert line in printed
    assert hub.repository(NAME).private
    assert main(["verify", NAME, "--tokenizer", TOKENIZER]) == 0
    printed = capsys.readouterr().out
    assert "not proven" not in printed
    assert f"{NAME} at {commit}: " in printed


def test_views_alone_can_be_pushed(hub: Hub, folder: Path) -> None:
    pushed = hf_builders.push(folder, NAME, views="conversations", tokens=False)
    assert (list(pushed.configs), pushed.digest) == (["conversations"], None)
    assert datasets.get_dataset_config_names(NAME) == ["conversations"]
    with pytest.raises(OptionError, match="there is nothing to push; name a view"):
        hf_builders.push(folder, NAME, tokens=False)


def test_a_dry_run_writes_what_would_be_pushed_and_asks_the_hub_nothing(
    hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path for path in folder.parent.rglob("*") if "home" not in path.parts}
    assert main(["push", str(folder), "--repo-id", NAME, "--dry-run", "--view", "messages"]) == 0
    assert hub.requests == []
    assert {path for path in folder.parent.rglob("*") if "home" not in path.parts} == before
    printed = capsys.readouterr().out
    pushed = hf_builders.push(folder, NAME, views=["messages"])
    for name, num_bytes in pushed.files.items():
        assert f"        {name}  {num_bytes:,} bytes\n" in printed
    assert f"dry run 7 files, {sum(pushed.files.values()):,} bytes for {NAME}; nothing was sent\n" in printed


def test_stdout_is_what_came_of_it_and_stderr_has_a_bar_for_each_stage(
    hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["push", str(folder), "--repo-id", NAME, "--view", "messages"]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert [line.split()[0] for line in lines] == [
        *("config", "tokens", "tokens", "messages", "messages"),
        *("licence", "digest", "pushed", "proven"),
    ]
    bars = re.findall(r"([^\r\n]*): 100%", captured.err)
    stages = ["tokens: write", "messages: write", "check", "upload", "Fetching 7 files", "check"]
    assert [bar for place, bar in enumerate(bars) if bar not in bars[place - 1 : place]] == stages


def test_what_is_read_back_tells_nobody_that_it_was_loaded(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("datasets.load.increase_load_count", told.append)
    hf_builders.push(folder, NAME, dry_run=True)
    assert told == []
    datasets.load_dataset("parquet", data_files=str(write_one_row(folder.parent)))
    assert told == ["parquet"]  # so would have done what reads them


def test_pushing_the_same_again_makes_no_commit_and_sends_no_rows(hub: Hub, folder: Path) -> None:
    first = hf_builders.push(folder, NAME)
    sent = len(hub.asked("PUT", "^/lfs/"))
    again = hf_builders.push(folder, NAME)
    assert (again, len(hub.commits(NAME)), len(hub.asked("PUT", "^/lfs/"))) == (first, 2, sent)


def test_what_an_earlier_push_left_goes_and_what_others_added_stays(hub: Hub, folder: Path) -> None:
    hf_builders.push(folder, NAME, views=["messages"])
    hub.commit(NAME, {"notes.txt": b"mine", "LICENSE": b"theirs"})
    hf_builders.push(folder, NAME)
    names = set(hub.files(NAME))
    assert {"notes.txt", "LICENSE"} < names
    assert not [name for name in names if name.startswith("messages/")]
    assert datasets.get_dataset_config_names(NAME) == ["tokens"]


def test_a_repository_of_somebody_else_is_left_alone(hub: Hub, folder: Path) -> None:
    hub.create(NAME)
    hub.commit(NAME, {"data/theirs.parquet": b"rows", "README.md": b"# Theirs"})
    with pytest.raises(OptionError) as error:
        hf_builders.push(folder, NAME)
    assert str(error.value) == (
        f"{NAME}: holds data/theirs.parquet, which hf-builders did not push; choose another name, or another --revision"
    )
    assert len(hub.commits(NAME)) == 2
    assert not hub.asked("PUT", "^/lfs/")


def test_a_repository_that_is_made_on_the_website_is_taken(hub: Hub, folder: Path) -> None:
    hub.create(NAME)
    hub.commit(NAME, {"README.md": b"---\nlicense: mit\n---\n", "LICENSE.md": b"MIT"})
    hf_builders.push(folder, NAME)
    assert "LICENSE.md" in hub.files(NAME)
    assert b"AdvertiseGen" in hub.files(NAME)["README.md"]


def test_what_shall_be_private_is_not_pushed_where_all_can_see_it(hub: Hub, folder: Path) -> None:
    hub.create(NAME)
    with pytest.raises(OptionError, match=r"is there and is public; make it private in its settings, or leave out"):
        hf_builders.push(folder, NAME, private=True)
    assert len(hub.commits(NAME)) == 1


def test_a_branch_is_made_and_main_stays_as_it_was(hub: Hub, folder: Path) -> None:
    pushed = hf_builders.push(folder, NAME, revision="v2")
    assert set(hub.files(NAME)) == {".gitattributes"}
    assert set(hub.files(NAME, "v2")) == {".gitattributes", *pushed.files}
    assert hub.commits(NAME, "v2")[0].oid == pushed.commit
    assert hf_builders.verify(NAME, revision="v2", tokenizer=TOKENIZER).passed


def bad_rows(folder: Path) -> Path:
    """Rows of AdvertiseGen, one of them bad, one too long for 256 tokens."""
    rows = [json.dumps({"content": f"类型#裙*颜色#{number}", "summary": f"第{number}条裙子。"}) for number in range(9)]
    rows += ['{"content": "秘密一"}', json.dumps({"content": "类型#裤", "summary": "秘密二" * 200})]
    folder.mkdir()
    (folder / "train.json").write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.mark.parametrize("asked", [False, True])
def test_rows_set_aside_are_counted_and_their_text_goes_along_only_if_that_is_asked_for(
    hub: Hub, tmp_path: Path, asked: bool
) -> None:
    raw = bad_rows(tmp_path / "raw")
    folder = prepared("adgen", tmp_path / "out", overflow="drop", data_dir=str(raw), on_bad_row="quarantine")
    assert main(["push", str(folder), "--repo-id", NAME, *(["--quarantine"] if asked else [])]) == 0
    files = hub.files(NAME)
    assert json.loads(files["quarantine.json"])["train"] == {
        "rows_read": 11,
        "rows_kept": 9,
        "left_out": {},
        "quarantined": {"missing_field": 1},
        "set_aside": {"too_long": 1},
    }
    texts = [name for name, data in files.items() if "秘密" in data.decode("utf-8", "replace") or b"\\u79d8" in data]
    assert texts == (["quarantine/train-00000.jsonl"] if asked else [])


@pytest.mark.parametrize(("name", "reason"), [("mimic3", "PhysioNet"), ("snomed_ct", "Affiliate")])
def test_what_its_licence_bars_is_refused_with_the_reason_and_nothing_is_sent(
    hub: Hub, tmp_path: Path, name: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = prepared(name, tmp_path / "out")
    for options in ({}, {"dry_run": True}, {"tokens": False, "views": ["source"]}):
        with pytest.raises(OptionError) as error:
            hf_builders.push(folder, NAME, **options)  # type: ignore[arg-type]
        assert str(error.value).startswith(f"{folder}: was made of {name}, which may not be published: ")
        assert reason in str(error.value)
    capsys.readouterr()
    assert main(["push", str(folder), "--repo-id", NAME, "--private"]) == 1
    assert capsys.readouterr().err == f"hf-builders: {error.value}\n"
    assert hub.requests == []


def test_rows_that_are_no_longer_those_of_the_manifest_are_not_sent(hub: Hub, folder: Path) -> None:
    (arrow,) = (folder / "data" / "train").glob("*.arrow")
    data = bytearray(arrow.read_bytes())
    data[len(data) // 2] ^= 1
    arrow.write_bytes(data)
    with pytest.raises(SourceError, match=r"data/ is not what manifest\.json proves; run `hf-builders prepare` again"):
        hf_builders.push(folder, NAME)
    assert hub.requests == []


def test_a_view_of_raw_files_that_changed_is_not_sent(hub: Hub, tmp_path: Path) -> None:
    raw = bad_rows(tmp_path / "raw")
    folder = prepared("adgen", tmp_path / "out", data_dir=str(raw), on_bad_row="quarantine")
    with (raw / "train.json").open("a", encoding="utf-8") as file:
        file.write('\n{"content": "类型#裙", "summary": "新的。"}')
    with pytest.raises(SourceError, match=r"train\.json changed since it was prepared"):
        hf_builders.push(folder, NAME, views=["messages"])
    assert hub.requests == []
    assert isinstance(hf_builders.push(folder, NAME), Pushed)  # the token rows are still those of the manifest


def test_rows_that_are_damaged_are_told_as_such(hub: Hub, folder: Path) -> None:
    (arrow,) = (folder / "data" / "train").glob("*.arrow")
    os.truncate(arrow, 300)
    with pytest.raises(SourceError, match=r"/data: is no dataset that can be read \(ArrowInvalid: "):
        hf_builders.push(folder, NAME)
    assert hub.requests == []


def test_a_full_disk_is_told_and_leaves_nothing(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_configs(*_: object) -> None:
        full = OSError(errno.ENOSPC, "No space left on device")
        raise datasets.exceptions.DatasetGenerationError("An error occurred") from full

    monkeypatch.setattr("hf_builders.publish.read_configs", read_configs)
    with pytest.raises(SourceError) as error:
        hf_builders.push(folder, NAME)
    assert str(error.value) == (
        f"{folder.parent}: cannot be written (No space left on device); make room there, or copy out/ to where you "
        "may write"
    )
    assert not list(folder.parent.glob(".out*"))


def test_what_lies_beside_the_rows_set_aside_is_not_pushed_and_what_changed_is_refused(
    hub: Hub, tmp_path: Path
) -> None:
    raw = bad_rows(tmp_path / "raw")
    folder = prepared("adgen", tmp_path / "out", overflow="drop", data_dir=str(raw), on_bad_row="quarantine")
    (folder / "quarantine" / "notes.txt").write_text("mine", encoding="utf-8")
    pushed = hf_builders.push(folder, NAME, quarantine=True)
    names = [name for name in pushed.files if name.startswith("quarantine/")]
    assert names == ["quarantine/train-00000.jsonl", "quarantine/train-records.jsonl"]
    with (folder / "quarantine" / "train-00000.jsonl").open("a", encoding="utf-8") as file:
        file.write("{}\n")
    with pytest.raises(SourceError, match=r"train-00000\.jsonl: changed since it was prepared"):
        hf_builders.push(folder, NAME, quarantine=True)


def test_the_licence_that_is_told_is_that_of_the_card(hub: Hub, tmp_path: Path) -> None:
    pushed = hf_builders.push(prepared("conversations", tmp_path / "out"), NAME)
    assert pushed.licence == json.loads(hub.files(NAME)["manifest.json"])["published"]["licence"]
    assert f"license: {pushed.licence}\n".encode() in hub.files(NAME)["README.md"]


def test_the_licence_of_ones_own_files_is_said_by_their_owner(hub: Hub, tmp_path: Path) -> None:
    rows = [{"messages": [{"role": "user", "content": "在吗"}, {"role": "assistant", "content": "在的"}]}] * 3
    (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    folder = prepared("conversations", tmp_path / "out", data_files=str(tmp_path / "chats.jsonl"))
    pushed = hf_builders.push(folder, NAME, licence="cc-by-4.0")
    assert pushed.licence == "cc-by-4.0"
    assert b"license: cc-by-4.0" in hub.files(NAME)["README.md"]
    adgen = prepared("adgen", tmp_path / "adgen")
    with pytest.raises(OptionError, match=r"licence: adgen has its own \(not stated\); leave it out"):
        hf_builders.push(adgen, NAME, licence="mit")


@pytest.mark.parametrize("name", ["rows", "a/b/c", "some body/rows", "-x/rows", "somebody/rows.git"])
def test_what_is_no_name_of_a_repository_is_refused(hub: Hub, folder: Path, name: str) -> None:
    with pytest.raises(OptionError) as error:
        hf_builders.push(folder, name)
    assert str(error.value) == f"repo_id: {name!r} is no name of a dataset; expected organisation/name"
    assert hub.requests == []


@pytest.mark.realdata
def test_real_dialogues_come_back_equal_and_are_proven(
    hub: Hub,
    tmp_path: Path,
    shared_realdata: Callable[[str], Path],
    shared_tokenizer: Callable[[str], Path],
) -> None:
    folder, tokenizer = tmp_path / "out", str(shared_tokenizer("qwen2_5"))
    prepare(
        RunConfig(
            dataset=DatasetSection(
                name="chinese_medical_dialogue", data_dir=str(shared_realdata("Chinese-medical-dialogue-data"))
            ),
            tokenize=TokenizeSection(tokenizer=tokenizer, max_length=512),
            output=OutputSection(dir=str(folder)),
        )
    )
    pushed = hf_builders.push(folder, NAME, views=["messages"])
    saved, loaded = datasets.load_from_disk(folder / "data"), datasets.load_dataset(NAME, "tokens")
    assert pushed.configs["tokens"] == dict(saved.num_rows)
    assert sum(saved.num_rows.values()) > 3_900
    for split, rows in saved.items():
        assert loaded[split].data.table.equals(rows.data.table.cast(loaded[split].data.table.schema))
    found = hf_builders.verify(NAME, tokenizer=tokenizer)
    assert (found.passed, found.unproven) == (True, [])
    assert sum(check.spans for check in found.labels.values()) == sum(saved.num_rows.values())  # type: ignore[attr-defined]
