"""What a cleaning step is: options in, a pure function on Arrow strings out; and what the steps share.

A step must give each text the same whatever stands beside it in a batch: rows are cleaned in batches of any size.
"""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from hf_builders.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    """One step of cleaning; its fields are its options in YAML."""

    name: ClassVar[str]
    is_for_generation: ClassVar[bool] = True
    """False where a model that writes would learn broken text from it."""

    def libraries(self) -> tuple[str, ...]:
        """What of the extra `clean` is imported with these options."""
        return ()

    def contradictions(self) -> Iterator[str]:
        """What the types of the options cannot say."""
        yield from ()

    def check_libraries(self) -> None:
        """
        Raises:
            OptionError: a library is not installed.
        """
        for library in self.libraries():
            if importlib.util.find_spec(library) is None:
                raise OptionError(
                    f"clean.steps: {self.name!r} needs {library}; pip install 'hf-builders[clean]' has all steps need"
                )

    def load(self, library: str) -> Any:
        """A library of the extra, imported where it is first used: it costs time and memory."""
        self.check_libraries()
        return importlib.import_module(library)


@dataclass(frozen=True, kw_only=True)
class TextStep(Step):
    @abstractmethod
    def clean(self, texts: pa.Array) -> pa.Array:
        """n strings as n strings (`pa.StringArray`, to which `Cleaner` casts all others); a null stays null."""


@dataclass(frozen=True, kw_only=True)
class FilterStep(Step):
    @abstractmethod
    def keeps(self, texts: pa.Array) -> pa.Array:
        """Which of n strings (`pa.StringArray`) stay: n booleans, null for null."""


def apply_where(texts: pa.Array, pattern: str, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """`change` an array of those of n strings in which `pattern` (RE2) is found; the others stay as they are."""
    is_hit = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
    hits = texts.filter(is_hit)
    if not len(hits):
        return texts
    return change(texts) if len(hits) == len(texts) else pc.replace_with_mask(texts, is_hit, change(hits))


def rewrite(texts: pa.Array, pattern: str, change: Callable[[str], str]) -> pa.Array:
    """The same with a function of one text, which sees equal texts once.

    >>> rewrite(pa.array(["a1", "b", None]), "[0-9]", str.upper).to_pylist()
    ['A1', 'b', None]
    """

    def change_all(hits: pa.Array) -> pa.Array:
        distinct = hits.dictionary_encode()
        changed = [change(text) for text in distinct.dictionary.to_pylist()]
        return pa.array(changed, pa.string()).take(distinct.indices)

    return apply_where(texts, pattern, change_all)


def substitute(texts: pa.Array, pattern: str, replacement: str) -> pa.Array:
    """Every match of `pattern` (RE2) replaced, in n strings."""
    return pc.replace_substring_regex(texts, pattern=pattern, replacement=replacement)
