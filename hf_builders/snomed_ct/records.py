"""Rows of a concept file in, records out: each with all that the other files of the release say of its concept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from hf_builders.corpus_builder import Record
from hf_builders.snomed_ct.components import Groups, find, place_of, to_numpy
from hf_builders.snomed_ct.concepts import Concepts, read_concepts
from hf_builders.snomed_ct.names import Names, read_names
from hf_builders.snomed_ct.relationships import Relationships, read_relationships
from hf_builders.snomed_ct.release import Release
from hf_builders.snomed_ct.rf2_table import Report
from hf_builders.snomed_ct.sctid import DEFINITION_STATUS, has_right_check_digit

ROW = ("id", "effectiveTime", "active", "moduleId", "definitionStatusId")
"""The columns of a concept file that records are made of."""
_ROWS_AT_ONCE = 1_000
_TAG = re.compile(r"(.*\S)\s*\(([^()]*)\)\s*", re.DOTALL)

Values = dict[str, Any]


@dataclass(frozen=True)
class Terminology:
    """What the files of a release say of its concepts."""

    as_of: int | None
    concepts: Concepts
    names: Names
    relationships: Relationships

    @classmethod
    def read(cls, release: Release, language: str | None, as_of: int | None, report: Report) -> Terminology:
        """Everything but the rows of concepts: `report` gets the bad rows of the other files."""
        concepts = read_concepts(release.concepts, as_of)
        names = read_names(release, concepts, language, as_of, report)
        return cls(as_of, concepts, names, read_relationships(release, concepts, as_of, report))

    def records(self, rows: pa.Table, number_of_file: int) -> Iterator[Record]:
        """The records of some rows of a concept file, in their order."""
        for begin in range(0, len(rows), _ROWS_AT_ONCE):
            yield from self._records(rows.slice(begin, _ROWS_AT_ONCE), number_of_file)

    def _records(self, rows: pa.Table, number_of_file: int) -> Iterator[Record]:
        ids = to_numpy(rows["id"])
        numbers = find(self.concepts.ids, ids)
        left_out = self._left_out(rows, numbers, number_of_file)
        is_kept = np.array([reason is None for reason in left_out], bool)
        kept = iter(_Batch(self, rows.filter(pa.array(is_kept)), numbers[is_kept]).records())
        for id_, reason in zip(ids.tolist(), left_out, strict=True):
            yield next(kept) if reason is None else Record(str(id_), {}, left_out=reason)

    def _left_out(self, rows: pa.Table, numbers: np.ndarray, number_of_file: int) -> list[str | None]:
        """Why each row is not shown: it is not the version of its concept that counts, or that is inactive."""
        times, is_active = to_numpy(rows["effectiveTime"]), to_numpy(rows["active"])
        if not len(self.concepts.ids):
            return ["after_as_of"] * len(rows)
        is_late = times > self.as_of if self.as_of is not None else np.zeros(len(rows), bool)
        is_other = self.concepts.places[numbers] != to_numpy(place_of(number_of_file, rows["line"]))
        is_same = self.concepts.times[numbers] == times
        reasons = np.full(len(rows), None, object)
        reasons[~is_active] = "inactive_concept"
        reasons[is_other] = "superseded"
        reasons[is_other & is_same] = "repeated"
        reasons[is_late] = "after_as_of"
        return list(reasons)

    def term_of(self, ids: np.ndarray) -> list[str | None]:
        """What each concept is called; None where it is in no file, or has no name."""
        numbers = find(self.concepts.ids, ids)
        fsn, preferred = self.names.fsn[numbers], self.names.preferred[numbers]
        rows = np.where(numbers < 0, -1, np.where(preferred >= 0, preferred, fsn))
        has_tag = (preferred < 0).tolist()
        return [
            split_tag(term)[0] if tagged and term else term
            for term, tagged in zip(_take(self.names.terms, rows), has_tag, strict=True)
        ]


def split_tag(fsn: str) -> tuple[str, str | None]:
    """A fully specified name without its semantic tag, and the tag.

    >>> split_tag("Lamp (blue) (physical object)"), split_tag("Lamp"), split_tag("(lamp)")
    (('Lamp (blue)', 'physical object'), ('Lamp', None), ('(lamp)', None))
    """
    found = _TAG.fullmatch(fsn)
    return (found[1], found[2]) if found else (fsn, None)


def _take(values: pa.Array, rows: np.ndarray) -> list[Any]:
    """The values at these rows; None at -1."""
    taken: list[Any] = values.take(pa.array(rows, mask=rows < 0)).to_pylist()
    return taken


class _Batch:
    """Some concepts that are shown, with what is said of all of them looked up at once."""

    def __init__(self, terminology: Terminology, rows: pa.Table, numbers: np.ndarray) -> None:
        self.terminology, self.rows, self.numbers = terminology, rows, numbers

    def records(self) -> Iterator[Record]:
        ids = to_numpy(self.rows["id"])
        names, is_right = self.terminology.names, has_right_check_digit(ids).tolist()
        several = names.has_several[self.numbers].tolist()
        is_own_fsn = names.is_fsn_of_refset[self.numbers].tolist()
        columns = zip(
            self._rows(), self._names(), self._parents(), self._attributes(), is_right, several, is_own_fsn, strict=True
        )
        for row, named, (parents, num_inactive), attributes, has_right_digit, has_several, is_of_refset in columns:
            values = {**row, **named, "parents": parents, "attributes": attributes}
            is_noted = {
                "wrong_check_digit": not has_right_digit,
                "unknown_definition_status": row["definition_status"].isdecimal(),
                "no_fsn": values["fsn"] is None,
                "fsn_not_in_refset": values["fsn"] is not None and not is_of_refset,
                "no_semantic_tag": values["fsn"] is not None and values["semantic_tag"] is None,
                "no_preferred_term": named["is_by_fsn"],
                "several_preferred_terms": has_several,
                "inactive_parent": num_inactive > 0,
                "parent_not_in_files": any(parent["term"] is None for parent in parents),
            }
            del values["is_by_fsn"]
            yield Record(values["concept_id"], values, notes=[reason for reason, is_so in is_noted.items() if is_so])

    def _rows(self) -> Iterator[Values]:
        for id_, time, _, module, status in zip(*(self.rows[name].to_pylist() for name in ROW), strict=True):
            yield {
                "concept_id": str(id_),
                "effective_time": f"{time:08}",
                "module_id": str(module),
                "definition_status": DEFINITION_STATUS.get(status, str(status)),
            }

    def _names(self) -> Iterator[Values]:
        names = self.terminology.names
        fsn, preferred = names.fsn[self.numbers], names.preferred[self.numbers]
        named = np.where(preferred >= 0, preferred, fsn)
        columns = zip(
            _take(names.languages, named),
            _take(names.terms, fsn),
            _take(names.terms, preferred),
            _lists(names.synonyms, self.numbers, names.terms),
            _lists(names.definitions, self.numbers, names.terms),
            strict=True,
        )
        for language, full, term, synonyms, definitions in columns:
            bare, tag = (None, None) if full is None else split_tag(full)
            yield {
                "language": language,
                "fsn": full,
                "semantic_tag": tag,
                "preferred_term": bare if term is None else term,
                "synonyms": synonyms,
                "definitions": definitions,
                "is_by_fsn": term is None,
            }

    def _parents(self) -> Iterator[tuple[list[Values], int]]:
        """Of each concept its parents, each once, and how many more are inactive."""
        concepts = self.terminology.concepts
        counts, ids = self.terminology.relationships.parents.of(self.numbers)
        numbers = find(concepts.ids, ids)
        is_inactive = (numbers >= 0) & ~concepts.is_active[numbers]
        columns = zip(ids.tolist(), self.terminology.term_of(ids), is_inactive.tolist(), strict=True)
        for count in counts.tolist():
            told = list(islice(columns, count))
            terms = {id_: term for id_, term, inactive in told if not inactive}
            yield [{"id": str(id_), "term": term} for id_, term in terms.items()], sum(each[2] for each in told)

    def _attributes(self) -> Iterator[list[Values]]:
        said = self.terminology.relationships
        counts, rows = said.attributes.of(self.numbers)
        types, destinations = said.types[rows], said.destinations[rows]
        columns = zip(
            types.tolist(),
            self.terminology.term_of(types),
            destinations.tolist(),
            self.terminology.term_of(destinations),
            _take(said.values, rows),
            said.groups[rows].tolist(),
            strict=True,
        )
        for count in counts.tolist():
            yield [
                {
                    "type": str(type_),
                    "type_term": type_term,
                    "destination": str(destination) if destination else None,
                    "destination_term": destination_term,
                    "value": value,
                    "group": group,
                }
                for type_, type_term, destination, destination_term, value, group in islice(columns, count)
            ]


def _lists(groups: Groups, numbers: np.ndarray, terms: pa.Array) -> Iterator[Sequence[str]]:
    counts, rows = groups.of(numbers)
    taken = iter(_take(terms, rows))
    for count in counts.tolist():
        yield list(islice(taken, count))
