"""All codes of a load in one index: which file shows a code, and what all files say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hf_builders.icd.codes import System, prefixes, with_dot
from hf_builders.icd.entries import CODES, ORDER, TABULAR, Entry, Form, form_of, read_entries
from hf_builders.sources import SourceFile, told_as_source_error

# The titles of code lists are the official ones; the tabular list writes some with accents, and builds others.
_BY_AUTHORITY = (ORDER, CODES, TABULAR)


@dataclass
class _Known:
    """What is said of one code."""

    shown_by: tuple[int, int]
    """The rank of the form and the index of the file: the highest shows the code."""
    titles: dict[str, str] = field(default_factory=dict)
    """By form; of several files of one form, that of the last."""
    short_title: str | None = None
    is_listed_billable: bool | None = None
    """By a list of codes; the tabular list has to be read for it."""


class CodeIndex:
    """Every code of some files; 100,000 of them take about 100 MiB."""

    def __init__(self, sources: Iterable[SourceFile]) -> None:
        self.forms: dict[int, Form] = {}
        """Of each file, by its index."""
        self._known: dict[tuple[System, str], _Known] = {}
        for source in sources:
            with told_as_source_error(source):
                self.forms[source.index] = form = form_of(source)
                for entry in read_entries(source, form):
                    if entry.problem is None:
                        self._add(entry, form, source.index)

    def _add(self, entry: Entry, form: Form, file: int) -> None:
        rank = (form.rank, file)
        known = self._known.setdefault((form.system, entry.code), _Known(rank))
        known.shown_by = max(known.shown_by, rank)
        if entry.title is not None:
            known.titles[form.name] = entry.title
        known.short_title = entry.short_title or known.short_title
        if form in (ORDER, CODES):
            known.is_listed_billable = entry.is_billable

    def shown_by(self, system: System, code: str) -> tuple[Form, int]:
        """The form and the file that show a code."""
        _, file = self._known[system, code].shown_by
        return self.forms[file], file

    def values_of(self, system: System, entry: Entry) -> tuple[dict[str, Any], list[str]]:
        """What the view `source` shows of a code, and what is worth knowing of it."""
        known = self._known[system, entry.code]
        titles = [known.titles[form.name] for form in _BY_AUTHORITY if form.name in known.titles]
        titles = titles or list(known.titles.values())
        listed = known.is_listed_billable
        values = {
            "system": system,
            "code": with_dot(system, entry.code),
            "code_undotted": entry.code,
            "title": titles[0] if titles else known.short_title,
            "short_title": known.short_title,
            "is_billable": entry.is_billable if listed is None else listed,
            "parents": self._parents(system, entry.code),
            **_with_dot(system, entry.facts),
        }
        notes = ["titles_differ"] if len(set(titles)) > 1 else []
        return values, notes if titles else [*notes, "short_title_only"]

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


def _with_dot(system: System, facts: Mapping[str, Any]) -> dict[str, Any]:
    built_from = facts.get("built_from")
    return {**facts, "built_from": built_from and with_dot(system, built_from)}
