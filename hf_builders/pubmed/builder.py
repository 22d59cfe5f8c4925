"""PubMed / MEDLINE: citations of biomedical articles, each with title, abstract, MeSH headings and the like."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from datasets.utils.logging import get_logger
from lxml import etree

from hf_builders.corpus_builder import CorpusBuilder, Record
from hf_builders.errors import SourceError
from hf_builders.locations import OfficialFile
from hf_builders.pubmed.citations import SOURCE_FEATURES, notes_of, values_of
from hf_builders.pubmed.pmid_scan import DELETIONS, PATHS_OF_PMIDS, Scan, scan
from hf_builders.pubmed.tasks import TASKS, text_of_citation
from hf_builders.pubmed.versions import Losers, count_unknown_deletions, find_losers
from hf_builders.quarantine import BadRow, Quarantine, RowProblem
from hf_builders.sources import SourceFile, told_as_source_error
from hf_builders.xml_files import read_elements, root_name, text_of

logger = get_logger(__name__)

_OFFICIAL_NAME = re.compile(r"(?:pubmed|medline)([0-9]{2})n([0-9]{4,})\.xml")


class Builder(CorpusBuilder):
    """One row is one citation, in its last version. Baseline, update files and efetch's XML may be mixed."""

    source_features = SOURCE_FEATURES
    tasks = TASKS
    # No file is called so, and the pattern then takes all there are: efetch's may have any name.
    official_files = (OfficialFile("pubmed*.xml.gz", "train", also="*.xml"),)
    how_to_get = (
        "download files from https://ftp.ncbi.nlm.nih.gov/pubmed/baseline/ (and newer ones from .../updatefiles/)"
    )
    num_sample_rows = 124

    def files_of_rows(self, sources: list[SourceFile]) -> list[SourceFile]:
        """In the order in which they were published."""
        return sorted(sources, key=_published)

    def survey(self, sources: list[SourceFile]) -> None:
        scans = [_scan(source) for source in sources]
        for source, each in zip(sources, scans, strict=True):
            if not len(each.pmids) and not len(each.deleted):
                logger.warning(f"{source.name}: holds no citation, as when efetch was asked for PMIDs it does not have")
        losers = find_losers(scans)
        self._losers = {source.index: each for source, each in zip(sources, losers, strict=True)}
        if num_unknown := count_unknown_deletions(scans):
            logger.info(f"{self.dataset_name}: {num_unknown:,} deleted PMIDs are in none of the files")

    def records(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Record]:
        losers = self._losers[source.index]
        if not losers.num_citations:
            return  # `read_elements` would take an empty file for one of another dataset
        reasons = _reasons(losers)
        num_read = 0
        for element in read_elements(source, [path[0] for path in _paths(source)]):
            if element.tag in DELETIONS:
                continue
            num_read += 1
            if reason := reasons.get(num_read - 1):
                yield Record(f"{source.name}#{num_read}", {}, left_out=reason)
                continue
            try:
                values = values_of(element)
            except RowProblem as problem:
                raw = etree.tostring(element, encoding="unicode", with_tail=False)
                bad_rows.add(BadRow(_place(source, num_read, element), problem.reason, problem.fact, raw))
                continue
            yield Record(values["pmid"], values, notes=notes_of(values))
        if num_read != losers.num_citations:
            raise SourceError(
                f"{source.name}: holds {num_read:,} citations, and held {losers.num_citations:,} when PMIDs were "
                "compared; was it changed meanwhile? Load it again"
            )

    def text(self, values: Mapping[str, Any]) -> str:
        return text_of_citation(values)


def _published(source: SourceFile) -> tuple[int, int, int]:
    """Sorts official names by year and number; files of other names come behind, in the order they are in."""
    found = _OFFICIAL_NAME.match(PurePosixPath(source.name).name)
    return (0, int(found[1]), int(found[2])) if found else (1, 0, 0)


def _scan(source: SourceFile) -> Scan:
    with told_as_source_error(source):
        return scan(source, _paths(source))


def _paths(source: SourceFile) -> tuple[tuple[str, ...], ...]:
    """Where PMIDs are in a file, by its root."""
    root = root_name(source)
    if root not in PATHS_OF_PMIDS:
        expected = " or ".join(f"<{name}>" for name in PATHS_OF_PMIDS)
        raise SourceError(f"{source.name}: the root is <{root}>, expected {expected}; is it a file of another dataset?")
    return PATHS_OF_PMIDS[root]


def _reasons(losers: Losers) -> dict[int, str]:
    """Why the citations at some positions are not shown."""
    return {
        **dict.fromkeys(losers.superseded.tolist(), "superseded"),
        **dict.fromkeys(losers.deleted.tolist(), "deleted"),
    }


def _place(source: SourceFile, number: int, element: etree._Element) -> str:
    """Of a bad row: the number of the citation in its file, and its PMID where it has one."""
    (path,) = (path for path in _paths(source) if path[0] == element.tag)
    pmid = text_of(element.find("/".join(path[1:])))
    return f"{source.name}#{number}" + (f": PMID {pmid}" if pmid else "")
