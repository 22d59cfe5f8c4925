"""Small RF2 releases, written file by file, and the same files read with the standard library alone."""

from __future__ import annotations

import csv
import logging
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

import hf_builders
from hf_builders import Account

FSN, SYNONYM, DEFINITION = "900000000000003001", "900000000000013009", "900000000000550004"
PREFERRED, ACCEPTABLE = "900000000000548007", "900000000000549004"
US, GB = "900000000000509007", "900000000000508004"
CORE = "900000000000207008"
PRIMITIVE, DEFINED = "900000000000074008", "900000000000073002"
INFERRED, STATED, ADDITIONAL = "900000000000011006", "900000000000010007", "900000000000227009"
IS_A, SOME = "116680003", "900000000000451002"
CASE = "900000000000448009"

_BEGIN = "id effectiveTime active moduleId "
_END = " relationshipGroup typeId characteristicTypeId modifierId"
_DESCRIPTION = _BEGIN + "conceptId languageCode typeId term caseSignificanceId"
HEADERS = {
    "Concept": _BEGIN + "definitionStatusId",
    "Description": _DESCRIPTION,
    "TextDefinition": _DESCRIPTION,
    "Relationship": _BEGIN + "sourceId destinationId" + _END,
    "StatedRelationship": _BEGIN + "sourceId destinationId" + _END,
    "RelationshipConcreteValues": _BEGIN + "sourceId value" + _END,
    "Language": _BEGIN + "refsetId referencedComponentId acceptabilityId",
}
Row = Sequence[str]

_TIMES = [
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
]  # fmt: skip
_PERMUTED = ["0123456789", "1576283094"]
while len(_PERMUTED) < 8:
    _PERMUTED.append("".join(_PERMUTED[-1][int(digit)] for digit in _PERMUTED[1]))


def check_sum(number: str) -> int:
    """Verhoeff's, one digit at a time: 0 for a number that ends in its check digit."""
    check = 0
    for place, digit in enumerate(reversed(number)):
        check = int(_TIMES[check][int(_PERMUTED[place % 8][int(digit)])])
    return check


def sctid(item: int, partition: str = "00") -> str:
    """An invented id: an item that no release has, its partition, and the digit that makes the check sum 0."""
    body = f"{990_000_000 + item}{partition}"
    return next(body + str(digit) for digit in range(10) if check_sum(f"{body}{digit}") == 0)


TOP, LAMP, BLUE, BELL = (sctid(item) for item in (1, 2, 3, 4))
SPANISH = sctid(9)
TERMS = ["Thing", "Lamp", "Blue lamp"]
"""The preferred terms of `small`."""


def concept(
    id_: str, active: int = 1, time: str = "20250101", status: str = PRIMITIVE, module: str = CORE
) -> list[str]:
    return [id_, time, str(active), module, status]


def description(
    item: int, concept: str, term: str, kind: str = SYNONYM, language: str = "en", active: int = 1,
    time: str = "20250101",
) -> list[str]:  # fmt: skip
    return [sctid(item, "01"), time, str(active), CORE, concept, language, kind, term, CASE]


def member(
    item: int, acceptability: str = PREFERRED, refset: str = US, active: int = 1, time: str = "20250101", key: str = ""
) -> list[str]:
    id_ = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{item} {refset} {key}"))
    return [id_, time, str(active), CORE, refset, sctid(item, "01"), acceptability]


def relationship(
    item: int, source: str, end: str, kind: str = IS_A, group: int = 0, active: int = 1, time: str = "20250101",
    characteristic: str = INFERRED,
) -> list[str]:  # fmt: skip
    return [sctid(item, "02"), time, str(active), CORE, source, end, str(group), kind, characteristic, SOME]


def named(item: int, concept: str, term: str, tag: str = "object") -> dict[str, list[list[str]]]:
    """A fully specified name and a preferred synonym, both preferred in US English."""
    return {
        "Description": [
            description(item, concept, f"{term} ({tag})", FSN),
            description(item + 1, concept, term),
        ],
        "Language": [member(item), member(item + 1)],
    }


def small(**more: list[list[str]]) -> dict[str, list[list[str]]]:
    """A thing, a lamp that is one, and a blue lamp that is one of these; and what is added to their files."""
    files: dict[str, list[list[str]]] = {
        "Concept": [concept(TOP), concept(LAMP), concept(BLUE, status=DEFINED)],
        "Relationship": [relationship(1, LAMP, TOP), relationship(2, BLUE, LAMP)],
    }
    for item, (id_, term) in enumerate(((TOP, "Thing"), (LAMP, "Lamp"), (BLUE, "Blue lamp"))):
        for kind, rows in named(10 + 10 * item, id_, term).items():
            files.setdefault(kind, []).extend(rows)
    for kind, rows in more.items():
        files.setdefault(kind, []).extend(rows)
    return files


def name_of(kind: str, form: str = "Snapshot", edition: str = "INT", language: str = "en") -> str:
    begin = "der2_cRefset_Language" if kind == "Language" else f"sct2_{kind}_"
    code = f"-{language}" if kind in ("Language", "Description", "TextDefinition") else ""
    return f"{begin}{form}{code}_{edition}_20250101.txt"


def text_of(kind: str, rows: Iterable[Row], newline: str = "\r\n") -> str:
    return "".join("\t".join(row) + newline for row in (HEADERS[kind].split(), *rows))


def write_release(
    folder: Path, files: dict[str, list[list[str]]], form: str = "Snapshot", edition: str = "INT", newline: str = "\r\n"
) -> Path:
    """The files where a release has them; returns `folder`."""
    for kind, rows in files.items():
        place = folder / "SnomedCT_TestRF2_PRODUCTION_20250101T120000Z" / form
        place = place / ("Refset/Language" if kind == "Language" else "Terminology") / name_of(kind, form, edition)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text_of(kind, rows, newline).encode())
    return folder


def load(folder: Path, view: str = "source", **options: Any) -> Dataset:
    return hf_builders.load_dataset("snomed_ct", view, data_dir=folder, split="train", **options)


def account_of(dataset: Dataset) -> Account:
    account = hf_builders.account(dataset)["train"]
    assert account.is_balanced()
    return account


def path_of(folder: Path, kind: str) -> Path:
    (path,) = folder.rglob(name_of(kind))
    return path


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def rows_by_id(folder: Path, **options: Any) -> dict[str, dict[str, Any]]:
    return {row["concept_id"]: row for row in load(folder, **options)}


def read_all(folder: Path, kind: str) -> list[dict[str, str]]:
    """The Snapshot rows of all files of a kind, the latest version of each id, with the standard library alone."""
    begin = "der2_cRefset_*Language*" if kind == "Language" else f"sct2_{kind}_*"
    latest: dict[str, dict[str, str]] = {}
    for path in sorted(folder.rglob(f"{begin}Snapshot*.txt")):
        lines = path.read_text(encoding="utf-8-sig").split("\n")
        told = [line.rstrip("\r") for line in lines if line.strip() and not line.startswith("#")]
        for row in csv.DictReader(told, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["id"] not in latest or row["effectiveTime"] > latest[row["id"]]["effectiveTime"]:
                latest.pop(row["id"], None)
                latest[row["id"]] = row
    return list(latest.values())


def expected_rows(folder: Path, refset: str, language: str) -> dict[str, dict[str, Any]]:
    """What each active concept should be shown as, by id; lists of names are sorted."""
    value = {
        row["referencedComponentId"]: row["acceptabilityId"]
        for row in read_all(folder, "Language")
        if row["active"] == "1" and row["refsetId"] == refset
    }
    concepts = {row["id"]: row for row in read_all(folder, "Concept")}
    of: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in [*read_all(folder, "Description"), *read_all(folder, "TextDefinition")]:
        if row["active"] == "1":
            of[row["conceptId"]].append(row)
    terms = {id_: _terms(of[id_], value, language) for id_ in concepts}
    said: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in [*read_all(folder, "Relationship"), *read_all(folder, "RelationshipConcreteValues")]:
        if row["active"] == "1" and row["characteristicTypeId"] == INFERRED:
            said[row["sourceId"]].append(row)
    is_defined_by_refset = any(
        row["typeId"] == DEFINITION and row["id"] in value for rows in of.values() for row in rows
    )
    expected = {}
    for id_, row in concepts.items():
        if row["active"] == "0":
            continue
        definitions = [
            each["term"]
            for each in of[id_]
            if each["typeId"] == DEFINITION
            and (each["id"] in value if is_defined_by_refset else each["languageCode"] == language)
        ]
        parents = {each["destinationId"] for each in said[id_] if each["typeId"] == IS_A}
        attributes = [each for each in said[id_] if each["typeId"] != IS_A]
        expected[id_] = {
            "effective_time": row["effectiveTime"],
            "module_id": row["moduleId"],
            "definition_status": {PRIMITIVE: "primitive", DEFINED: "fully_defined"}[row["definitionStatusId"]],
            **terms[id_],
            "definitions": sorted(definitions),
            "parents": sorted(
                (parent, terms.get(parent, {}).get("preferred_term"))
                for parent in parents
                if concepts.get(parent, {"active": "1"})["active"] == "1"
            ),
            "attributes": sorted(
                (
                    each["typeId"],
                    terms.get(each["typeId"], {}).get("preferred_term") or "",
                    each.get("destinationId") or "",
                    terms.get(each.get("destinationId") or "", {}).get("preferred_term") or "",
                    each.get("value") or "",
                    int(each["relationshipGroup"]),
                )
                for each in attributes
            ),
        }
    return expected


def _terms(rows: list[dict[str, str]], value: dict[str, str], language: str) -> dict[str, Any]:
    def rank(row: dict[str, str]) -> tuple[bool, bool, bool]:
        said = value.get(row["id"])
        return said == PREFERRED, said is not None, row["languageCode"] == language

    fsn = max((row for row in rows if row["typeId"] == FSN), key=rank, default={"term": ""})["term"] or None
    in_refset = [row for row in rows if row["typeId"] == SYNONYM and row["id"] in value]
    preferred = next((row for row in in_refset if value[row["id"]] == PREFERRED), None)
    bare, tag = fsn, None
    if fsn and fsn.rstrip().endswith(")") and " (" in fsn:
        bare, _, tag = fsn.rstrip()[:-1].rpartition(" (")
    return {
        "fsn": fsn,
        "semantic_tag": tag,
        "preferred_term": preferred["term"] if preferred else bare,
        "synonyms": sorted(row["term"] for row in in_refset if row is not preferred),
    }


def as_expected(row: dict[str, Any]) -> dict[str, Any]:
    """A row of ours in the form of `expected_rows`."""
    shown = {name: value for name, value in row.items() if name not in ("concept_id", "language")}
    columns = ("type", "type_term", "destination", "destination_term", "value")
    return {
        **shown,
        "synonyms": sorted(row["synonyms"]),
        "definitions": sorted(row["definitions"]),
        "parents": sorted((parent["id"], parent["term"]) for parent in row["parents"]),
        "attributes": sorted((*(each[name] or "" for name in columns), each["group"]) for each in row["attributes"]),
    }
