"""The card strangers see: the Hub takes it, `datasets` loads by it, its numbers are the manifest's, its code runs."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="prepare tokenizes")

import datasets
import yaml
from datasets.exceptions import NonMatchingSplitsSizesError
from huggingface_hub import DatasetCard

import hf_builders
from hf_builders.dataset_card_header import check_licence
from hf_builders.errors import OptionError
from hf_builders.markdown import code, table
from hf_builders.published_files import read_configs
from hf_builders.run_config import CleanSection
from tests.hf_builders.publication_runs import (
    REPO_ID,
    TOKENIZER,
    Public,
    adgen_rows,
    prepared,
    published,
    rows_of,
    write_lines,
)
from tests.hf_builders.span_runs import VOCABULARY

TASKS = {"question-answering", "text-generation", "table-to-text", "summarization", "text-classification"}
"""Those of https://huggingface.co/tasks that our cards name."""
CHAT = {"messages": [{"role": "user", "content": "在吗"}, {"role": "assistant", "content": "在的，请说"}]}

Tables = dict[str, list[list[dict[str, str]]]]


def tables_of(card: str) -> Tables:
    """By heading, its tables: a dict for each line, of what the cells show."""
    found: Tables = {}
    for title, text in re.findall(r"^##+ (.+)\n((?:(?!##).*\n?)*)", card, re.MULTILINE):
        for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            head, _, *lines = ([shown(cell) for cell in line.split("|")[1:-1]] for line in block.splitlines())
            found.setdefault(title, []).append([dict(zip(head, line, strict=True)) for line in lines])
    return found


def shown(cell: str) -> str:
    """What a reader sees of a cell."""
    return html.unescape(re.sub(r"</?code>|`", "", cell)).strip()


def numbers(row: dict[str, str], *names: str) -> list[int]:
    return [int(row[name].replace(",", "")) for name in names]


def header_of(card: str) -> dict[str, Any]:
    header: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return header


def check_header(public: Public) -> None:
    """What the Hub's validator asks for, as far as it is documented."""
    header = header_of(public.card)
    assert DatasetCard(public.card).data.to_dict() == header
    assert str(DatasetCard(public.card)) == public.card
    if header["license"] == "other":
        assert re.fullmatch(r"[a-z0-9-.]+", header["license_name"])
        assert header["license_link"].startswith("https://")
    else:
        check_licence(header["license"])
        assert "license_name" not in header
    assert all(re.fullmatch(r"[a-z]{2,3}", language) for language in header.get("language", []))
    assert set(header["task_categories"]) <= TASKS
    (size,) = header["size_categories"]
    assert size in ("n<1K", "1K<n<10K", "10K<n<100K")
    assert all(re.fullmatch(r"[\w-]+", tag) for tag in header["tags"])
    names = [config["config_name"] for config in header["configs"]]
    assert len(names) == len(set(names)) == len(public.manifest["published"]["configs"])
    assert [config["config_name"] for config in header["configs"] if config.get("default")] == [
        next(iter(public.manifest["published"]["configs"]))
    ]
    for config in header["configs"]:
        for files in config["data_files"]:
            assert list(public.folder.glob(files["path"]))


def check_rows(public: Public, cache: Path) -> None:
    """`load_dataset` of the folder, by its card, gives the rows of the files and the columns that were published."""
    infos = header_of(public.card)["dataset_info"]
    by_name = {info["config_name"]: info for info in (infos if isinstance(infos, list) else [infos])}
    for config, splits in read_configs(public.folder, public.manifest, cache).items():
        loaded = datasets.load_dataset(str(public.folder), config)
        assert rows_of(loaded) == rows_of(splits)
        assert all(loaded[split].features == splits[split].features for split in splits)
        said = {split["name"]: split["num_examples"] for split in by_name[config]["splits"]}
        assert said == dict(loaded.num_rows) == public.manifest["published"]["configs"][config]["splits"]


def check_facts(public: Public) -> None:
    """The tables say what the manifest says."""
    tables, manifest = tables_of(public.card), public.manifest
    accounts, *reasons = tables["Where every raw row went"]
    assert [row["split"] for row in accounts] == list(manifest["splits"])
    for row, summary in zip(accounts, manifest["splits"].values(), strict=True):
        read, *went = numbers(row, "read", "kept", "left out", "bad", "set aside")
        assert read == sum(went)
        lost = [sum(summary[kind].values()) for kind in ("left_out", "quarantined", "set_aside")]
        assert [read, *went] == [summary["rows_read"], summary["rows_kept"], *lost]
    listed = [row for each in reasons[:1] for row in each if "rows" in row]
    kinds = {"left out": "left_out", "bad": "quarantined", "set aside": "set_aside", "kept, with a note": "noted"}
    expected = {
        (split, words, reason): count
        for split, summary in manifest["splits"].items()
        for words, kind in kinds.items()
        for reason, count in summary[kind].items()
        if count
    }
    said = {(row["split"], row["rows were"], row["reason"]): numbers(row, "rows")[0] for row in listed}
    assert {key: count for key, count in said.items() if key[1] in kinds} == expected
    sources = [(row["file"], *numbers(row, "bytes"), row["SHA-256"]) for row in tables["Raw files"][0]]
    assert sources == [
        (each["name"] + (" (its archive)" if each["member"] else ""), each["num_bytes"], each["sha256"])
        for each in manifest["sources"]
    ]
    configs = {row["config"]: row["rows"] for row in tables["Load"][0]}
    assert configs == {
        name: ", ".join(f"{split} {rows:,}" for split, rows in described["splits"].items())
        for name, described in manifest["published"]["configs"].items()
    }
    if "tokens" in configs:
        check_token_facts(tables, manifest)


def check_token_facts(tables: Tables, manifest: dict[str, Any]) -> None:
    title = next(title for title in ("Windows", "Packed rows", "Token rows") if title in tables)
    assert (title == "Windows", title == "Packed rows") == (bool(manifest["spans"]), bool(manifest["pack"]))
    rules, tokens = tables[title]
    said = {row["rule"]: row["value"] for row in rules}
    assert said["digest of ids and labels"] == manifest["digest"]
    assert said["digest of the tokenizer"] == manifest["tokenizer_digest"]
    options = manifest["tokenize"] or manifest["spans"]
    for name in ("max_length", "tokenizer"):
        assert said[name] == str(options[name])
    for row, summary in zip(tokens, manifest["splits"].values(), strict=True):
        names = ("tokens", "windows", "with an answer") if manifest["spans"] else ("tokens", "trained")
        keys = ("tokens", "windows", "windows_answered") if manifest["spans"] else ("tokens", "trained_tokens")
        assert numbers(row, *names) == [summary[key] for key in keys]
    kinds = {"record, before max_length": "uncut", "row": "total"}
    lengths, *batches = tables["Lengths"]
    assert {row["split"] for row in lengths} == set(manifest["splits"])
    for row in lengths:
        expected = manifest["statistics"][row["split"]]["lengths"][kinds.get(row["of a"], row["of a"])]
        assert numbers(row, "rows")[0] == expected["rows"]
        found = numbers(row, "shortest", "median", "95 %", "99 %", "longest")
        assert found == [expected["percentiles"][name] for name in ("min", "50", "95", "99", "max")]
    for row in [row for each in batches for row in each]:
        statistics = manifest["statistics"][row["split"]]
        whole = row["max_length that keeps 99.5 % whole"]
        assert whole == f"{statistics['recommended_max_length']:,}"
        assert row["padding in batches of 8"] == f"{statistics['padding']['8']:.1%}"
        assert numbers(row, "packed rows", "of tokens") == [
            statistics["packing"][name] for name in ("rows", "max_length")
        ]
    for row in tables["Repeated rows"][0]:
        statistics = manifest["statistics"][row["split"]]
        assert numbers(row, "repeated rows") == [statistics["repeated"]["row"]["rows"]]
        shared = statistics["in_train"].get("row")
        assert row["rows also in train"] == ("–" if shared is None else f"{shared:,}")


@pytest.mark.parametrize("name", hf_builders.list_datasets())
def test_the_card_of_every_dataset_is_valid_and_true(tmp_path: Path, name: str) -> None:
    place = prepared(tmp_path / "out", name, overflow="truncate", max_length=2048, on_bad_row="quarantine")
    public = published(place, ["messages"])
    check_header(public)
    check_rows(public, tmp_path / "cache")
    check_facts(public)


@pytest.mark.parametrize(
    ("name", "options", "views"),
    [
        ("adgen", {"pack": True}, ["messages", "source", "conversations", "instruction"]),
        ("adgen", {"clean": CleanSection(steps=["whitespace", {"length": {"min_chars": 60}}])}, ["source"]),
        ("adgen", {"overflow": "truncate", "max_length": 64}, []),
        ("cmrc2018", {"view": "mrc"}, ["mrc"]),
        ("cmrc2018", {"view": "mrc"}, []),
        ("les_mrc", {"view": "mrc"}, ["messages"]),
        ("pubmed", {"view": "text", "overflow": "truncate"}, ["text"]),
        ("medlineplus", {"view": "text", "overflow": "truncate", "pack": True}, []),
        ("instructions", {"max_length": 2048}, ["source", "instruction"]),
    ],
)
def test_so_is_that_of_runs_of_every_kind(tmp_path: Path, name: str, options: dict[str, Any], views: list[str]) -> None:
    public = published(prepared(tmp_path / "out", name, **options), views)
    check_header(public)
    check_rows(public, tmp_path / "cache")
    check_facts(public)


def test_views_alone_have_a_card_of_their_own(tmp_path: Path) -> None:
    public = published(prepared(tmp_path / "out"), ["messages", "source"], tokens=False)
    check_header(public)
    check_rows(public, tmp_path / "cache")
    check_facts(public)
    assert "tokenized" not in header_of(public.card)["tags"]
    for word in ("Trainer", "## Token rows", "digest", "token rows\n"):
        assert word not in public.card


@pytest.mark.parametrize(
    ("old", "new"), [("num_examples: 9", "num_examples: 8"), ("num_examples: 9", "num_examples: 10")]
)
def test_a_number_of_rows_that_is_not_the_one_of_the_files_is_noticed_by_who_loads_them(
    tmp_path: Path, old: str, new: str
) -> None:
    raw = write_lines(tmp_path / "raw" / "train.json", adgen_rows(9)).parent
    public = published(prepared(tmp_path / "out", data_dir=str(raw)))
    assert datasets.load_dataset(str(public.folder), "tokens").num_rows == {"train": 9}
    assert public.card.count(old) == 1
    (public.folder / "README.md").write_text(public.card.replace(old, new), encoding="utf-8")
    with pytest.raises(NonMatchingSplitsSizesError):
        datasets.load_dataset(str(public.folder), "tokens")


def test_rows_that_were_not_kept_are_counted_by_reason_and_not_shown(tmp_path: Path) -> None:
    rows = [*adgen_rows(9), *['{"content": "秘密一"}'] * 2, {"content": "类型#裤", "summary": "秘密二" * 200}]
    raw = write_lines(tmp_path / "raw" / "train.json", rows).parent
    place = prepared(tmp_path / "out", overflow="drop", data_dir=str(raw), on_bad_row="quarantine")
    public = published(place, ["source"], with_quarantine=True)
    check_facts(public)
    assert "| `train` | 12 | 9 | 0 | 2 | 1 |" in public.card
    assert "| `train` | bad | `missing_field` | 2 |" in public.card
    assert "| `train` | set aside | `too_long` | 1 |" in public.card
    assert "秘密" not in public.card
    assert "and `quarantine/` the rows themselves, each with its reason." in public.card
    other = published(prepared(tmp_path / "other"))
    assert "has the numbers of what was not kept.\n" in other.card


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts_in(each)


@pytest.mark.parametrize("name", ["adgen", "cmrc2018", "chinese_medical_dialogue", "webqa", "conversations"])
def test_no_text_of_a_row_is_in_the_card(tmp_path: Path, name: str) -> None:
    public = published(
        prepared(tmp_path / "out", name, max_length=2048), ["source" if name != "conversations" else "messages"]
    )
    rows = hf_builders.load_dataset(name, "messages", sample=True)
    texts = {text for split in rows.values() for row in split for text in texts_in(row["messages"]) if len(text) > 12}
    assert len(texts) > 50
    assert not [text for text in texts if text in public.card]


def test_what_the_dataset_s_own_page_knows_of_the_source_is_there_and_of_the_sample_only_with_the_sample(
    tmp_path: Path,
) -> None:
    sample = published(prepared(tmp_path / "sample", "cmrc2018"))
    assert "**These rows are invented.**" in sample.card
    assert "全部为虚构样例" in sample.card
    assert "### In the sample" in sample.card
    assert header_of(sample.card)["pretty_name"] == "CMRC 2018 (invented sample)"
    folder = Path(hf_builders.__file__).parent / "cmrc2018" / "sample"
    other = published(prepared(tmp_path / "other", "cmrc2018", data_dir=str(folder)))
    for words in ("invented", "In the sample", "虚构"):
        assert words not in other.card
    assert "## Known defects of the source\n\nCounted in the publisher's" in other.card
    assert "@inproceedings{cui-etal-2019-span" in other.card
    assert "cc-by-sa-4.0: the licence of the source." in other.card
    assert header_of(other.card)["pretty_name"] == "CMRC 2018"


@pytest.mark.parametrize("licence", [None, "cc-by-nc-4.0"])
def test_files_of_one_s_own_go_by_the_name_of_the_repository_and_the_licence_one_says(
    tmp_path: Path, licence: str | None
) -> None:
    path = write_lines(tmp_path / "chats.jsonl", [CHAT] * 3)
    public = published(prepared(tmp_path / "out", "conversations", data_files=str(path)), licence=licence)
    check_header(public)
    check_facts(public)
    header = header_of(public.card)
    assert header["license"] == (licence or "unknown")
    assert header["pretty_name"] == "rows"
    assert "language" not in header
    assert header["tags"] == ["hf-builders", "tokenized"]
    assert public.card.split("---\n")[2].startswith("\n# rows, as token rows\n")
    said = (
        "`cc-by-nc-4.0`, as whoever published these rows says." if licence else "published these rows states no licence"
    )
    assert said in public.card
    assert "## Known" not in public.card


@pytest.mark.parametrize(
    ("licence", "hint"), [("CC BY 4.0", "; did you mean 'cc-by-4.0'?"), ("other", ""), ("", ""), ("my own terms", "")]
)
def test_a_licence_that_the_hub_does_not_know_is_refused(licence: str, hint: str) -> None:
    with pytest.raises(OptionError) as error:
        check_licence(licence)
    assert str(error.value) == (
        f"licence: the Hub knows none named '{licence}'{hint}; choose one of "
        "https://huggingface.co/docs/hub/repositories-licenses, or leave it out"
    )


HOSTILE = "a|b`c``<script>alert(1)<!--\\|&amp; 裙*_[x](y)"


@pytest.mark.parametrize(
    "text", [HOSTILE, "|", "`", "\\", "\\|", "``|``", "<script>", "&lt;", "---", "# x", "[x](y)", "裙", " a ", "a b"]
)
def test_text_of_the_data_stays_one_cell_and_is_read_as_nothing_else(text: str) -> None:
    cell = code(text)
    assert not re.search(r"[|\n\r]|<(?!/?code>)", cell)
    assert shown(cell) == " ".join(text.split()) or cell == f"`{text}`"
    inner = re.sub(r"^<code>|</code>$", "", cell)
    assert cell.startswith("`") or not re.search(r"[`*_\[\]<>\\]|&(?!#\d+;)", inner)


def test_text_of_the_data_is_one_line_and_short() -> None:
    assert code("a\nb\r\n\tc") == "`a b c`"
    assert code("") == "–"
    assert code("\u202eabc\x00\ud800") == "`\ufffdabc\ufffd\ufffd`"
    assert code("x" * 500) == f"`{'x' * 199}…`"
    assert table("a | b:", []) == ""


def test_hostile_names_of_files_and_columns_break_no_table(tmp_path: Path) -> None:
    name = "a|b`c <script>裙 *_[x](y).jsonl"
    rows = [{"question": "在吗", "answer": "在的", HOSTILE: "x", "two\nlines": 1}] * 3
    path = write_lines(tmp_path / name, rows)
    options = {"columns": {"instruction": "question", "output": "answer"}}
    place = prepared(tmp_path / "out", "instructions", data_files=[str(path)], options=options)
    public = published(place, ["source"])
    check_header(public)
    check_rows(public, tmp_path / "cache")
    check_facts(public)
    tables = tables_of(public.card)
    assert tables["Raw files"][0][0]["file"] == name
    columns = {row["config"]: row["columns"] for row in tables["Load"][0]}["source"]
    assert columns == f"question, answer, {HOSTILE}, two lines"
    assert {"rule": "options of the dataset", "value": json.dumps(options)} in tables["Token rows"][0]
    assert "<script" not in public.card.split("---\n", 2)[2]


def test_only_the_first_of_very_many_files_are_listed(tmp_path: Path) -> None:
    for number in range(60):
        write_lines(tmp_path / "raw" / f"{number:02}.jsonl", [CHAT])
    public = published(prepared(tmp_path / "out", "conversations", data_dir=str(tmp_path / "raw")))
    assert len(tables_of(public.card)["Raw files"][0]) == 50
    assert "\n10 more are in [`manifest.json`](manifest.json).\n" in public.card


def test_a_manifest_without_statistics_has_a_card(tmp_path: Path) -> None:
    place = prepared(tmp_path / "out")
    manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    del manifest["statistics"]
    public = published(place, manifest=manifest)
    assert "## Token rows" in public.card
    assert "### Lengths" not in public.card


def test_a_tokenizer_of_the_hub_is_the_model_to_train(tmp_path: Path) -> None:
    place = prepared(tmp_path / "out")
    manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    manifest["tokenize"]["tokenizer"] = "Qwen/Qwen2.5-7B"
    public = published(place, manifest=manifest)
    assert 'tokenizer = collators.load_tokenizer("Qwen/Qwen2.5-7B")\n' in public.card
    assert 'from_pretrained("Qwen/Qwen2.5-7B")\n' in public.card


def test_what_is_trained_is_said_as_it_is(tmp_path: Path) -> None:
    texts = published(prepared(tmp_path / "texts", "pubmed", view="text", overflow="truncate")).card
    assert "\n`labels` are `input_ids`: every token is trained." in texts
    assert "prompt" not in texts.split("### Lengths")[1].split("###")[0]
    windows = published(prepared(tmp_path / "windows", "cmrc2018", view="mrc")).card
    assert "\n`start_positions` and `end_positions` are the first and last token of the answer" in windows
    assert "`labels" not in windows
    assert (
        "\n`labels[t]` is `input_ids[t]` where the model must produce the token"
        in published(prepared(tmp_path / "rows")).card
    )


def test_the_body_is_clean_markdown(tmp_path: Path) -> None:
    for number, options in enumerate([{}, {"pack": True}, {"name": "cmrc2018", "view": "mrc"}]):
        body = published(prepared(tmp_path / f"out{number}", **options), ["source"]).card.split("---\n", 2)[2]
        assert body.startswith("\n# ")
        assert body.endswith("```\n")
        assert "\n\n\n" not in body
        assert not re.search(
            r"[ \t]\n|\{[{%]|[%}]\}|None|Undefined|\.\.$",
            re.sub(r"```bibtex.*?```", "", body, flags=re.DOTALL),
            re.MULTILINE,
        )
        for before, line in re.findall(r"(.*)\n(#+ .*|\| split.*|```python)\n", body):
            assert before == "", f"no empty line before {line!r}"


@pytest.mark.parametrize(
    ("options", "model"),
    [
        ({}, "glm"),
        ({"pack": True}, "glm"),
        ({"view": "text", "name": "pubmed", "overflow": "truncate"}, "glm"),
        ({"view": "mrc", "name": "cmrc2018"}, "bert"),
    ],
)
def test_the_code_of_the_card_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], model: str
) -> None:
    pytest.importorskip("torch", reason="training needs torch (extra train)")
    pytest.importorskip("accelerate", reason="Trainer needs it")
    place = prepared(tmp_path / "out", **{"max_length": 128, "overflow": "truncate_prompt", **options})
    public = published(place)
    load, training = re.findall(r"```python\n(.*?)```", public.card, re.DOTALL)
    tokenizer = str(VOCABULARY) if model == "bert" else TOKENIZER
    for old, new in {
        REPO_ID: str(public.folder),
        f'"{Path(tokenizer).name}"': repr(tokenizer),
        '"path/to/model"': repr(str(tiny_model(tmp_path / "model", model, tokenizer))),
        '"trained", ': f"{str(tmp_path / 'trained')!r}, max_steps=2, use_cpu=True, report_to=[], ",
    }.items():
        assert old in training
        load, training = load.replace(old, new), training.replace(old, new)
    names: dict[str, Any] = {}
    exec(load, names)
    saved = datasets.load_from_disk(place / "data")
    assert rows_of(names["rows"]) == rows_of(saved)
    exec(training, names)
    assert names["trainer"].state.global_step == 2


def tiny_model(folder: Path, model: str, tokenizer: str) -> Path:
    import transformers

    import collators

    num_ids = max(collators.load_tokenizer(tokenizer).get_vocab().values()) + 1
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    if model == "bert":
        config = transformers.BertConfig(vocab_size=num_ids, **sizes)
        made = transformers.BertForQuestionAnswering(config)
    else:
        more = {"num_key_value_heads": 2, "head_dim": 16, "pad_token_id": 0, "eos_token_id": 0}
        made = transformers.GlmForCausalLM(transformers.GlmConfig(vocab_size=num_ids, **sizes, **more))
    made.save_pretrained(folder)
    return folder


@pytest.mark.realdata
def test_the_card_of_real_dialogues_is_valid_and_true(
    tmp_path: Path, shared_realdata: Callable[[str], Path], shared_tokenizer: Callable[[str], Path]
) -> None:
    place = prepared(
        tmp_path / "out",
        "chinese_medical_dialogue",
        data_dir=str(shared_realdata("Chinese-medical-dialogue-data")),
        tokenizer=str(shared_tokenizer("qwen2_5")),
        overflow="drop",
        on_bad_row="quarantine",
    )
    public = published(place, ["messages"])
    check_header(public)
    check_rows(public, tmp_path / "cache")
    check_facts(public)
    assert header_of(public.card)["license"] == "mit"
    assert sum(public.manifest["published"]["configs"]["tokens"]["splits"].values()) > 3_000
    texts = {row["messages"][1]["content"] for row in datasets.load_dataset(str(public.folder), "messages")["train"]}
    assert not [text for text in texts if len(text) > 12 and text in public.card]
    assert str(shared_realdata("Chinese-medical-dialogue-data")) not in public.card
