"""A prepared folder in, the records that gave its token rows out, in one form whichever view they are of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.columns import columns_read, read_turns, shape_of
from collators.message_columns import RowNames
from collators.shapes import LossMode, shape_of_conversation
from collators.structured_messages import REASONING
from collators.turns import Conversation, Message, is_structured
from hf_builders.errors import SourceError
from hf_builders.packed_rows import record_ids
from hf_builders.prepared_rows import PreparedRows, records_of

_BATCH_SIZE = 1000


@dataclass(frozen=True)
class ExportRecord:
    """One record; of a plain text only `id` and `text`."""

    id: str
    messages: tuple[Message, ...] = ()
    """As chat templates read them, in the form `collators` gives to every shape of conversation."""
    trained: tuple[bool, ...] = ()
    """Per message, whether it is an answer the model must produce."""
    tools: Any = None
    text: str | None = None

    @property
    def answers(self) -> list[int]:
        """The places of the assistant's messages."""
        return [place for place, message in enumerate(self.messages) if message["role"] == "assistant"]

    @property
    def trains_every_answer(self) -> bool:
        return all(self.trained[place] for place in self.answers)

    @property
    def trains_its_end_only(self) -> bool:
        """Whether the last message is an answer to something, and the only one trained."""
        last = len(self.messages) - 1
        return last > 0 and [place for place, own in enumerate(self.trained) if own] == [last]


@dataclass
class Survey:
    """What all records together ask of the settings and columns of a peer."""

    records: int = 0
    every_answer: int = 0
    """Records that train all they answer."""
    end_only: int = 0
    """Records that train their last message only."""
    system: int = 0
    tools: int = 0
    more_than_text: int = 0
    """Records with tools, calls, results, reasoning or metadata."""

    @classmethod
    def of(cls, records: Iterable[ExportRecord]) -> Survey:
        survey = cls()
        for record in records:
            survey._add(record)
        return survey

    def _add(self, record: ExportRecord) -> None:
        self.records += 1
        self.every_answer += record.trains_every_answer
        self.end_only += record.trains_its_end_only
        self.system += bool(record.messages) and record.messages[0]["role"] == "system"
        self.tools += record.tools is not None
        self.more_than_text += is_structured(Conversation(record.messages, (), record.tools))


class KeptRecords:
    """The records behind the token rows of a prepared folder, in the order of the raw files; set aside ones are not.

    Raises:
        SourceError: the raw files are no longer those that were prepared, or the rows are not those of the manifest.
        HfBuildersError: they cannot be read.
    """

    def __init__(self, prepared: PreparedRows) -> None:
        self._loss: LossMode = prepared.manifest["tokenize"]["loss"]
        self._records = records_of(prepared)
        self._is_kept = {split: _kept(prepared, split, self._records[split]) for split in prepared.splits}
        names = next(iter(self._records.values())).column_names
        self.is_text = shape_of(names) == ("text",)
        self._columns = columns_read(names)

    @property
    def rows(self) -> dict[str, int]:
        """Kept records by split."""
        return {split: int(is_kept.sum()) for split, is_kept in self._is_kept.items()}

    def of(self, split: str) -> Iterator[ExportRecord]:
        is_kept, place = self._is_kept[split], 0
        records = self._records[split].select_columns(self._columns).with_format("arrow")
        for table in records.iter(_BATCH_SIZE):
            kept = np.flatnonzero(is_kept[place : place + len(table)])
            indices, place = range(place, place + len(table)), place + len(table)
            yield from records_in(table.take(kept), [indices[row] for row in kept], self._loss)

    def survey(self) -> Survey:
        return Survey.of(record for split in self._is_kept for record in self.of(split))


def records_in(table: pa.Table, indices: Sequence[int], loss: LossMode) -> Iterator[ExportRecord]:
    """The rows of a table of any shape that `collators` reads; `indices` and `id` are their names in errors."""
    ids = table["id"].combine_chunks()
    if shape_of(table.column_names) == ("text",):
        for id, text in zip(ids.to_pylist(), table["text"].to_pylist(), strict=True):
            yield ExportRecord(id, text=text)
        return
    turns = read_turns(table, RowNames(ids, indices))
    for row, id in enumerate(ids.to_pylist()):
        conversation = turns.conversation(row)
        trained = tuple(turn.trained for turn in shape_of_conversation(conversation, loss))
        yield ExportRecord(id, conversation.messages, trained, conversation.tools)


def reasoning_of(message: Message) -> str:
    """What an answer thinks before it speaks, where that stands in a field of its own."""
    return next((str(message[name]) for name in REASONING if message.get(name)), "")


def _kept(prepared: PreparedRows, split: str, records: datasets.Dataset) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which records of a split gave a token row."""
    ids, own = record_ids(records), record_ids(prepared.splits[split])
    is_kept: np.ndarray[Any, np.dtype[np.bool_]] = pc.is_in(ids, value_set=own).to_numpy(zero_copy_only=False)
    num_kept, expected = int(is_kept.sum()), prepared.manifest["splits"][split]["rows_kept"]
    if not num_kept == len(own) == expected:
        raise SourceError(
            f"{prepared.folder}: {split} has {len(own):,} token rows of {num_kept:,} records, and the manifest says "
            f"{expected:,}; run `hf-builders prepare` again"
        )
    return is_kept
