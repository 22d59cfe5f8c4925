"""SNOMED CT: what is shown of a concept is what the release says of it, in the language that was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Features, List, Value, load_dataset

import hf_builders
from hf_builders.registry import builder_class
from tests.hf_builders.snomed_ct_files import (
    ACCEPTABLE,
    ADDITIONAL,
    BELL,
    BLUE,
    CORE,
    DEFINITION,
    FSN,
    GB,
    LAMP,
    SYNONYM,
    TOP,
    US,
    account_of,
    as_expected,
    check_sum,
    concept,
    description,
    expected_rows,
    load,
    member,
    named,
    read_all,
    relationship,
    rows_by_id,
    sctid,
    small,
    write_release,
)

NAME = "hf_builders/snomed_ct"
SAMPLE = Path(hf_builders.__file__).parent / "snomed_ct" / "sample"
TEXT = Value("string")


def test_the_view_source_has_the_columns_the_card_says(tmp_path: Path) -> None:
    assert load(write_release(tmp_path, small())).features == Features(
        {
            "concept_id": TEXT,
            "effective_time": TEXT,
            "module_id": TEXT,
            "definition_status": TEXT,
            "language": TEXT,
            "fsn": TEXT,
            "semantic_tag": TEXT,
            "preferred_term": TEXT,
            "synonyms": List(TEXT),
            "definitions": List(TEXT),
            "parents": List({"id": TEXT, "term": TEXT}),
            "attributes": List(
                {
                    "type": TEXT,
                    "type_term": TEXT,
                    "destination": TEXT,
                    "destination_term": TEXT,
                    "value": TEXT,
                    "group": Value("int32"),
                }
            ),
        }
    )


def test_a_row_is_a_concept_in_the_order_of_the_file(tmp_path: Path) -> None:
    files = small(
        Description=[description(40, LAMP, "Light"), description(41, LAMP, "Lantern")],
        Language=[member(41, ACCEPTABLE), member(40, ACCEPTABLE)],
        TextDefinition=[description(50, LAMP, "It gives light.", DEFINITION)],
    )
    files["Language"].append(member(50))
    loaded = load(write_release(tmp_path, files))
    assert loaded["concept_id"][:] == [TOP, LAMP, BLUE]
    assert loaded[1] == {
        "concept_id": LAMP,
        "effective_time": "20250101",
        "module_id": CORE,
        "definition_status": "primitive",
        "language": "en",
        "fsn": "Lamp (object)",
        "semantic_tag": "object",
        "preferred_term": "Lamp",
        "synonyms": ["Light", "Lantern"],
        "definitions": ["It gives light."],
        "parents": [{"id": TOP, "term": "Thing"}],
        "attributes": [],
    }
    account = account_of(loaded)
    assert (account.read, account.kept, account.noted) == (3, 3, {})
    assert loaded["definition_status"][2] == "fully_defined"


def test_ids_of_18_digits_are_exact(tmp_path: Path) -> None:
    long = "100000019999999101"
    files = small(Concept=[concept(long, module="900000000000012004")], **named(60, long, "Long"))
    files["Relationship"].append(relationship(3, long, LAMP))
    row = rows_by_id(write_release(tmp_path, files))[long]
    assert (row["concept_id"], row["module_id"]) == (long, "900000000000012004")
    assert row["parents"] == [{"id": LAMP, "term": "Lamp"}]


@pytest.mark.parametrize(
    "term", ['Ruler of 30" length', '"Quoted" at the start', 'One " only', '"', "'single'", "a\\tb"]
)
def test_quotes_and_backslashes_in_a_term_are_characters_like_others(term: str, tmp_path: Path) -> None:
    files = small(Description=[description(40, LAMP, term)], Language=[member(40, ACCEPTABLE)])
    rows = rows_by_id(write_release(tmp_path, files))
    assert rows[LAMP]["synonyms"] == [term]
    assert len(rows) == 3


class TestInactive:
    def test_concepts_are_left_out_and_counted(self, tmp_path: Path) -> None:
        files = small(Concept=[concept(BELL, active=0)], **named(60, BELL, "Bell"))
        loaded = load(write_release(tmp_path, files))
        assert BELL not in loaded["concept_id"][:]
        account = account_of(loaded)
        assert (account.read, account.kept, account.left_out) == (4, 3, {"inactive_concept": 1})

    def test_descriptions_and_members_are_not_used(self, tmp_path: Path) -> None:
        files = small(
            Description=[description(40, LAMP, "Old", active=0), description(41, LAMP, "Not said here")],
            Language=[member(40, ACCEPTABLE), member(41, ACCEPTABLE, active=0)],
        )
        assert rows_by_id(write_release(tmp_path, files))[LAMP]["synonyms"] == []

    def test_relationships_are_not_used_and_inactive_parents_are_noted(self, tmp_path: Path) -> None:
        files = small(
            Concept=[concept(BELL, active=0)],
            Relationship=[relationship(3, LAMP, BLUE, active=0), relationship(4, LAMP, BELL)],
        )
        loaded = load(write_release(tmp_path, files))
        assert loaded["parents"][1] == [{"id": TOP, "term": "Thing"}]
        assert account_of(loaded).noted == {"inactive_parent": 1}


class TestNames:
    def test_the_refset_decides_which_term_is_preferred(self, tmp_path: Path) -> None:
        files = small(
            Description=[description(40, LAMP, "Color lamp"), description(41, LAMP, "Colour lamp")],
            Language=[
                member(20, refset=GB), member(21, ACCEPTABLE, GB), member(40, ACCEPTABLE), member(41, refset=GB),
            ],
        )  # fmt: skip
        folder = write_release(tmp_path, files)
        for language in (None, "en", "en-US", "en-us", US):
            row = rows_by_id(folder, language=language)[LAMP]
            assert (row["preferred_term"], row["synonyms"]) == ("Lamp", ["Color lamp"])
        for language in ("en-GB", GB):
            row = rows_by_id(folder, language=language)[LAMP]
            assert (row["preferred_term"], row["synonyms"]) == ("Colour lamp", ["Lamp"])

    @pytest.mark.parametrize(
        ("fsn", "tag", "bare"),
        [
            ("Lamp (blue) (physical object)", "physical object", "Lamp (blue)"),
            ("Lamp (disorder) ", "disorder", "Lamp"),
            ("Lamp of (small) size", None, "Lamp of (small) size"),
            ("Lamp", None, "Lamp"),
        ],
    )
    def test_the_tag_is_in_the_last_parentheses(self, fsn: str, tag: str | None, bare: str, tmp_path: Path) -> None:
        files = small(Concept=[concept(BELL)], Description=[description(60, BELL, fsn, FSN)], Language=[member(60)])
        loaded = load(write_release(tmp_path, files))
        row = loaded[3]
        assert (row["fsn"], row["semantic_tag"], row["preferred_term"]) == (fsn, tag, bare)
        noted = {"no_preferred_term": 1, **({} if tag else {"no_semantic_tag": 1})}
        assert account_of(loaded).noted == noted

    def test_a_concept_without_names_is_kept_and_noted(self, tmp_path: Path) -> None:
        loaded = load(write_release(tmp_path, small(Concept=[concept(BELL)])))
        row = loaded[3]
        assert (row["fsn"], row["preferred_term"], row["language"], row["synonyms"]) == (None, None, None, [])
        assert account_of(loaded).noted == {"no_fsn": 1, "no_preferred_term": 1}
        text = load(tmp_path, "text")
        assert (text.num_rows, account_of(text).left_out) == (3, {"no_text": 1})

    def test_of_two_preferred_terms_the_first_is_taken_and_it_is_noted(self, tmp_path: Path) -> None:
        files = small(Description=[description(40, LAMP, "Light")], Language=[member(40)])
        loaded = load(write_release(tmp_path, files))
        assert (loaded["preferred_term"][1], loaded["synonyms"][1]) == ("Lamp", ["Light"])
        assert account_of(loaded).noted == {"several_preferred_terms": 1}

    def test_of_two_members_for_a_description_the_one_that_prefers_it_counts(self, tmp_path: Path) -> None:
        files = small(Language=[member(21, ACCEPTABLE, key="again"), member(31, ACCEPTABLE, active=0, key="again")])
        assert load(write_release(tmp_path, files))["preferred_term"][:] == ["Thing", "Lamp", "Blue lamp"]

    def test_without_a_language_refset_all_synonyms_are_taken(self, tmp_path: Path) -> None:
        files = small(Description=[description(40, LAMP, "Lampe", language="fr")])
        del files["Language"]
        row = rows_by_id(write_release(tmp_path, files))[LAMP]
        assert (row["preferred_term"], row["synonyms"]) == ("Lamp", ["Lamp"])
        row = rows_by_id(tmp_path, language="fr")[LAMP]
        assert (row["preferred_term"], row["synonyms"], row["fsn"]) == ("Lamp", ["Lampe"], "Lamp (object)")


class TestDefinitions:
    def test_are_those_of_the_refset(self, tmp_path: Path) -> None:
        files = small(
            TextDefinition=[
                description(50, LAMP, "Of gray glass.", DEFINITION),
                description(51, LAMP, "Of grey glass.", DEFINITION),
                description(52, LAMP, "Old.", DEFINITION, active=0),
            ],
            Language=[member(50), member(51, refset=GB), member(52)],
        )
        assert rows_by_id(write_release(tmp_path, files))[LAMP]["definitions"] == ["Of gray glass."]

    def test_are_those_of_the_language_where_the_refset_has_none(self, tmp_path: Path) -> None:
        files = small(
            TextDefinition=[
                description(50, LAMP, "Of glass.", DEFINITION), description(51, LAMP, "En verre.", DEFINITION, "fr"),
            ]
        )  # fmt: skip
        assert rows_by_id(write_release(tmp_path, files))[LAMP]["definitions"] == ["Of glass."]


class TestRelationships:
    def test_a_parent_that_is_said_twice_is_one_and_one_that_is_in_no_file_has_no_term(self, tmp_path: Path) -> None:
        files = small(Relationship=[relationship(3, LAMP, TOP), relationship(4, LAMP, BELL)])
        loaded = load(write_release(tmp_path, files))
        assert loaded["parents"][1] == [{"id": TOP, "term": "Thing"}, {"id": BELL, "term": None}]
        assert account_of(loaded).noted == {"parent_not_in_files": 1}
        asked = load(tmp_path, "instruction", tasks=["term_to_parents"])
        assert asked["output"][:] == ["Thing", "Lamp"]

    def test_attributes_come_by_group_with_the_terms_of_both_ends(self, tmp_path: Path) -> None:
        kind, weighs = sctid(7), sctid(8)
        files = small(
            Concept=[concept(kind), concept(weighs)],
            Description=[description(70, kind, "Has color"), description(71, weighs, "Weighs (attribute)", FSN)],
            Language=[member(70), member(71)],
            Relationship=[
                relationship(3, LAMP, BLUE, kind, group=2),
                relationship(4, LAMP, BELL, kind, group=1),
                relationship(5, LAMP, TOP, kind, characteristic=ADDITIONAL),
                relationship(6, LAMP, TOP, kind, active=0),
            ],
            RelationshipConcreteValues=[
                relationship(7, LAMP, "#2.5", weighs), relationship(8, LAMP, '"Before bed"', weighs, group=1),
            ],
        )  # fmt: skip
        colored = {"type": kind, "type_term": "Has color", "value": None}
        heavy = {"type": weighs, "type_term": "Weighs", "destination": None, "destination_term": None}
        assert rows_by_id(write_release(tmp_path, files))[LAMP]["attributes"] == [
            {**heavy, "value": "#2.5", "group": 0},
            {**colored, "destination": BELL, "destination_term": None, "group": 1},
            {**heavy, "value": '"Before bed"', "group": 1},
            {**colored, "destination": BLUE, "destination_term": "Blue lamp", "group": 2},
        ]


class TestTasks:
    def test_ask_and_answer_in_the_words_of_the_release(self, tmp_path: Path) -> None:
        files = small(
            Description=[description(40, BLUE, "Azure lamp"), description(41, BLUE, "Sky lamp")],
            TextDefinition=[description(50, BLUE, 'A lamp that is "blue".', DEFINITION)],
            Language=[member(40, ACCEPTABLE), member(41, ACCEPTABLE), member(50)],
            Relationship=[relationship(3, BLUE, TOP)],
        )
        loaded = load(write_release(tmp_path, files), "instruction")
        assert [tuple(row.values()) for row in loaded if row["id"].startswith(BLUE)] == [
            (f"{BLUE}/term_to_definition", "What is Blue lamp?", "", 'A lamp that is "blue".'),
            (f"{BLUE}/term_to_synonyms", "Give other names for Blue lamp, one per line.", "", "Azure lamp\nSky lamp"),
            (f"{BLUE}/term_to_parents", "Which more general concepts is Blue lamp a kind of? Give one per line.", "",
             "Lamp\nThing"),
        ]  # fmt: skip
        assert account_of(loaded).left_out == {
            "no_term_to_definition": 2, "no_term_to_synonyms": 2, "no_term_to_parents": 1,
        }  # fmt: skip
        (text,) = [row["text"] for row in load(tmp_path, "text") if row["id"] == BLUE]
        assert text == (
            'Blue lamp (object)\nAlso called: Azure lamp; Sky lamp\nDefinition: A lamp that is "blue".\n'
            "Is a kind of: Lamp; Thing"
        )

    @pytest.mark.parametrize(
        ("language", "term", "questions"),
        [
            ("es", "Lámpara", [
                "¿Qué es Lámpara?", "Indica otros nombres de Lámpara, uno por línea.",
                "¿De qué conceptos más generales es Lámpara un tipo? Indica uno por línea.",
            ]),
            ("zh", "灯", ["什么是灯？", "列出灯的其他名称，每行一个。", "灯属于哪些更上位的概念？每行列出一个。"]),
            ("sv", "Lampa", [
                "What is Lampa?", "Give other names for Lampa, one per line.",
                "Which more general concepts is Lampa a kind of? Give one per line.",
            ]),
        ],
    )  # fmt: skip
    def test_are_in_the_language_of_the_terms(
        self, language: str, term: str, questions: list[str], tmp_path: Path
    ) -> None:
        refset = sctid(9)
        files = small(
            Description=[description(80, LAMP, term, SYNONYM, language), description(81, LAMP, "x", SYNONYM, language)],
            TextDefinition=[description(82, LAMP, "y", DEFINITION, language)],
            Language=[member(80, refset=refset), member(81, ACCEPTABLE, refset), member(82, refset=refset)],
        )
        folder = write_release(tmp_path, files)
        loaded = load(folder, "instruction", language=language)
        assert [row["instruction"] for row in loaded if row["id"].startswith(LAMP)] == questions
        source = load(folder, language=language)
        assert source["language"][:] == ["en", language, "en"]
        assert account_of(source).noted == {"no_preferred_term": 2, "fsn_not_in_refset": 3}

    def test_a_name_that_is_only_the_term_again_is_no_other_name(self, tmp_path: Path) -> None:
        files = small(
            Description=[description(40, LAMP, "Lamp"), description(41, BLUE, "b"), description(42, BLUE, "b")],
            Language=[member(item, ACCEPTABLE) for item in (40, 41, 42)],
        )
        loaded = load(write_release(tmp_path, files), "instruction", tasks=["term_to_synonyms"])
        assert [(row["id"], row["output"]) for row in loaded] == [(f"{BLUE}/term_to_synonyms", "b")]


def test_a_wrong_check_digit_and_a_strange_status_are_noted(tmp_path: Path) -> None:
    wrong = LAMP[:-1] + str((int(LAMP[-1]) + 1) % 10)
    files = small(Concept=[concept(wrong), concept(BELL, status=sctid(99))], **named(60, wrong, "Wrong"))
    for kind, rows in named(70, BELL, "Bell").items():
        files[kind] += rows
    loaded = load(write_release(tmp_path, files))
    assert account_of(loaded).noted == {"wrong_check_digit": 1, "unknown_definition_status": 1}
    assert (loaded["concept_id"][3], loaded["definition_status"][4]) == (wrong, sctid(99))


def test_nobody_may_publish_it() -> None:
    assert "SNOMED CT Affiliate Licence" in builder_class("snomed_ct").barred


def check_against_the_standard_library(folder: Path, refset: str, code: str, **options: Any) -> int:
    expected = expected_rows(folder, refset, code)
    loaded = load(folder, **options)
    assert loaded.num_rows == len(expected) > 0
    for row in loaded:
        assert as_expected(row) == expected[row["concept_id"]]
    return loaded.num_rows


class TestSample:
    @pytest.mark.parametrize(
        ("refset", "code", "options"),
        [(US, "en", {}), (GB, "en", {"language": "en-GB"}), ("100000029999999108", "es", {"language": "es"})],
    )
    def test_every_row_is_what_the_standard_library_reads(self, refset: str, code: str, options: Any) -> None:
        assert check_against_the_standard_library(SAMPLE, refset, code, **options) == 158

    def test_its_ids_are_right_and_of_no_real_concept(self) -> None:
        num_checked = 0
        for kind in ("Concept", "Description", "TextDefinition", "Relationship", "RelationshipConcreteValues"):
            partition = {"Concept": "0", "Description": "1", "TextDefinition": "1"}.get(kind, "2")
            for row in read_all(SAMPLE, kind):
                assert check_sum(row["id"]) == 0
                assert row["id"][-2] == partition
                is_of_extension = row["id"][-3] == "1"
                assert row["id"][-10:-3] == "9999999" if is_of_extension else row["id"].startswith("88000")
                num_checked += 1
        assert num_checked > 1_000

    def test_what_is_odd_in_it_is_what_the_card_says(self) -> None:
        account = account_of(load_dataset(NAME, sample=True, split="train"))
        assert (account.read, account.kept) == (171, 158)
        assert account.left_out == {"inactive_concept": 11, "superseded": 2}
        assert account.noted == {
            "fsn_not_in_refset": 2, "no_preferred_term": 2, "no_semantic_tag": 1, "inactive_parent": 1,
        }  # fmt: skip
        assert sum('"' in row["term"] for row in read_all(SAMPLE, "Description")) == 20
        raw = [path.read_bytes() for path in SAMPLE.rglob("*.txt")]
        assert all(text.count(b"\n") == text.count(b"\r\n") > 0 for text in raw)

    def test_the_rows_on_the_card_are_what_the_views_give(self) -> None:
        card = (SAMPLE.parent / "README.md").read_text(encoding="utf-8")
        shown = [json.loads(line) for line in card.splitlines() if line.startswith("{")]
        assert len(shown) == 4
        for view, row in zip(("source", "text", "messages", "instruction"), shown, strict=True):
            loaded = load_dataset(NAME, view, sample=True, split="train")
            key = "concept_id" if view == "source" else "id"
            assert [each for each in loaded if each[key] == row[key]] == [row]


@pytest.mark.realdata
def test_every_real_concept_is_what_the_standard_library_reads(shared_realdata: Callable[[str], Path]) -> None:
    # A release, or a part of one, with the Snapshot unpacked: there is none beside the checkout unless a licensee puts
    # one there.
    assert check_against_the_standard_library(shared_realdata("snomed_ct"), US, "en") > 0
