"""What is written to be published: equal rows, equal bytes each time, every file named, nothing of this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="prepare tokenizes")

import datasets
import pyarrow.parquet as pq

import hf_builders
from hf_builders.dataset_facts import dataset_facts
from hf_builders.errors import OptionError, SourceError
from hf_builders.prepared_folder import read_manifest
from hf_builders.publication import check_views, write_publication
from hf_builders.publishable_manifest import tokenizer_name, without_paths
from hf_builders.published_files import file_faults, read_configs
from hf_builders.run_config import CleanSection
from hf_builders.sources import file_sha256
from tests.hf_builders.publication_runs import TOKENIZER, Public, adgen_rows, prepared, published, rows_of, write_lines

SECRET = "unmistakable"


def configs_of(public: Public, cache: Path) -> dict[str, datasets.DatasetDict]:
    return read_configs(public.folder, public.manifest, cache)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("adgen", {}),
        ("adgen", {"pack": True}),
        ("cmrc2018", {"view": "mrc"}),
        ("pubmed", {"view": "text", "overflow": "truncate", "pack": True}),
        ("conversations", {"max_length": 2048}),
    ],
)
def test_the_token_rows_are_those_of_the_prepared_folder(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    place = prepared(tmp_path / "out", name, **options)
    public = published(place)
    saved = datasets.load_from_disk(place / "data")
    rows = configs_of(public, tmp_path / "cache")["tokens"]
    assert rows_of(rows) == rows_of(saved)
    assert all(rows[split].features == saved[split].features for split in saved)
    assert public.manifest["published"]["configs"]["tokens"]["splits"] == dict(saved.num_rows)
    assert public.manifest["digest"] == read_manifest(place)["digest"]


@pytest.mark.parametrize(
    ("name", "own", "views"),
    [
        ("adgen", "messages", ["source", "messages", "conversations", "instruction"]),
        ("cmrc2018", "mrc", ["mrc", "source", "messages"]),
        ("conversations", "messages", ["conversations", "messages"]),
        ("instructions", "messages", ["source", "instruction"]),
        ("pubmed", "messages", ["source", "text"]),
    ],
)
def test_a_view_is_what_load_dataset_gives(tmp_path: Path, name: str, own: str, views: list[str]) -> None:
    public = published(prepared(tmp_path / "out", name, view=own, max_length=2048), views)
    configs = configs_of(public, tmp_path / "cache")
    assert list(configs) == ["tokens", *views]
    for view in views:
        loaded = hf_builders.load_dataset(name, view, sample=True)
        assert rows_of(configs[view]) == rows_of(loaded)
        assert all(configs[view][split].features == loaded[split].features for split in loaded)
        assert sum(map(len, loaded.values())) > 50


def test_columns_of_every_kind_come_back(tmp_path: Path) -> None:
    rows = [
        {"prompt": "问", "response": "答", "nothing": None, "deep": {"a": [[1.5, 2], []], "b": {"c": True}}, "any": 1},
        {"prompt": "再问", "response": "再答", "nothing": None, "deep": {"a": [], "b": None}, "any": "大" * 999_999},
    ]
    path = write_lines(tmp_path / "raw" / "train.jsonl", rows)
    options = {"columns": {"instruction": "prompt", "output": "response"}}
    place = prepared(tmp_path / "out", "instructions", data_files=str(path), options=options)
    found = configs_of(published(place, ["source"]), tmp_path / "cache")["source"]
    loaded = hf_builders.load_dataset("instructions", "source", data_files=str(path), **options)
    assert found["train"].features == loaded["train"].features
    assert rows_of(found) == rows_of(loaded)
    assert found["train"].column_names == [*rows[0]]


def test_views_alone_have_no_token_rows(tmp_path: Path) -> None:
    public = published(prepared(tmp_path / "out"), ["messages"], tokens=False)
    assert list(public.manifest["published"]["configs"]) == ["messages"]
    assert not (public.folder / "tokens").exists()
    assert "## Train" not in public.card
    assert "as token rows" not in public.card


def test_the_manifest_names_every_file_but_itself_and_the_card(tmp_path: Path) -> None:
    public = published(prepared(tmp_path / "out"), ["messages"], with_quarantine=True)
    there = {path.relative_to(public.folder).as_posix() for path in public.folder.rglob("*") if path.is_file()}
    assert there - set(public.manifest["files"]) == {"README.md", "manifest.json"}
    assert file_faults(public.folder, public.manifest) == []
    for name, facts in public.manifest["files"].items():
        path = public.folder / name
        assert facts == {"num_bytes": path.stat().st_size, "sha256": file_sha256(path)}


@pytest.mark.parametrize("bytes_of_shard", [9_000, 1])
def test_shards_hold_all_rows_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_of_shard: int) -> None:
    monkeypatch.setattr("hf_builders.publication._SHARD_BYTES", bytes_of_shard)
    raw = write_lines(tmp_path / "raw" / "train.json", adgen_rows(90)).parent
    place = prepared(tmp_path / "out", data_dir=str(raw))
    public = published(place)
    names = sorted(path.name for path in (public.folder / "tokens").iterdir())
    num_shards = len(names)
    assert num_shards == 90 if bytes_of_shard == 1 else 1 < num_shards < 20
    assert names == [f"train-{place:05d}-of-{num_shards:05d}.parquet" for place in range(num_shards)]
    for rows in (
        configs_of(public, tmp_path / "cache")["tokens"],
        datasets.load_dataset(str(public.folder), "tokens"),
    ):
        assert rows_of(rows) == rows_of(datasets.load_from_disk(place / "data"))


def test_splits_with_dots_in_their_names_are_kept_apart(tmp_path: Path) -> None:
    files = {
        split: str(write_lines(tmp_path / f"{number}.json", adgen_rows(number)))
        for split, number in (("Train", 3), ("Train.Zh", 4), ("Train.Zh_2", 5))
    }
    public = published(prepared(tmp_path / "out", data_files=files), ["source"])
    for config in ("tokens", "source"):
        rows = datasets.load_dataset(str(public.folder), config)
        assert dict(rows.num_rows) == {"Train": 3, "Train.Zh": 4, "Train.Zh_2": 5}


def test_two_processes_write_the_same_bytes(tmp_path: Path, run_python: Callable[..., str]) -> None:
    place = prepared(tmp_path / "out", "cmrc2018")
    hashes = [
        run_python(
            "import json\n"
            "from pathlib import Path\n"
            "from tests.hf_builders.publication_runs import published\n"
            "from hf_builders.sources import file_sha256\n"
            f"folder = published(Path({str(place)!r}), ['messages', 'mrc', 'source'], with_quarantine=True).folder\n"
            f"target = folder.rename(folder.with_name('public_{seed}'))\n"
            "files = sorted(path for path in target.rglob('*') if path.is_file())\n"
            "print(json.dumps([(str(path.relative_to(target)), file_sha256(path)) for path in files]))",
            PYTHONHASHSEED=seed,
        )
        for seed in ("1", "2")
    ]
    assert hashes[0] == hashes[1]
    assert len(json.loads(hashes[0])) == 3 + 4 * 3  # three splits


def given(kind: str, raw: Path) -> dict[str, Any]:
    """What a run is told of two files, in one of the ways there are."""
    return {
        "folder": {"data_dir": str(raw)},
        "relative folder": {"data_dir": f"{raw.parent.name}/{raw.name}"},
        "file": {"data_files": str(raw / "train.json")},
        "pattern": {"data_files": str(raw / "*.json")},
        "relative pattern": {"data_files": f"{raw.parent.name}/{raw.name}/*.json"},
        "list": {"data_files": [str(raw / "train.json"), str(raw / "dev.json")]},
        "splits": {"data_files": {"train": [str(raw / "train.json")], "validation": str(raw / "dev.json")}},
        "names in a folder": {"data_dir": str(raw), "data_files": ["train.json", "dev.json"]},
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["folder", "relative folder", "file", "pattern", "relative pattern", "list", "splits", "names in a folder"],
)
def test_nothing_says_where_the_data_lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    home = tmp_path / f"home_{SECRET}"
    raw = home / f"raw_{SECRET}"
    bad = ['{"content": "类型#裙"}', {"content": "类型#裤", "summary": "长" * 400}]
    write_lines(raw / "train.json", [*adgen_rows(9), *bad])
    write_lines(raw / "dev.json", adgen_rows(4))
    shutil.copytree(TOKENIZER, home / f"models_{SECRET}" / "glm")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    place = prepared(
        tmp_path / "out",
        tokenizer=f"home_{SECRET}/models_{SECRET}/glm" if "relative" in kind else str(home / f"models_{SECRET}/glm"),
        overflow="drop",
        on_bad_row="quarantine",
        **given(kind, raw),
    )
    assert SECRET in (place / "manifest.json").read_text(encoding="utf-8")
    public = published(place, ["source", "messages", "instruction"], with_quarantine=True)
    files = [path for path in public.folder.rglob("*") if path.is_file()]
    assert len(files) >= 9
    for path in files:
        content = path.read_bytes()
        for told in (SECRET, str(tmp_path)):
            assert told.encode() not in content, path
    assert public.manifest["tokenize"]["tokenizer"] == "glm"


def test_files_of_the_same_name_are_not_told_apart_by_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "homes" / SECRET
    monkeypatch.setenv("HOME", str(home))
    files = [
        str(write_lines(folder / "train.json", adgen_rows(3)))
        for folder in (home / "first", tmp_path / "mount" / "second")
    ]
    public = published(prepared(tmp_path / "out", data_files=files), ["source"])
    assert [source["name"] for source in public.manifest["sources"]] == ["first/train.json", "second/train.json"]
    assert not [path for path in public.folder.rglob("*.*") if SECRET.encode() in path.read_bytes()]


def test_very_many_files_do_not_name_their_folder(tmp_path: Path) -> None:
    chat = {"messages": [{"role": "user", "content": "在吗"}, {"role": "assistant", "content": "在的"}]}
    for number in range(101):
        write_lines(tmp_path / SECRET / f"{number}.jsonl", [chat])
    place = prepared(tmp_path / "out", "conversations", data_dir=str(tmp_path / SECRET))
    assert read_manifest(place)["sources"][0]["name"] == f"{SECRET}: 101 files"
    public = published(place, ["messages"])
    assert [source["name"] for source in public.manifest["sources"]] == ["101 files"]
    assert not [path for path in public.folder.rglob("*.*") if SECRET.encode() in path.read_bytes()]


def facts_of(**dataset: Any) -> dict[str, Any]:
    given = {"name": "adgen", "data_dir": None, "data_files": None, "download": False, "options": {}, **dataset}
    return {"dataset": given, "sources": [], "tokenize": {}, "spans": {}, "clean": {}}


def test_a_mirror_is_not_named_with_or_without_a_login() -> None:
    address = "https://user:pass@mirror.example/adgen"
    assert without_paths(facts_of(download=address))["dataset"]["download"] is True
    assert without_paths(facts_of())["dataset"] == facts_of()["dataset"] | {"data_dir": False}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://user:pass@mirror.example/a/b.json?token=x", "b.json"),
        ("https://user:pass@mirror.example", ""),
        ("see https://user:pass@mirror.example/b for more", "see https://mirror.example/b for more"),
        ("/data/somebody/list.txt", "list.txt"),
        ("~/list.txt", "list.txt"),
        ("../somebody/list.txt", "list.txt"),
        ("C:\\Users\\somebody\\list.txt", "list.txt"),
        ("c:/Users/somebody/list.txt", "list.txt"),
        ("\\\\server\\somebody\\list.txt", "list.txt"),
        ("/", ""),
        ("请回答：\n{question}", "请回答：\n{question}"),
        ("内科/外科", "内科/外科"),
        (r"\d+ 岁", r"\d+ 岁"),
        ("x" * 5_000, "x" * 5_000),
        ("a\0b", "a\0b"),
        (["/data/somebody/a", {"b": "/data/somebody/c"}, 3, None], ["a", {"b": "c"}, 3, None]),
    ],
)
def test_options_say_what_they_said_but_for_paths_and_logins(value: object, shown: object) -> None:
    assert without_paths(facts_of(options={"option": value}))["dataset"]["options"] == {"option": shown}


def test_a_text_that_mentions_the_home_folder_does_not_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    found = without_paths(facts_of(options={"note": "as in /home/somebody/notes"}))
    assert found["dataset"]["options"] == {"note": "as in ~/notes"}
    monkeypatch.setenv("HOME", "/")
    assert without_paths(facts_of(options={"a": "b/c d"}))["dataset"]["options"] == {"a": "b/c d"}


@pytest.mark.parametrize(
    ("tokenizer", "shown"),
    [
        ("Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B"),
        ("gpt2", "gpt2"),
        ("/models/somebody/chatglm3-6b", "chatglm3-6b"),
        ("models/somebody/chatglm3-6b/", "chatglm3-6b"),
        ("~/chatglm3-6b", "chatglm3-6b"),
        ("C:\\models\\chatglm3-6b", "chatglm3-6b"),
        ("/home/somebody/.cache/huggingface/hub/models--Qwen--Qwen2.5-7B/snapshots/d149729398", "Qwen/Qwen2.5-7B"),
        ("..", "tokenizer"),
    ],
)
def test_a_tokenizer_goes_by_its_name_at_the_hub_or_that_of_its_folder(tokenizer: str, shown: str) -> None:
    assert tokenizer_name(tokenizer) == shown


def test_a_tokenizer_folder_that_looks_like_a_name_at_the_hub_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "somebody" / "glm").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert tokenizer_name("somebody/glm") == "glm"


def test_a_tokenizer_folder_is_known_from_where_the_run_was_prepared(tmp_path: Path) -> None:
    (tmp_path / "somebody" / "glm").mkdir(parents=True)
    assert tokenizer_name("somebody/glm", tmp_path / "out" / "run") == "glm"
    assert tokenizer_name("somebody/other", tmp_path / "out" / "run") == "somebody/other"


def test_a_few_rows_of_many_are_one_shard_and_a_split_without_rows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = prepared(tmp_path / "out")
    rows = datasets.load_from_disk(place / "data")
    monkeypatch.setattr("hf_builders.publication._SHARD_BYTES", rows["train"].data.nbytes // 10)
    few = datasets.DatasetDict({"train": rows["train"].select([7, 3])})
    (tmp_path / "public").mkdir()
    manifest = read_manifest(place)
    publication = write_publication(tmp_path / "public", place, manifest, dataset_facts("adgen"), few, [])
    names = [path.name for path in publication.paths if path.suffix == ".parquet"]
    assert names == ["train-00000-of-00001.parquet"]
    read = read_configs(tmp_path / "public", publication.manifest, tmp_path / "cache")["tokens"]
    assert read["train"]["id"][:] == few["train"]["id"][:] != rows["train"]["id"][:2]
    none = datasets.DatasetDict({**few, "test": rows["train"].select([])})
    with pytest.raises(SourceError, match="tokens: test has no rows, and nobody could load it; leave tokens out"):
        write_publication(tmp_path / "public", place, manifest, dataset_facts("adgen"), none, [])


def test_parquet_files_say_nothing_but_their_columns(tmp_path: Path) -> None:
    public = published(prepared(tmp_path / "out"), ["source"])
    paths = list(public.folder.rglob("*.parquet"))
    assert len(paths) == 4
    for path in paths:
        told = pq.ParquetFile(path).metadata.metadata
        assert set(told) <= {b"huggingface", b"ARROW:schema", b"content_defined_chunking"}
        assert set(json.loads(told[b"huggingface"])) == {"info"}
        assert set(json.loads(told[b"huggingface"])["info"]) == {"features"}


def bad_rows(folder: Path) -> Path:
    """Nine good rows, one that lacks a field, one too long for 256 tokens; what is not kept has a secret in it."""
    rows = [*adgen_rows(9), '{"content": "秘密一"}', {"content": "类型#裤", "summary": "秘密二" * 200}]
    return write_lines(folder / "train.json", rows).parent


@pytest.mark.parametrize("asked", [False, True])
def test_rows_that_were_set_aside_are_counted_and_their_text_goes_along_only_if_asked_for(
    tmp_path: Path, asked: bool
) -> None:
    raw = bad_rows(tmp_path / "raw")
    place = prepared(tmp_path / "out", overflow="drop", data_dir=str(raw), on_bad_row="quarantine")
    public = published(place, with_quarantine=asked)
    counts = json.loads((public.folder / "quarantine.json").read_text(encoding="utf-8"))
    assert counts == {
        "train": {
            "rows_read": 11,
            "rows_kept": 9,
            "left_out": {},
            "quarantined": {"missing_field": 1},
            "set_aside": {"too_long": 1},
        }
    }
    names = {name for name in public.manifest["files"] if name.startswith("quarantine/")}
    assert names == ({"quarantine/train-00000.jsonl", "quarantine/train-records.jsonl"} if asked else set())
    files = [path for path in public.folder.rglob("*") if path.is_file()]
    with_text = [path.name for path in files if "秘密" in path.read_bytes().decode("utf-8", "replace")]
    assert with_text == (["train-00000.jsonl"] if asked else [])


def test_views_are_cleaned_as_the_run_cleans_and_the_source_stays_as_it_is(tmp_path: Path) -> None:
    rows = [*adgen_rows(3), {"content": "类型#鞋", "summary": "好  鞋，ＡＢＣ"}]
    raw = write_lines(tmp_path / "raw" / "train.json", rows).parent
    clean = CleanSection(steps=["whitespace", {"unicode": {"form": "full_width"}}])
    public = published(
        prepared(tmp_path / "out", clean=clean, data_dir=str(raw)), ["messages", "instruction", "source"]
    )
    configs = configs_of(public, tmp_path / "cache")
    assert configs["messages"]["train"][3]["messages"][1]["content"] == "好 鞋，ABC"
    assert configs["instruction"]["train"][3]["output"] == "好 鞋，ABC"
    assert configs["source"]["train"][3]["summary"] == "好  鞋，ＡＢＣ"


def test_texts_with_offsets_into_them_are_not_cleaned(tmp_path: Path) -> None:
    clean = CleanSection(steps=["whitespace", {"unicode": {"form": "full_width"}}])
    public = published(prepared(tmp_path / "out", "cmrc2018", clean=clean), ["mrc"])
    loaded = hf_builders.load_dataset("cmrc2018", "mrc", sample=True)
    assert rows_of(configs_of(public, tmp_path / "cache")["mrc"]) == rows_of(loaded)


def test_of_a_table_that_a_template_makes_texts_of_its_own_view_is_these_texts(tmp_path: Path) -> None:
    path = tmp_path / "raw" / "visits.csv"
    path.parent.mkdir()
    path.write_text("question,reply\n在  吗,在的\n好吗,好  的\n", encoding="utf-8")
    options = {"columns": {"instruction": "question", "output": "reply"}}
    clean = CleanSection(steps=["whitespace"], template="问：{question}\n答：{reply}")
    place = prepared(
        tmp_path / "out", "instructions", view="source", clean=clean, data_files=str(path), options=options
    )
    public = published(place, ["source", "messages"])
    configs = configs_of(public, tmp_path / "cache")
    assert configs["source"]["train"]["text"] == ["问：在 吗\n答：在的", "问：好吗\n答：好 的"]
    assert [message["content"] for message in configs["messages"]["train"][1]["messages"]] == ["好吗", "好 的"]
    assert "| `source` | a plain text | `id`, `text` |" in public.card


def test_a_view_that_the_dataset_has_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError) as error:
        check_views("adgen", ["messages", "mesages"])
    known = "source, messages, conversations, instruction"
    assert str(error.value) == f"no view 'mesages' of adgen; did you mean 'messages'?; there are {known}"
    with pytest.raises(OptionError, match="no view 'tokens' of adgen"):
        published(prepared(tmp_path / "out"), ["tokens"])


def test_views_of_raw_files_that_changed_are_refused_and_token_rows_are_not(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "raw" / "train.json", adgen_rows(5)).parent
    place = prepared(tmp_path / "out", data_dir=str(raw))
    write_lines(raw / "train.json", adgen_rows(6))
    with pytest.raises(SourceError) as error:
        published(place, ["messages"])
    assert str(error.value) == (
        f"{place}: train.json changed since it was prepared, so rows cannot be compared with their records; "
        "run `hf-builders prepare` again"
    )
    shutil.rmtree(place.with_name("out_public"))
    assert published(place).manifest["published"]["configs"] == {"tokens": {"splits": {"train": 5}}}


@pytest.mark.parametrize(
    ("licence", "sample", "expected"),
    [(None, True, "apache-2.0"), (None, False, "not stated"), ("cc-by-4.0", False, "cc-by-4.0")],
)
def test_the_manifest_has_the_licence_of_ones_own_files(
    tmp_path: Path, licence: str | None, sample: bool, expected: str
) -> None:
    chat = {"messages": [{"role": "user", "content": "在吗"}, {"role": "assistant", "content": "在的"}]}
    own = {} if sample else {"data_files": str(write_lines(tmp_path / "chats.jsonl", [chat]))}
    public = published(prepared(tmp_path / "out", "conversations", max_length=2048, **own), licence=licence)
    assert public.manifest["published"]["licence"] == expected
