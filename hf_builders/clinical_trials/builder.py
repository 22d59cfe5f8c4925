"""ClinicalTrials.gov: clinical studies, each with titles, descriptions, interventions, outcomes and eligibility."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from hf_builders.clinical_trials.study_columns import FEATURES
from hf_builders.clinical_trials.study_files import read_studies
from hf_builders.clinical_trials.tasks import description_to_eligibility, summary_to_title, text_of_study
from hf_builders.clinical_trials.versions import find_superseded
from hf_builders.corpus_builder import CorpusBuilder, Record
from hf_builders.locations import OfficialFile
from hf_builders.quarantine import Quarantine
from hf_builders.sources import SourceFile

NOT_SPLIT = "eligibility_not_split"


class Builder(CorpusBuilder):
    """A record is a study. Files of API v2 and of the legacy XML may be mixed; each study is taken once."""

    source_features = FEATURES
    tasks: ClassVar = {
        "summary_to_title": summary_to_title,
        "description_to_eligibility": description_to_eligibility,
    }
    # No file is called so, and the pattern then takes all there are. Of two versions that are equally new the last one
    # is shown, so the generation that says less comes first.
    official_files = tuple(
        OfficialFile(pattern, "train", also=pattern, is_optional=True) for pattern in ("*.xml", "*.json", "*.jsonl")
    )
    how_to_get = (
        "download studies from https://clinicaltrials.gov (a search's Download button, JSON, or pages of "
        "https://clinicaltrials.gov/api/v2/studies)"
    )
    num_sample_rows = 107
    num_records_per_table = 200

    def survey(self, sources: list[SourceFile]) -> None:
        self._superseded = find_superseded(sources)

    def records(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Record]:
        for key, values in read_studies(source, bad_rows):
            left_out = "superseded" if key in self._superseded else None
            is_split = values["eligibility_inclusion"] or values["eligibility_exclusion"]
            notes = (NOT_SPLIT,) if values["eligibility_criteria"] and not is_split else ()
            yield Record(values["nct_id"], values, left_out, notes)

    def text(self, values: Mapping[str, Any]) -> str:
        return text_of_study(values)
