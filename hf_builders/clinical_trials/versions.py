"""The files of a load in, the studies of them that stand elsewhere in a newer version out."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from hf_builders.clinical_trials.study_files import form_of, read_studies
from hf_builders.quarantine import Quarantine
from hf_builders.sources import SourceFile, told_as_source_error

_NAME = re.compile(r"(NCT[0-9]{8})\.(?:json|xml)")
_ID_IN_FILE = re.compile(rb'(?:"nctId"\s*:\s*"|<nct_id>\s*)(NCT[0-9]{8})')
_HEAD = 1 << 14

_Version = tuple[datetime.date, int, int]
"""When it was last updated, which file it stands in and where: the greatest is shown."""


def find_superseded(sources: Sequence[SourceFile]) -> frozenset[str]:
    """The keys of the studies that are not shown, of each id all but the version that was updated last.

    Files of one study that say its id in their name are not read for this, unless the id stands elsewhere too: an
    archive of all studies has half a million of them.
    """
    named: dict[str, list[SourceFile]] = {}
    newest: dict[str, tuple[_Version, str]] = {}
    superseded: set[str] = set()
    for source in sources:
        if (id_ := _id_in_name(source)) is not None:
            named.setdefault(id_, []).append(source)
        else:
            _compare(source, newest, superseded)
    for id_, same in named.items():
        if len(same) > 1 or id_ in newest:
            for source in same:
                _compare(source, newest, superseded)
    return frozenset(superseded)


def _compare(source: SourceFile, newest: dict[str, tuple[_Version, str]], superseded: set[str]) -> None:
    with told_as_source_error(source):
        for number, (key, values) in enumerate(read_studies(source, Quarantine("quarantine", None))):
            this = (values["last_update_posted"] or datetime.date.min, source.index, number), key
            other = newest.get(values["nct_id"])
            if other is None or other < this:
                newest[values["nct_id"]] = this
            if other is not None:
                superseded.add(min(this, other)[1])


def _id_in_name(source: SourceFile) -> str | None:
    """The id of the one study of a file, where its name and its beginning agree on it."""
    if (name := _NAME.fullmatch(PurePosixPath(source.name).name)) is None:
        return None
    with told_as_source_error(source), source.open() as file:
        in_file = _ID_IN_FILE.search(file.read(_HEAD))
    if in_file is None or in_file[1].decode() != name[1]:
        return None
    return name[1] if form_of(source) in ("study", "xml") else None
