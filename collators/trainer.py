"""Token rows in, a trained model out: `transformers.Trainer` with the fast way from Arrow rows to batches."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from accelerate.data_loader import prepare_data_loader
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import Trainer

from collators.errors import TokenizationError
from collators.flat_rows import FlatRows
from collators.packing_collator import PackingCollator
from collators.padding_collator import PaddingCollator
from collators.ragged import are_packed, columns_of
from collators.token_batches import TokenBatchSampler

_LOADER_OPTIONS = (
    "num_workers", "pin_memory", "persistent_workers", "prefetch_factor", "multiprocessing_context", "in_order",
)  # fmt: skip


class TokenCollator(PaddingCollator):
    """`PaddingCollator`, and `PackingCollator` for batches of packed rows, by what is in the batch.

    So rows to train and to evaluate on may differ in this, and nothing hangs on what a stream, a `Subset` or another
    wrapper says of its columns.
    """

    def __init__(self, tokenizer: Any, *, attention: str) -> None:
        super().__init__(tokenizer)
        self.attention = attention

    def __call__(self, rows: Any) -> dict[str, Any]:
        if isinstance(rows, Iterator):
            rows = list(rows)  # They are looked at twice.
        if are_packed(columns_of(rows, ("seq_lengths", "position_ids"))):
            return self._packing(rows)
        return super().__call__(rows)

    @cached_property
    def _packing(self) -> PackingCollator:
        # Only when it is needed: an attention that it does not know may still train plain rows.
        return PackingCollator(
            self, attention=self.attention, max_length=self.max_length, pad_to_multiple_of=self.pad_to_multiple_of
        )


class TokenLoading(Trainer if TYPE_CHECKING else object):  # type: ignore[misc]
    """What makes a `TokenTrainer` of any subclass of `Trainer`: `class Mine(TokenLoading, YourTrainer): ...`."""

    def __init__(
        self,
        model: Any = None,
        args: Any = None,
        data_collator: Any = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: Any = None,
        *rest: Any,
        max_tokens_per_batch: int | None = None,
        **more: Any,
    ) -> None:
        super().__init__(model, args, data_collator, train_dataset, eval_dataset, processing_class, *rest, **more)
        self.max_tokens_per_batch = max_tokens_per_batch
        if data_collator is None:
            # Only now there is a model also where `model_init` makes it.
            self.data_collator = self._collator()

    def _collator(self) -> TokenCollator:
        if self.processing_class is None:
            raise TokenizationError("no data_collator; give it, or the tokenizer as processing_class")
        attention = getattr(self.model.config, "_attn_implementation", None) or "eager"
        return TokenCollator(self.processing_class, attention=attention)

    @property
    def _collator_is_ours(self) -> bool:
        return isinstance(self.data_collator, PaddingCollator | PackingCollator)

    def _get_dataloader(self, dataset: Any, *args: Any, is_training: bool = False, **more: Any) -> DataLoader[Any]:
        if is_training and self.max_tokens_per_batch is not None:
            rows = _rows_of_known_length(dataset)
            return self._loader_of(self._token_batches(rows, self.max_tokens_per_batch), rows)
        if self._collator_is_ours and _is_of_columns(dataset):
            dataset = FlatRows(dataset)
        loader: DataLoader[Any] = super()._get_dataloader(dataset, *args, is_training=is_training, **more)
        return loader

    def _remove_unused_columns(self, dataset: Any, description: str | None = None) -> Any:
        if self._collator_is_ours:
            return dataset  # `seq_lengths` are no argument of the model, and tell packed rows.
        return super()._remove_unused_columns(dataset, description)

    def _get_collator_with_removed_columns(self, data_collator: Any, description: str | None = None) -> Any:
        if self._collator_is_ours:
            return data_collator  # It takes the columns it knows, and no row on its own.
        return super()._get_collator_with_removed_columns(data_collator, description)

    def _loader_of(self, batches: TokenBatchSampler, rows: FlatRows) -> DataLoader[Any]:
        options = {name: getattr(self.args, f"dataloader_{name}", None) for name in _LOADER_OPTIONS}
        loader = DataLoader(
            rows,
            batch_sampler=batches,
            collate_fn=self._get_collator_with_removed_columns(self.data_collator, "Training"),
            **{name: value for name, value in options.items() if value is not None},
        )
        # As Trainer does, but for one process: the batches are this rank's already.
        return prepare_data_loader(
            loader,
            self.accelerator.device,
            num_processes=1,
            process_index=0,
            put_on_device=self.accelerator.device_placement,
            rng_types=list(self.accelerator.rng_types or ()),
            non_blocking=self.accelerator.non_blocking,
        )

    def _token_batches(self, rows: FlatRows, max_tokens: int) -> TokenBatchSampler:
        parallelism = getattr(self.accelerator, "parallelism_config", None)
        for kind in ("tp_size", "cp_size", "sp_size"):
            if (size := getattr(parallelism, kind, 1)) > 1:
                raise TokenizationError(
                    f"max_tokens_per_batch: with {kind}={size} several ranks share a batch, which is not provided for; "
                    "leave it out and set per_device_train_batch_size"
                )
        lengths = rows.lengths
        width = getattr(self.data_collator, "max_length", None)
        if width is not None:
            lengths = lengths.clip(min=width)  # the collator makes every batch this wide
        return TokenBatchSampler(
            lengths,
            max_tokens,
            seed=self.args.seed if self.args.data_seed is None else self.args.data_seed,
            rank=self.accelerator.process_index,
            num_replicas=self.accelerator.num_processes,
            pad_to_multiple_of=getattr(self.data_collator, "pad_to_multiple_of", None) or 1,
        )


def _is_of_columns(dataset: Any) -> bool:
    """A dataset with a transform makes its columns only when it is asked for rows."""
    return isinstance(dataset, Dataset) and dataset.format["type"] != "custom"


def _rows_of_known_length(dataset: Any) -> FlatRows:
    if isinstance(dataset, FlatRows):
        return dataset
    if not _is_of_columns(dataset):
        kind = f"{type(dataset).__name__}{' with a transform' if isinstance(dataset, Dataset) else ''}"
        raise TokenizationError(
            f"max_tokens_per_batch: train_dataset is {kind}, which does not tell the lengths of its rows; give a "
            "datasets.Dataset, or leave it out and set per_device_train_batch_size"
        )
    return FlatRows(dataset)


class TokenTrainer(TokenLoading, Trainer):  # type: ignore[misc]
    """`transformers.Trainer` on token rows: the same batches, read from flat buffers and not from Python lists.

    Everything of `Trainer` holds. New:

    - `train_dataset` and `eval_dataset` may be what `tokenize` or `pack` gave, just so.
    - Without a `data_collator`, batches are made by `PaddingCollator(processing_class)`, and those of packed rows by
      `PackingCollator` with the attention of the model.
    - `max_tokens_per_batch` (tokens of a batch on one device, padding included) trains on the batches of a
      `TokenBatchSampler`, and no longer on `per_device_train_batch_size` rows each. Evaluation stays as it is.

    All of it goes on in the middle of an epoch (`resume_from_checkpoint`). With a collator that is none of ours, a
    stream or another kind of dataset, it is a plain `Trainer`.

    Raises:
        TokenizationError: neither `data_collator` nor `processing_class`, rows that are no token rows, a row longer
            than `max_tokens_per_batch`, or rows without known lengths, to be trained on by that.
    """
