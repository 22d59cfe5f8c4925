"""MedlinePlus: a topic whole from either form, its HTML as clean text under its headings, each topic once."""

from __future__ import annotations

import datetime
import html
import re
import socket
import xml.etree.ElementTree
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hf_builders
from hf_builders import Account, OptionError, RowError, SourceError
from hf_builders.medlineplus.summary import Section, sections_of, summary_text

SUMMARY = """<h3>What is <i>harbor</i> cough?</h3>
<p>It is a <a href="https://example.org/c">cough</a> &amp; a story.
Nobody has it.</p><p>Not even you.</p>

<h3>What helps?</h3>
<ul>
<li>Tea</li>
<li>Sleep, at&nbsp;least</li>
</ul>"""


def topic(id_: str = "7", language: str = "English", summary: str = SUMMARY, **more: str) -> str:
    attributes = {
        "title": "Harbor Cough",
        "url": "https://example.org/7.html",
        "id": id_,
        "language": language,
        "date-created": "02/19/1999",
        "meta-desc": " About it &amp; more. ",
        **more,
    }
    written = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    return (
        f"<health-topic {written}><also-called>Port cough</also-called><also-called>PC</also-called>"
        f"<full-summary>{html.escape(summary)}</full-summary>"
        '<group url="https://example.org/g" id="12">Made up</group>'
        '<language-mapped-topic url="https://example.org/8" id="8" language="Spanish">Tos del puerto'
        "</language-mapped-topic>"
        '<mesh-heading><descriptor id="D01">Cough</descriptor><qualifier id="Q1">therapy</qualifier></mesh-heading>'
        '<other-language vernacular-name="简体中文" url="https://example.org/zh">Chinese</other-language>'
        '<primary-institute url="https://example.org/i">Institute of Ports</primary-institute>'
        '<related-topic url="https://example.org/9" id="9">Fog</related-topic>'
        "<see-reference>Coughing</see-reference>"
        '<site title="Leaflet" url="https://example.org/l" language-mapped-url="https://example.org/f">'
        "<information-category>Start Here</information-category><organization>Ports</organization>"
        "<standard-description>Also in Spanish</standard-description></site></health-topic>"
    )


def bulk(*topics: str, date: str = "11/24/2026 02:30:14") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE health-topics PUBLIC "-//NLM//DTD//EN" "https://medlineplus.gov/xml/mplus_topics.dtd">\n'
        f'<health-topics total="{len(topics)}" date-generated="{date}">\n{"".join(topics)}</health-topics>'
    )


def service(*topics: str) -> str:
    documents = "".join(
        f'<document rank="{n}"><content name="healthTopic">{each}</content></document>' for n, each in enumerate(topics)
    )
    return f"<nlmSearchResult><term>x</term><list num='1'>{documents}</list></nlmSearchResult>"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.xml").write_text(text, encoding="utf-8")
    return folder


def load(folder: Path, view: str = "source", **options: Any) -> Any:
    return hf_builders.load_dataset("medlineplus", view, data_dir=folder, **options)


TOPIC = {
    "id": "7",
    "title": "Harbor Cough",
    "language": "English",
    "url": "https://example.org/7.html",
    "date_created": datetime.date(1999, 2, 19),
    "description": "About it & more.",
    "also_called": ["Port cough", "PC"],
    "summary": "What is harbor cough?\nIt is a cough & a story. Nobody has it.\nNot even you.\n\n"
    "What helps?\n- Tea\n- Sleep, at\u00a0least",
    "sections": [
        {"heading": "What is harbor cough?", "text": "It is a cough & a story. Nobody has it.\nNot even you."},
        {"heading": "What helps?", "text": "- Tea\n- Sleep, at\u00a0least"},
    ],
    "groups": [{"id": "12", "title": "Made up", "url": "https://example.org/g"}],
    "mesh_headings": [{"id": "D01", "descriptor": "Cough", "qualifiers": ["therapy"]}],
    "primary_institute": "Institute of Ports",
    "related_topics": [{"id": "9", "title": "Fog", "url": "https://example.org/9"}],
    "see_references": ["Coughing"],
    "mapped_topics": [{"id": "8", "title": "Tos del puerto", "url": "https://example.org/8", "language": "Spanish"}],
    "other_languages": [{"name": "Chinese", "vernacular_name": "简体中文", "url": "https://example.org/zh"}],
    "sites": [
        {
            "title": "Leaflet",
            "url": "https://example.org/l",
            "language_mapped_url": "https://example.org/f",
            "categories": ["Start Here"],
            "organizations": ["Ports"],
            "descriptions": ["Also in Spanish"],
        }
    ],
}


@pytest.mark.parametrize("form", [bulk, service])
def test_both_forms_give_the_whole_topic(tmp_path: Path, form: Callable[..., str]) -> None:
    loaded = load(write(tmp_path, topics=form(topic())))
    assert loaded["train"].to_list() == [TOPIC]


def test_a_topic_may_have_nothing_but_id_title_and_language(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, topics=bulk('<health-topic id="1" title="A" language="English"/>')))
    (row,) = loaded["train"]
    assert {name: value for name, value in row.items() if value} == {"id": "1", "title": "A", "language": "English"}


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ("", []),
        ("   ", []),
        ("Plain text, no tag", [Section("", "Plain text, no tag")]),
        ("<p>a < b &lt; c</p>", [Section("", "a < b < c")]),
        ("One<br>two<br/>three", [Section("", "One\ntwo\nthree")]),
        ("<p>Before.</p><h2>Head</h2><p>Below</p>", [Section("", "Before."), Section("Head", "Below")]),
        ("<h3>Alone?</h3>", [Section("Alone?", "")]),
        ("<h3> </h3><p>text</p>", [Section("", "text")]),
        ("<ul><li>One<ul><li>Inner</li></ul></li><li></li></ul>", [Section("", "- One\n- Inner")]),
        ("<script>alert(1)</script><p>text<!-- no --> here</p>", [Section("", "text here")]),
        ("<p>E<b>mp</b>hasis <span class='qt0'>found</span>.</p>", [Section("", "Emphasis found.")]),
        ("<h3> What?&nbsp;</h3><p>&nbsp;</p>", [Section("What?", "")]),
        ("<h3>What is<br>it?</h3><p>&nbsp; Text\u00a0here </p>", [Section("What is it?", "Text\u00a0here")]),
        ("<ul><li><p>One</p><p>more</p></li><li><b>Two</b></li></ul>end", [Section("", "- One\nmore\n- Two\nend")]),
        (
            "<table><tr><th>Age</th><th>Dose</th></tr><tr><td>5</td><td>10 mg</td></tr></table>",
            [Section("", "Age | Dose\n5 | 10 mg")],
        ),
        ("<section>A</section><section>B</section>", [Section("", "A\nB")]),
        ("<p>&amp;lt;b&amp;gt; stays text</p>", [Section("", "&lt;b&gt; stays text")]),
    ],
)
def test_html_becomes_clean_text(summary: str, expected: list[Section]) -> None:
    assert sections_of(summary) == expected
    assert summary_text([Section("", "a"), Section("H?", "")]) == "a\n\nH?"


def test_a_summary_of_elements_or_with_an_unknown_entity_loses_no_text(tmp_path: Path) -> None:
    bare = '<health-topic id="{}" title="A" language="English"><full-summary>{}</full-summary></health-topic>'
    loaded = load(
        write(
            tmp_path, topics=bulk(bare.format(1, "<h3>Q?</h3><p>One <b>two</b>.</p>"), bare.format(2, "AA &nbsp; BB"))
        )
    )
    assert loaded["train"]["summary"][:] == ["Q?\nOne two.", "AA \u00a0 BB"]


def test_a_blank_summary_is_no_text_and_no_answer(tmp_path: Path) -> None:
    folder = write(tmp_path, topics=bulk(topic(), topic("9", summary="<h3>Q?</h3><p>&nbsp;</p>")))
    assert load(folder, "text")["train"]["id"][:] == ["7", "9"]
    assert hf_builders.account(load(folder, "messages"))["train"].left_out == Counter(no_heading_to_block=1)
    folder = write(tmp_path, topics=bulk(topic(), topic("9", summary="<p>&nbsp;</p>")))
    assert hf_builders.account(load(folder, "text"))["train"] == Account(2, 1, Counter(no_text=1))


def test_a_bad_topic_of_a_newer_file_does_not_hide_a_good_one(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        a=bulk(topic("1", **{"date-created": "never"}), topic("2"), date="01/02/2026 00:00:00"),
        b=bulk(topic("1", title="good"), date="12/31/2025 23:00:00"),
    )
    loaded = load(folder, on_bad_row="quarantine")
    assert sorted(loaded["train"]["title"]) == ["Harbor Cough", "good"]
    assert hf_builders.account(loaded)["train"] == Account(3, 2, quarantined=Counter(bad_date=1))


def test_the_tasks_ask_for_the_topic_and_for_each_heading(tmp_path: Path) -> None:
    summary = f"<p>Before.</p>{SUMMARY}<h3>Summary</h3><p>All in all.</p><h3>Empty?</h3>"
    loaded = load(write(tmp_path, topics=bulk(topic(summary=summary), topic("9", summary=" "))), "instruction")
    rows = loaded["train"].to_list()
    assert [(row["id"], row["instruction"]) for row in rows] == [
        ("7/what_is", "What is Harbor Cough?"),
        ("7/heading_to_block/1", "What is harbor cough?"),
        ("7/heading_to_block/2", "What helps?"),
        ("7/heading_to_block/3", "Harbor Cough: Summary"),
    ]
    assert rows[0]["output"].startswith("Before.\n\nWhat is harbor cough?\nIt is a cough")
    assert [row["output"] for row in rows[2:]] == ["- Tea\n- Sleep, at\u00a0least", "All in all."]
    assert hf_builders.account(loaded)["train"] == Account(6, 4, Counter(no_what_is=1, no_heading_to_block=1))


def test_a_spanish_topic_is_asked_in_spanish_and_languages_can_be_chosen(tmp_path: Path) -> None:
    folder = write(tmp_path, topics=bulk(topic(), topic("8", "Spanish", "<h3>¿Qué es?</h3><p>Nada.</p>", title="Tos")))
    loaded = load(folder, "messages", language="Spanish", tasks=["what_is"])
    (row,) = loaded["train"]
    assert [message["content"] for message in row["messages"]] == ["¿Qué es Tos?", "¿Qué es?\nNada."]
    assert hf_builders.account(loaded)["train"] == Account(2, 1, Counter(other_language=1))
    assert load(folder, "text")["train"]["id"][:] == ["7", "8"]
    with pytest.raises(OptionError, match=r"^language='German': takes 'English' or 'Spanish'$"):
        load(folder, language="German")


def test_a_topic_and_its_translation_stay_in_one_split() -> None:
    loaded = hf_builders.load_dataset("medlineplus", sample=True, validation=0.3)
    pairs = {
        split: {frozenset([row["id"], *(other["id"] for other in row["mapped_topics"])]) for row in rows}
        for split, rows in loaded.items()
    }
    assert min(map(len, pairs.values())) > 5
    assert not pairs["train"] & pairs["validation"]


@pytest.mark.parametrize("num_proc", [None, 2])
def test_a_topic_of_several_files_is_taken_from_the_one_generated_last(tmp_path: Path, num_proc: int | None) -> None:
    folder = write(
        tmp_path,
        a=bulk(topic(title="new"), topic("1"), date="01/02/2026 00:00:00"),
        b=bulk(topic(title="old"), topic("2"), topic("2", title="twin"), date="12/31/2025 23:00:00"),
        c=service(topic(title="undated"), topic("3")),
    )
    loaded = load(folder, num_proc=num_proc)
    assert sorted(zip(loaded["train"]["id"], loaded["train"]["title"], strict=True)) == [
        ("1", "Harbor Cough"),
        ("2", "Harbor Cough"),
        ("3", "Harbor Cough"),
        ("7", "new"),
    ]
    assert hf_builders.account(loaded)["train"] == Account(7, 4, Counter(duplicate_topic=3))
    streamed = load(folder, streaming=True)["train"]
    assert [row["id"] for row in streamed] == ["7", "1", "2", "3"]


@pytest.mark.parametrize(
    ("more", "reason", "fact"),
    [
        ({"id_": " "}, "no_id", "the topic 'Harbor Cough' has no 'id'"),
        ({"title": ""}, "no_title", "the topic '' has no 'title'"),
        ({"language": ""}, "no_language", "the topic 'Harbor Cough' has no 'language'"),
        ({"date-created": "1999-02-19"}, "bad_date", "date-created is '1999-02-19'; expected mm/dd/yyyy"),
    ],
)
def test_a_bad_topic_stops_the_load_or_is_set_aside(
    tmp_path: Path, more: dict[str, str], reason: str, fact: str
) -> None:
    folder = write(tmp_path, topics=bulk(topic("1"), topic(**more)))
    with pytest.raises(RowError) as error:
        load(folder)
    assert (error.value.place, error.value.reason, error.value.fact) == ("topics.xml#2", reason, fact)
    loaded = load(folder, on_bad_row="quarantine")
    assert hf_builders.account(loaded)["train"] == Account(2, 1, quarantined=Counter({reason: 1}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "<PubmedArticleSet/>",
            "topics.xml: the root is <PubmedArticleSet>; expected <health-topics> (the bulk file) or <nlmSearchResult> "
            "(the web service); is it a file of another dataset?",
        ),
        (
            "<nlmSearchResult><list><document><content name='title'>A</content></document></list></nlmSearchResult>",
            "topics.xml: the root is <nlmSearchResult>, and nothing in it is <health-topic>; is it a file of another "
            "dataset?",
        ),
        (
            bulk(topic())[:-60],
            "topics.xml:12: the XML is broken here (StartTag: invalid element name); get the file again",
        ),
        (
            '<!DOCTYPE health-topics [<!ENTITY x SYSTEM "file:///etc/passwd">]><health-topics>&x;</health-topics>',
            "topics.xml: declares the entity 'x', which files of this kind never do; it is not read: get the file from "
            "its publisher",
        ),
    ],
)
def test_a_file_of_another_kind_or_a_broken_one_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SourceError) as error:
        load(write(tmp_path, topics=text))
    assert str(error.value) == message


def test_the_address_of_the_dtd_is_not_asked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/mplus_topics.dtd"
        text = bulk(topic()).replace("https://medlineplus.gov/xml/mplus_topics.dtd", address)
        assert len(load(write(tmp_path, topics=text))["train"]) == 1
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_zip_is_read_in_place_and_a_name_that_leads_out_of_it_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with zipfile.ZipFile(folder / "mplus_topics_compressed_2026-11-24.zip", "w") as archive:
        archive.writestr("../../evil.xml", bulk(topic()))
    assert load(folder)["train"]["id"][:] == ["7"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "mplus_topics_compressed_2026-11-24.zip"]


@pytest.mark.realdata
def test_every_topic_of_the_recorded_answer_equals_an_independent_parse(
    shared_realdata: Callable[[str], Path],
) -> None:
    path = shared_realdata("medlineplus") / "wsearch_healthTopics_recorded.xml"
    expected = xml.etree.ElementTree.parse(path).getroot().findall("list/document/content/health-topic")
    rows = load(path.parent)["train"].to_list()
    assert len(rows) == len(expected) == 3

    def words(text: str) -> list[str]:
        return re.findall(r"\w+", text)

    for row, element in zip(rows, expected, strict=True):
        for name in ("id", "title", "language", "url"):
            assert row[name] == element.get(name)
        assert row["date_created"].strftime("%m/%d/%Y") == element.get("date-created")
        assert row["description"] == str(element.get("meta-desc")).strip()
        assert row["also_called"] == [each.text for each in element.findall("also-called")]
        assert row["see_references"] == [each.text for each in element.findall("see-reference")]
        for name, tag in (("groups", "group"), ("related_topics", "related-topic")):
            links = [(each.get("id"), each.text, each.get("url")) for each in element.findall(tag)]
            assert [(link["id"], link["title"], link["url"]) for link in row[name]] == links
        assert [(each["descriptor"], each["id"], each["qualifiers"]) for each in row["mesh_headings"]] == [
            (
                each.findtext("descriptor"),
                each.find("descriptor").get("id"),
                [q.text for q in each.findall("qualifier")],
            )  # type: ignore[union-attr]
            for each in element.findall("mesh-heading")
        ]
        assert [each["title"] for each in row["mapped_topics"]] == [
            each.text for each in element.findall("language-mapped-topic")
        ]
        summary = str(element.findtext("full-summary"))
        assert words(row["summary"]) == words(html.unescape(re.sub(r"<[^>]+>", " ", summary)))
        headings = [html.unescape(each) for each in re.findall(r"<h3>(.*?)</h3>", summary)]
        assert [section["heading"] for section in row["sections"]] == headings
        assert headings
