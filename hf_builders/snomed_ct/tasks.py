"""What a concept is asked about itself, in the language of its terms, and how it reads as a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hf_builders.corpus_builder import Exchange

Values = Mapping[str, Any]

_WORDS = {
    "en": {
        "definition": "What is {}?",
        "synonyms": "Give other names for {}, one per line.",
        "parents": "Which more general concepts is {} a kind of? Give one per line.",
        "also": "Also called: ",
        "kind": "Is a kind of: ",
        "defined": "Definition: ",
    },
    "es": {
        "definition": "¿Qué es {}?",
        "synonyms": "Indica otros nombres de {}, uno por línea.",
        "parents": "¿De qué conceptos más generales es {} un tipo? Indica uno por línea.",
        "also": "También llamado: ",
        "kind": "Es un tipo de: ",
        "defined": "Definición: ",
    },
    "zh": {
        "definition": "什么是{}？",
        "synonyms": "列出{}的其他名称，每行一个。",
        "parents": "{}属于哪些更上位的概念？每行列出一个。",
        "also": "又称：",
        "kind": "属于：",
        "defined": "定义：",
    },
}


def _words(values: Values) -> Mapping[str, str]:
    return _WORDS.get((values["language"] or "").partition("-")[0].lower(), _WORDS["en"])


def _ask(values: Values, what: str, answers: Iterable[str]) -> list[Exchange]:
    """A question about the preferred term, where there is something to say, each thing once."""
    term = values["preferred_term"]
    said = [answer for answer in dict.fromkeys(answers) if answer.strip()]
    if not term or not term.strip() or not said:
        return []
    return [Exchange(_words(values)[what].replace("{}", term), "", "\n".join(said))]


def term_to_definition(values: Values) -> list[Exchange]:
    """What a term means, in the words of its text definition."""
    return _ask(values, "definition", values["definitions"])


def term_to_synonyms(values: Values) -> list[Exchange]:
    """Which other names a term has, one per line."""
    return _ask(values, "synonyms", (term for term in values["synonyms"] if term != values["preferred_term"]))


def term_to_parents(values: Values) -> list[Exchange]:
    """Which more general concepts a term comes under, their preferred terms, one per line."""
    return _ask(values, "parents", (parent["term"] for parent in values["parents"] if parent["term"]))


def text_of(values: Values) -> str:
    """Term and tag, other names, definition and parents, a line each; empty where a concept has no name."""
    term, tag, words = values["preferred_term"], values["semantic_tag"], _words(values)
    if not term or not term.strip():
        return ""
    lines = [f"{term} ({tag})" if tag else term]
    if synonyms := [each for each in dict.fromkeys(values["synonyms"]) if each != term]:
        lines.append(words["also"] + "; ".join(synonyms))
    lines += [words["defined"] + definition for definition in values["definitions"]]
    if parents := [parent["term"] for parent in values["parents"] if parent["term"]]:
        lines.append(words["kind"] + "; ".join(parents))
    return "\n".join(lines)
