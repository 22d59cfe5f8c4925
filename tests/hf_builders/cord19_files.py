"""Small releases of CORD-19, of each time, and how to load them."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset

import hf_builders
from hf_builders import Account

_COMMON = "sha,source_x,title,doi,pmcid,pubmed_id,license,abstract,publish_time,authors,journal"
_OLD = "Microsoft Academic Paper ID,WHO #Covidence"
FIRST = f"{_COMMON},{_OLD},has_full_text"
"""The header of 2020-03-13."""
MARCH = f"cord_uid,{_COMMON},{_OLD},has_full_text,full_text_file,url"
APRIL = f"cord_uid,{_COMMON},{_OLD},has_pdf_parse,has_pmc_xml_parse,full_text_file,url"
MAY = f"cord_uid,{_COMMON},{_OLD},arxiv_id,has_pdf_parse,has_pmc_xml_parse,full_text_file,url"
MID_2020 = f"cord_uid,{_COMMON},mag_id,who_covidence_id,arxiv_id,pdf_json_files,pmc_json_files,url"
FINAL = f"{MID_2020},s2_id"

SHA_1, SHA_2 = "1" * 39 + "a", "2" * 39 + "b"
PDF_1, PDF_2 = f"document_parses/pdf_json/{SHA_1}.json", f"document_parses/pdf_json/{SHA_2}.json"
PMC_7 = "document_parses/pmc_json/PMC7.xml.json"


def row(cord_uid: str, **cells: str) -> dict[str, str]:
    return {"cord_uid": cord_uid, "title": f"Title of {cord_uid}", "abstract": f"Abstract of {cord_uid}.", **cells}


def paragraph(text: str, section: str, **others: Any) -> dict[str, Any]:
    return {"text": text, "cite_spans": [], "ref_spans": [], "section": section, **others}


def pdf_parse(paper_id: str, *body: tuple[str, str], **others: Any) -> dict[str, Any]:
    """A parse of a PDF with these sections and texts."""
    return {
        "paper_id": paper_id,
        "metadata": {"title": "", "authors": []},
        "abstract": [],
        "body_text": [paragraph(text, section) for section, text in body],
        "bib_entries": {},
        "ref_entries": {},
        "back_matter": [],
        **others,
    }


def pmc_parse(paper_id: str, *body: tuple[str, str], **others: Any) -> dict[str, Any]:
    """A parse of PMC, which has no abstract."""
    parse = pdf_parse(paper_id, *body, **others)
    del parse["abstract"]
    return parse


def write_release(
    folder: Path, header: str, rows: list[dict[str, str]], parses: Mapping[str, Any] | None = None
) -> Path:
    """`metadata.csv` with this header, and parses by path: text or bytes as they are, anything else as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header.split(","), restval="")
        writer.writeheader()
        writer.writerows(rows)
    for path, parse in (parses or {}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(as_bytes(parse))
    return folder


def as_bytes(parse: Any) -> bytes:
    if isinstance(parse, bytes):
        return parse
    return (parse if isinstance(parse, str) else json.dumps(parse)).encode()


def write_tar(path: Path, members: Mapping[str, Any]) -> Path:
    """A `.tar.gz` of these files; a `TarInfo` goes in as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info, data = tarfile.TarInfo(name), b""
            if isinstance(content, tarfile.TarInfo):
                info = content
            else:
                data = as_bytes(content)
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def load(folder: Path, view: str = "source", **options: Any) -> Dataset:
    return hf_builders.load_dataset("cord19", view, data_dir=folder, split="train", **options)


def account_of(dataset: Dataset) -> Account:
    account = hf_builders.account(dataset)["train"]
    assert account.is_balanced()
    return account


def body_of(dataset: Dataset) -> list[list[str]]:
    """The texts of each paper."""
    return [[paragraph["text"] for paragraph in body] for body in dataset["body"]]


def quarantined(dataset: Dataset) -> list[dict[str, str]]:
    """The bad rows set aside, as they are written beside the Arrow file."""
    folder = Path(dataset.cache_files[0]["filename"]).parent
    return [
        json.loads(line)
        for path in sorted(folder.glob("quarantine-*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
