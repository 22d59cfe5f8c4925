"""A batch of texts or pairs of texts in, rows of tokens with one label each out, for an encoder that classifies."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collators.encoder_batches import as_given, check_max_length, list_column, table_of, text_column
from collators.encoder_texts import EncoderTexts
from collators.encoding import IntArray
from collators.errors import TokenizationError, check_choice
from collators.tokenization import code_digest
from collators.tokenizers import digest

logger = logging.getLogger(__name__)


class TokenizePair:
    """Makes rows of a text or two and a label: `dataset.map(step, batched=True, remove_columns=dataset.column_names)`.

    Takes a batch (a table, or a dict of lists) and gives the same kind back: `id` if there is one, `input_ids`,
    `attention_mask`, `token_type_ids` (if the model takes them) and, if the batch has a label, `labels`. Rows are
    those of `tokenizer(first, second, truncation=True, max_length=max_length)`; how many were cut is logged. Text of
    the data never becomes a control token.

    Args:
        max_length: tokens of a row, special ones included; beyond it the longer of the two texts is cut at its end.
        first, second: the columns of the texts; `second=None` for rows of one text.
        label: the column of the label: whole numbers (classes), other numbers (regression), or names. None takes
            `label`, where there is such a column.
        label_names: the names in the order of their numbers, where labels are names.

    Raises:
        TokenizationError: no fast tokenizer of an encoder, a column that is missing, a label that is none.

    >>> from transformers import BertTokenizer
    >>> pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"天冷暖吗"]
    >>> tokenizer = BertTokenizer(vocab={piece: id_ for id_, piece in enumerate(pieces)})
    >>> step = TokenizePair(tokenizer, label_names=["不同", "相同"])
    >>> rows = step({"sentence1": ["天冷吗"], "sentence2": ["天暖吗"], "label": ["不同"]})
    >>> tokenizer.decode(rows["input_ids"][0]), rows["token_type_ids"][0].tolist(), rows["labels"].tolist()
    ('[CLS] 天 冷 吗 [SEP] 天 暖 吗 [SEP]', [0, 0, 0, 0, 0, 1, 1, 1, 1], [0])
    """

    def __init__(
        self,
        tokenizer: Any,
        max_length: int = 512,
        *,
        first: str = "sentence1",
        second: str | None = "sentence2",
        label: str | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        self._texts = EncoderTexts(tokenizer)
        self._columns = [first] if second is None else [first, second]
        check_max_length(max_length, self._texts.frame(len(self._columns)).num_special)
        self._max_length, self._label = max_length, label or "label"
        self._needed = [*self._columns, *([label] if label else [])]
        self._label_names = None if label_names is None else list(label_names)
        self._code = code_digest()

    @property
    def digest(self) -> str:
        """Equal for equal results: of the tokenizer's content, the options and this package's code."""
        state = {**self.__dict__, "_texts": self._texts.__getstate__()}
        return digest(*(f"{name}={value}" for name, value in sorted(state.items())))

    def __call__(self, batch: Any) -> Any:
        """The rows of a batch. Raises as the class says."""
        table = table_of(batch, self._needed, [name for name in ("id", self._label) if name not in self._needed])
        frame = self._texts.frame(len(self._columns))
        tokens = [self._texts.encode(text_column(table, name)) for name in self._columns]
        lengths = cut_longest_first([each.lengths for each in tokens], self._max_length - frame.num_special)
        every = np.arange(len(table))
        parts = [each.parts(every, np.zeros_like(every), length) for each, length in zip(tokens, lengths, strict=True)]
        layout = frame.lay_out(*parts)
        num_cut = int(np.any([each.lengths > length for each, length in zip(tokens, lengths, strict=True)], 0).sum())
        if num_cut:
            logger.warning("cut %s of %s rows to max_length=%s", f"{num_cut:,}", f"{len(table):,}", self._max_length)
        columns: dict[str, Any] = {"id": table["id"]} if "id" in table.column_names else {}
        columns["input_ids"] = list_column(layout.ids, layout.lengths)
        columns["attention_mask"] = list_column(np.ones(len(layout.ids), np.int8), layout.lengths)
        if self._texts.has_type_ids:
            columns["token_type_ids"] = list_column(layout.type_ids, layout.lengths)
        if self._label in table.column_names:
            columns["labels"] = self._labels(table[self._label].combine_chunks())
        return as_given(batch, pa.table(columns))

    def _labels(self, labels: pa.Array) -> pa.Array:
        if labels.null_count:
            row = int(np.flatnonzero(labels.is_null().to_numpy(zero_copy_only=False))[0])
            raise TokenizationError(f"row {row} of the batch: {self._label!r} is null; leave such rows out")
        if pa.types.is_integer(labels.type):
            return labels.cast(pa.int64())
        if pa.types.is_floating(labels.type):
            return labels.cast(pa.float32())
        is_text = pa.types.is_string(labels.type) or pa.types.is_large_string(labels.type)
        if not is_text or self._label_names is None:
            raise TokenizationError(
                f"the column {self._label!r} holds {labels.type}; expected numbers, or names with label_names= in the "
                "order of their numbers"
            )
        numbers = pc.index_in(labels, pa.array(self._label_names, labels.type))
        for name in labels.filter(numbers.is_null()).to_pylist()[:1]:
            check_choice(self._label, name, self._label_names, "name")
        return numbers.cast(pa.int64())


def cut_longest_first(lengths: Sequence[IntArray], room: int) -> list[IntArray]:
    """How many tokens one text or two keep: of two the longer is cut, down to the other, then both.

    >>> [each.tolist() for each in cut_longest_first([np.array([3, 9]), np.array([9, 8])], 8)]
    [[3, 4], [5, 4]]
    """
    if len(lengths) == 1:
        return [np.minimum(lengths[0], room)]
    first, second = lengths
    shorter = np.minimum(first, second)
    longer = np.maximum(shorter, room - shorter)
    both = shorter + longer > room
    shorter, longer = np.where(both, room // 2, shorter), np.where(both, room - room // 2, longer)
    is_whole = first + second <= room
    is_first_longer = first > second
    return [
        np.where(is_whole, first, np.where(is_first_longer, longer, shorter)),
        np.where(is_whole, second, np.where(is_first_longer, shorter, longer)),
    ]
