"""All codes of a load in one index: which file shows a code, and what all files say of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hf_builders.icd.codes import System, prefixes, with_dot
from hf_builders.icd.entries import CODES, ORDER, TABULAR, Entry, Form, form_of, read_entries
from hf_builders.sources import SourceFile, told_as_source_error

# The titles of code lists are the official ones; the tabular list writes some with accents, and builds others.
_BY_AUTHORITY = (ORDER, CODES, TABULAR)
_YEAR = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])")


class _Rank(NamedTuple):
    """What decides between files that hold the same code."""

    form: int
    year: int
    file: int


@dataclass
class _Known:
    """What is said of one code."""

    shown_by: _Rank
    """Of all files that hold the code, the highest."""
    is_billable: bool
    """As that file says."""
    titles: dict[str, str] = field(default_factory=dict)
    """By form; of several files of one form, that of the highest."""
    short_title: str | None = None
    billable_differs: bool = False


class CodeIndex:
    """Every code of some files; 100,000 of them take about 100 MiB."""

    def __init__(self, sources: Iterable[SourceFile]) -> None:
        self.forms: dict[int, Form] = {}
        """Of each file, by its index."""
        self._known: dict[tuple[System, str], _Known] = {}
        for source in sources:
            with told_as_source_error(source):
                self.forms[source.index] = form = form_of(source)
                rank, seen = _Rank(form.rank, _year(source), source.index), set[str]()
                for entry in read_entries(source, form):
                    if entry.problem is None and entry.code not in seen:
                        seen.add(entry.code)
                        self._add(entry, form, rank)
        self._uses = Counter(
            (system, self._title(known)) for (system, _), known in self._known.items() if known.is_billable
        )

    def _add(self, entry: Entry, form: Form, rank: _Rank) -> None:
        known = self._known.setdefault((form.system, entry.code), _Known(rank, entry.is_billable))
        known.billable_differs |= known.is_billable != entry.is_billable
        is_higher = rank >= known.shown_by
        if is_higher:
            known.shown_by, known.is_billable = rank, entry.is_billable
        if entry.title is not None and (is_higher or form.name not in known.titles):
            known.titles[form.name] = entry.title
        if entry.short_title is not None and (is_higher or known.short_title is None):
            known.short_title = entry.short_title

    def shown_by(self, system: System, code: str) -> tuple[Form, int]:
        """The form and the file that show a code."""
        file = self._known[system, code].shown_by.file
        return self.forms[file], file

    def values_of(self, system: System, entry: Entry) -> tuple[dict[str, Any], list[str]]:
        """What the view `source` shows of a code, and what is worth knowing of it."""
        known = self._known[system, entry.code]
        title = self._title(known)
        others = [other for other in dict.fromkeys(known.titles.values()) if other != title]
        values = {
            "system": system,
            "code": with_dot(system, entry.code),
            "code_undotted": entry.code,
            "title": title,
            "short_title": known.short_title,
            "other_titles": others,
            "is_billable": known.is_billable,
            "parents": self._parents(system, entry.code),
            "is_only_one_of_title": self._uses[system, title] == 1,  # no column: what a task has to know
            **_with_dot(system, entry.facts),
        }
        notes = {
            "titles_differ": bool(others),
            "billable_differs": known.billable_differs,
            "short_title_only": not known.titles,
        }
        return values, [note for note, is_so in notes.items() if is_so]

    def _parents(self, system: System, code: str) -> list[dict[str, str | None]]:
        """The codes above this one that a file has, from the category down."""
        return [
            {"code": with_dot(system, above), "title": self._title(known)}
            for above in prefixes(system, code)
            if (known := self._known.get((system, above))) is not None
        ]

    def _title(self, known: _Known) -> str | None:
        in_order = [known.titles[form.name] for form in _BY_AUTHORITY if form.name in known.titles]
        return next(iter([*in_order, *known.titles.values()]), known.short_title)


def _year(source: SourceFile) -> int:
    """The last year in the name of a file, or else of the folder or archive it lies in; 0 where there is none."""
    path = Path(source.path)
    years = _YEAR.findall(f"{path.parent.name}/{path.name}/{source.member or ''}")
    return int(years[-1]) if years else 0


def _with_dot(system: System, facts: Mapping[str, Any]) -> dict[str, Any]:
    built_from = facts.get("built_from")
    return {**facts, "built_from": built_from and with_dot(system, built_from)}
