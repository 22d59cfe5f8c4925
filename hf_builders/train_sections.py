"""The `train` section of a run config."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class ModelSection:
    """Either `pretrained` weights or a fresh model of this `config`."""

    pretrained: str | None = None
    """A folder or hub name; only what transformers loads without remote code."""
    config: dict[str, Any] | None = None
    """`model_type` and what its config class takes; the vocabulary size is the tokenizer's where it is not given."""

    def contradictions(self) -> Iterator[str]:
        if (self.pretrained is None) == (self.config is None):
            yield "give either pretrained (a folder or hub name) or config (a fresh model), one of the two"
        elif self.config is not None and "model_type" not in self.config:
            yield "config.model_type is missing; it names the architecture, such as glm or qwen2"


@dataclass(frozen=True, kw_only=True)
class LoraSection:
    """Train low-rank adapters only (extra `train`)."""

    r: int = 8
    alpha: int = 16
    dropout: float = 0.0
    target_modules: list[str] | str = "all-linear"


@dataclass(frozen=True, kw_only=True)
class AnswersSection:
    """How answers are read from what an encoder says; see `collators.postprocess_spans`."""

    n_best: int = 20
    max_answer_length: int = 512
    """Tokens."""
    null_threshold: float | None = None
    """How much more than the best answer "no answer" must score; left out, every question is answered."""

    def contradictions(self) -> Iterator[str]:
        for name in ("n_best", "max_answer_length"):
            if getattr(self, name) < 1:
                yield f"{name} is {getattr(self, name)}; it takes 1 or more"


@dataclass(frozen=True, kw_only=True)
class TrainSection:
    model: ModelSection
    output_dir: str
    """Checkpoints and the final model; a run that was cut off goes on from its last checkpoint."""
    lora: LoraSection | None = None
    padding_side: Literal["left", "right"] = "right"
    pad_to_multiple_of: int = 8
    max_tokens_per_batch: int | None = None
    """Of one device, with padding: batches of rows of about one length, instead of `per_device_train_batch_size`."""
    answers: AnswersSection | None = None
    """With `spans`: how the splits evaluated on are answered."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Any of `transformers.TrainingArguments`."""

    def contradictions(self) -> Iterator[str]:
        if self.pad_to_multiple_of < 1:
            yield f"pad_to_multiple_of is {self.pad_to_multiple_of}; it takes 1 (no rounding) or more"
        if self.max_tokens_per_batch is None:
            return
        if self.max_tokens_per_batch < 1:
            yield f"max_tokens_per_batch is {self.max_tokens_per_batch}; a batch needs the tokens of its longest row"
        for name in ("per_device_train_batch_size", "train_sampling_strategy", "group_by_length"):
            if name in self.arguments:
                yield f"max_tokens_per_batch and arguments.{name} both say what a batch is; leave one out"
