"""A prepared folder in, a trained model out, on token rows or on windows; resumed where it was cut off."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import datasets

import collators
from hf_builders.errors import ConfigError, SourceError, did_you_mean
from hf_builders.prepared_rows import PreparedRows, open_run
from hf_builders.run_config import RunConfig
from hf_builders.train_sections import LoraSection, ModelSection, TrainSection

Head = Literal["CausalLM", "QuestionAnswering"]
"""What the model ends in, as transformers names it."""

_NOTE = "trained_on.json"
_STATE = "trainer_state.json"  # Trainer writes it last: a checkpoint without it is half a checkpoint
_VOCABULARY_MULTIPLE = 64  # what matrix kernels like


@dataclass(frozen=True)
class Trained:
    folder: Path
    num_steps: int
    losses: list[float]
    """Mean loss of the steps between two log lines, in order."""
    resumed_from: Path | None
    """The checkpoint the run went on from."""
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    """Of an encoder that finds answers, by split: `exact_match`, `f1` (percent), `loss`."""


def train(config: RunConfig) -> Trained:
    """Train on the prepared folder of this config, or go on from the last whole checkpoint; a finished run stays.

    Raises:
        ConfigError: no `train` section, an unknown training argument, or a model that does not fit the tokenizer.
        SourceError: nothing was prepared, or with other options, or the checkpoints are of another run.
    """
    section = config.train
    if section is None:
        raise ConfigError("train: the run config has no such section; configs/demo.yaml shows one")
    try:
        from transformers import set_seed

        from hf_builders.span_training import SpanTraining
    except ImportError as error:
        raise ConfigError(f"training needs the extra: pip install 'hf-builders[train]' ({error})") from error

    prepared = open_run(config)
    tokenizer, arguments = prepared.tokenizer, _training_arguments(section)
    _check_splits(prepared.splits, arguments)
    folder = Path(section.output_dir).expanduser()
    checkpoint = _last_checkpoint(folder, section, prepared.manifest["digest"])
    if checkpoint is not None and 0 < arguments.max_steps <= _state(checkpoint)["global_step"]:
        # Trainer would take one step more.
        if not (folder / _STATE).is_file() or _state(folder)["global_step"] < arguments.max_steps:
            raise SourceError(
                f"{checkpoint}: holds the last step, and the run was cut off before it saved its model; "
                "take the model from there, or remove that checkpoint to train its steps again"
            )
        trained = _trained(folder, _state(folder), checkpoint)
        if config.spans is None:
            return trained
        # It may have been cut off before its answers were written, and `train.answers` may have changed.
        model = _model(replace(section, model=ModelSection(pretrained=str(folder))), tokenizer, "QuestionAnswering")
        return replace(trained, scores=SpanTraining(prepared, section, arguments, model).evaluate(folder))
    set_seed(arguments.seed)  # before the weights of a fresh model are drawn
    model = _model(section, tokenizer, "CausalLM" if config.spans is None else "QuestionAnswering")
    spans = None if config.spans is None else SpanTraining(prepared, section, arguments, model)
    trainer = _token_trainer(config, section, arguments, model, prepared) if spans is None else spans.trainer
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    trainer.save_model()
    trainer.save_state()
    trained = _trained(folder, asdict(trainer.state), checkpoint)
    return trained if spans is None else replace(trained, scores=spans.evaluate(folder))


def _token_trainer(config: RunConfig, section: TrainSection, arguments: Any, model: Any, prepared: PreparedRows) -> Any:
    from collators.trainer import TokenTrainer

    return TokenTrainer(
        model=model,
        args=arguments,
        train_dataset=prepared.splits["train"],
        eval_dataset=prepared.splits.get("validation"),
        data_collator=_collator(config, section, prepared.tokenizer, model),
        processing_class=prepared.tokenizer,
        max_tokens_per_batch=section.max_tokens_per_batch,
    )


def _collator(config: RunConfig, section: TrainSection, tokenizer: Any, model: Any) -> Any:
    if config.pack is not None:
        attention = model.config._attn_implementation
        return collators.PackingCollator(tokenizer, attention=attention, pad_to_multiple_of=section.pad_to_multiple_of)
    return collators.PaddingCollator(
        tokenizer, pad_to_multiple_of=section.pad_to_multiple_of, padding_side=section.padding_side
    )


def _trained(folder: Path, state: dict[str, Any], checkpoint: Path | None) -> Trained:
    losses = [entry["loss"] for entry in state["log_history"] if "loss" in entry]
    return Trained(folder, state["global_step"], losses, checkpoint)


def _training_arguments(section: TrainSection) -> Any:
    from transformers import TrainingArguments

    known = TrainingArguments.__dataclass_fields__
    ours = {"output_dir": "it is train.output_dir", "resume_from_checkpoint": "a run goes on by itself"}
    for name in section.arguments:
        if name not in known or name in ours:
            hint = f"; {ours[name]}" if name in ours else did_you_mean(name, known)
            raise ConfigError(f"train.arguments.{name}: transformers takes no such training argument here{hint}")
    try:
        # No tracker is started that nobody asked for.
        return TrainingArguments(**{"report_to": "none", **section.arguments, "output_dir": section.output_dir})
    except (TypeError, ValueError, ImportError) as error:
        raise ConfigError(f"train.arguments: {error}") from error


def _check_splits(rows: datasets.DatasetDict, arguments: Any) -> None:
    if "train" not in rows:
        raise SourceError(f"there is no split to train on (train); what was prepared has {', '.join(rows)}")
    if arguments.eval_strategy != "no" and "validation" not in rows:
        raise ConfigError(
            "train.arguments.eval_strategy: there is no split to evaluate on (validation); leave it out, or make one"
        )


def _model(section: TrainSection, tokenizer: Any, head: Head) -> Any:
    num_ids = max(tokenizer.get_vocab().values()) + 1
    try:
        if section.model.config:
            model = _fresh_model(section.model, tokenizer, num_ids, head)
        else:
            model = _pretrained(section.model, head)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"train.model: cannot be made ({error})") from error
    num_embeddings = model.get_input_embeddings().weight.shape[0]
    if num_embeddings < num_ids:
        raise ConfigError(
            f"train.model: has embeddings for {num_embeddings:,} ids, the tokenizer gives ids up to {num_ids - 1:,}; "
            "is it the tokenizer of another model?"
        )
    return model if section.lora is None else _with_adapters(model, section.lora)


def _auto_model(head: Head) -> Any:
    import transformers

    return getattr(transformers, f"AutoModelFor{head}")


def _pretrained(section: ModelSection, head: Head) -> Any:
    folder = Path(str(section.pretrained)).expanduser()
    if any(folder.glob("*.ckpt.index")) and not (folder / "config.json").is_file():
        raise ValueError(
            f"{section.pretrained} holds a TensorFlow checkpoint, which transformers reads no longer; take the model's "
            "PyTorch release, with a config.json. The tokenizer may stay: its vocab.txt is the same"
        )
    return _auto_model(head).from_pretrained(section.pretrained, trust_remote_code=False)


def _fresh_model(section: ModelSection, tokenizer: Any, num_ids: int, head: Head) -> Any:
    from transformers import AutoConfig

    options = dict(section.config or {})
    known = AutoConfig.for_model(options["model_type"]).to_dict()
    for name in options:
        if name not in known:
            raise ValueError(f"config.{name}: no such setting of {options['model_type']}{did_you_mean(name, known)}")
    options.setdefault("vocab_size", -(-num_ids // _VOCABULARY_MULTIPLE) * _VOCABULARY_MULTIPLE)
    special_ids = {name: getattr(tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    return _auto_model(head).from_config(AutoConfig.for_model(**{**special_ids, **options}))


def _with_adapters(model: Any, section: LoraSection) -> Any:
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ConfigError(f"train.lora: needs the extra: pip install 'hf-builders[train]' ({error})") from error
    try:
        adapters = LoraConfig(
            r=section.r,
            lora_alpha=section.alpha,
            lora_dropout=section.dropout,
            target_modules=section.target_modules,
            task_type="CAUSAL_LM",
        )
        return get_peft_model(model, adapters)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"train.lora: {error}") from error


def _last_checkpoint(folder: Path, section: TrainSection, digest: str) -> Path | None:
    """Where to go on from: the last whole checkpoint. One of other token rows or another model is not gone on from."""
    now = {
        "digest": digest,
        "model": asdict(section.model),
        "lora": section.lora and asdict(section.lora),
        # Where in an epoch a run stood counts batches.
        "max_tokens_per_batch": section.max_tokens_per_batch,
    }
    note = folder / _NOTE
    if note.is_file():
        before = json.loads(note.read_text(encoding="utf-8"))
        named = {"digest": "token rows", "model": "model", "lora": "adapters", "max_tokens_per_batch": "batches"}
        for key, what in named.items():
            if before.get(key) != now[key]:
                raise SourceError(
                    f"{folder}: is a run with other {what} ({before.get(key)!s:.60}, now {now[key]!s:.60}); "
                    "choose another train.output_dir, or remove the folder"
                )
    folder.mkdir(parents=True, exist_ok=True)
    draft = note.with_suffix(".draft")
    draft.write_text(json.dumps(now) + "\n", encoding="utf-8")
    draft.rename(note)
    whole = [path.parent for path in folder.glob(f"checkpoint-*/{_STATE}")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _state(folder: Path) -> dict[str, Any]:
    """Trainer's state in a checkpoint, or beside the final model, where it is written last too."""
    state: dict[str, Any] = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    return state
