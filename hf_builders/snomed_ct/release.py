"""Which files of a folder make one release: the Snapshot, or else the Full files, of each kind of component.

In: the files that were found, by their RF2 names. Out: a `Release`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from datasets.utils.logging import get_logger

from hf_builders.errors import OptionError, SourceError
from hf_builders.locations import OfficialFile
from hf_builders.sources import SourceFile, told

logger = get_logger(__name__)

Form = Literal["snapshot", "full", "delta"]

_BEGINS = {
    "concepts": "sct2_Concept_",
    "descriptions": "sct2_Description_",
    "definitions": "sct2_TextDefinition_",
    "relationships": "sct2_Relationship_",
    "stated": "sct2_StatedRelationship_",
    "values": "sct2_RelationshipConcreteValues_",
    "members": "der2_cRefset_",
}
_LANGUAGE = "Language"  # of the refsets of their type, only those
_FORM = re.compile("Snapshot|Full|Delta")

# A beta file begins with x, and an edition may say its name before the form: sct2_Concept_MONOSnapshot_GB_….txt.
# Full and Delta files are found too, to be told where there is no Snapshot.
OFFICIAL_FILES = tuple(
    OfficialFile(name, "train", part=name.partition("*")[0], also=f"*{name}", is_optional=True)
    for name in [begin + (f"*{_LANGUAGE}*.txt" if kind == "members" else "*.txt") for kind, begin in _BEGINS.items()]
)


class _Known(NamedTuple):
    source: SourceFile
    kind: str
    form: Form
    edition: str
    """Country and namespace, as `INT` or `US1000124`."""


@dataclass(frozen=True)
class Release:
    """The files that are read, by kind."""

    form: Form
    concepts: tuple[SourceFile, ...]
    descriptions: tuple[SourceFile, ...]
    definitions: tuple[SourceFile, ...]
    relationships: tuple[SourceFile, ...]
    stated: tuple[SourceFile, ...]
    """Of use only where there are no inferred relationships."""
    values: tuple[SourceFile, ...]
    members: tuple[SourceFile, ...]
    """Of language refsets."""

    @property
    def files(self) -> list[SourceFile]:
        kinds = (self.concepts, self.descriptions, self.definitions, self.relationships, self.values, self.members)
        return [file for kind in (*kinds, () if self.relationships else self.stated) for file in kind]


def choose_release(sources: Sequence[SourceFile], wanted: Form | None) -> Release:
    """The files of the form that is wanted; by default of the Snapshot, or else of Full.

    Raises:
        OptionError: the form that is wanted is not there.
        SourceError: neither is there, or there are no descriptions.
    """
    known = [found for source in sources if (found := _know(source))]
    forms = {each.form for each in known if each.kind == "concepts"}
    names = told([source.name for source in sources])
    if not forms:
        raise SourceError(
            f"{names}: none is a file of concepts; expected names like sct2_Concept_Snapshot_INT_20250101.txt, with "
            "the other files of the release beside it"
        )
    if forms == {"delta"}:
        raise SourceError(
            f"{names}: is a Delta, which holds only what changed since the release before; name the Snapshot or the "
            "Full files of the release"
        )
    if wanted is not None and wanted not in forms:
        option = "release='full', or as_of, which needs it" if wanted == "full" else f"release={wanted!r}"
        raise OptionError(f"{option}: there are only {', '.join(sorted(forms))} files: {names}")
    form: Form = wanted or ("snapshot" if "snapshot" in forms else "full")
    chosen = {kind: tuple(each.source for each in known if (each.kind, each.form) == (kind, form)) for kind in _BEGINS}
    if not chosen["descriptions"]:
        raise SourceError(
            f"{names}: has no {form} file of descriptions (sct2_Description_{form.capitalize()}-en_INT_….txt), and "
            "without them concepts have no names; name the folder of the whole release"
        )
    _warn_of_absent(Release(form, **chosen), known)
    return Release(form, **chosen)


def _know(source: SourceFile) -> _Known | None:
    """A file by its name; None where it is none of ours, as a file of maps in a zip."""
    path = source.member if source.member is not None else source.path
    name = PurePosixPath(Path(path).as_posix()).name.removesuffix(".gz")
    kind = next((kind for kind, begin in _BEGINS.items() if begin in name), None)
    if kind is None or (kind == "members" and _LANGUAGE not in name):
        return None
    found = _FORM.search(name)
    if found is None:
        logger.warning(f"snomed_ct: {source.name} is not read: its name says neither Snapshot nor Full")
        return None
    form: Form = found[0].lower()  # type: ignore[assignment]  # the pattern has the three forms
    return _Known(source, kind, form, name.split("_")[-2])


def _warn_of_absent(release: Release, known: Sequence[_Known]) -> None:
    """What a reader of the rows would miss without knowing why."""
    if not release.members:
        logger.warning(
            "snomed_ct: there is no file of language refsets (der2_cRefset_Language…), so nothing says which term is "
            "preferred: all synonyms of the language are taken, and the preferred term is the fully specified name"
        )
    if not release.relationships and release.stated:
        logger.warning("snomed_ct: there is no file of inferred relationships, so the stated ones are taken")
    elif not release.relationships:
        logger.warning("snomed_ct: there is no file of relationships, so concepts have no parents and no attributes")
    editions = {each.edition for each in known if each.form == release.form}
    unread = [
        each.source.name
        for each in known
        if each.kind == "concepts" and each.form not in (release.form, "delta") and each.edition not in editions
    ]
    if unread:
        logger.warning(f"snomed_ct: reads the {release.form} files, and there are none for {told(unread)}")
