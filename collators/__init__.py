"""Conversations in, training tensors out: ids, and labels that say which tokens the model must produce.

For models that write:

    load_tokenizer     a model folder or hub name   -> a fast tokenizer with its chat template
    tokenize           a dataset of conversations   -> input_ids, labels, length
    Tokenize           the same step, for your own `dataset.map(step, batched=True)`
    token_rows         the same with every row: those set aside, and why
    kept_rows          of those, the ones to train on
    PaddingCollator    rows of any length           -> one padded batch of tensors
    pack               token rows                   -> packed rows, filled to a window, their borders noted
    PackingCollator    packed rows                  -> one batch in which no token sees another record
    FlatRows           a dataset of token rows      -> its rows for a `DataLoader`, without a Python list
    TokenBatchSampler  lengths of rows              -> batches within a budget of padded tokens
    TokenTrainer       token rows and a model       -> `transformers.Trainer` that uses all of this
    inspect_row        one row                      -> what of it is trained, for human eyes

For encoders that read (`load_tokenizer` takes a BERT model's bare vocab.txt too):

    TokenizeSpans      questions on texts           -> overlapping windows, with start and end of the answer
    TokenizePair       texts or pairs of texts      -> rows with a label each
    SpanCollator       rows of these two            -> one padded batch of tensors
    postprocess_spans  windows and logits           -> {id: text}; span_candidates: the n best with their scores
    save_predictions   {id: text}                   -> the JSON file of the official evaluation scripts
    cmrc_scores        predictions and references   -> CMRC 2018's own exact match and F1
    SpanMetrics        these in one                 -> `compute_metrics` of a `Trainer`

The package knows messages, tokenizers and tensors; it imports nothing from `hf_builders`, and nothing heavy
(torch, transformers, datasets) before a name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collators.cmrc_metric import cmrc_scores
    from collators.dataset_tokenization import kept_rows, token_rows, tokenize
    from collators.errors import TokenizationError
    from collators.flat_rows import FlatRows
    from collators.inspection import inspect_row
    from collators.packing import pack
    from collators.packing_collator import PackingCollator
    from collators.padding_collator import PaddingCollator
    from collators.pair_tokenization import TokenizePair
    from collators.span_answers import postprocess_spans, save_predictions, span_candidates
    from collators.span_collator import SpanCollator
    from collators.span_metrics import SpanMetrics
    from collators.span_tokenization import TokenizeSpans
    from collators.token_batches import TokenBatchSampler
    from collators.tokenization import Tokenize
    from collators.tokenizers import load_tokenizer
    from collators.trainer import TokenTrainer
    from collators.turns import IGNORE_INDEX

__all__ = [
    "IGNORE_INDEX",
    "FlatRows",
    "PackingCollator",
    "PaddingCollator",
    "SpanCollator",
    "SpanMetrics",
    "TokenBatchSampler",
    "TokenTrainer",
    "TokenizationError",
    "Tokenize",
    "TokenizePair",
    "TokenizeSpans",
    "cmrc_scores",
    "inspect_row",
    "kept_rows",
    "load_tokenizer",
    "pack",
    "postprocess_spans",
    "save_predictions",
    "span_candidates",
    "token_rows",
    "tokenize",
]

_MODULES = {
    "FlatRows": "flat_rows",
    "IGNORE_INDEX": "turns",
    "PackingCollator": "packing_collator",
    "PaddingCollator": "padding_collator",
    "SpanCollator": "span_collator",
    "SpanMetrics": "span_metrics",
    "TokenBatchSampler": "token_batches",
    "TokenTrainer": "trainer",
    "TokenizationError": "errors",
    "Tokenize": "tokenization",
    "TokenizePair": "pair_tokenization",
    "TokenizeSpans": "span_tokenization",
    "cmrc_scores": "cmrc_metric",
    "inspect_row": "inspection",
    "kept_rows": "dataset_tokenization",
    "load_tokenizer": "tokenizers",
    "pack": "packing",
    "postprocess_spans": "span_answers",
    "save_predictions": "span_answers",
    "span_candidates": "span_answers",
    "token_rows": "dataset_tokenization",
    "tokenize": "dataset_tokenization",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
