"""`verify`: what was not touched passes, what was is found, and what nobody can know is said."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="rows are tokenized, which needs transformers")

import datasets
from datasets import Dataset, DatasetDict, LargeList, Value

import hf_builders
from collators import IGNORE_INDEX
from hf_builders.cli import main
from hf_builders.errors import OptionError, SourceError
from hf_builders.prepare import prepare
from hf_builders.run_config import CleanSection, DatasetSection, OutputSection, PackSection, RunConfig, TokenizeSection
from hf_builders.sources import file_sha256
from tests.hf_builders.published_copies import published_copy
from tests.hf_builders.span_runs import VOCABULARY
from tests.hf_builders.span_runs import config_of as spans_config

ROOT = Path(__file__).parents[2]
TOKENIZER = str(ROOT / "configs" / "demo_tokenizer")
NOT_HERE = "who says what is trained: demo_tokenizer is not here; name the tokenizer of the rows (--tokenizer)"
NO_VIEW = (
    "that the answers are those of the records: the view messages of them is not published (--view when it is pushed)"
)
NO_MANIFEST = "what the rows were made of, and whether all are there: no manifest.json of ours says"
TRAIN = "tokens/train-00000-of-00001.parquet"


def prepared(
    folder: Path, raw: Path | None = None, *, name: str = "adgen", view: str = "messages", **more: Any
) -> Path:
    """A prepared folder; `more` are options of `tokenize`, or the sections `pack` and `clean`."""
    sections = {key: more.pop(key) for key in ("pack", "clean") if key in more}
    origin = {"sample": True} if raw is None else {"data_dir": str(raw)}
    prepare(
        RunConfig(
            dataset=DatasetSection(name=name, view=view, **origin),
            tokenize=TokenizeSection(tokenizer=TOKENIZER, **{"max_length": 256, **more}),
            output=OutputSection(dir=str(folder)),
            **sections,
        )
    )
    return folder


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw") / "AdvertiseGen"
    folder.mkdir()
    for name, number in (("train.json", 12), ("dev.json", 4)):
        rows = [{"content": f"类型#裙*号#{place}", "summary": f"第{place}条裙子。"} for place in range(number)]
        (folder / name).write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def clean(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder, not to be changed."""
    return prepared(tmp_path_factory.mktemp("clean") / "out", raw)


@pytest.fixture(scope="module")
def clean_copy(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is pushed of it with its messages, not to be changed."""
    return published_copy(clean, tmp_path_factory.mktemp("copy") / "copy", ["messages"])


@pytest.fixture
def folder(clean: Path, tmp_path: Path) -> Path:
    return shutil.copytree(clean, tmp_path / "folder")


@pytest.fixture
def copy(clean_copy: Path, tmp_path: Path) -> Path:
    return shutil.copytree(clean_copy, tmp_path / "copy")


def manifest_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def change_manifest(folder: Path, path: str, value: object) -> None:
    """Set what the dotted path names; None takes it out."""
    manifest = manifest_of(folder)
    *parents, last = path.split("/")
    place = manifest
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def rename_hashes(copy: Path) -> None:
    """Have the manifest name the files as they now are, as one would who wants it to pass."""
    manifest = manifest_of(copy)
    manifest["files"] = {
        name: {"num_bytes": (copy / name).stat().st_size, "sha256": file_sha256(copy / name)}
        for name in manifest["files"]
    }
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def flip(path: Path, place: int | None = None) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if place is None else place] ^= 1
    path.write_bytes(data)


def checked(found: hf_builders.verification.Verified) -> dict[str, list[int]]:
    return {name: split.counts() for name, split in found.labels.items()}


def faults_of(place: Path, tokenizer: str | None = TOKENIZER) -> list[str]:
    found = hf_builders.verify(place, tokenizer=tokenizer)
    assert not found.passed
    return found.faults + [offender for split in found.labels.values() for offender in split.offenders]


def test_a_prepared_folder_passes_with_nothing_left_to_prove(clean: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in clean.rglob("*")}
    done: list[int] = []
    found = hf_builders.verify(clean, progress=done.append)
    assert (found.passed, found.faults, found.unproven, found.commit) == (True, [], [], None)
    assert found.configs == {"tokens": {"train": 12, "validation": 4}}
    assert found.digest == manifest_of(clean)["digest"]
    assert checked(found) == {"train": [12, 12, 12, 0, 0, 0, 0], "validation": [4, 4, 4, 0, 0, 0, 0]}
    assert sum(done) == 16
    assert {path: path.stat().st_mtime_ns for path in clean.rglob("*")} == before


def test_what_is_published_with_its_view_passes_with_nothing_left_to_prove(clean: Path, clean_copy: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in clean_copy.rglob("*")}
    found = hf_builders.verify(clean_copy, tokenizer=TOKENIZER)
    assert (found.passed, found.unproven, found.digest) == (True, [], manifest_of(clean)["digest"])
    assert found.configs == {name: {"train": 12, "validation": 4} for name in ("tokens", "messages")}
    assert checked(found) == {"train": [12, 12, 12, 0, 0, 0, 0], "validation": [4, 4, 4, 0, 0, 0, 0]}
    assert {path: path.stat().st_mtime_ns for path in clean_copy.rglob("*")} == before


def test_without_the_view_and_without_the_tokenizer_less_is_proven_and_that_is_said(
    clean: Path, tmp_path: Path
) -> None:
    copy = published_copy(clean, tmp_path / "copy")
    found = hf_builders.verify(copy, tokenizer=TOKENIZER)
    assert (found.passed, found.unproven) == (True, [NO_VIEW])
    assert checked(found) == {"train": [12, 12, 12, 0, 0, 0], "validation": [4, 4, 4, 0, 0, 0]}
    found = hf_builders.verify(copy)
    assert (found.passed, found.unproven) == (True, [NOT_HERE])
    assert checked(found) == {"train": [12, 0, 0, 0, 0, 0], "validation": [4, 0, 0, 0, 0, 0]}


@pytest.mark.parametrize("views", [["messages"], []])
@pytest.mark.parametrize(
    "run",
    [
        {"pack": PackSection()},
        {"overflow": "truncate", "max_length": 40},
        {"loss": "last"},
        {"loss": "all"},
        {"loss": "all", "pack": PackSection()},
        {"template": "alpaca", "max_length": 400},
        {"clean": CleanSection(steps=["whitespace", {"unicode": {"form": "full_width"}}])},
    ],
    ids=str,
)
def test_every_kind_of_run_passes_prepared_and_published(
    run: dict[str, Any], views: list[str], raw: Path, tmp_path: Path
) -> None:
    folder = prepared(tmp_path / "out", raw, **run)
    for place in (folder, published_copy(folder, tmp_path / "copy", views)):
        found = hf_builders.verify(place, tokenizer=TOKENIZER)
        assert (found.passed, found.faults) == (True, [])
        assert found.unproven == ([] if views or place == folder else [NO_VIEW])
        assert sum(split.counts()[0] for split in found.labels.values()) == 16


@pytest.mark.parametrize("pack", [None, PackSection()])
def test_plain_texts_pass(pack: PackSection | None, tmp_path: Path) -> None:
    folder = prepared(tmp_path / "out", name="medlineplus", view="text", pack=pack, overflow="truncate")
    for views in ([], ["text"]):
        found = hf_builders.verify(published_copy(folder, tmp_path / f"copy{len(views)}", views), tokenizer=TOKENIZER)
        assert (found.passed, found.faults, len(found.unproven)) == (True, [], 1 - len(views))
        assert sum(split.counts()[0] for split in found.labels.values()) > 100


def test_windows_pass_with_their_records_and_are_told_to_be_unproven_without(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    prepare(spans_config(folder))
    assert hf_builders.verify(folder).passed
    found = hf_builders.verify(published_copy(folder, tmp_path / "with", ["mrc"]), tokenizer=str(VOCABULARY))
    assert (found.passed, found.unproven) == (True, [])
    assert sum(split.counts()[0] for split in found.labels.values()) > 100
    copy = published_copy(folder, tmp_path / "without")
    found = hf_builders.verify(copy, tokenizer=str(VOCABULARY))
    assert (found.passed, checked(found)) == (True, {})
    assert found.unproven[-1] == "windows: their answers are proven by the records alone"
    change_manifest(copy, "splits/train/windows", 7)
    assert any(fault.endswith("windows; manifest.json says 7") for fault in faults_of(copy, None))


def test_views_alone_are_proven_by_their_hashes(clean: Path, tmp_path: Path) -> None:
    copy = published_copy(clean, tmp_path / "copy", ["source"], tokens=False)
    found = hf_builders.verify(copy)
    assert (found.passed, found.digest, checked(found), found.unproven) == (True, None, {}, [])
    assert found.configs == {"source": {"train": 12, "validation": 4}}


FILES = [
    TRAIN,
    "tokens/validation-00000-of-00001.parquet",
    "messages/train-00000-of-00001.parquet",
    "messages/validation-00000-of-00001.parquet",
    "quarantine.json",
]


@pytest.mark.parametrize("name", FILES)
def test_one_byte_of_a_published_file_is_found(name: str, copy: Path) -> None:
    assert set(manifest_of(copy)["files"]) == set(FILES)
    flip(copy / name)
    (fault,) = faults_of(copy)
    assert fault.startswith(f"{name}: has the SHA-256 ")
    with (copy / name).open("ab") as file:
        file.write(b"x")
    (fault,) = faults_of(copy)
    assert fault.startswith(f"{name}: has ")
    assert "bytes; manifest.json says" in fault
    (copy / name).unlink()
    assert faults_of(copy) == [f"{name}: is gone"]


def test_one_byte_of_the_rows_of_a_prepared_folder_is_found(folder: Path) -> None:
    splits = datasets.load_from_disk(folder / "data")
    (path,) = (folder / "data" / "train").glob("*.arrow")
    data = path.read_bytes()
    num_found = 0
    for name in ("input_ids", "labels", "id"):
        (array,) = splits["train"].data.column(name).chunks
        content = array.buffers()[-1] if name == "id" else array.values.buffers()[-1]
        place = data.index(content.to_pybytes()[:24])
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        num_found += not hf_builders.verify(folder).passed
        path.write_bytes(data)
    assert num_found == 3
    assert hf_builders.verify(folder).passed


@pytest.mark.parametrize("name", ["state.json", "dataset_info.json", "*.arrow"])
def test_a_file_of_a_prepared_folder_that_is_cut_or_gone_is_told_without_a_traceback(name: str, folder: Path) -> None:
    (path,) = (folder / "data" / "train").glob(name)
    path.write_bytes(path.read_bytes()[:-90])
    with pytest.raises(SourceError, match=r"folder/data: is no dataset that can be read \("):
        hf_builders.verify(folder)
    path.unlink()
    with pytest.raises(SourceError, match=r"folder/data: is no dataset that can be read \("):
        hf_builders.verify(folder)


def test_a_file_of_a_prepared_folder_that_grew_is_found(folder: Path) -> None:
    (folder / "quarantine" / "train-records.jsonl").write_text("{}\n", encoding="utf-8")
    assert hf_builders.verify(folder).passed  # the manifest names no such file
    (path,) = (folder / "data" / "train").glob("state.json")
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    (fault,) = faults_of(folder)
    assert fault.startswith("data/train/state.json: has ")


@pytest.mark.parametrize("name", ["tokens/train-00001-of-00002.parquet", "more/x.parquet"])
def test_a_parquet_file_that_was_not_published_is_found(name: str, copy: Path) -> None:
    (copy / name).parent.mkdir(exist_ok=True)
    shutil.copy(copy / TRAIN, copy / name)
    assert faults_of(copy) == [f"{name}: was not published with the others"]


def test_other_files_that_were_not_published_are_told(copy: Path) -> None:
    for name in (".gitattributes", ".cache/x.parquet", ".git/y.parquet"):  # of the Hub, its client and git
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_bytes(b"")
    assert hf_builders.verify(copy, tokenizer=TOKENIZER).unproven == []
    (copy / "notes.txt").write_text("x", encoding="utf-8")
    found = hf_builders.verify(copy, tokenizer=TOKENIZER)
    assert found.passed
    assert found.unproven == ["what other files there are for, which were not published: notes.txt"]


def drop(rows: Dataset) -> Dataset:
    return rows.select(range(1, len(rows)))


def duplicate(rows: Dataset) -> Dataset:
    return rows.select([*range(len(rows)), 0])


def reorder(rows: Dataset) -> Dataset:
    return rows.select([1, 0, *range(2, len(rows))])


def swap_names(rows: Dataset) -> Dataset:
    names = rows["id"][:]
    columns = {**rows.to_dict(), "id": [names[1], names[0], *names[2:]]}
    return Dataset.from_dict(columns, features=rows.features)


def train_prompts(rows: Dataset) -> Dataset:
    columns = rows.to_dict()
    columns["labels"] = [ids.copy() for ids in columns["input_ids"]]
    return Dataset.from_dict(columns, features=rows.features)


def shift_labels(rows: Dataset) -> Dataset:
    columns = rows.to_dict()
    columns["labels"] = [[*labels[1:], IGNORE_INDEX] for labels in columns["labels"]]
    return Dataset.from_dict(columns, features=rows.features)


ROWS: dict[Callable[[Dataset], Dataset], str] = {
    drop: "train: has 11 rows; manifest.json says 12",
    duplicate: "train: has 13 rows; manifest.json says 12",
    reorder: "the digest of ids and labels is ",
    swap_names: "train.json:2: ",
    train_prompts: "train: has 280 trained tokens; manifest.json says ",
    shift_labels: "the digest of ids and labels is ",
}


@pytest.mark.parametrize("change", ROWS)
def test_rows_that_changed_are_found_in_a_prepared_folder(change: Callable[[Dataset], Dataset], folder: Path) -> None:
    splits = datasets.load_from_disk(folder / "data")
    splits = DatasetDict({**splits, "train": change(splits["train"])})
    splits.save_to_disk(folder / "new")
    shutil.rmtree(folder / "data")
    (folder / "new").rename(folder / "data")
    faults = faults_of(folder)
    assert [fault for fault in faults if fault.startswith(ROWS[change])], faults


@pytest.mark.parametrize("change", ROWS)
def test_rows_that_changed_with_their_hash_are_found_in_what_is_published(
    change: Callable[[Dataset], Dataset], copy: Path
) -> None:
    change(Dataset.from_parquet(str(copy / TRAIN))).to_parquet(copy / TRAIN)
    assert any("tokens/train-00000" in fault for fault in faults_of(copy))
    rename_hashes(copy)
    faults = faults_of(copy)
    assert [fault for fault in faults if fault.startswith(ROWS[change])], faults


@pytest.mark.parametrize("name", ["messages", "tokens"])
def test_one_of_tokens_and_records_changed_consistently_is_found_by_the_other(name: str, copy: Path) -> None:
    """Hashes, counts and digest are those of the changed rows: the records alone tell."""
    path = copy / name / "train-00000-of-00001.parquet"
    rows = Dataset.from_parquet(str(path)).to_dict()
    if name == "messages":
        rows["messages"][3][1]["content"] = "别的话。"
    else:
        rows["input_ids"][3], rows["labels"][3], rows["length"][3] = (
            rows[column][4] for column in ("input_ids", "labels", "length")
        )
    features = Dataset.from_parquet(str(path)).features
    Dataset.from_dict(rows, features=features).to_parquet(path)
    rename_hashes(copy)
    digest = hf_builders.verify(copy).digest
    change_manifest(copy, "digest", digest)
    for column, found in (("tokens", "input_ids"), ("trained_tokens", "labels")):
        number = sum(value != IGNORE_INDEX for row in Dataset.from_parquet(str(copy / TRAIN))[found] for value in row)
        change_manifest(copy, f"splits/train/{column}", number)
    assert hf_builders.verify(copy).passed
    (fault,) = faults_of(copy)
    assert fault.startswith("train.json:4: ")
    assert fault.endswith("is trained, and it is no turn that comes here")


EDITS = {
    "digest": ("0" * 64, "the digest of ids and labels is "),
    "splits/train/tokens": (7, "train: has "),
    "splits/train/trained_tokens": (7, "train: has "),
    "splits/train/rows_kept": (13, "train: the account of raw rows in manifest.json does not add up: read 12, kept 13"),
    "splits/train/rows_read": (1200, "train: the account of raw rows in manifest.json does not add up: read 1,200"),
    "splits/test": ({"rows_read": 0, "rows_kept": 0, "tokens": 0, "left_out": {}, "quarantined": {}, "set_aside": {}},
                    "has the splits train, validation; manifest.json says train, validation, test"),
    "pack": ({"max_length": 256, "seed": 0}, "train: the column ids is missing; expected list<"),
}  # fmt: skip


@pytest.mark.parametrize("path", EDITS)
@pytest.mark.parametrize("kind", ["prepared", "published"])
def test_a_manifest_that_was_edited_is_found(kind: str, path: str, folder: Path, copy: Path) -> None:
    place = folder if kind == "prepared" else copy
    value, fault = EDITS[path]
    change_manifest(place, path, value)
    for tokenizer in (TOKENIZER, None):
        assert any(each.startswith(fault) for each in faults_of(place, tokenizer))


def test_other_numbers_of_rows_than_are_published_are_found(copy: Path) -> None:
    change_manifest(copy, "published/configs/messages/splits/train", 13)
    assert faults_of(copy) == [
        "messages: has {'train': 12, 'validation': 4} rows; manifest.json says {'train': 13, 'validation': 4}"
    ]
    change_manifest(copy, "published/configs/messages/splits/test", 1)
    assert faults_of(copy) == ["messages: manifest.json names no file of the split test"]


HOSTILE: dict[str, tuple[object, str]] = {
    "files/..~..~etc~passwd": ({"num_bytes": 1, "sha256": "0" * 64}, "files: is '../../etc/passwd'; expected the path"),
    "files/~etc~passwd": ({"num_bytes": 1, "sha256": "0" * 64}, "files: is '/etc/passwd'; expected the path of a file"),
    "files/\x1b[2J": ({}, "files: is '\\x1b[2J'; expected the path of a file"),
    "dataset/view": ("\x1b[2J", "dataset: is {'name': 'adgen', 'view': '\\x1b[2J'"),
    "files": ([], "files: is []; expected a mapping"),
    "files/x": (3, "files.x.num_bytes: is missing; expected a whole number from 0"),
    "files/quarantine.json": ({"num_bytes": 2**70, "sha256": "0" * 64},
                              "files.quarantine.json.num_bytes: is 1180591620717411303424; expected a whole"),
    "files/quarantine.json/sha256": ("../x", "files.quarantine.json.sha256: is '../x'; expected 64 hexadecimal digits"),
    "published": ([], "published.configs: is missing; expected a mapping"),
    "published/configs/..": ({"splits": {}}, "published.configs: is '..'; expected a name"),
    "published/configs/~etc": ({"splits": {}}, "published.configs: is '/etc'; expected a name"),
    "published/configs/*": ({"splits": {}}, "published.configs: is '*'; expected a name"),
    "published/configs/x": ([], "published.configs.x.splits: is missing; expected a mapping"),
    "published/configs/tokens/splits/..~x": (1, "published.configs.tokens.splits: is '../x'; expected a name"),
    "published/configs/tokens/splits/train": (True, "published.configs.tokens.splits.train: is True; expected a whole"),
    "digest": ("\x1b[2J", "digest: is '\\x1b[2J'; expected 64 hexadecimal digits"),
    "tokenizer_digest": (None, "tokenizer_digest: is missing; expected text"),
    "dataset": ("adgen", "dataset: is 'adgen'; expected its name and view"),
    "tokenize": ([1], "tokenize: is [1]; expected keys and values"),
    "tokenize/max_length": ("long", "tokenize.max_length: is 'long'; expected a whole number"),
    "tokenize/loss": ("some", "tokenize.loss: is 'some'; expected assistant, last, all"),
    "tokenize/more": (1, "tokenize.more: unknown key"),
    "spans": ({"tokenizer": "x"}, "tokenize, spans: one of them says how the rows were made"),
    "splits": ({"train": 3}, "splits.train: is 3; expected a mapping"),
    "splits/train/rows_kept": (-1, "splits.train.rows_kept: is -1; expected a whole number from 0"),
    "splits/train/set_aside": ({"x": "y"}, "splits.train.set_aside.x: is 'y'; expected a whole number from 0"),
    "splits/train/packed": (3, "splits.train.packed.rows: is missing; expected a whole number from 0"),
    "sources": ([3], "sources: is [3]; expected a list of files with name and sha256"),
}  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_a_hostile_manifest_is_refused_in_one_line(path: str, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value, fault = HOSTILE[path]
    manifest = manifest_of(copy)
    *parents, last = path.split("/")
    place = manifest
    for name in parents:
        place = place[name]
    place[last.replace("~", "/")] = value
    if value is None:
        del place[last]
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert main(["verify", str(copy)]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"hf-builders: {copy}: manifest.json: {fault}")


@pytest.mark.parametrize("text", ["{", '{"digest": "x", "publ', "[" * 100_000, "\udcff", '{"digest": ' + "9" * 5000])
def test_a_manifest_that_is_cut_is_told(text: str, copy: Path) -> None:
    (copy / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SourceError, match=r"copy: manifest\.json cannot be read \(.*\); get it again"):
        hf_builders.verify(copy)


def test_a_manifest_cut_anywhere_is_told(copy: Path) -> None:
    whole = (copy / "manifest.json").read_bytes()
    for length in range(1, len(whole) - 2, len(whole) // 40):
        (copy / "manifest.json").write_bytes(whole[:length])
        with pytest.raises(SourceError):
            hf_builders.verify(copy)


def test_a_file_that_is_a_link_out_of_the_folder_is_not_read(copy: Path, tmp_path: Path) -> None:
    shutil.move(copy / TRAIN, tmp_path / "elsewhere.parquet")
    (copy / TRAIN).symlink_to(tmp_path / "elsewhere.parquet")
    assert faults_of(copy) == [f"{TRAIN}: is a link that leads out of the folder"]


def test_a_snapshot_in_the_cache_of_the_hub_is_read_through_its_links(copy: Path, tmp_path: Path) -> None:
    cache = tmp_path / "datasets--you--rows"
    (cache / "blobs").mkdir(parents=True)
    snapshot = shutil.move(copy, cache / "snapshots" / "0123")
    for number, path in enumerate(sorted(path for path in Path(snapshot).rglob("*") if path.is_file())):
        shutil.move(path, cache / "blobs" / str(number))
        path.symlink_to(cache / "blobs" / str(number))
    assert hf_builders.verify(snapshot, tokenizer=TOKENIZER).passed


def test_a_card_that_leads_load_dataset_elsewhere_is_found(copy: Path) -> None:
    card = copy / "README.md"
    text = card.read_text(encoding="utf-8")
    card.write_text(text + "\nMore words.\n", encoding="utf-8")
    assert hf_builders.verify(copy, tokenizer=TOKENIZER).passed
    assert text.count("path: tokens/train-*.parquet") == 1
    card.write_text(text.replace("path: tokens/train-*.parquet", "path: evil/train-*.parquet"), encoding="utf-8")
    (fault,) = faults_of(copy)
    assert fault.startswith("README.md: load_dataset would read [('train', 'evil/train-*.parquet'), ('validation',")
    card.write_text("---\nlicense: [\n---\n", encoding="utf-8")
    assert faults_of(copy)[0].startswith("README.md: its header cannot be read (")
    card.write_text("# Rows\n", encoding="utf-8")
    assert faults_of(copy)[0].startswith("README.md: load_dataset would read None as 'messages'; published was")
    card.unlink()
    assert faults_of(copy) == ["README.md: is gone; it says which files load_dataset reads"]


def rewrite(copy: Path, config: str, change: Callable[[Dataset], Dataset]) -> None:
    """Change the rows of both splits, and the hashes with them."""
    for path in (copy / config).glob("*.parquet"):
        change(Dataset.from_parquet(str(path))).to_parquet(path)
    rename_hashes(copy)


RECORDS: dict[str, Callable[[Dataset], Dataset]] = {
    "no ids": lambda rows: rows.remove_columns("id"),
    "no messages": lambda rows: rows.remove_columns("messages"),
    "texts for messages": lambda rows: rows.remove_columns("messages").add_column("messages", [["x"]] * len(rows)),
    "no content": lambda rows: rows.map(lambda row: {"messages": [{"role": "assistant"}]}, remove_columns="messages"),
    "numbers": lambda rows: rows.remove_columns("id").add_column("id", list(range(len(rows)))),
}


@pytest.mark.parametrize("change", RECORDS)
def test_records_of_another_shape_are_a_fault_and_no_traceback(change: str, copy: Path) -> None:
    rewrite(copy, "messages", RECORDS[change])
    assert faults_of(copy)


@pytest.mark.parametrize("column", ["input_ids", "labels", "length", "id"])
def test_rows_of_other_types_than_ours_are_a_fault_and_no_traceback(column: str, copy: Path) -> None:
    def other_kind(rows: Dataset) -> Dataset:
        is_list = column in ("input_ids", "labels")
        values, kind = (
            (rows[column][:], LargeList(Value("int64"))) if is_list else ([b"x"] * len(rows), Value("binary"))
        )
        return rows.remove_columns(column).add_column(column, values, feature=kind)

    rewrite(copy, "tokens", other_kind)
    assert any(fault.startswith(f"train: the column {column} is ") for fault in faults_of(copy))
    rewrite(copy, "tokens", lambda rows: rows.remove_columns(column))
    assert any(fault.startswith(f"train: the column {column} is missing; expected ") for fault in faults_of(copy))


def test_splits_that_do_not_fit_each_other_are_told(copy: Path) -> None:
    Dataset.from_dict({"x": [1]}).to_parquet(copy / TRAIN)
    rename_hashes(copy)
    with pytest.raises(SourceError, match=r"copy: is no dataset that can be read \(CastError: "):
        hf_builders.verify(copy)


def test_ids_that_no_tokenizer_has_are_a_fault_and_no_traceback(copy: Path) -> None:
    rows = Dataset.from_parquet(str(copy / TRAIN))
    columns = rows.to_dict()
    columns["input_ids"][0][3] = -5
    Dataset.from_dict(columns, features=rows.features).to_parquet(copy / TRAIN)
    rename_hashes(copy)
    assert faults_of(copy) == ["train: has ids below 0"]


def test_another_tokenizer_is_told(copy: Path, folder: Path) -> None:
    other = str(VOCABULARY)
    for place in (copy, folder):
        with pytest.raises(
            SourceError, match=rf"{other} is not the tokenizer of the rows; manifest\.json has its digest"
        ):
            hf_builders.verify(place, tokenizer=other)
    change_manifest(folder, "tokenizer_digest", "0" * 32)
    found = hf_builders.verify(folder)
    assert found.passed
    (said,) = found.unproven
    assert said.startswith(f"who says what is trained: {TOKENIZER} is not, or no longer, that of the rows; name the")
    change_manifest(folder, "tokenize/tokenizer", "/no/such/folder")
    (said,) = hf_builders.verify(folder).unproven
    assert said.startswith("who says what is trained: /no/such/folder: no such folder; expected a model folder")


@pytest.mark.parametrize("name", ["/etc", "~/x", "../x", "./configs/demo_tokenizer", TOKENIZER, "a/b/c"])
def test_a_published_manifest_names_no_folder_to_read_a_tokenizer_from(name: str, copy: Path) -> None:
    change_manifest(copy, "tokenize/tokenizer", name)
    found = hf_builders.verify(copy)
    assert found.unproven == [NOT_HERE.replace("demo_tokenizer", name)]


def test_a_tokenizer_of_that_name_in_the_folder_we_are_in_is_taken(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(TOKENIZER, tmp_path / "here" / "demo_tokenizer")
    monkeypatch.chdir(tmp_path / "here")
    assert hf_builders.verify(copy).unproven == []


def test_raw_files_that_are_gone_or_changed_are_no_fault_and_told(raw: Path, tmp_path: Path) -> None:
    own = shutil.copytree(raw, tmp_path / "raw")
    folder = prepared(tmp_path / "out", own)
    path = own / "train.json"
    path.write_text(path.read_text(encoding="utf-8").replace("裙子", "裤子"), encoding="utf-8")
    found = hf_builders.verify(folder)
    assert found.passed
    (said,) = found.unproven
    assert said.startswith("that the answers are those of the records: ")
    assert "train.json changed since it was prepared" in said
    assert checked(found) == {"train": [12, 12, 12, 0, 0, 0], "validation": [4, 4, 4, 0, 0, 0]}
    shutil.rmtree(own)
    found = hf_builders.verify(folder)
    assert (found.passed, len(found.unproven)) == (True, 1)
    assert str(own) in found.unproven[0]


def test_a_prepared_folder_that_lies_on_the_hub_names_no_raw_files_here(
    clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "hf_builders.hub.HubRepository.download", lambda self, copy: (shutil.copytree(clean, copy), "0123")[1]
    )
    found = hf_builders.verify("you/rows")
    assert (found.passed, found.commit, found.place) == (True, "0123", "you/rows")
    assert found.unproven == [
        "that the answers are those of the records: a repository has no raw files; publish with `hf-builders push`"
    ]


# Sets of others.


@pytest.fixture
def rows(clean: Path) -> Dataset:
    return datasets.load_from_disk(clean / "data")["train"]


WRITERS: dict[str, Callable[[Dataset, Path], object]] = {
    "Parquet": lambda rows, folder: rows.to_parquet(folder / "train.parquet"),
    "Parquet in folders": lambda rows, folder: rows.to_parquet(folder / "data" / "train-00000-of-00001.parquet"),
    "JSON Lines": lambda rows, folder: rows.to_json(folder / "train.jsonl", force_ascii=False),
    "Arrow": lambda rows, folder: shutil.copy(rows.cache_files[0]["filename"], folder / "train.arrow"),
    "save_to_disk, one split": lambda rows, folder: rows.save_to_disk(folder / "saved"),
    "save_to_disk": lambda rows, folder: DatasetDict({"train": rows}).save_to_disk(folder / "saved"),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_set_of_others_is_read_and_its_labels_are_checked(kind: str, rows: Dataset, tmp_path: Path) -> None:
    place = tmp_path / "saved" if "save" in kind else tmp_path
    (tmp_path / "data").mkdir()
    WRITERS[kind](rows, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    found = hf_builders.verify(place, tokenizer=TOKENIZER)
    config = "saved" if "save" in kind else "default"
    assert (found.passed, found.digest, found.unproven) == (True, None, [NO_MANIFEST])
    assert found.configs == {config: {"train": 12}}
    assert checked(found) == {f"{config}/train": [12, 12, 12, 0, 0, 0]}
    assert hf_builders.verify(place).unproven == [
        "who says what is trained: name the tokenizer of the rows (--tokenizer)", NO_MANIFEST,
    ]  # fmt: skip
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", ["Parquet", "JSON Lines", "save_to_disk"])
def test_wrong_labels_of_others_are_found(
    kind: str, rows: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "saved" if "save" in kind else tmp_path
    WRITERS[kind](shift_labels(rows).remove_columns(["id", "length"]), tmp_path)
    assert main(["verify", str(place)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert sum("has the ids of the next tokens for labels" in line for line in out) == 10
    assert out[-1] == f"{place}: the check failed"


def test_our_packed_rows_pass_without_their_manifest(raw: Path, tmp_path: Path) -> None:
    copy = published_copy(prepared(tmp_path / "out", raw, pack=PackSection()), tmp_path / "copy")
    (copy / "manifest.json").unlink()
    found = hf_builders.verify(copy, tokenizer=TOKENIZER)
    assert (found.passed, found.unproven) == (True, [NO_MANIFEST])
    assert checked(found)["tokens/train"] == [12, 12, 12, 0, 0, 0]
    (copy / "manifest.json").write_text('{"name": "of another program"}', encoding="utf-8")
    assert hf_builders.verify(copy, tokenizer=TOKENIZER).passed


def test_a_prepared_folder_without_its_manifest_is_a_set_of_others(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    found = hf_builders.verify(folder, tokenizer=TOKENIZER)
    assert (found.passed, found.unproven) == (True, [NO_MANIFEST])
    assert found.configs == {"saved": {"train": 12, "validation": 4}}


def test_rows_of_others_are_checked_by_the_template_one_names(raw: Path, tmp_path: Path) -> None:
    folder = prepared(tmp_path / "out", raw, template="alpaca", max_length=400)
    (folder / "manifest.json").unlink()
    found = hf_builders.verify(folder, tokenizer=TOKENIZER, template="alpaca")
    assert (found.passed, found.unproven) == (True, [NO_MANIFEST])
    assert checked(found)["saved/train"] == [12, 12, 12, 0, 0, 0]
    other = hf_builders.verify(folder, tokenizer=TOKENIZER)
    assert checked(other)["saved/train"] != [12, 12, 12, 0, 0, 0]
    assert main(["verify", str(folder), "--tokenizer", TOKENIZER, "--template", "alpaca"]) == 0


def test_what_has_no_token_rows_beside_them_is_told(rows: Dataset, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: a\n  data_files: a.parquet\n- config_name: b\n  data_files: b.parquet\n---\n",
        encoding="utf-8",
    )
    rows.to_parquet(tmp_path / "a.parquet")
    Dataset.from_dict({"input_ids": [[1]], "labels": [0]}).to_parquet(tmp_path / "b.parquet")
    found = hf_builders.verify(tmp_path, tokenizer=TOKENIZER)
    assert found.passed
    assert found.unproven[0] == "what has no token rows: b/train: labels is int64, no list of whole numbers"
    (tmp_path / "a.parquet").unlink()
    (tmp_path / "README.md").unlink()
    with pytest.raises(
        SourceError, match=r"has no manifest\.json of ours, and no token rows \(default/train: labels is"
    ):
        hf_builders.verify(tmp_path)


def test_a_set_with_code_of_its_own_is_refused_and_nothing_of_it_runs(tmp_path: Path) -> None:
    folder, ran = tmp_path / "scripted", tmp_path / "ran"
    folder.mkdir()
    (folder / "scripted.py").write_text(f"open({str(ran)!r}, 'w')\n", encoding="utf-8")
    (folder / "train.jsonl").write_text('{"input_ids": [1, 2], "labels": [-100, 2]}\n', encoding="utf-8")
    with pytest.raises(SourceError, match="Dataset scripts are no longer supported"):
        hf_builders.verify(folder)
    assert not ran.exists()


class Ran:
    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(Path.cwd() / "ran"), "w")


@pytest.mark.parametrize("name", ["train.pkl", "train.pt", "train.npy", "train.csv", "train.txt"])
def test_files_of_other_kinds_are_not_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / name).write_bytes(pickle.dumps(Ran()))
    with pytest.raises(SourceError):
        hf_builders.verify(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("elsewhere", ["../elsewhere.parquet", "{tmp}/elsewhere.parquet", "link.parquet"])
def test_a_card_that_names_files_elsewhere_is_refused(elsewhere: str, rows: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    rows.to_parquet(tmp_path / "elsewhere.parquet")
    (folder / "link.parquet").symlink_to(tmp_path / "elsewhere.parquet")
    name = elsewhere.format(tmp=tmp_path)
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: a\n  data_files: {name}\n---\n", encoding="utf-8")
    with pytest.raises(SourceError):
        hf_builders.verify(folder)


@pytest.mark.parametrize("name", ["../elsewhere.arrow", "{tmp}/elsewhere.arrow", "link.arrow"])
def test_a_saved_set_that_names_files_elsewhere_is_refused(name: str, rows: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    rows.save_to_disk(folder)
    (path,) = folder.glob("*.arrow")
    shutil.move(path, tmp_path / "elsewhere.arrow")
    (folder / "link.arrow").symlink_to(tmp_path / "elsewhere.arrow")
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    state["_data_files"][0]["filename"] = name.format(tmp=tmp_path)
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    with pytest.raises(SourceError, match=r"which is not in the folder; "):
        hf_builders.verify(folder)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("dataset_dict.json", '{"splits": ["../set"]}'),
        ("dataset_dict.json", '{"splits": 3}'),
        ("dataset_dict.json", "[]"),
        ("train/state.json", '{"_data_files": [3]}'),
        ("train/state.json", "{"),
        ("train/dataset_info.json", "[]"),
    ],
)
def test_a_saved_set_that_is_damaged_is_told(file: str, text: str, rows: Dataset, tmp_path: Path) -> None:
    DatasetDict({"train": rows}).save_to_disk(tmp_path / "set")
    (tmp_path / "set" / file).write_text(text, encoding="utf-8")
    with pytest.raises(SourceError):
        hf_builders.verify(tmp_path / "set")


@pytest.mark.parametrize("kind", ["Parquet", "Arrow", "JSON Lines"])
def test_a_damaged_file_of_others_is_told(kind: str, rows: Dataset, tmp_path: Path) -> None:
    WRITERS[kind](rows, tmp_path)
    (path,) = tmp_path.glob("train.*")
    path.write_bytes(path.read_bytes()[:-40] + b"\xff" * 30)
    with pytest.raises(SourceError, match=r"is no dataset that can be read \("):
        hf_builders.verify(tmp_path)


def test_what_others_wrote_steers_no_terminal(
    rows: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["\x1b[2J"] * len(rows)
    shift_labels(rows).remove_columns("id").add_column("id", names).to_parquet(tmp_path / "train.parquet")
    assert main(["verify", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert out.count("default/train: '\\x1b[2J': has the ids of the next tokens") == 10
    assert "\x1b" not in out


def test_a_place_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"is no dataset that can be read \("):
        hf_builders.verify(tmp_path)
    (tmp_path / "run.yaml").write_text("", encoding="utf-8")
    with pytest.raises(OptionError, match=r"run\.yaml: is a file; name a folder, or a dataset on the Hub"):
        hf_builders.verify(tmp_path / "run.yaml")
    with pytest.raises(OptionError, match="'no such folder' is no name of a dataset"):
        hf_builders.verify("no such folder")


def test_a_folder_called_like_one_of_our_datasets_is_the_folder(
    rows: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hf_builders" / "adgen"
    folder.mkdir(parents=True)
    rows.to_parquet(folder / "train.parquet")
    monkeypatch.chdir(tmp_path)
    assert hf_builders.verify("hf_builders/adgen").configs == {"default": {"train": 12}}


def test_the_command_prints_what_is_proven_and_what_is_not(
    copy: Path, clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = manifest_of(clean)["digest"]
    capsys.readouterr()
    assert main(["verify", str(copy), "--tokenizer", TOKENIZER]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "config    split       rows",
        "tokens    train         12",
        "tokens    validation     4",
        "messages  train         12",
        "messages  validation     4",
        f"digest  {digest}",
        "split       rows  trained spans  ends trained  no end  straddling  cut  failed",
        "train         12             12            12       0           0    0       0",
        "validation     4              4             4       0           0    0       0",
        f"{copy}: no fault found",
    ]
    assert main(["verify", str(copy)]) == 0
    assert f"not proven: {NOT_HERE}" in capsys.readouterr().out.splitlines()
    flip(copy / TRAIN)
    assert main(["verify", str(copy)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[-2].startswith(f"{TRAIN}: has the SHA-256 ")
    assert out[-1] == f"{copy}: the check failed"
    assert main(["verify", str(tmp_path / "nothing here")]) == 1
