"""Cleaning: named steps, in the order the config gives them, on batches of texts; every change and drop is counted.

clean:
  steps:
    - control
    - unicode: {form: full_width}
    - length: {min_chars: 2, max_chars: 4000}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hf_builders.cleaning_characters import Case, Control, Mojibake, Simplified, UnicodeForm, Whitespace
from hf_builders.cleaning_filters import CharacterRatio, Length
from hf_builders.cleaning_markup import Html, Urls
from hf_builders.cleaning_numbers import Numbers
from hf_builders.cleaning_punctuation import Punctuation
from hf_builders.cleaning_step import FilterStep, Step, TextStep
from hf_builders.cleaning_words import Lemmatisation, Stemming, StopWords
from hf_builders.errors import did_you_mean
from hf_builders.yaml_sections import read_section

STEPS: dict[str, type[Step]] = {
    step.name: step
    for step in (
        UnicodeForm,
        Mojibake,
        Simplified,
        Punctuation,
        Numbers,
        Case,
        Control,
        Whitespace,
        Urls,
        Html,
        StopWords,
        Stemming,
        Lemmatisation,
        Length,
        CharacterRatio,
    )
}


def parse_steps(values: object, place: str, faults: list[str]) -> list[Step]:
    """The steps a list of YAML names; `place` begins each fault, and a step with a fault is left out.

    >>> parse_steps(["control", {"length": {"min_chars": 2}}], "clean.steps", [])
    [Control(joiners=False, replacement_character=False), Length(min_chars=2, max_chars=None)]
    >>> faults = []
    >>> parse_steps([{"length": {"min_char": 2}}], "clean.steps", faults), faults
    ([], ["clean.steps[0].length.min_char: unknown key; did you mean 'min_chars'?"])
    """
    if not isinstance(values, list):
        faults.append(f"{place}: is {'empty' if values is None else repr(values)[:60]}; expected a list of steps")
        return []
    steps = [_parse_step(value, f"{place}[{number}]", faults) for number, value in enumerate(values)]
    return [step for step in steps if step is not None]


def _parse_step(value: object, place: str, faults: list[str]) -> Step | None:
    if isinstance(value, str):
        name, options = value, None
    elif isinstance(value, Mapping) and len(value) == 1:
        ((name, options),) = value.items()
    else:
        faults.append(f"{place}: is {value!r:.60}; expected the name of one step, alone or with its options")
        return None
    if name not in STEPS:
        faults.append(f"{place}: {name!r} is no step{did_you_mean(str(name), STEPS)}")
        return None
    num_faults = len(faults)
    step = read_section(STEPS[name], {} if options is None else options, f"{place}.{name}", faults)
    return step if len(faults) == num_faults else None


@dataclass(frozen=True)
class StepCounts:
    """What one step did. Those of two batches add up.

    >>> StepCounts("control", {}, changed=2) + StepCounts("control", {}, changed=3)
    StepCounts(step='control', options={}, changed=5, dropped=0)
    """

    step: str
    options: dict[str, Any]
    """All of them, with the defaults."""
    changed: int = 0
    """Texts; 0 for a filter."""
    dropped: int = 0
    """Rows; 0 for a step that changes texts."""

    def __add__(self, other: StepCounts) -> StepCounts:
        assert (self.step, self.options) == (other.step, other.options), "counts of two different steps"
        return StepCounts(self.step, self.options, self.changed + other.changed, self.dropped + other.dropped)


def sum_counts(batches: Iterable[Sequence[StepCounts]]) -> list[StepCounts]:
    """The counts of all batches of one `Cleaner`, step by step; nothing for no batch."""
    total: list[StepCounts] = []
    for counts in batches:
        total = [one + other for one, other in zip(total, counts, strict=True)] if total else list(counts)
    return total


@dataclass(frozen=True)
class Cleaned:
    """A batch behind all steps."""

    texts: pa.Array
    """n strings; those of a dropped row are as they were when it was dropped."""
    dropped_by: pa.Array
    """For each row the place of the step in the list that dropped it, null where the row stays (int32)."""
    counts: list[StepCounts]
    """One for each step, in order."""


class Cleaner:
    """Applies steps in order. A row is dropped when a filter drops one of its texts; no later step sees that row.

    Args:
        steps: may be none.

    Raises:
        OptionError: a step needs a library that is not installed.

    >>> cleaner = Cleaner([Control(), Length(min_chars=2)])
    >>> cleaned = cleaner(pa.array(["头痛", "好", "多喝水"]), offsets=[0, 2, 3])  # a row of two texts, a row of one
    >>> cleaned.dropped_by.to_pylist(), [(each.step, each.dropped) for each in cleaned.counts]
    ([1, None], [('control', 0), ('length', 1)])
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        for step in steps:
            step.check_libraries()
        self.steps = tuple(steps)

    def zero_counts(self) -> list[StepCounts]:
        """The counts of no batch at all."""
        return [StepCounts(step.name, dataclasses.asdict(step)) for step in self.steps]

    def __call__(self, texts: pa.Array, offsets: Any = None) -> Cleaned:
        """
        Args:
            texts: n strings, nulls among them where a row has no text. A filter drops no null.
            offsets: m + 1 numbers: where each row begins in `texts`, and the end, as a list array has them. Left out,
                every text is a row.
        """
        texts = (texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts).cast(pa.string())
        borders = np.arange(len(texts) + 1) if offsets is None else np.asarray(offsets, dtype=np.int64)
        borders = borders - borders[0]  # those of a slice of a list array do not begin at 0
        assert borders[-1] == len(texts), f"offsets end at {borders[-1]}, but there are {len(texts)} texts"
        rows = np.repeat(np.arange(len(borders) - 1), np.diff(borders))
        dropped_by = np.full(len(borders) - 1, -1, dtype=np.int32)
        live, set_aside, counts = np.arange(len(texts)), [], self.zero_counts()
        for number, step in enumerate(self.steps):
            if isinstance(step, TextStep):
                before, texts = texts, step.clean(texts)
                num_changed = pc.sum(pc.not_equal(before, texts)).as_py() or 0
                counts[number] = dataclasses.replace(counts[number], changed=num_changed)
                continue
            assert isinstance(step, FilterStep)
            is_kept = pc.fill_null(step.keeps(texts), True).to_numpy(zero_copy_only=False)
            if is_kept.all():
                continue
            hit = np.unique(rows[live[~is_kept]])
            dropped_by[hit] = number
            counts[number] = dataclasses.replace(counts[number], dropped=len(hit))
            stays = dropped_by[rows[live]] < 0
            set_aside.append((live[~stays], texts.filter(pa.array(~stays))))
            live, texts = live[stays], texts.filter(pa.array(stays))
        if set_aside:
            places = np.concatenate([live, *(some for some, _ in set_aside)])
            joined = pa.concat_arrays([texts, *(some for _, some in set_aside)])
            texts = joined.take(pa.array(np.argsort(places)))
        return Cleaned(texts, pa.array(dropped_by, mask=dropped_by < 0), counts)
