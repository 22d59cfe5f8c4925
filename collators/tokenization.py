"""A batch of conversations in, its token rows out: `input_ids`, `labels`, `length`, and `id` where there is one."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.chat_templates import NO_TEMPLATE, ChatTemplate, TemplateRefusal, choose_template
from collators.columns import columns_read, read_turns, shape_of
from collators.controls import backend_of
from collators.engines import EngineMismatch, EngineName
from collators.errors import TokenizationError, check_choice
from collators.labelled import Labelled
from collators.labelling import Labeller, Rules
from collators.ledger import LEDGER, Ledger
from collators.message_columns import RowNames
from collators.overflow import KEPT, TOO_LONG, Overflow
from collators.shapes import LossMode, Turn
from collators.tokenizers import backend_json, digest
from collators.turns import ASSISTANT, USER, Turns

logger = logging.getLogger(__name__)

_OF_ONE_PROCESS = ("_labeller", "_has_engine", "_gave_up")
NUM_TO_CHOOSE = 256
"""Rows that an engine is chosen by."""


class Tokenize:
    """The step of `tokenize` as a callable, for `dataset.map(step, batched=True, remove_columns=dataset.column_names)`.

    Takes a batch as a table or as a dict of lists and gives the same kind back, with the rows that are kept.
    It can be pickled; its fingerprint is that of the tokenizer's content, the options and this package's code.

    `engine` names what encodes ("gigatoken", "sentencepiece" or "tokenizers"); None takes the fastest that gives the
    ids of the tokenizer's own backend on the first batch. All give the same ids, so it is no part of the fingerprint.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        template: str | None = None,
        max_length: int = 2048,
        overflow: Overflow = "drop",
        loss: LossMode = "assistant",
        train_thinking: bool = True,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        engine: EngineName | None = None,
    ) -> None:
        check_choice("overflow", overflow, get_args(Overflow))
        check_choice("loss", loss, get_args(LossMode))
        if engine is not None:
            check_choice("engine", engine, get_args(EngineName))
        if isinstance(max_length, bool) or not isinstance(max_length, int) or max_length < 1:
            raise TokenizationError(f"max_length={max_length!r}: expected a number of tokens, 1 or more")
        # Plain values only: what is pickled is what decides the result, and nothing that calls change.
        self._state = backend_json(tokenizer)
        self._template = choose_template(tokenizer, template)
        self._special_tokens = dict(tokenizer.special_tokens_map)
        self._template_values = _json_values(chat_template_kwargs)
        self._rules = Rules(max_length=max_length, overflow=overflow, loss=loss, train_thinking=train_thinking)
        self._code = code_digest()
        self._wanted_engine = engine
        backend_of(self._state, tokenizer.backend_tokenizer)
        self._labeller = self._new_labeller()
        self._check_tokenizer(tokenizer)

    def __call__(self, batch: Any) -> Any:
        """Token rows of a batch, without those that cannot be trained on; they are logged.

        Raises:
            TokenizationError: a row that is not a conversation, or with `overflow="error"` one that is too long.
        """
        names = batch.column_names if isinstance(batch, pa.Table) else list(batch)
        if not isinstance(batch, pa.Table) and any(isinstance(batch[name], str) for name in shape_of(names)):
            raise TokenizationError("a single row, not a batch of them; call map with batched=True")
        read = columns_read(names)
        table = batch.select(read) if isinstance(batch, pa.Table) else _table({name: batch[name] for name in read})
        rows = self.token_rows(table)
        ledger = Ledger()
        ledger.add(rows)
        for report in ledger.reports(self._labeller.facts):
            logger.warning("%s", report)
        rows = rows.filter(pc.is_null(rows["set_aside"])).drop_columns(LEDGER)
        return rows if isinstance(batch, pa.Table) else _lists(rows)

    def token_rows(self, table: pa.Table, indices: Sequence[int] | None = None, *, strict: bool = False) -> pa.Table:
        """Token rows of every row of `table`: those set aside have a reason in `set_aside` and no ids.

        `indices` are the rows' places in the dataset, for errors. An engine that turns out to be wrong is given up;
        `strict` raises EngineMismatch instead, for whoever can do earlier rows again. Raises else as `__call__` does.
        """
        ids = table["id"].combine_chunks() if "id" in table.column_names else None
        rows = RowNames(ids, indices)
        if not self.has_template and shape_of(table.column_names) != ("text",):
            raise TokenizationError(NO_TEMPLATE)
        turns = read_turns(table, rows)
        if not self._has_engine and (len(table) >= NUM_TO_CHOOSE or self._wanted_engine is not None):
            self.choose_engine(table)
        labelled = self._label(turns, strict=strict)
        if self._rules.overflow == "error":
            self._raise_too_long(labelled, rows)
        columns = {} if ids is None else {"id": ids}
        starts = np.concatenate([[0], np.cumsum(labelled.kept)]).astype(np.int32)
        return pa.table(
            columns
            | {
                "input_ids": pa.ListArray.from_arrays(pa.array(starts), pa.array(labelled.ids, pa.int32())),
                "labels": pa.ListArray.from_arrays(pa.array(starts), pa.array(labelled.labels, pa.int32())),
                "length": pa.array(labelled.length, pa.int32()),
                "set_aside": pa.array(labelled.set_aside, pa.string(), mask=labelled.set_aside == KEPT),
                "straddling": pa.array(labelled.straddling, pa.int32()),
                "cut": pa.array(labelled.cut, pa.int32()),
                "cut_trained": pa.array(labelled.cut_trained, pa.int32()),
                "cut_turns": pa.array(labelled.cut_turns, pa.int32()),
                "left_out": pa.array(labelled.left_out, pa.int32()),
                "control_texts": pa.array(self._labeller.count_controls(turns), pa.int32()),
            }
        )

    def choose_engine(self, table: pa.Table | None) -> None:
        """Encode with the fastest engine that reproduces the reference on rows of `table`, spread over it.

        Without a table, with the reference, unless an engine was asked for. A step that is never told, as in your own
        `map`, chooses by its first batch of some size.

        Raises:
            TokenizationError: the engine asked for is not there, or gives other ids.
        """
        turns = None
        if table is not None and not self._gave_up:
            places = np.unique(np.linspace(0, len(table) - 1, min(len(table), NUM_TO_CHOOSE), dtype=np.int64))
            turns = read_turns(table.take(pa.array(places)), RowNames(None, None))
        self._labeller.choose_engine(turns, self._wanted_engine)
        self._has_engine = True

    def give_up_engine(self, mismatch: EngineMismatch) -> None:
        """Encode with the reference from now on, unless an engine was asked for."""
        if self._wanted_engine is not None:
            raise TokenizationError(f"{mismatch}; leave engine={self._wanted_engine!r} out") from mismatch
        logger.warning("%s: tokenizers encodes instead", mismatch)
        self._gave_up = True
        self.choose_engine(None)

    @property
    def has_engine(self) -> bool:
        """Whether an engine was chosen."""
        return self._has_engine

    @property
    def engine(self) -> str:
        """What encodes now."""
        return self._labeller.encoder.engine

    def explain(self, table: pa.Table) -> dict[str, str]:
        """What the template says to the first row of each reason among those of `table`; most reasons need no word."""
        self.token_rows(table)
        return self._labeller.facts

    @property
    def has_template(self) -> bool:
        """Whether it can take conversations; without a template, plain texts only."""
        return self._template is not None

    @property
    def digest(self) -> str:
        """Equal for equal results: of the tokenizer's content, the options and this package's code."""
        state = {name: value for name, value in self.__getstate__().items() if name != "_wanted_engine"}
        return digest(*(f"{name}={value}" for name, value in sorted(state.items())))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _OF_ONE_PROCESS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._labeller = self._new_labeller()

    def _label(self, turns: Turns, *, strict: bool) -> Labelled:
        try:
            return self._labeller.label(turns)
        except EngineMismatch as mismatch:
            if strict:
                raise
            self.give_up_engine(mismatch)
            return self._labeller.label(turns)

    def _new_labeller(self) -> Labeller:
        self._has_engine = self._gave_up = False
        template = None
        if self._template is not None:
            template = ChatTemplate(self._template, self._special_tokens, self._template_values)
        return Labeller(self._state, template, self._rules, eos=self._special_tokens.get("eos_token"))

    def _check_tokenizer(self, tokenizer: Any) -> None:
        """See that `tokenizer` gives the ids of its own backend, and say so if its template teaches no end."""
        template = self._labeller.template
        if template is None:
            return
        backend = self._labeller.reference
        for text in template.examples:
            given = tokenizer(text, add_special_tokens=False)["input_ids"]
            if given != backend.encode(text, add_special_tokens=False).ids:
                raise TokenizationError(
                    f"{type(tokenizer).__name__} gives other ids for {text[:80]!r}… than its own tokenizer.json; "
                    "load the folder with collators.load_tokenizer"
                )
        one_round = (Turn(USER, False, False), Turn(ASSISTANT, True, False))
        try:
            skeleton, two_rounds = self._labeller.skeleton(one_round), self._labeller.skeleton(one_round * 2)
        except TemplateRefusal:
            return  # Each row will say so.
        if two_rounds.has_unended and self._rules.loss == "assistant":
            logger.warning(
                "the chat template ends no earlier answer with a control token: only the last one is trained"
            )
        if skeleton.words_at_end:
            logger.warning(
                "the chat template ends the last answer with %r, which is no control token of this tokenizer: "
                "no model learns to stop there",
                skeleton.words_at_end,
            )
        elif skeleton.words_at_end is not None:
            logger.warning("the chat template writes nothing after the last answer: no model learns to stop there")

    def _raise_too_long(self, labelled: Labelled, rows: RowNames) -> None:
        for row in np.flatnonzero(labelled.set_aside == TOO_LONG)[:1]:
            raise TokenizationError(
                f"{rows[int(row)]}: {labelled.length[row]} tokens, longer than max_length={self._rules.max_length}; "
                "raise max_length, or choose overflow='drop', 'truncate', 'truncate_prompt' or 'truncate_turns'"
            )


@cache
def code_digest() -> str:
    """One name for the code of this package, so that an edit is seen by every cache."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return digest(*(source.name + hashlib.sha256(source.read_bytes()).hexdigest() for source in sources))


def _json_values(kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
    """The values a template gets besides messages and tools; only what JSON holds has a digest."""
    values = dict(kwargs or {})
    try:
        json.dumps(values)
    except TypeError as error:
        raise TokenizationError(
            f"chat_template_kwargs={values!r:.80}: {error}; takes texts, numbers and flags"
        ) from None
    for name in ("messages", "tools", "add_generation_prompt", "tokenize", "chat_template"):
        if name in values:
            raise TokenizationError(f"chat_template_kwargs: {name!r} is set for every row by itself; leave it out")
    return values


def _table(batch: Mapping[str, Any]) -> pa.Table:
    try:
        return pa.table({name: pa.array(values) for name, values in batch.items()})
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise TokenizationError(
            f"columns {', '.join(batch)}: values of different kinds in one column ({error})"
        ) from None


def _lists(table: pa.Table) -> dict[str, Any]:
    """Columns as lists; ids and labels as one NumPy array a row, which keeps their 32 bits."""
    columns: dict[str, Any] = {}
    for name in table.column_names:
        array = table[name].combine_chunks()
        if pa.types.is_list(array.type):
            bounds = array.offsets.to_numpy()
            columns[name] = np.split(array.values.to_numpy(), bounds)[1:-1]
        else:
            columns[name] = array.to_pylist() if name == "id" else array.to_numpy()
    return columns
