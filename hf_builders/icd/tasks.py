"""The questions a code answers itself, and the code as a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hf_builders.corpus_builder import Exchange
from hf_builders.icd.codes import NAMES


def code_to_title(values: Mapping[str, Any]) -> Iterator[Exchange]:
    """Asks what a code stands for."""
    yield Exchange(f"What does the {NAMES[values['system']]} code {values['code']} stand for?", "", values["title"])


def title_to_code(values: Mapping[str, Any]) -> Iterator[Exchange]:
    """Asks for the code of a title.

    Only codes that are billed and alone have their title are asked for, as else there would be several answers.
    """
    if values["is_billable"] and values["is_only_one_of_title"]:
        yield Exchange(f"Which {NAMES[values['system']]} code has this title?", values["title"], values["code"])


def code_to_inclusion_terms(values: Mapping[str, Any]) -> Iterator[Exchange]:
    """Asks for the conditions that a code is to be used for, besides its title."""
    if terms := values.get("inclusion_terms"):
        question = f"Which other terms are coded as {values['code']} ({values['title']}) in {NAMES[values['system']]}?"
        yield Exchange(question, "", "\n".join(terms))


def code_to_hierarchy(values: Mapping[str, Any]) -> Iterator[Exchange]:
    """Asks where a code stands: chapter, section, and the codes above it."""
    if lines := list(_above(values)):
        question = f"Where in {NAMES[values['system']]} does the code {values['code']} ({values['title']}) stand?"
        yield Exchange(question, "", "\n".join(lines))


TASKS = {each.__name__: each for each in (code_to_title, title_to_code, code_to_inclusion_terms, code_to_hierarchy)}


def text_of_code(values: Mapping[str, Any]) -> str:
    """A code with its title, its place, and the notes of the tabular list."""
    lines = [f"{NAMES[values['system']]} {values['code']}: {values['title']}", *_above(values)]
    for heading, column in (
        ("Inclusion terms", "inclusion_terms"),
        ("Includes", "includes"),
        ("Excludes1", "excludes1"),
        ("Excludes2", "excludes2"),
        ("Code first", "code_first"),
        ("Use additional code", "use_additional_code"),
        ("Code also", "code_also"),
        ("Notes", "notes"),
    ):
        lines += [f"{heading}: {'; '.join(notes)}"] if (notes := values.get(column)) else []
    return "\n".join(lines)


def _above(values: Mapping[str, Any]) -> Iterator[str]:
    if chapter := values.get("chapter"):
        yield f"Chapter {chapter['number']}: {chapter['title']}"
    if section := values.get("section"):
        # The descriptions of sections end with their range: "Tuberculosis (A15-A19)".
        yield f"Section {section['title']}"
    for parent in values["parents"]:
        yield f"{parent['code']}: {parent['title']}"
