"""Classic steps on words, for search and statistics. They are unsuitable for generative fine-tuning: a model that
learns from such text writes such text."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pyarrow as pa

from hf_builders.cleaning_step import TextStep, rewrite

_HAN = r"\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Letters of scripts that write words; an apostrophe is within a word.
_WORD = re.compile(rf"[^\W\d_{_HAN}]+(?:['’][^\W\d_{_HAN}]+)*")
# What is a stop word as a whole or not at all: `x-ray` is no `x`, and `B12` no `b`.
_TOKEN_AND_BLANKS = re.compile(rf"([^\W_{_HAN}]+(?:['’‐‑_-][^\W_{_HAN}]+)*)[ \t]*")
_CURLY = str.maketrans("’‐‑", "'--")
_ANY_LETTER = r"\p{L}"


@dataclass(frozen=True, kw_only=True)
class StopWords(TextStep):
    """Words that stand in every text are removed. Unsuitable for generative fine-tuning.

    Chinese is cut into words by jieba (rjieba), and what stays is joined again. The blanks behind an English word go
    with it. A word with hyphens, apostrophes or digits within, such as `x-ray` or `B12`, goes as a whole or stays.
    `don’t` is the same as `don't`. Of other scripts nothing is known.

    Negations are lost, for the usual lists have them: `No fever, not sick` becomes `fever, sick`.
    """

    name: ClassVar[str] = "stop_words"
    is_for_generation: ClassVar[bool] = False

    language: Literal["zh", "en"]
    words: list[str] | None = None
    """Instead of the list of stopwords-iso, whose Chinese one holds signs such as `。` too. Case does not matter."""
    separator: str = ""
    """For Chinese: what stands between two words that stay, such as a space where a program reads words."""

    def libraries(self) -> tuple[str, ...]:
        return (*(["stopwordsiso"] if self.words is None else []), *(["rjieba"] if self.language == "zh" else []))

    def contradictions(self) -> Iterator[str]:
        if self.words == []:
            yield "words is empty; leave it out for the usual ones"
        if self.separator and self.language != "zh":
            yield "separator goes with language: zh; English words have blanks between them"

    def clean(self, texts: pa.Array) -> pa.Array:
        listed = self.load("stopwordsiso").stopwords(self.language) if self.words is None else self.words
        stop = frozenset(word.lower() for word in listed)
        if self.language == "en":
            stop = frozenset(word.translate(_CURLY) for word in stop if not word.isdigit())
            return rewrite(
                texts,
                _ANY_LETTER,
                lambda text: _TOKEN_AND_BLANKS.sub(
                    lambda found: "" if found[1].lower().translate(_CURLY) in stop else found[0], text
                ),
            )
        cut: Callable[[str], list[str]] = self.load("rjieba").cut
        return rewrite(
            texts,
            r"[^\s]",
            lambda text: self.separator.join(word for word in cut(text) if word.lower() not in stop),
        )


# Per process: a word is looked up once for all batches.
@functools.cache
def _stemmer(snowballstemmer: Any, language: str) -> Callable[[str], str]:
    stem: Callable[[str], str] = snowballstemmer.stemmer(language).stemWord
    return functools.lru_cache(maxsize=1 << 17)(lambda word: stem(word.lower()))


@functools.cache
def _lemmatiser(simplemma: Any, language: str) -> Callable[[str], str]:
    lemmatise: Callable[..., str] = simplemma.lemmatize
    return functools.lru_cache(maxsize=1 << 17)(lambda word: lemmatise(word, lang=language))


@dataclass(frozen=True, kw_only=True)
class Stemming(TextStep):
    """Words become their stems, in small letters: `Relational` → `relat` (Snowball). Unsuitable for generative
    fine-tuning. Chinese characters and numbers stay."""

    name: ClassVar[str] = "stemming"
    is_for_generation: ClassVar[bool] = False

    language: Literal[
        "arabic", "danish", "dutch", "english", "finnish", "french", "german", "hindi", "hungarian", "indonesian",
        "italian", "norwegian", "porter", "portuguese", "romanian", "russian", "spanish", "swedish", "turkish",
    ] = "english"  # fmt: skip
    """`porter` is the older one for English."""

    def libraries(self) -> tuple[str, ...]:
        return ("snowballstemmer",)

    def clean(self, texts: pa.Array) -> pa.Array:
        stem = _stemmer(self.load("snowballstemmer"), self.language)
        return rewrite(texts, _ANY_LETTER, lambda text: _WORD.sub(lambda found: stem(found[0]), text))


@dataclass(frozen=True, kw_only=True)
class Lemmatisation(TextStep):
    """Words become those of a dictionary: `mice` → `mouse` (simplemma). Unsuitable for generative fine-tuning.

    Each word is looked up by itself: `saw` is a verb or a tool by no context. Unknown words stay.
    """

    name: ClassVar[str] = "lemmatisation"
    is_for_generation: ClassVar[bool] = False

    language: Literal["de", "en", "es", "fr", "hi", "id", "it", "nl", "pl", "pt", "ru", "sv", "tr"] = "en"

    def libraries(self) -> tuple[str, ...]:
        return ("simplemma",)

    def clean(self, texts: pa.Array) -> pa.Array:
        lemmatise = _lemmatiser(self.load("simplemma"), self.language)
        return rewrite(texts, _ANY_LETTER, lambda text: _WORD.sub(lambda found: lemmatise(found[0]), text))
