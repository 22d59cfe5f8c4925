"""Windows of a prepared folder in, an encoder that finds answers out, its answers and scores in files beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import datasets
from torch.utils.data import SequentialSampler
from transformers import Trainer

from collators import SpanCollator, SpanMetrics, save_predictions
from hf_builders.errors import ConfigError, SourceError
from hf_builders.prepared_rows import PreparedRows, records_of
from hf_builders.train_sections import TrainSection

SCORES = "scores.json"
Scores = dict[str, dict[str, float]]
"""By split: `exact_match`, `f1` (percent) and `loss`."""


class _InOrder(Trainer):  # type: ignore[misc]
    """Evaluates windows in their order, also where batches to train on are sorted by length: answers need it."""

    def _get_eval_sampler(self, eval_dataset: Any) -> SequentialSampler:
        return SequentialSampler(eval_dataset)


class SpanTraining:
    """A `Trainer` on windows, and the evaluation of every split but `train`."""

    def __init__(self, prepared: PreparedRows, section: TrainSection, arguments: Any, model: Any) -> None:
        _check_positions(prepared, section, model)
        _check_arguments(arguments)
        self._windows = prepared.splits
        self._records = records_of(prepared)
        _check_ids({split: self._records[split] for split in self._windows if split != "train"})
        self._options = {} if section.answers is None else asdict(section.answers)
        validation = self._windows.get("validation")
        self.trainer = _InOrder(
            model=model,
            args=arguments,
            train_dataset=self._windows["train"],
            eval_dataset=validation,
            data_collator=SpanCollator(prepared.tokenizer, pad_to_multiple_of=section.pad_to_multiple_of),
            processing_class=prepared.tokenizer,
            compute_metrics=None if validation is None else self._metrics("validation"),
        )

    def evaluate(self, folder: Path) -> Scores:
        """Answer all other splits: `predictions_SPLIT.json` (`{id: text}`) for each, and their scores in one file.

        A split without any answer, as test sets are, is answered and not scored.
        """
        scores: Scores = {}
        for split in [split for split in self._windows if split != "train"]:
            metrics = self.trainer.compute_metrics = self._metrics(split)
            found = self.trainer.evaluate(self._windows[split], metric_key_prefix=split)
            if self.trainer.is_world_process_zero():
                save_predictions(metrics.predictions, folder / f"predictions_{split}.json")
            if _has_answers(self._records[split]):
                scores[split] = {name: found[f"{split}_{name}"] for name in ("exact_match", "f1", "loss")}
        if self.trainer.is_world_process_zero():
            draft = folder / f".{SCORES}.draft"
            draft.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
            draft.replace(folder / SCORES)
        return scores

    def _metrics(self, split: str) -> SpanMetrics:
        return SpanMetrics(self._records[split], self._windows[split], **self._options)


def _has_answers(records: datasets.Dataset) -> bool:
    return any(answers["text"] for answers in records["answers"])


def _check_ids(records: Mapping[str, datasets.Dataset]) -> None:
    """Raise `SourceError` where an answer could not be told from another's."""
    for split, rows in records.items():
        if len(set(rows["id"])) < len(rows):
            raise SourceError(
                f"{split}: two records have the same id, so they cannot be answered; evaluate each file alone"
            )


def _check_positions(prepared: PreparedRows, section: TrainSection, model: Any) -> None:
    """Raise `ConfigError` where windows, with their padding, are longer than what the model has positions for."""
    max_length: int = prepared.manifest["spans"]["max_length"]
    num_positions = getattr(model.config, "max_position_embeddings", None)
    if num_positions is None:
        return
    if max_length > num_positions:
        raise ConfigError(
            f"spans.max_length: is {max_length:,}, and the model has positions for {num_positions:,} tokens; lower it, "
            "and prepare again"
        )
    width = -(-max_length // section.pad_to_multiple_of) * section.pad_to_multiple_of
    if width > num_positions:
        raise ConfigError(
            f"train.pad_to_multiple_of: is {section.pad_to_multiple_of}, which makes {width:,} tokens of "
            f"spans.max_length, {max_length:,}, and the model has positions for {num_positions:,}; lower one of them"
        )


def _check_arguments(arguments: Any) -> None:
    """Raise `ConfigError` where `Trainer` would not hand over what answers are made of, after hours of training."""
    for name in ("prediction_loss_only", "batch_eval_metrics"):
        if getattr(arguments, name, False):
            raise ConfigError(f"train.arguments.{name}: leaves nothing to find answers in; leave it out")
