"""What the citations are asked, and a citation as text to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hf_builders.corpus_builder import Exchange, Task
from hf_builders.pubmed.wording import paragraphs, readable_title, written_heading

_TITLE = "Write the title of the article with this abstract."
_MESH = (
    "List the MeSH headings that index the article with this abstract, one a line, the qualifiers of a heading "
    "behind slashes, and an asterisk before what is a major topic of the article."
)


def abstract_to_title(values: Mapping[str, Any]) -> list[Exchange]:
    """Asks for the title of an abstract."""
    title, abstract = readable_title(values), paragraphs(values["abstract"])
    return [Exchange(_TITLE, abstract, title)] if title and abstract else []


def abstract_to_mesh(values: Mapping[str, Any]) -> list[Exchange]:
    """Asks for the MeSH headings of an abstract, as MEDLINE writes them."""
    headings, abstract = "\n".join(map(written_heading, values["mesh_headings"])), paragraphs(values["abstract"])
    return [Exchange(_MESH, abstract, headings)] if headings and abstract else []


TASKS: dict[str, Task] = {"abstract_to_title": abstract_to_title, "abstract_to_mesh": abstract_to_mesh}


def text_of_citation(values: Mapping[str, Any]) -> str:
    """The title and, a line below, the abstract; one of them where there is no other."""
    title = readable_title(values) or values["vernacular_title"]
    return "\n".join(filter(None, [title, paragraphs(values["abstract"])]))
