"""ICD-10-CM and ICD-9-CM: codes of diagnoses and procedures with titles, notes and their place in the hierarchy."""

from collections.abc import Iterator, Mapping
from typing import Any

from datasets import Features, List, Value

from hf_builders.corpus_builder import CorpusBuilder, Record
from hf_builders.icd.entries import read_entries
from hf_builders.icd.index import CodeIndex
from hf_builders.icd.tabular import NOTES
from hf_builders.icd.tasks import TASKS, text_of_code
from hf_builders.locations import OfficialFile
from hf_builders.quarantine import BadRow, Quarantine, RowProblem
from hf_builders.sources import SourceFile

_TEXT = Value("string")


class Builder(CorpusBuilder):
    """A record is a code of one system, with what all files of a load say of it."""

    source_features = Features(
        {
            "system": _TEXT,
            "code": _TEXT,
            "code_undotted": _TEXT,
            "title": _TEXT,
            "short_title": _TEXT,
            "other_titles": List(_TEXT),
            "is_billable": Value("bool"),
            "chapter": {"number": _TEXT, "title": _TEXT},
            "section": {"id": _TEXT, "title": _TEXT},
            "parents": List({"code": _TEXT, "title": _TEXT}),
            **{column: List(_TEXT) for column in NOTES.values()},
            "seventh_characters": List({"character": _TEXT, "meaning": _TEXT, "notes": List(_TEXT)}),
            "built_from": _TEXT,
        }
    )
    tasks = TASKS
    # The names have a year or a version in them. Beside them lie lists of changes ("addenda"), and the index as XML.
    official_files = (
        OfficialFile("icd10cm_tabular.xml", "train", also="*[Tt]abular*.xml", is_optional=True),
        OfficialFile("icd10cm_order.txt", "train", also="*icd10cm?order?[!a]*.txt", is_optional=True),
        OfficialFile("icd10cm_order_april.txt", "train", also="*icd10cm?order?ap*.txt", is_optional=True),
        OfficialFile("icd10cm_codes.txt", "train", also="*icd10cm?codes?[!a]*.txt", is_optional=True),
        OfficialFile("icd10cm_codes_april.txt", "train", also="*icd10cm?codes?ap*.txt", is_optional=True),
        OfficialFile("CMS_DESC.txt", "train", also="CMS*_DESC_*.txt", is_optional=True),
    )
    how_to_get = (
        "download code descriptions and tabular list of ICD-10-CM from https://www.cms.gov/medicare/coding-billing/"
        "icd-10-codes or https://ftp.cdc.gov/pub/Health_Statistics/NCHS/Publications/ICD10CM/, ICD-9-CM's from CMS"
    )
    num_sample_rows = 151

    def survey(self, sources: list[SourceFile]) -> None:
        self._indexes = {
            split: CodeIndex(source for source in sources if source.split == split)
            for split in {source.split for source in sources}
        }

    def records(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Record]:
        index, seen = self._indexes[source.split], set[str]()
        form = index.forms[source.index]
        for entry in read_entries(source, form):
            problem = entry.problem
            if problem is None and entry.code in seen:
                problem = RowProblem("duplicate_code", f"the code {entry.code} stands in this file before")
            if problem is not None:
                raw = entry.raw or f"{entry.code} {entry.title}"
                bad_rows.add(BadRow(entry.place, problem.reason, problem.fact, raw))
                continue
            seen.add(entry.code)
            shown_form, shown_file = index.shown_by(form.system, entry.code)
            if shown_file != source.index:
                reason = "given_by_a_later_file" if shown_form == form else f"given_by_{shown_form.name}"
                yield Record(entry.place, {}, reason)
                continue
            values, notes = index.values_of(form.system, entry)
            yield Record(f"{form.system}:{values['code']}", values, notes=notes)

    def text(self, values: Mapping[str, Any]) -> str:
        return text_of_code(values)
