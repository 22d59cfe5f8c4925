"""A batch of conversations in, its token rows out: `input_ids`, `labels`, `length`, and `id` where there is one."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.chat_templates import NO_TEMPLATE, TemplateRefusal, choose_template
from collators.columns import ASSISTANT, USER, RowNames, columns_read, read_turns, shape_of
from collators.errors import TokenizationError
from collators.labelling import Labelled, Labeller
from collators.overflow import KEPT, TOO_LONG, Overflow
from collators.shapes import LossMode, Turn
from collators.tokenizers import backend_json, digest

logger = logging.getLogger(__name__)

LEDGER = ["set_aside", "straddling", "cut"]
"""Columns of token rows that account for what became of a row; they are not for training."""


class Tokenize:
    """The step of `tokenize` as a callable, for `dataset.map(step, batched=True, remove_columns=dataset.column_names)`.

    Takes a batch as a table or as a dict of lists and gives the same kind back, with the rows that are kept.
    It can be pickled; its fingerprint is that of the tokenizer's content, the options and this package's code.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        template: str | None = None,
        max_length: int = 2048,
        overflow: Overflow = "drop",
        loss: LossMode = "assistant",
    ) -> None:
        _check_choice("overflow", overflow, get_args(Overflow))
        _check_choice("loss", loss, get_args(LossMode))
        if isinstance(max_length, bool) or not isinstance(max_length, int) or max_length < 1:
            raise TokenizationError(f"max_length={max_length!r}: expected a number of tokens, 1 or more")
        # Plain values only: what is pickled is what decides the result, and nothing that calls change.
        self._state = backend_json(tokenizer)
        self._template = choose_template(tokenizer, template)
        self._special_tokens = dict(tokenizer.special_tokens_map)
        self._max_length = max_length
        self._overflow = overflow
        self._loss = loss
        self._code = code_digest()
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
        counts = Counter(filter(None, rows["set_aside"].to_pylist()))
        report = report_set_aside(counts, len(rows), self._labeller.facts)
        if report:
            logger.warning("%s", report)
        rows = rows.filter(pc.is_null(rows["set_aside"])).drop_columns(LEDGER)
        return rows if isinstance(batch, pa.Table) else _lists(rows)

    def token_rows(self, table: pa.Table, indices: Sequence[int] | None = None) -> pa.Table:
        """Token rows of every row of `table`: those set aside have a reason in `set_aside` and no ids.

        `indices` are the rows' places in the dataset, for errors. Raises as `__call__` does.
        """
        ids = table["id"].combine_chunks() if "id" in table.column_names else None
        rows = RowNames(ids, indices)
        if not self.has_template and shape_of(table.column_names) != ("text",):
            raise TokenizationError(NO_TEMPLATE)
        labelled = self._labeller.label(read_turns(table, rows))
        if self._overflow == "error":
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
            }
        )

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
        return digest(*(f"{name}={value}" for name, value in sorted(self.__getstate__().items())))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_labeller"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._labeller = self._new_labeller()

    def _new_labeller(self) -> Labeller:
        return Labeller(
            self._state,
            self._template,
            self._special_tokens,
            max_length=self._max_length,
            overflow=self._overflow,
            loss=self._loss,
        )

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
        try:
            skeleton = self._labeller.skeleton((Turn(USER, False, False), Turn(ASSISTANT, True, False)))
        except TemplateRefusal:
            return  # Each row will say so.
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
                f"{rows[int(row)]}: {labelled.length[row]} tokens, longer than max_length={self._max_length}; "
                "raise max_length, or choose overflow='drop', 'truncate' or 'truncate_prompt'"
            )


def report_set_aside(counts: Mapping[str, int], num_rows: int, facts: Mapping[str, str] | None = None) -> str:
    """One line on rows that are not trained on, with a fact on each reason that has one; empty where there are none.

    >>> report_set_aside({"too_long": 3, "nothing_to_train": 1}, 1200)
    'set aside 4 of 1,200 rows: too_long 3, nothing_to_train 1'
    """
    if not counts:
        return ""
    return f"set aside {sum(counts.values()):,} of {num_rows:,} rows: {listed_reasons(counts, facts or {})}"


def listed_reasons(counts: Mapping[str, int], facts: Mapping[str, str]) -> str:
    """Reasons with their counts, most first.

    >>> listed_reasons({"nothing_to_train": 1, "template_refuses": 2}, {"template_refuses": "no system"})
    'template_refuses 2 (no system), nothing_to_train 1'
    """
    ordered = sorted(counts.items(), key=lambda count: (-count[1], count[0]))
    said = {reason: f" ({fact})" for reason, fact in facts.items()}
    return ", ".join(f"{reason} {count:,}{said.get(reason, '')}" for reason, count in ordered)


@cache
def code_digest() -> str:
    """One name for the code of this package, so that an edit is seen by every cache."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return digest(*(source.name + hashlib.sha256(source.read_bytes()).hexdigest() for source in sources))


def _check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    if value in choices:
        return
    near = get_close_matches(str(value), choices, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(map(repr, choices))}"
    raise TokenizationError(f"{option}={value!r}: no such choice; {hint}")


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
