"""MedlinePlus: health topics of the US National Library of Medicine in plain words, English and Spanish."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from lxml import etree

from hf_builders.corpus_builder import CorpusBuilder, CorpusConfig, Record
from hf_builders.errors import OptionError, SourceError
from hf_builders.locations import OfficialFile
from hf_builders.medlineplus.tasks import heading_to_block, what_is
from hf_builders.medlineplus.topics import FEATURES, values_of
from hf_builders.quarantine import BadRow, Quarantine, RowProblem
from hf_builders.schema import CORPUS_VIEWS
from hf_builders.sources import SourceFile, told_as_source_error
from hf_builders.view_config import ViewConfig
from hf_builders.xml_files import read_elements, root_name

_LANGUAGES = ("English", "Spanish")
_BULK, _SERVICE = "health-topics", "nlmSearchResult"


@dataclass
class TopicConfig(CorpusConfig):
    language: Literal["English", "Spanish"] | None = None
    """Only topics of this language; both by default."""


class Builder(CorpusBuilder):
    """A record is a topic, from the bulk file of a day or from results of the web service."""

    BUILDER_CONFIG_CLASS = TopicConfig
    BUILDER_CONFIGS: ClassVar[list[ViewConfig]] = [TopicConfig(name=view) for view in CORPUS_VIEWS]
    source_features = FEATURES
    tasks: ClassVar = {"what_is": what_is, "heading_to_block": heading_to_block}
    official_files = (OfficialFile("mplus_topics.xml", "train", also="*.xml"),)
    how_to_get = (
        "download the file of health topics, mplus_topics_YYYY-MM-DD.xml, from https://medlineplus.gov/xml.html"
    )
    num_sample_rows = 120

    def check(self, config: ViewConfig) -> None:
        super().check(config)
        assert isinstance(config, TopicConfig)
        if config.language not in (None, *_LANGUAGES):
            raise OptionError(f"language={config.language!r}: takes {' or '.join(map(repr, _LANGUAGES))}")

    def survey(self, sources: list[SourceFile]) -> None:
        self._chosen = _files_by_topic(sources)

    def records(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Record]:
        seen: set[str] = set()
        for number, topic in enumerate(read_elements(source, ["health-topic"]), start=1):
            try:
                values = values_of(topic)
            except RowProblem as problem:
                place = f"{source.name}#{number}"
                raw = etree.tostring(topic, encoding="unicode", with_tail=False)
                bad_rows.add(BadRow(place, problem.reason, problem.fact, raw))
                continue
            # A topic and its translation stay in one split.
            key = min([values["id"], *(topic["id"] for topic in values["mapped_topics"] if topic["id"])])
            yield Record(values["id"], values, self._left_out(values, source, seen), split_key=key)
            seen.add(values["id"])

    def _left_out(self, values: Mapping[str, Any], source: SourceFile, seen: set[str]) -> str | None:
        if values["id"] in seen or self._chosen[values["id"]] != source.index:
            return "duplicate_topic"
        if self.config.language is not None and values["language"] != self.config.language:
            return "other_language"
        return None

    def text(self, values: Mapping[str, Any]) -> str:
        return f"{values['title']}\n\n{values['summary']}" if values["summary"] else ""


def _files_by_topic(sources: Sequence[SourceFile]) -> dict[str, int]:
    """Which file each topic is taken from: the one generated last; of files without a date, the last.

    Results of several searches, or the files of several days, hold the same topics.
    """
    dated: list[tuple[str, int, list[str]]] = []
    for source in sources:
        with told_as_source_error(source):
            _check_form(source)
            ids, generated = [], ""
            for topic in read_elements(source, ["health-topic"]):
                generated = topic.getroottree().getroot().get("date-generated") or ""
                with contextlib.suppress(RowProblem):  # a bad topic takes no place from a good one
                    ids.append(values_of(topic)["id"])
        month, day, year = generated[:2], generated[3:5], generated[6:10]
        dated.append((f"{year}{month}{day}{generated[10:]}", source.index, ids))
    return {id_: index for _, index, ids in sorted(dated, key=lambda each: each[:2]) for id_ in ids}


def _check_form(source: SourceFile) -> None:
    """Raises `SourceError` where a file is neither the bulk one nor whole topics of the web service."""
    if (root := root_name(source)) not in (_BULK, _SERVICE):
        raise SourceError(
            f"{source.name}: the root is <{root}>; expected <{_BULK}> (the bulk file) or <{_SERVICE}> (the web "
            "service); is it a file of another dataset?"
        )
