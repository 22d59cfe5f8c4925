"""Records, their windows and what a model says of each token in; the answers, as text of the contexts, out."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset
from numpy.lib.stride_tricks import sliding_window_view

from collators.encoding import IntArray
from collators.errors import TokenizationError

NO_ANSWER = -1
FloatArray = np.ndarray[Any, np.dtype[np.floating[Any]]]


class SpanCandidate(NamedTuple):
    """One possible answer of a record."""

    text: str
    start: int
    """The character of the context it begins at; -1 for "no answer", whose text is empty."""
    score: float
    """The logit of its first token as a start plus that of its last as an end."""
    probability: float
    """Among the candidates of its record."""


def postprocess_spans(
    records: Any,
    windows: Any,
    logits: tuple[Any, Any],
    *,
    n_best: int = 20,
    max_answer_length: int = 512,
    null_threshold: float | None = None,
) -> dict[str, str]:
    """The answer to each record, `{id: text}` as CMRC 2018 and SQuAD want their predictions.

    Args:
        records: what the windows were made of: a dataset (or dict of columns) with `id` and `context`.
        windows: the rows of `TokenizeSpans`, in the order of the logits.
        logits: of the start and of the end, W × T each; T may be larger than any window has tokens (padding).
        n_best: candidates of a window that are looked at.
        max_answer_length: tokens.
        null_threshold: how much more than the best answer "no answer" (`[CLS]`, in the window where it is least likely)
            must score to be the answer, an empty text. None never leaves a question unanswered.

    A record without windows gets an empty text.

    Raises:
        TokenizationError: numbers of windows and logits that differ, or a window of no record.
    """
    candidates = span_candidates(records, windows, logits, n_best=n_best, max_answer_length=max_answer_length)
    answers = {}
    for id_, found in candidates.items():
        null = next((each for each in found if each.start == NO_ANSWER), None)
        best = next((each for each in found if each.start != NO_ANSWER), None)
        is_null = null_threshold is not None and null and best and null.score - best.score > null_threshold
        answers[id_] = best.text if best and not is_null else ""
    return answers


def span_candidates(
    records: Any, windows: Any, logits: tuple[Any, Any], *, n_best: int = 20, max_answer_length: int = 512
) -> dict[str, list[SpanCandidate]]:
    """The `n_best` possible answers to each record, best first, and "no answer" at its place among them.

    All spans of up to `max_answer_length` tokens are compared, not only those of likely starts and ends. Two of the
    same characters, from two windows, are one, with the better score. Arguments and errors: `postprocess_spans`.
    """
    if n_best < 1 or max_answer_length < 1:
        raise TokenizationError(f"{n_best=}, {max_answer_length=}: expected numbers of 1 or more")
    contexts = _contexts(records)
    rows = _Windows(windows)
    starts, ends = (np.asarray(each, np.float32) for each in logits)
    if starts.shape != ends.shape or starts.ndim != 2 or len(starts) != len(rows.ids):
        raise TokenizationError(
            f"logits of shapes {starts.shape} and {ends.shape} for {len(rows.ids):,} windows; expected W × T, in order"
        )
    for window in np.flatnonzero(np.isnan(starts + ends).any(axis=1))[:1]:
        raise TokenizationError(f"the logits of window {window} are no numbers (NaN); has the model diverged?")
    spans: dict[str, dict[tuple[int, int], float]] = {id_: {} for id_ in contexts}
    nulls: dict[str, float] = {}
    for window, id_ in enumerate(rows.ids):
        if id_ not in contexts:
            raise TokenizationError(f"window {window} is of the record {id_!r}, and none of the records has this id")
        first, chars = rows.context(window, contexts[id_])
        own = slice(first, first + len(chars))
        if own.stop > starts.shape[1]:
            raise TokenizationError(f"window {window} has {own.stop} tokens or more, its logits {starts.shape[1]}")
        nulls[id_] = min(float(starts[window, 0] + ends[window, 0]), nulls.get(id_, np.inf))
        best = _best_spans(starts[window, own], ends[window, own], chars, n_best, max_answer_length)
        for span, score in best.items():
            spans[id_][span] = max(score, spans[id_].get(span, -np.inf))
    return {id_: _ranked(context, spans[id_], nulls.get(id_), n_best) for id_, context in contexts.items()}


def save_predictions(predictions: Mapping[str, str], path: str | Path) -> None:
    """Write `{id: text}` as JSON, the form the official evaluation scripts read; whole or not at all.

    Raises:
        TokenizationError: nothing can be written there.
    """
    target = Path(path)
    draft = target.with_name(f".{target.name}.draft-{os.getpid()}")
    try:
        draft.write_text(json.dumps(dict(predictions), ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
        draft.replace(target)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise TokenizationError(f"{path}: cannot be written ({error.strerror}); choose another file") from error


def table_with(rows: Any, names: Sequence[str]) -> pa.Table:
    """Some columns of a dataset, a table, a dict of columns or a list of rows.

    Raises:
        TokenizationError: it is something else, or a column is missing.
    """
    if isinstance(rows, Dataset):
        there: Sequence[str] = rows.column_names
    elif isinstance(rows, pa.Table):
        there = rows.column_names
    elif isinstance(rows, Mapping):
        there = list(rows)
    elif isinstance(rows, list):
        there = list(rows[0]) if rows else list(names)
    else:
        raise TokenizationError(f"{type(rows).__name__}: expected a dataset, a dict of columns or a list of rows")
    if absent := [name for name in names if name not in there]:
        raise TokenizationError(f"columns {', '.join(there) or '(none)'}: no {', '.join(absent)}")
    if isinstance(rows, Dataset):
        return rows.with_format("arrow", columns=list(names))[:]
    if isinstance(rows, pa.Table):
        return rows.select(names)
    if isinstance(rows, Mapping):
        return pa.table({name: _array(rows[name]) for name in names})
    return pa.table({name: _array([row[name] for row in rows]) for name in names})


def _array(values: Any) -> pa.Array:
    try:
        return pa.array(values)
    except pa.ArrowInvalid:  # arrays of T × 2, as `TokenizeSpans` gives characters
        return pa.array([np.asarray(value).tolist() for value in values])


def _contexts(records: Any) -> dict[str, str]:
    table = table_with(records, ("id", "context"))
    contexts = dict(zip(table["id"].to_pylist(), table["context"].to_pylist(), strict=True))
    if len(contexts) < len(table):
        raise TokenizationError(f"{len(table):,} records have {len(contexts):,} ids; each needs an id of its own")
    return contexts


class _Windows:
    """What is needed of W windows."""

    def __init__(self, windows: Any) -> None:
        table = table_with(windows, ("example_id", "context_start", "offset_mapping")).combine_chunks()
        self.ids: list[str] = table["example_id"].to_pylist()
        self._firsts = table["context_start"].to_numpy()
        offsets = (
            table["offset_mapping"].combine_chunks() if len(table) else pa.array([], pa.list_(pa.list_(pa.int32())))
        )
        self._bounds = np.concatenate([[0], np.cumsum(pc.list_value_length(offsets).to_numpy(zero_copy_only=False))])
        self._chars = offsets.flatten().flatten().to_numpy().reshape(-1, 2)

    def context(self, window: int, text: str) -> tuple[int, IntArray]:
        """The first token of the context, and the characters each token from there on stands for.

        White space around these is left out, as no answer begins or ends with it; accents a tokenizer drops stay with
        their letter.
        """
        first = int(self._firsts[window])
        chars = self._chars[int(self._bounds[window]) + first : int(self._bounds[window + 1])].copy()
        for token, (start, end) in enumerate(chars.tolist()):
            piece = text[start:end]
            if piece != piece.strip():
                start += len(piece) - len(piece.lstrip())
                end = start + len(piece.strip())
            while start < end < len(text) and unicodedata.category(text[end]) == "Mn":
                end += 1
            chars[token] = start, end
        return first, chars


def _best_spans(
    starts: FloatArray, ends: FloatArray, chars: IntArray, n_best: int, max_length: int
) -> dict[tuple[int, int], float]:
    """The best spans of n tokens as characters, each with its score."""
    is_text = chars[:, 1] > chars[:, 0]  # a special token stands for no character
    if not is_text.any():
        return {}
    width = min(max_length, len(starts))
    starts, ends = np.where(is_text, starts, -np.inf), np.where(is_text, ends, -np.inf)
    # n × width: the span from each token to itself, to the next one, …; beyond the last token minus infinity.
    scores = starts[:, None] + sliding_window_view(np.append(ends, np.full(width - 1, -np.inf, ends.dtype)), width)
    places = np.flatnonzero(scores > -np.inf)
    costs = -scores.reshape(-1)[places]  # the least first: NumPy is slow to find the largest of many equal ones
    best: dict[tuple[int, int], float] = {}
    num_best = min(n_best, len(costs))
    while num_best > len(best):
        # All that are as good as the last one: of equal ones the first in the text stay, on every machine.
        good = np.flatnonzero(costs <= np.partition(costs, num_best - 1)[num_best - 1])
        for place in good[np.argsort(costs[good], kind="stable")][:num_best].tolist():
            first, length = divmod(int(places[place]), width)
            best.setdefault((int(chars[first, 0]), int(chars[first + length, 1])), -float(costs[place]))
            if len(best) == n_best:
                return best
        # Where several tokens stand for one character, several places are one span, and more have to be looked at.
        num_best = min(2 * num_best, len(costs)) if num_best < len(costs) else 0
    return best


def _ranked(
    context: str, spans: Mapping[tuple[int, int], float], null: float | None, n_best: int
) -> list[SpanCandidate]:
    best = sorted(spans.items(), key=lambda each: (-each[1], each[0]))[:n_best]
    found = [(context[start:end], start, score) for (start, end), score in best]
    if null is not None:
        found.append(("", NO_ANSWER, null))
    found.sort(key=lambda each: -each[2])
    scores = np.array([score for _, _, score in found], np.float64)
    weights = np.exp(scores - scores.max()) if len(scores) else scores
    shares = weights / weights.sum() if len(scores) else weights
    return [SpanCandidate(*each, float(share)) for each, share in zip(found, shares, strict=True)]
