"""The questions a topic answers itself, in its own language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hf_builders.corpus_builder import Exchange


def what_is(values: Mapping[str, Any]) -> Iterator[Exchange]:
    """Asks what the topic is; the whole summary answers, with its headings."""
    if text := values["summary"]:
        question = "¿Qué es {}?" if values["language"] == "Spanish" else "What is {}?"
        yield Exchange(question.format(values["title"]), "", text)


def heading_to_block(values: Mapping[str, Any]) -> Iterator[Exchange]:
    """Asks each heading of the summary; the text below it answers.

    A heading that is no question ("Summary") is asked about the topic.
    """
    for section in values["sections"]:
        heading, text = section["heading"], section["text"]
        if heading and text:
            yield Exchange(heading if heading.endswith("?") else f"{values['title']}: {heading}", "", text)
