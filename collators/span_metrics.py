"""What a model says of the windows of a split in, CMRC 2018's exact match and F1 out, for `Trainer`."""

from __future__ import annotations

from typing import Any

import numpy as np

from collators.cmrc_metric import cmrc_scores
from collators.errors import TokenizationError
from collators.span_answers import postprocess_spans, table_with

_POSITIONS = ("start_positions", "end_positions")


class SpanMetrics:
    """`compute_metrics` of a `Trainer` that evaluates windows: `exact_match` and `f1` of the answers, in percent.

    The texts predicted last are in `predictions`, `{id: text}`. All records count: one without windows is answered with
    nothing. An unanswerable record is right when it is left unanswered, for which `null_threshold` has to be given.

    Args:
        records: the view `mrc` of the split: `id`, `context`, `answers`.
        windows: what `TokenizeSpans` made of it; `Trainer`'s `eval_dataset`.
        n_best, max_answer_length, null_threshold: as in `postprocess_spans`.

    Raises:
        TokenizationError: a column is missing.

    >>> records = {"id": ["q"], "context": ["小明来了"], "answers": [{"text": ["小明"], "answer_start": [0]}]}
    >>> offsets = [[[0, 0], [0, 1], [0, 0], [0, 1], [1, 2], [2, 3], [3, 4], [0, 0]]]
    >>> windows = {"example_id": ["q"], "context_start": [3], "offset_mapping": offsets}
    >>> from transformers import EvalPrediction
    >>> start, end = np.zeros((1, 8)), np.zeros((1, 8))
    >>> start[0, 3] = end[0, 4] = 5
    >>> metrics = SpanMetrics(records, windows)
    >>> metrics(EvalPrediction(predictions=(start, end), label_ids=None)), metrics.predictions
    ({'exact_match': 100.0, 'f1': 100.0}, {'q': '小明'})
    """

    def __init__(
        self,
        records: Any,
        windows: Any,
        *,
        n_best: int = 20,
        max_answer_length: int = 512,
        null_threshold: float | None = None,
    ) -> None:
        answers = table_with(records, ("id", "answers"))
        texts = [answer["text"] for answer in answers["answers"].to_pylist()]
        self._references = dict(zip(answers["id"].to_pylist(), texts, strict=True))
        self._records, self._windows = records, windows
        self._options: dict[str, Any] = {
            "n_best": n_best, "max_answer_length": max_answer_length, "null_threshold": null_threshold,
        }  # fmt: skip
        self.predictions: dict[str, str] = {}

    def __call__(self, evaluated: Any) -> dict[str, float]:
        """The scores of `transformers.EvalPrediction`.

        Raises:
            TokenizationError: the windows evaluated are not those given, in their order.
        """
        self._check_order(evaluated.label_ids)
        start_logits, end_logits = evaluated.predictions[:2]
        self.predictions = postprocess_spans(self._records, self._windows, (start_logits, end_logits), **self._options)
        scores = cmrc_scores(self.predictions, self._references)
        return {name: scores[name] for name in ("exact_match", "f1")}

    def _check_order(self, labels: Any) -> None:
        if labels is None:
            return
        expected = table_with(self._windows, _POSITIONS)
        for name, given in zip(_POSITIONS, labels, strict=True):
            if not np.array_equal(np.asarray(given), expected[name].to_numpy()):
                raise TokenizationError(
                    f"{name} of the evaluation are not those of the windows given to SpanMetrics, in their order; give "
                    "it the eval_dataset itself, and no train_sampling_strategy that sorts it by length"
                )
