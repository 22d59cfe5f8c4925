"""A row of `metadata.csv` and its parses in, a paper out: as values, as text and as a question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hf_builders.cord19.metadata import Row
from hf_builders.cord19.parse import NO_PARSE, PMC_ENDING, Parse, read_parse
from hf_builders.cord19.parse_files import ParseFiles
from hf_builders.corpus_builder import Exchange
from hf_builders.sources import SourceFile

_PARENT = ":::"  # the innermost stands first: "Organism ::: Methods" is Organism in the section Methods


def paper_of(row: Row, parses: ParseFiles) -> tuple[dict[str, Any], list[str]]:
    """What the view `source` shows of a paper, and what is worth knowing of it.

    Raises:
        RowProblem: a parse is damaged, or no parse.
    """
    files, is_missing = parses.of(row)
    values, notes = row.values(), []
    if is_missing and len(parses):
        notes.append("parse_missing")
    read = _read_enough(files, needs_abstract=values["abstract"] is None)
    chosen = next((parse for parse in read if parse.has_text), read[0] if read else None)
    if chosen is None:
        return {**values, **NO_PARSE}, notes
    notes += chosen.notes
    if chosen is not read[0]:
        notes.append("empty_parse")
    if sum(file.name.endswith(PMC_ENDING) == (chosen.kind == "pmc_json") for file in files) > 1:
        notes.append("several_parses")
    for name in ("title", "abstract"):
        found = next((text for parse in read if (text := getattr(parse, name)).strip()), None)
        if values[name] is None and found is not None:
            values[name] = found
            notes.append(f"{name}_from_parse")
    return {**values, **chosen.values()}, notes


def _read_enough(files: Sequence[SourceFile], *, needs_abstract: bool) -> list[Parse]:
    """The parses up to the first with a text, or with an abstract too where the row has none."""
    read: list[Parse] = []
    for file in files:
        read.append(read_parse(file))
        if any(parse.has_text for parse in read) and not (
            needs_abstract and not any(parse.abstract.strip() for parse in read)
        ):
            break
    return read


def rank_of(row: Row, parses: ParseFiles) -> int:
    """Of rows of one paper, the one with the highest is shown: first a parse of PMC, then one of a PDF, then the
    length of the abstract decides."""
    files, _ = parses.of(row)
    kind = 0 if not files else 2 if files[0].name.endswith(PMC_ENDING) else 1
    return (kind << 40) + len(row.text_of("abstract") or "")


def prose_of(values: Mapping[str, Any]) -> str:
    """Title, abstract and body, with a line for each heading; without what stands behind the body."""
    return "\n\n".join(part.strip() for part in _parts_of(values) if part and part.strip())


def _parts_of(values: Mapping[str, Any]) -> Iterator[str | None]:
    yield values["title"]
    yield values["abstract"]
    before: list[str] = []
    for paragraph in values["body"]:
        if not paragraph["text"].strip():
            continue
        levels = [level.strip() for level in reversed(paragraph["section"].split(_PARENT)) if level.strip()]
        if levels != before:
            is_new = [level != old for level, old in zip(levels, before, strict=False)]
            first_new = is_new.index(True) if True in is_new else min(len(levels), len(before))
            yield from levels[first_new:] or levels[-1:]
        yield paragraph["text"]
        before = levels


def abstract_to_title(values: Mapping[str, Any]) -> list[Exchange]:
    """Asks for the title of a paper with a given abstract."""
    title, abstract = ((values[name] or "").strip() for name in ("title", "abstract"))
    if not title or not abstract:
        return []
    return [Exchange("Write the title of the paper with this abstract.", abstract, title)]
