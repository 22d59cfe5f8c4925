"""A dataset of conversations in, a dataset of token rows out: in parallel, cached by content, counted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, DatasetDict, Features, IterableDataset, IterableDatasetDict

from collators.cached_tables import cached_table
from collators.columns import columns_read
from collators.engines import EngineName
from collators.errors import TokenizationError
from collators.ledger import LEDGER, Ledger, nothing_left
from collators.overflow import Overflow
from collators.shapes import LossMode
from collators.token_tables import check_template, token_row_features, token_row_tables, with_proven_engine
from collators.tokenization import Tokenize
from collators.tokenizers import digest

logger = logging.getLogger(__name__)

AnyDataset = TypeVar("AnyDataset", Dataset, DatasetDict, IterableDataset, IterableDatasetDict)

_STREAM_BATCH_SIZE = 1000


def tokenize(
    dataset: AnyDataset,
    tokenizer: Any,
    *,
    template: str | None = None,
    max_length: int = 2048,
    overflow: Overflow = "drop",
    loss: LossMode = "assistant",
    train_thinking: bool = True,
    chat_template_kwargs: Mapping[str, Any] | None = None,
    engine: EngineName | None = None,
    num_proc: int | None = None,
) -> AnyDataset:
    """Encode conversations and mark what the model must produce.

    Columns of the result: `id` if there was one, `input_ids` and `labels` (int32 lists of equal length, at most
    `max_length` tokens; not shifted, the model shifts; a label is its token's id or -100) and `length` (tokens).

    A label is set from the first token after the generation prompt through the token that ends the turn, in every
    assistant turn (`loss="assistant"`), only in the last one (`"last"`), or everywhere (`"all"`, and in plain texts). A
    message's own `loss`, true or false, goes before the first two. Text of the data never becomes a control token.

    Tools, calls, results and reasoning are written by the template; a call is trained as an answer is, a result never.

    Rows longer than `max_length` are left out (`overflow="drop"`), cut at their end (`"truncate"`), cut in the texts
    that are not trained, oldest question first (`"truncate_prompt"`), lose their oldest rounds (`"truncate_turns"`:
    system text, tools and the last round stay), or raise (`"error"`). Rows without a trained token are left out. One
    log line counts what was left out; `token_rows` shows which and why.

    Args:
        dataset: messages, conversations, prompt + completion, instruction/input/output, or text, with `tools`,
            `system` and `history` beside them where there are any (`collators.columns`).
        tokenizer: a fast tokenizer (`load_tokenizer`).
        template: name of a chat template (`"chatglm3"`, `"chatglm2"`, `"alpaca"`); None takes the tokenizer's own.
        max_length: tokens.
        train_thinking: whether reasoning is trained, from `<think>` through the white space behind `</think>`.
        chat_template_kwargs: more values for the template, the same for every row, such as `enable_thinking`.
        engine: what encodes, "gigatoken" (extra `fast`), "sentencepiece" or "tokenizers"; None takes the fastest that
            gives the ids of the tokenizer's own backend on rows from all over the dataset. The ids are the same.
        num_proc: processes at most; fewer where that is faster, which is measured on the first rows, as the engine's
            threads use all cores already. Ignored for streaming datasets.

    Raises:
        TokenizationError: no row is left, a row is not a conversation, or an option is wrong.

    >>> from datasets import Dataset
    >>> from tokenizers import Tokenizer, models, pre_tokenizers
    >>> from transformers import PreTrainedTokenizerFast
    >>> backend = Tokenizer(models.WordLevel({"[UNK]": 0, "hi": 1, "hello": 2, "you": 3}, unk_token="[UNK]"))
    >>> backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    >>> tokenizer = PreTrainedTokenizerFast(
    ...     tokenizer_object=backend, unk_token="[UNK]", bos_token="<bot>", eos_token="<end>"
    ... )
    >>> tokenizer.chat_template = (
    ...     "{% for m in messages %}{{ m.content }}{{ '<bot>' if m.role == 'user' else '<end>' }}{% endfor %}"
    ... )
    >>> rows = tokenize(Dataset.from_dict({"prompt": ["hi you"], "completion": ["hello"]}), tokenizer)
    >>> rows[0]
    {'input_ids': [1, 3, 4, 2, 5], 'labels': [-100, -100, -100, 2, 5], 'length': 5}
    """
    step = Tokenize(
        tokenizer,
        template=template,
        max_length=max_length,
        overflow=overflow,
        loss=loss,
        train_thinking=train_thinking,
        chat_template_kwargs=chat_template_kwargs,
        engine=engine,
    )
    if isinstance(dataset, Dataset | DatasetDict):
        return per_split(partial(_tokenized, step=step, num_proc=num_proc, max_length=max_length), dataset)
    return per_split(partial(_stream, step=step, whole=False), dataset)


def token_rows(
    dataset: AnyDataset,
    tokenizer: Any,
    *,
    template: str | None = None,
    max_length: int = 2048,
    overflow: Overflow = "drop",
    loss: LossMode = "assistant",
    train_thinking: bool = True,
    chat_template_kwargs: Mapping[str, Any] | None = None,
    engine: EngineName | None = None,
    num_proc: int | None = None,
) -> AnyDataset:
    """`tokenize` with every row in its place, also those set aside.

    More columns, the ledger: `set_aside`, null for a row that is kept, else the reason (`too_long`, `nothing_to_train`,
    `answer_too_long`, `answer_cut_off`, `template_refuses`, `template_rewrites`, `not_text`); `straddling`, how many
    tokens lie across the border of prompt and answer, and so are not trained; `cut`, how many `overflow` took away,
    `cut_trained`, how many of these were trained, and `cut_turns`, how many messages lost tokens; `left_out`, how many
    texts the template does not write (reasoning of earlier turns, what is said beside a call); `control_texts`, how
    often a control token stands in the texts, as text. A row set aside has no ids; its `length` is what it would have
    been, the rest of the ledger 0 but for `control_texts`.
    """
    step = Tokenize(
        tokenizer,
        template=template,
        max_length=max_length,
        overflow=overflow,
        loss=loss,
        train_thinking=train_thinking,
        chat_template_kwargs=chat_template_kwargs,
        engine=engine,
    )
    if isinstance(dataset, Dataset | DatasetDict):
        return per_split(partial(_every_row, step=step, num_proc=num_proc), dataset)
    return per_split(partial(_stream, step=step, whole=True), dataset)


def kept_rows(rows: AnyDataset, *, max_length: int) -> AnyDataset:
    """The rows of `token_rows` that are to be trained on, without the columns that say why others are not.

    `tokenize` is this behind `token_rows`; apart, they serve whoever wants to see both. `max_length` is for the error.

    Raises:
        TokenizationError: no row of a split is left.
    """
    return per_split(partial(_kept_of, max_length=max_length), rows)


def per_split(function: Any, dataset: Any) -> Any:
    if isinstance(dataset, DatasetDict | IterableDatasetDict):
        return type(dataset)({name: function(split, name=f"{name}: ") for name, split in dataset.items()})
    if isinstance(dataset, Dataset | IterableDataset):
        return function(dataset, name="")
    raise TokenizationError(
        f"{type(dataset).__name__}: expected a datasets.Dataset, IterableDataset or a dict of splits"
    )


def _every_row(dataset: Dataset, *, name: str, step: Tokenize, num_proc: int | None) -> Dataset:
    check_template(dataset.column_names, step)
    features = token_row_features(dataset.features)
    # Of our own making: datasets knows an importable function by its name only, not by its code.
    fingerprint = digest(dataset._fingerprint, step.digest)
    return cached_table(
        dataset,
        fingerprint,
        features,
        lambda write: with_proven_engine(step, lambda: write(token_row_tables(dataset, step, num_proc, name=name))),
    )


def _tokenized(dataset: Dataset, *, name: str, step: Tokenize, num_proc: int | None, max_length: int) -> Dataset:
    rows = _every_row(dataset, name=name, step=step, num_proc=num_proc)

    def explain(reason: str, row: int) -> str | None:
        # Again for this one row: what it said the first time was said in another process, or before the cache.
        names = columns_read(dataset.column_names)
        return step.explain(dataset.with_format("arrow", columns=names)[row : row + 1]).get(reason)

    return _kept_of(rows, name=name, max_length=max_length, explain=explain)


def _kept_of(
    rows: Dataset, *, name: str, max_length: int, explain: Callable[[str, int], str | None] | None = None
) -> Dataset:
    if not len(rows):
        return rows.remove_columns(LEDGER)
    columns = rows.with_format("arrow").select_columns([*LEDGER, "length"])[:]
    set_aside = columns["set_aside"]
    ledger = Ledger()
    ledger.add(columns)
    firsts = {
        reason: explain(reason, pc.index(set_aside, reason).as_py()) if explain else None for reason in ledger.set_aside
    }
    facts = {reason: fact for reason, fact in firsts.items() if fact is not None}
    if ledger.set_aside.total() == len(rows):
        shortest = pc.min(pc.filter(columns["length"], pc.greater(columns["length"], 0))).as_py()
        raise TokenizationError(name + nothing_left(ledger, shortest, max_length, facts))
    for report in ledger.reports(facts):
        logger.warning("%s%s", name, report)
    if ledger.set_aside:
        rows = rows.select(np.flatnonzero(pc.is_null(set_aside).to_numpy(zero_copy_only=False)))
    return rows.remove_columns(LEDGER)


def _stream(dataset: IterableDataset, *, name: str, step: Tokenize, whole: bool) -> IterableDataset:
    source = dataset.features or features_seen(dataset, name)
    check_template(list(source), step)
    features = token_row_features(source)
    if not whole:
        features = Features({key: value for key, value in features.items() if key not in LEDGER})
    rows = dataset.with_format("arrow").map(
        _every_row_of if whole else step,
        batched=True,
        batch_size=_STREAM_BATCH_SIZE,
        # On Arrow batches of a stream, datasets takes these out of the result, where `id` must stay.
        remove_columns=[column for column in source if column not in features],
        features=features,
        fn_kwargs={"step": step} if whole else None,
    )
    return rows.with_format(None)


def features_seen(dataset: IterableDataset, name: str) -> Features:
    """The columns of a stream that does not say what it has: only its first rows can tell."""
    first = next(dataset.with_format("arrow").iter(_STREAM_BATCH_SIZE), None)
    if first is None:
        raise TokenizationError(f"{name}the stream has no rows; see where it comes from")
    return Features.from_arrow_schema(first.schema)


def _every_row_of(batch: pa.Table, *, step: Tokenize) -> pa.Table:
    return step.token_rows(batch.select(columns_read(batch.column_names)))
