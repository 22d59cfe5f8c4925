"""Turns in, ids and labels out: each shape of conversation by its skeleton, each row of it by its own texts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.chat_templates import ChatTemplate, TemplateRefusal
from collators.controls import backend_of, guarded_backend
from collators.encoding import IntArray
from collators.engines import Encoder, EngineMismatch, EngineName, EngineUnavailable
from collators.errors import TokenizationError
from collators.labelled import Labelled, all_set_aside, assemble, in_order
from collators.overflow import NOTHING_TO_TRAIN, Overflow, limit
from collators.probes import probe_of_shape
from collators.proof import prove
from collators.rounds import shorten
from collators.shapes import LossMode, Shape, group_by_shape
from collators.skeleton_building import SkeletonBuilder
from collators.skeletons import Piece, Skeleton, fit
from collators.structured_rows import WrittenRow, group_written, thinks_inline, write_row
from collators.token_runs import BoolArray, Contents, Runs, ShapeEncoder, wrap
from collators.turns import ASSISTANT, TEXT, Conversation, Turns

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is trained, and what becomes of rows that are too long."""

    max_length: int
    overflow: Overflow
    loss: LossMode
    train_thinking: bool


class Labeller:
    """Turns conversations into labelled ids with one tokenizer, one template and one set of rules.

    `state` is the tokenizer's backend (`backend_json`). The tokenizer itself is not kept: its owner may change it.
    """

    def __init__(self, state: str, template: ChatTemplate | None, rules: Rules, *, eos: str | None) -> None:
        self._rules = rules
        self._eos = eos
        self.reference = backend_of(state)
        self.template = template
        self._guarded = guarded_backend(state, tuple(template.examples) if template is not None else ())
        self.encoder = Encoder(self._guarded)
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
        labelled = self._label(turns)
        return shorten(turns, labelled, self._label) if self._rules.overflow == "truncate_turns" else labelled

    def choose_engine(self, turns: Turns | None, wanted: EngineName | None) -> None:
        """Encode with the engine wanted, else the fastest one that gives the reference's ids on these conversations.

        Raises:
            TokenizationError: the engine wanted is not there, or gives other ids.
        """
        names = [wanted] if wanted is not None else get_args(EngineName) if turns is not None else ["tokenizers"]
        for name in names:
            try:
                self.encoder.use(name)
                if turns is not None and name != "tokenizers":
                    self._label(turns)
            except EngineUnavailable as reason:
                if wanted is not None:
                    raise
                logger.info("%s", reason)
            except EngineMismatch as mismatch:
                if wanted is not None:
                    raise TokenizationError(f"{mismatch}; leave engine={wanted!r} out") from mismatch
                logger.warning("%s: it is not used", mismatch)
            else:
                logger.info("encodes with %s", name)
                return

    def count_controls(self, turns: Turns) -> IntArray:
        """Per row, how many control tokens stand in its texts; they stay text."""
        per_message = pc.count_substring_regex(turns.contents, self._guarded.pattern).to_numpy(zero_copy_only=False)
        counts: IntArray = np.diff(np.concatenate([[0], np.cumsum(per_message)])[turns.starts]).astype(np.int64)
        for row, conversation in turns.structured.items():
            counts[row] = self._guarded.count([conversation.messages, conversation.tools])
        return counts

    def skeleton(self, shape: Shape) -> Skeleton:
        """Where the format writes what in plain conversations of this shape.

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
            return Skeleton((Piece(True, slot=0),))
        probe = probe_of_shape(shape)
        return replace(self._builder.build(probe), trims=self._builder.trims(probe))

    @cached_property
    def _builder(self) -> SkeletonBuilder:
        assert self.template is not None
        return SkeletonBuilder(
            self.template,
            self._guarded,
            all_trained=self._rules.loss == "all",
            train_thinking=self._rules.train_thinking,
        )

    def _label(self, turns: Turns) -> Labelled:
        """Every row by itself; rows too long are set aside unless the policy is to cut their tokens."""
        turns = turns.with_structured(self._inline_thinkers(turns))
        groups, by_itself = [], dict(turns.structured)
        for shape, rows in group_by_shape(turns, self._rules.loss):
            labelled, unlike = self._label_plain(turns, shape, rows)
            groups += labelled
            by_itself |= {row: turns.conversation(row) for row in unlike.tolist()}
        return in_order([*groups, *self._label_one_by_one(by_itself)], len(turns))

    def _inline_thinkers(self, turns: Turns) -> dict[int, Conversation]:
        """Plain rows in which an answer's reasoning has to be told from the answer."""
        if self.template is None or not self._splits_thinking:
            return {}
        holds = pc.match_substring(turns.contents, "</think>").to_numpy(zero_copy_only=False)
        places = np.flatnonzero(holds & (turns.roles == ASSISTANT))
        rows = np.unique(np.searchsorted(turns.starts, places, side="right") - 1)
        return {int(row): turns.conversation(int(row)) for row in rows}

    @property
    def _splits_thinking(self) -> bool:
        return not self._rules.train_thinking or (self.template is not None and self.template.splits_thinking)

    def _label_plain(self, turns: Turns, shape: Shape, rows: IntArray) -> tuple[list[Labelled], IntArray]:
        """The rows of a shape, and those among them that the template does not write like the others."""
        none = np.zeros(0, np.int64)
        if not shape or (shape[0].role == TEXT and shape[0].empty):
            return [_refused(rows, NOTHING_TO_TRAIN)], none
        try:
            skeleton = self.skeleton(shape)
        except TemplateRefusal as refusal:
            return [self._refuse(rows, refusal)], none
        contents = [turns.contents.take(pa.array(turns.starts[rows] + place)) for place in range(len(shape))]
        unlike = none
        if shape[0].role != TEXT:
            contents, is_unlike = self._as_written(skeleton, turns, rows, contents)
            rows, unlike = rows[~is_unlike], rows[is_unlike]
            contents = [texts.filter(pa.array(~is_unlike)) for texts in contents] if len(unlike) else contents
        if not len(rows):
            return [], unlike
        runs = self._encode(shape, skeleton, contents, len(rows))
        if (
            (template := self.template) is not None
            and shape[0].role != TEXT
            and shape not in self._proven
            and self._prove(runs, skeleton, lambda place: template.render(turns.messages(int(rows[place]))))
        ):
            self._proven.add(shape)
        return self._limit(rows, shape, skeleton, contents, runs), unlike

    def _label_one_by_one(self, conversations: Mapping[int, Conversation]) -> list[Labelled]:
        """Rows with tools, calls or reasoning, and those that their template treats in a way of its own."""
        if conversations and self.template is None:
            raise TokenizationError("a plain text has no place for tools or calls")
        groups, written = [], []
        for row, conversation in conversations.items():
            try:
                written.append(self._write(row, conversation))
            except TemplateRefusal as refusal:
                groups.append(self._refuse(np.array([row]), refusal))
            except RecursionError:
                too_deep = TemplateRefusal("template_refuses", "its tools or arguments are nested too deeply")
                groups.append(self._refuse(np.array([row]), too_deep))
        for group in group_written(written):
            runs = self._encode(group.shape, group.skeleton, group.contents, len(group.rows))
            self._prove(runs, group.skeleton, group.rendered.__getitem__)
            groups += self._limit(group.rows, group.shape, group.skeleton, group.contents, runs)
        return groups

    def _write(self, row: int, conversation: Conversation) -> WrittenRow:
        assert self.template is not None
        splits = self._splits_thinking and thinks_inline(conversation)
        return write_row(
            row,
            conversation,
            self.template,
            self._guarded,
            self._builder,
            loss=self._rules.loss,
            splits_thinking=splits,
        )

    def _refuse(self, rows: IntArray, refusal: TemplateRefusal) -> Labelled:
        self.facts.setdefault(refusal.reason, refusal.fact)
        return _refused(rows, refusal.reason)

    def _encode(
        self, shape: Shape, skeleton: Skeleton, contents: Contents, num_rows: int, *, apart: bool = False
    ) -> Runs:
        runs = ShapeEncoder(self.encoder, skeleton, apart=apart).encode(contents, num_rows)
        return wrap(runs, *self._around_text()) if shape[0].role == TEXT else runs

    def _limit(
        self, rows: IntArray, shape: Shape, skeleton: Skeleton, contents: Contents, runs: Runs
    ) -> list[Labelled]:
        """The rows as the policy for long ones leaves them."""

        def limited(some: BoolArray, some_runs: Runs) -> Labelled:
            kept, reasons = limit(some_runs, shape, self._rules.max_length, self._rules.overflow)
            return assemble(rows[some], some_runs, kept, reasons, num_left_out=skeleton.num_left_out)

        is_long = runs.counts.sum(axis=1) > self._rules.max_length
        if self._rules.overflow not in ("truncate", "truncate_prompt") or not is_long.any():
            return [limited(np.ones(len(rows), np.bool_), runs)]
        # Only rows that are cut have to know which tokens are whose.
        long_contents = [texts.filter(pa.array(is_long)) for texts in contents]
        long_runs = self._encode(shape, skeleton, long_contents, int(is_long.sum()), apart=True)
        return [limited(~is_long, runs.select(~is_long)), limited(is_long, long_runs)]

    def _as_written(
        self, skeleton: Skeleton, turns: Turns, rows: IntArray, contents: Sequence[pa.LargeStringArray]
    ) -> tuple[list[pa.LargeStringArray], BoolArray]:
        """The texts as the template writes them, and which rows it writes in another way than this skeleton.

        Rows with nothing that the template could touch are taken as they are; the others are rendered one by one.
        """
        assert self.template is not None
        unlike, doubtful = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
        for texts in contents:
            doubtful |= self.template.may_rewrite(texts).to_numpy(zero_copy_only=False)
            if skeleton.trims:
                doubtful |= pc.not_equal(pc.utf8_trim_whitespace(texts), texts).to_numpy(zero_copy_only=False)
        places = np.flatnonzero(doubtful)
        if not len(places):
            return list(contents), unlike
        columns = [texts.to_pylist() for texts in contents]
        for place in places:
            try:
                rendered = self.template.render(turns.messages(int(rows[place])))
            except TemplateRefusal:
                unlike[place] = True
                continue
            written = fit(skeleton, rendered, {slot: column[place] for slot, column in enumerate(columns)})
            unlike[place] = written is None
            for slot, text in (written or {}).items():
                columns[slot][place] = text
        return [pa.array(column, pa.large_string()) for column in columns], unlike

    def _prove(self, runs: Runs, skeleton: Skeleton, rendered: Callable[[int], str]) -> bool:
        return prove(runs, skeleton, rendered, reference=self.reference, guarded=self._guarded)

    def _around_text(self) -> tuple[list[int], list[int]]:
        """Ids before and after a plain text: what the tokenizer writes around it, and the end token."""
        bare = self.reference.encode("a", add_special_tokens=False).ids
        wrapped = self.reference.encode("a").ids
        start = next(i for i in range(len(wrapped)) if wrapped[i : i + len(bare)] == bare)
        before, after = wrapped[:start], wrapped[start + len(bare) :]
        eos = self._guarded.controls.get(self._eos) if self._eos else None
        return before, [*after, *([eos.id] if eos is not None and eos.id not in after else [])]


def _refused(rows: IntArray, reason: str) -> Labelled:
    return all_set_aside(rows, np.full(len(rows), reason, object))
