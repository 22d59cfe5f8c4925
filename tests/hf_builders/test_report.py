"""`report.html`: its numbers are the manifest's, nothing of the data can act, and both languages are whole."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

pytest.importorskip("transformers", reason="prepare tokenizes, which needs transformers")

from lxml import etree, html

from collators import load_tokenizer
from hf_builders.prepare import Prepared, prepare
from hf_builders.prepared_folder import read_manifest
from hf_builders.report import write_report
from hf_builders.report_reasons import explain, words_of
from hf_builders.report_rows import RowReader, evenly_spaced
from tests.hf_builders.report_runs import (
    FILE,
    ROOT,
    SCRIPT,
    TOKENIZER,
    prepare_hostile,
    prepare_packed,
    prepare_texts,
)
from tests.hf_builders.span_runs import config_of


class Page:
    """A report as somebody who reads English sees it."""

    def __init__(self, path: Path) -> None:
        self.source = path.read_text(encoding="utf-8")
        self.root = html.document_fromstring(self.source)
        for element in self.root.xpath("//*[@class='zh']"):
            element.drop_tree()

    def texts(self, xpath: str) -> list[str]:
        return [" ".join(element.text_content().split()) for element in self.root.xpath(xpath)]

    def table(self, section: str, number: int = 0) -> list[list[str]]:
        """Cells of the rows below the head of a section's table."""
        tables = self.root.xpath(f"//section[h2/@id='{section}']//table")
        rows = tables[number].xpath("./tbody/tr | ./tfoot/tr")
        return [[" ".join(cell.text_content().split()) for cell in row.xpath("./th | ./td")] for row in rows]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare_hostile(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare_packed(tmp_path_factory.mktemp("packed"))


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(config_of(tmp_path_factory.mktemp("windows") / "out"))


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare_texts(tmp_path_factory.mktemp("texts"))


def page_of(prepared: Prepared) -> Page:
    return Page(prepared.folder / "report.html")


def test_the_report_is_one_of_the_files_of_the_folder(hostile: Prepared) -> None:
    path = hostile.folder / "report.html"
    assert read_manifest(hostile.folder)["files"]["report.html"] == path.stat().st_size
    assert not list(hostile.folder.glob(".*"))


def test_the_account_has_the_numbers_of_the_manifest_and_they_add_up(hostile: Prepared) -> None:
    account = page_of(hostile).table("account")
    assert account == [
        ["train", "60", "31", "0", "4", "25", "2,246", "1,218", "54.2%"],
        ["validation", "2", "2", "0", "0", "0", "38", "18", "47.4%"],
        ["All", "62", "33", "0", "4", "25", "2,284", "1,236", "54.1%"],
    ]
    for _, read, *parts in account:
        assert int(read) == sum(map(int, parts[:4]))
    summary = read_manifest(hostile.folder)["splits"]["train"]
    assert (summary["rows_read"], summary["tokens"], summary["trained_tokens"]) == (60, 2246, 1218)


def test_big_numbers_at_the_top(hostile: Prepared) -> None:
    cards = page_of(hostile).texts("//div[@class='card']")
    assert cards[:4] == [
        "Rows kept33of 62 read (53.2%)",
        "Rows not kept294 bad, 25 set aside, 0 left out",
        "Tokens2,28454.1% of them trained",
        "Median length · train79longest 79, max_length 256 tokens",
    ]
    assert cards[5] == "Repeated rows · train21 of other splits stand in train too"


def test_findings_say_what_to_do(hostile: Prepared) -> None:
    page = page_of(hostile)
    assert page.texts("//ul[@class='findings']/li") == [
        "Warning4 raw rows could not be read (6.5% of all); quarantine/ has each with its place and reason.",
        "Warning25 records were set aside, not fitting in max_length = 256 (40.3% of all rows). "
        "384 would hold 100% of the records of train whole.",
        "WarningIn validation, 1 row stands in train too, token for token; scores on it will flatter.",
        "WarningIn validation, 1 row has a prompt that stands in train too, with another answer.",
        "Advicetrain repeats itself: 2 of its rows (6.5%) would go if each stood there once.",
        "GoodEvery row is accounted for: 62 read = 33 kept + 0 left out + 4 bad + 25 set aside.",
    ]


def test_every_reason_stands_there_with_its_count_and_its_meaning(hostile: Prepared, texts: Prepared) -> None:
    num_checked = 0
    for prepared in (hostile, texts):
        shown = {row[1]: row for row in page_of(prepared).table("account", 1)}
        splits = read_manifest(prepared.folder)["splits"]
        for kind in ("left_out", "quarantined", "set_aside", "noted"):
            for reason in {reason for split in splits.values() for reason in split[kind]}:
                meaning = explain(kind, reason, words_of(read_manifest(prepared.folder)["dataset"]["name"]))
                assert meaning is not None
                counts = [f"{split[kind].get(reason, 0):,}" for split in splits.values()]
                assert shown[f"{reason} {meaning.en}"][2:] == counts
                num_checked += 1
    assert num_checked == 12


def test_percentiles_padding_and_choices_are_those_of_the_statistics(hostile: Prepared) -> None:
    page, statistics = page_of(hostile), read_manifest(hostile.folder)["statistics"]
    percentiles = page.table("lengths")
    assert len(percentiles) == sum(len(each["lengths"]) for each in statistics.values()) == 8
    expected = [each for split in statistics.values() for each in split["lengths"].values()]
    for row, lengths in zip(percentiles, expected, strict=True):
        assert row[-11:-1] == [f"{n:,}" for n in (lengths["rows"], *lengths["percentiles"].values())]
        assert row[-1] == f"{lengths['tokens'] / lengths['rows']:,.1f}"
    choices = page.table("window")
    assert [int(row[0].split()[-1].replace(",", "")) for row in choices] == [
        choice["max_length"] for choice in statistics["train"]["choices"]
    ]
    assert [row[0] for row in choices if " " in row[0]] == ["chosen 256", "recommended 384"]
    assert page.texts("//p[@class='verdict']") == [
        "At 384 instead of 256, 100% of the records would be whole, not 55.4%."
    ]
    train = page.table("padding")[0]
    assert train[1:8] == [f"{share:.1%}" if share else "0%" for share in statistics["train"]["padding"].values()]


def test_what_max_length_took_is_told(texts: Prepared) -> None:
    summary = read_manifest(texts.folder)["splits"]["train"]
    shown = [row[1] for row in page_of(texts).table("cuts")]
    names = ["rows_cut", "tokens_cut", "trained_tokens_cut", "turns_cut", "texts_left_out", "control_texts"]
    assert shown == [f"{summary[name]:,}" for name in [*names, "tokens_straddling"]]
    assert summary["rows_cut"] == 115
    (told,) = (text for text in page_of(texts).texts("//ul[@class='findings']/li") if " cut to " in text)
    assert told.startswith(
        "Advice115 records were cut to max_length = 96: 38,161 tokens lost, of which 38,161 would have been trained."
    )


def test_cleaning_steps_are_told_with_what_they_did(texts: Prepared) -> None:
    assert page_of(texts).table("cleaning") == [
        ["whitespace blank_lines: 1, indents: keep, between_chinese: collapse", "0", "0"],
        ["length min_chars: 200", "0", "9"],
    ]


def test_the_most_frequent_contents_are_told_with_their_ids_and_words(hostile: Prepared) -> None:
    page = page_of(hostile)
    row, prompt, answer, of_validation = page.root.xpath("//section[h2/@id='repeated']/details")
    assert "validation" in of_validation.xpath("string(./summary)")
    ids = ", ".join(f"{FILE}:{number}" for number in (29, 30, 31))
    for details, words in (
        (row, "user 同一个问题 assistant 同一个答案"),
        (prompt, "user 同一个问题"),
        (answer, "同一个答案"),
    ):
        (line,) = details.xpath(".//tbody/tr")
        assert [" ".join(cell.text_content().split()) for cell in line] == ["3", f"{words} {ids}"]
    assert page.table("repeated", 4) == [["validation", "1", "2"]]


def test_contents_of_packed_rows_are_found_in_them(packed: Prepared) -> None:
    repeated = read_manifest(packed.folder)["statistics"]["train"]["repeated"]["prompt"]
    lines = page_of(packed).table("repeated")
    assert [line[0] for line in lines] == [str(each["count"]) for each in repeated["top"]]
    records = {
        record["id"]: record["messages"][0]["content"]
        for record in prepare_records("adgen")["train"]
        if record["id"] in {each["ids"][0] for each in repeated["top"]}
    }
    for line, each in zip(lines, repeated["top"], strict=True):
        assert records[each["ids"][0]][:40] in line[1]
    assert len(records) == len(lines) == 10


def prepare_records(name: str) -> datasets.DatasetDict:
    import hf_builders

    return hf_builders.load_dataset(name, "messages", sample=True)


def test_rows_set_aside_are_limited_and_the_total_is_said(hostile: Prepared) -> None:
    groups = page_of(hostile).root.xpath("//section[h2/@id='aside']/details")
    told = {group.xpath(".//code")[0].text_content(): group for group in groups}
    long = told["too_long"]
    assert " ".join(long.xpath(".//*[@class='amount']")[0].text_content().split()) == "20 of 25 shown"
    assert len(long.xpath(".//li")) == 20
    first = long.xpath(".//li")[0]
    assert first.xpath(".//p[@class='where']/bdi")[0].text == f"{FILE}:32"
    assert first.xpath(".//p[@class='raw']")[0].text_content().startswith("user: 长长")
    assert "All are in quarantine/SPLIT-records.jsonl" in long.text_content()
    (bad,) = told["missing_field"].xpath(".//li")
    assert bad.xpath(".//p[@class='where']/bdi")[0].text == f"{FILE}:58"
    assert "'output'" in bad.xpath(".//p[@class='fact']")[0].text_content()
    assert SCRIPT in bad.xpath(".//p[@class='raw']")[0].text_content()
    assert set(told) == {"blank_assistant", "missing_field", "wrong_type", "invalid_json", "too_long"}


def test_rows_that_cleaning_drops_are_listed_with_their_text(texts: Prepared) -> None:
    (group,) = page_of(texts).root.xpath("//section[h2/@id='aside']/details")
    assert len(group.xpath(".//li")) == len(group.xpath(".//p[@class='raw']")) == 9
    assert "Rows that the dataset's own options leave out" in page_of(texts).texts("//section[h2/@id='aside']")[0]


def test_the_rows_shown_are_the_rows_as_they_are_trained_on(hostile: Prepared) -> None:
    tokenizer = load_tokenizer(TOKENIZER)
    splits = datasets.load_from_disk(hostile.folder / "data")
    shown = page_of(hostile).root.xpath("//div[@class='rows']/details")
    rows = [row for split in splits.values() for row in split]
    assert len(shown) == len(rows) == 33
    for details, row in zip(shown, rows, strict=True):
        trained = [id_ for id_, label in zip(row["input_ids"], row["labels"], strict=True) if label != -100]
        text = details.xpath("string(.//*[@class='stretch trained']//*[@class='said'])")
        expected = tokenizer.decode(trained).replace("\n", "⏎\n").replace("\x00", "␀").replace("\u202e", "\\u202e")
        assert text.strip() == expected.strip()
        whole = "".join(details.xpath(".//*[@class='said']//text()"))
        assert len(details.xpath(".//*[@class='said']/span/@title")) > 0
        assert row["id"] in details.xpath("string(./summary)")
        assert f"{len(row['input_ids'])} tokens, {len(trained)} trained" in details.xpath("string(./summary)")
        assert SCRIPT in whole or "同一个" in whole
    assert [details.get("open") is not None for details in shown] == [True] + [False] * 32


def test_of_a_long_row_beginning_and_end_are_shown_and_the_rest_is_counted(packed: Prepared) -> None:
    rows = datasets.load_from_disk(packed.folder / "data")["train"]
    details = page_of(packed).root.xpath("//div[@class='rows']/details")[0]
    hidden = [" ".join(p.text_content().split()) for p in details.xpath(".//p[@class='border']")]
    num = len(rows[0]["input_ids"])
    trained = sum(label != -100 for label in rows[0]["labels"][400 : num - 150])
    assert f"… {num - 550:,} tokens not shown, {trained:,} of them trained …" in hidden
    assert hidden.count("next record") >= 2
    titles = " ".join(details.xpath(".//*[@class='said']/span/@title")).split()
    assert [int(id_) for id_ in titles] == [*rows[0]["input_ids"][:400], *rows[0]["input_ids"][-150:]]


def test_a_content_is_called_longer_than_shown_only_where_it_is() -> None:
    tokenizer = load_tokenizer(TOKENIZER)
    prompt, answer = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("问题", "很长的回答" * 99))
    assert len(prompt) < 240 < len(answer)
    record = [*prompt, *answer], [*([-100] * len(prompt)), *answer]
    reader = RowReader(tokenizer, {})
    assert reader.beginning(record, "prompt") == [("", "问题")]
    for kind in ("row", "answer"):
        assert reader.beginning(record, kind)[-1] == ("", "…")


def test_at_most_fifty_rows_are_shown_from_the_first_of_a_split_to_its_last() -> None:
    splits = {name: datasets.Dataset.from_dict({"n": list(range(num))}) for name, num in (("train", 999), ("test", 60))}
    places: dict[str, list[int]] = {}
    for row in evenly_spaced(splits):
        places.setdefault(row.split, []).append(row.row["n"])
    assert {name: (len(each), each[0], each[-1]) for name, each in places.items()} == {
        "train": (34, 0, 998),
        "test": (16, 0, 59),
    }
    assert set(np.diff(places["train"]).tolist()) == {30, 31}


def test_windows_show_their_answers_and_no_sections_on_what_they_have_not(windows: Prepared) -> None:
    page = page_of(windows)
    assert page.root.xpath("//section/h2/@id") == [
        "overview", "account", "lengths", "padding", "repeated", "rows", "aside", "origin",
    ]  # fmt: skip
    summary = read_manifest(windows.folder)["splits"]["train"]
    assert page.table("account")[0][-3:] == [f"{summary[name]:,}" for name in ("windows", "windows_answered", "tokens")]
    tokenizer = load_tokenizer(str(ROOT / "configs" / "demo_vocabulary"))
    rows = datasets.load_from_disk(windows.folder / "data")["train"]
    num_answered = 0
    shown = page.root.xpath("//div[@class='rows'][1]/details")
    for details, place in zip(shown, np.linspace(0, len(rows) - 1, len(shown)).round(), strict=True):
        row = rows[int(place)]
        start, end = row["start_positions"], row["end_positions"]
        answer = tokenizer.decode(row["input_ids"][start : end + 1]) if start else ""
        text = "".join(details.xpath(".//*[@class='stretch trained']//*[@class='said']//text()"))
        assert text.replace(" ", "") == answer.replace(" ", "")
        num_answered += bool(answer)
    assert num_answered > 5


def test_a_text_view_has_neither_prompts_nor_answers(texts: Prepared) -> None:
    page = page_of(texts)
    assert page.texts("//section[h2/@id='lengths']//figcaption") == ["Records of train, before anything was cut"]
    assert page.table("account")[0][-1] == "100%"


def test_a_packed_run_says_how_full_its_rows_are(packed: Prepared) -> None:
    manifest = read_manifest(packed.folder)
    account = page_of(packed).table("account")[0]
    fill = manifest["splits"]["train"]["packed"]["fill"]
    assert account[-2:] == [f"{manifest['splits']['train']['packed']['rows']:,}", f"{fill:.1%}"]
    assert page_of(packed).table("padding")[0][-1] == f"{1 - fill:.1%}"


def test_sources_options_versions_and_digests_are_all_there(hostile: Prepared) -> None:
    page, manifest = page_of(hostile), read_manifest(hostile.folder)
    assert page.table("origin") == [
        [source["name"], f"{source['num_bytes'] / 1000:.1f} kB" if source["num_bytes"] > 999 else
         f"{source['num_bytes']} B", source["sha256"]]
        for source in manifest["sources"]
    ]  # fmt: skip
    options = dict(page.table("origin", 1))
    assert (options["tokenize.max_length"], options["dataset.on_bad_row"]) == ("256", "quarantine")
    assert (options["tokenize.train_thinking"], options["dataset.sample"]) == ("true", "false")
    facts = [cell for row in page.table("origin", 2) for cell in row]
    for value in (manifest["digest"], manifest["tokenizer_digest"], manifest["records_hash"], manifest["engine"]):
        assert value in facts
    assert manifest["versions"].items() <= dict(page.table("origin", 2)).items()


def test_nothing_of_the_data_is_markup(hostile: Prepared) -> None:
    page = page_of(hostile)
    assert page.source.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 30
    assert "<script" not in page.source.lower()
    elements = [element for element in page.root.iter() if isinstance(element.tag, str)]
    assert {"script", "iframe", "object", "embed", "form", "img"}.isdisjoint(element.tag for element in elements)
    names = {name for element in elements for name in element.attrib}
    assert not [name for name in names if name.startswith("on")]
    assert {value[0] for value in page.root.xpath("//a/@href")} == {"#"}
    assert set(page.root.xpath("//link/@href")) == {"data:,"}
    assert page.root.xpath("//meta[@http-equiv='Content-Security-Policy']/@content") == [
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    ]
    assert set(re.findall(r"url\([^)]*", page.source)) <= {
        f"url(#hatch-{kind}" for kind in ("quarantined", "set_aside", "left_out", "untrained")
    }


def test_characters_that_steer_are_shown_and_not_obeyed(hostile: Prepared) -> None:
    source = page_of(hostile).source
    for sign, shown in (("\u202e", "\\u202e"), ("\x00", "␀")):
        assert sign not in source
        assert shown in source


def test_half_a_surrogate_pair_breaks_nothing(hostile: Prepared, tmp_path: Path) -> None:
    facts = read_manifest(hostile.folder)
    facts["dataset"] = {**facts["dataset"], "options": {"name": "a\ud800b\x00c\u2066"}}
    (tmp_path / "data").symlink_to(hostile.folder / "data")
    (tmp_path / "quarantine").mkdir()
    write_report(tmp_path, facts, load_tokenizer(TOKENIZER), None)
    assert r'{"name": "a\ud800b\u0000c\u2066"}' in Page(tmp_path / "report.html").texts("//td[@class='value']")


def test_a_page_stays_small_whatever_the_rows_are(tmp_path: Path) -> None:
    from tests.hf_builders.report_runs import exchange, write_rows

    nasty = "&<\"'\u202e" * 600
    rows: list[dict[str, Any] | str] = [exchange(nasty, f"{nasty}{number}") for number in range(60)]
    rows += [{"instruction": nasty, kind: nasty} for kind in ("a", "b") for _ in range(300)]
    write_rows(tmp_path / "raw" / "train.jsonl", rows)
    from hf_builders.run_config import DatasetSection, OutputSection, RunConfig, TokenizeSection

    prepared = prepare(
        RunConfig(
            dataset=DatasetSection(name="instructions", data_dir=str(tmp_path / "raw"), on_bad_row="quarantine"),
            tokenize=TokenizeSection(tokenizer=TOKENIZER, max_length=20_000),
            output=OutputSection(dir=str(tmp_path / "out")),
        )
    )
    assert 100_000 < (prepared.folder / "report.html").stat().st_size < 3_000_000
    assert "20 of 600 shown" in " ".join(page_of(prepared).texts("//section[h2/@id='aside']"))


def test_every_text_is_there_in_both_languages(hostile: Prepared, windows: Prepared) -> None:
    num_checked = 0
    for prepared in (hostile, windows):
        root = html.parse(str(prepared.folder / "report.html"), html.HTMLParser(encoding="utf-8")).getroot()
        for english in root.xpath("//*[@class='en']"):
            chinese = english.getnext()
            assert (english.get("lang"), chinese.get("lang"), chinese.get("class")) == ("en", "zh-Hans", "zh")
            assert english.text_content().strip()
            assert chinese.text_content().strip()
            num_checked += 1
    assert num_checked > 400


def test_the_page_is_well_formed(hostile: Prepared, packed: Prepared, windows: Prepared, texts: Prepared) -> None:
    void = re.compile(r"<(meta|link|input|br)\b([^>]*?)/?>")
    for prepared in (hostile, packed, windows, texts):
        source = (prepared.folder / "report.html").read_text(encoding="utf-8")
        body = void.sub(r"<\1\2/>", source.removeprefix(source[: source.index("<html")]))
        body = re.sub(r"<(\w+)([^>]*) (open|checked)(?=[ >/])", r'<\1\2 \3=""', body)
        tree = etree.fromstring(body.encode())
        ids = tree.xpath("//@id")
        assert len(ids) == len(set(ids)) > 10
        assert {href[1:] for href in tree.xpath("//a/@href")} <= set(ids)
        for svg in tree.xpath("//*[local-name()='svg'][@role='img']"):
            assert svg[0].tag.endswith("title")
            assert svg[0].text
        assert all(th.get("scope") for th in tree.xpath("//th"))


@pytest.mark.realdata
def test_a_real_set_has_its_report(shared_realdata: Any, shared_tokenizer: Any, tmp_path: Path) -> None:
    from hf_builders.run_config import DatasetSection, OutputSection, RunConfig, TokenizeSection

    prepared = prepare(
        RunConfig(
            dataset=DatasetSection(
                name="chinese_medical_dialogue", data_dir=str(shared_realdata("Chinese-medical-dialogue-data"))
            ),
            tokenize=TokenizeSection(tokenizer=str(shared_tokenizer("qwen2_5")), max_length=256),
            output=OutputSection(dir=str(tmp_path / "out")),
        )
    )
    page, manifest = page_of(prepared), read_manifest(prepared.folder)
    (split,) = manifest["splits"].values()
    assert page.table("account")[0][1:6] == [
        f"{n:,}"
        for n in (split["rows_read"], split["rows_kept"], *(
            sum(split[kind].values()) for kind in ("left_out", "quarantined", "set_aside")
        ))
    ]  # fmt: skip
    lines = (prepared.folder / "quarantine" / "train-records.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == split["set_aside"]["too_long"] > 20
    ids = page.texts("//section[h2/@id='aside']//p[@class='where']/bdi")
    assert ids == [json.loads(line)["id"] for line in lines[:20]]
    assert "<script" not in page.source
