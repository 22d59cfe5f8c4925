"""How made rows compare with the real ones: lengths, and how often the same clause comes back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from tests.benchmarks.distinct_rows import KINDS, Row, clauses_of

_SHARES = (5, 25, 50, 75, 95)


def row_facts(kind: str, real: Sequence[Row], made: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Characters of question + answer, and how often a clause comes: of the real rows, of as many made rows, of all."""
    maker = KINDS[kind]
    real_texts = [question + answer for question, answer in map(maker.conversation, _columns(maker.columns, real))]
    made_rows = list(made)
    made_texts = [question + answer for question, answer in made_rows]
    return {
        "real": _lengths(real_texts) | {"repeats": _repeats(real_texts)},
        "made": _lengths(made_texts)
        | {"repeats_among_as_many": _repeats(islice(made_texts, len(real))), "repeats": _repeats(made_texts)},
        "distinct_rows": len(set(made_rows)),
    }


def _columns(names: Sequence[str], rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def _lengths(texts: Sequence[str]) -> dict[str, Any]:
    lengths = np.array([len(text) for text in texts])
    return {
        "rows": len(texts),
        "mean": round(float(lengths.mean()), 1),
        "percentiles": {str(share): int(np.percentile(lengths, share)) for share in _SHARES},
        "longest": int(lengths.max()),
    }


def _repeats(texts: Iterable[str]) -> float:
    """How often a clause comes on average.

    >>> _repeats(["红色，百搭。", "蓝色，百搭。"])
    1.33
    """
    clauses = [clause for text in texts for clause in clauses_of(text)]
    return round(len(clauses) / len(set(clauses)), 2)
