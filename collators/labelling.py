"""Turns in, ids and labels out: each shape of conversation by its skeleton, each row of it by its own texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.chat_templates import ChatTemplate, TemplateRefusal
from collators.columns import IGNORE_INDEX, TEXT, Turns
from collators.controls import GuardedBackend
from collators.encoding import IdArray, IntArray
from collators.errors import TokenizationError
from collators.overflow import KEPT, NOTHING_TO_TRAIN, Overflow, Reasons, limit
from collators.shapes import LossMode, Shape, group_by_shape
from collators.skeletons import Piece, Skeleton, build_skeleton, fit
from collators.token_runs import Runs, ShapeEncoder, wrap

_ROWS_PROVEN_PER_SHAPE = 3


@dataclass(frozen=True)
class Labelled:
    """Ids and labels of some rows, end to end."""

    rows: IntArray
    """Which rows of the batch."""
    ids: IdArray
    labels: IdArray
    kept: IntArray
    """Per row, how many tokens it has in `ids`; none for a row set aside."""
    length: IntArray
    """Per row, how many tokens it had before any were cut, if it is set aside; else `kept`."""
    set_aside: Reasons
    """Per row, why it is not to be trained on; `KEPT` if it is."""
    straddling: IntArray
    """Per row, tokens on both sides of a border between trained and not trained; they are not trained."""
    cut: IntArray
    """Per row, how many tokens were cut to fit; none for a row set aside."""


class Labeller:
    """Turns conversations into labelled ids with one tokenizer, one template and one set of rules.

    `state` is the tokenizer's backend (`backend_json`). The tokenizer itself is not kept: its owner may change it.
    """

    def __init__(
        self,
        state: str,
        template: str | None,
        special_tokens: Mapping[str, Any],
        *,
        max_length: int,
        overflow: Overflow,
        loss: LossMode,
    ) -> None:
        from tokenizers import Tokenizer

        self._max_length = max_length
        self._overflow = overflow
        self._loss = loss
        self.reference = Tokenizer.from_str(state)
        self.template = ChatTemplate(template, special_tokens) if template is not None else None
        self._guarded = GuardedBackend(state, self.template.examples if self.template is not None else ())
        self._eos = special_tokens.get("eos_token")
        self._skeletons: dict[Shape, Skeleton | TemplateRefusal] = {}
        self._proven: set[Shape] = set()
        self.facts: dict[str, str] = {}
        """Of the rows labelled last: what the template said to the first one of each reason."""

    def label(self, turns: Turns) -> Labelled:
        """Ids and labels of all rows, in their order.

        Raises:
            TokenizationError: the skeleton and the tokenizer disagree on a row.
        """
        self.facts = {}
        return _in_order([self._label_shape(turns, *group) for group in group_by_shape(turns, self._loss)], len(turns))

    def skeleton(self, shape: Shape) -> Skeleton:
        """Where the format writes what in conversations of this shape.

        Raises:
            TemplateRefusal: it does not take them.
        """
        if shape not in self._skeletons:
            try:
                self._skeletons[shape] = self._build(shape)
            except TemplateRefusal as refusal:
                self._skeletons[shape] = refusal
        found = self._skeletons[shape]
        if isinstance(found, TemplateRefusal):
            raise found
        return found

    def _build(self, shape: Shape) -> Skeleton:
        if shape[0].role == TEXT:
            return Skeleton((Piece(True, message=0),), trims=False)
        assert self.template is not None
        return build_skeleton(shape, self.template, self._guarded, all_trained=self._loss == "all")

    def _label_shape(self, turns: Turns, shape: Shape, rows: IntArray) -> Labelled:
        if not shape or (shape[0].role == TEXT and shape[0].empty):
            return _all_set_aside(rows, NOTHING_TO_TRAIN)
        try:
            skeleton = self.skeleton(shape)
        except TemplateRefusal as refusal:
            self.facts.setdefault(refusal.reason, refusal.fact)
            return _all_set_aside(rows, refusal.reason)
        contents = [turns.contents.take(pa.array(turns.starts[rows] + place)) for place in range(len(shape))]
        refusals: Reasons = np.full(len(rows), KEPT, object)
        if shape[0].role != TEXT:
            contents, refusals = self._as_written(skeleton, turns, rows, contents)
        encoder = ShapeEncoder(self._guarded.backend, skeleton, apart=self._overflow == "truncate_prompt")
        runs = encoder.encode(contents, len(rows))
        if shape[0].role == TEXT:
            runs = wrap(runs, *self._around_text())
        elif shape not in self._proven and self._prove(turns, rows, runs, skeleton, refusals == KEPT):
            self._proven.add(shape)
        kept, reasons = limit(runs, shape, self._max_length, self._overflow)
        reasons[refusals != KEPT] = refusals[refusals != KEPT]
        kept = np.where((reasons == KEPT)[:, None], kept, 0)
        return _assemble(rows, runs, kept, reasons)

    def _as_written(
        self, skeleton: Skeleton, turns: Turns, rows: IntArray, contents: Sequence[pa.LargeStringArray]
    ) -> tuple[list[pa.LargeStringArray], Reasons]:
        """The texts as the template writes them; a reason for each row where that cannot be told.

        Rows with nothing that the template could touch are taken as they are; the others are rendered one by one.
        """
        assert self.template is not None
        refusals: Reasons = np.full(len(rows), KEPT, object)
        doubtful = np.zeros(len(rows), np.bool_)
        for texts in contents:
            doubtful |= self.template.may_rewrite(texts).to_numpy(zero_copy_only=False)
            if skeleton.trims:
                doubtful |= pc.not_equal(pc.utf8_trim_whitespace(texts), texts).to_numpy(zero_copy_only=False)
        places = np.flatnonzero(doubtful)
        if not len(places):
            return list(contents), refusals
        columns = [texts.to_pylist() for texts in contents]
        for place in places:
            try:
                rendered = self.template.render(turns.messages(int(rows[place])))
            except TemplateRefusal as refusal:
                refusals[place] = refusal.reason
                self.facts.setdefault(refusal.reason, refusal.fact)
                continue
            written = fit(skeleton, rendered, [column[place] for column in columns])
            if written is None:
                refusals[place] = "template_rewrites"
                continue
            for column, text in zip(columns, written, strict=True):
                column[place] = text
        return [pa.array(column, pa.large_string()) for column in columns], refusals

    def _prove(self, turns: Turns, rows: IntArray, runs: Runs, skeleton: Skeleton, usable: Any) -> bool:
        """Compare a few rows of a shape, spread over the batch, with what `apply_chat_template` makes of them.

        Returns whether any could be compared: one with a control token in its text cannot.
        """
        assert self.template is not None
        starts = np.concatenate([[0], np.cumsum(runs.counts.sum(axis=1))])
        candidates = np.flatnonzero(usable)
        num_compared = 0
        picks = np.unique(np.linspace(0, max(len(candidates) - 1, 0), _ROWS_PROVEN_PER_SHAPE, dtype=int))
        for place in candidates[picks] if len(candidates) else ():
            text = self.template.render(turns.messages(int(rows[place])))
            if len(self._guarded.find(text)) != len(skeleton.controls):
                continue  # The reference would take it for a real one.
            expected = self.reference.encode(text, add_special_tokens=False).ids
            if expected != runs.ids[starts[place] : starts[place + 1]].tolist():
                raise TokenizationError(
                    f"the chat template gives other ids for {text[:80]!r}… than its own parts; "
                    "it cannot be masked safely: choose another template, and please report this one"
                )
            num_compared += 1
        return num_compared > 0

    def _around_text(self) -> tuple[list[int], list[int]]:
        """Ids before and after a plain text: what the tokenizer writes around it, and the end token."""
        bare = self.reference.encode("a", add_special_tokens=False).ids
        wrapped = self.reference.encode("a").ids
        start = next(i for i in range(len(wrapped)) if wrapped[i : i + len(bare)] == bare)
        before, after = wrapped[:start], wrapped[start + len(bare) :]
        eos = self._guarded.controls.get(self._eos) if self._eos else None
        return before, [*after, *([eos.id] if eos is not None and eos.id not in after else [])]


def _all_set_aside(rows: IntArray, reason: str) -> Labelled:
    none, zeros = np.zeros(0, np.int32), np.zeros(len(rows), np.int64)
    return Labelled(rows, none, none, zeros, zeros, np.full(len(rows), reason, object), zeros, zeros)


def _assemble(rows: IntArray, runs: Runs, kept: IntArray, reasons: Reasons) -> Labelled:
    counts = runs.counts.ravel()
    is_trained = np.repeat(np.tile(runs.trained, len(rows)), counts)
    labels = np.where(is_trained, runs.ids, np.int32(IGNORE_INDEX))
    ids = runs.ids
    if not np.array_equal(kept, runs.counts):
        place_in_run = np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts)
        stays = place_in_run < np.repeat(kept.ravel(), counts)
        ids, labels = ids[stays], labels[stays]
    num_kept, num_tokens = kept.sum(axis=1), runs.counts.sum(axis=1)
    is_kept = reasons == KEPT
    straddles = np.array([kind.straddles for kind in runs.kinds], np.int64)
    length, cut = np.where(is_kept, num_kept, num_tokens), np.where(is_kept, num_tokens - num_kept, 0)
    return Labelled(rows, ids, labels, num_kept, length, reasons, kept @ straddles, cut)


def _in_order(groups: Sequence[Labelled], num_rows: int) -> Labelled:
    """Put the rows of all groups back into the order of the batch."""
    if len(groups) == 1:
        return groups[0]
    rows = np.concatenate([group.rows for group in groups]) if groups else np.zeros(0, np.int64)
    order = np.argsort(rows)

    def column(name: str) -> Any:
        return np.concatenate([getattr(group, name) for group in groups])[order] if groups else rows

    kept = column("kept")
    starts = np.cumsum(kept) - kept
    ids, labels = np.empty(int(kept.sum()), np.int32), np.empty(int(kept.sum()), np.int32)
    for group in groups:
        moved = np.repeat(starts[group.rows] - (np.cumsum(group.kept) - group.kept), group.kept)
        places = moved + np.arange(len(group.ids))
        ids[places], labels[places] = group.ids, group.labels
    rest = map(column, ("length", "set_aside", "straddling", "cut"))
    return Labelled(np.arange(num_rows), ids, labels, kept, *rest)
