"""A prepared folder in, a trained model out: `transformers.Trainer` on token rows, resumed where it was cut off."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

import collators
from hf_builders.errors import ConfigError, SourceError, did_you_mean
from hf_builders.prepare import options_of, read_manifest
from hf_builders.run_config import LoraSection, ModelSection, RunConfig, TrainSection

_TRAINED_ON = "trained_on.json"
_VOCABULARY_MULTIPLE = 64  # what matrix kernels like


@dataclass(frozen=True)
class Trained:
    folder: Path
    num_steps: int
    first_loss: float
    """Mean of the first logged steps."""
    last_loss: float
    resumed_from: str | None
    """The checkpoint the run went on from."""


def train(config: RunConfig) -> Trained:
    """Train on the prepared folder of this config, or go on from its last checkpoint.

    Raises:
        ConfigError: no `train` section, an unknown training argument, or a model that does not fit the tokenizer.
        SourceError: nothing was prepared, or it was prepared with other options, or the checkpoints saw other data.
    """
    section = config.train
    if section is None:
        raise ConfigError("train: the run config has no such section; configs/demo.yaml shows one")
    try:
        import torch  # noqa: F401
        from transformers import Trainer, set_seed
        from transformers.trainer_utils import get_last_checkpoint
    except ImportError as error:
        raise ConfigError(f"training needs the extra: pip install 'hf-builders[train]' ({error})") from error

    manifest = _matching_manifest(config)
    rows = datasets.load_from_disk(Path(config.output.dir) / "data")
    tokenizer = collators.load_tokenizer(config.tokenize.tokenizer)
    arguments = _training_arguments(section)
    set_seed(arguments.seed)  # before the weights of a fresh model are drawn
    model = _model(section.model, tokenizer)
    if section.lora is not None:
        model = _with_adapters(model, section.lora)
    checkpoint = _last_checkpoint(Path(section.output_dir), manifest["digest"], get_last_checkpoint)
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows["train"],
        eval_dataset=rows.get("validation"),
        data_collator=collators.PaddingCollator(
            tokenizer, pad_to_multiple_of=section.pad_to_multiple_of, padding_side=section.padding_side
        ),
        processing_class=tokenizer,
    )
    trainer.train(resume_from_checkpoint=checkpoint)
    trainer.save_model()
    trainer.save_state()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    if not losses:
        raise ConfigError(
            f"train.arguments.logging_steps: no loss was logged in {trainer.state.global_step} steps; lower it"
        )
    return Trained(Path(section.output_dir), trainer.state.global_step, losses[0], losses[-1], checkpoint)


def _matching_manifest(config: RunConfig) -> dict[str, Any]:
    manifest = read_manifest(config.output.dir)
    for name, now in (("dataset", options_of(config.dataset)), ("tokenize", options_of(config.tokenize))):
        for key, value in now.items():
            if (before := manifest[name].get(key)) != value:
                raise SourceError(
                    f"{config.output.dir}: was prepared with {name}.{key}={before!r}, the run config says {value!r}; "
                    "run `hf-builders prepare` again"
                )
    return manifest


def _training_arguments(section: TrainSection) -> Any:
    from transformers import TrainingArguments

    known = TrainingArguments.__dataclass_fields__
    for name in section.arguments:
        if name not in known or name == "output_dir":
            hint = "; it is train.output_dir" if name == "output_dir" else did_you_mean(name, known)
            raise ConfigError(f"train.arguments.{name}: transformers takes no such training argument here{hint}")
    # No tracker is started that nobody asked for.
    return TrainingArguments(**{"report_to": "none", **section.arguments, "output_dir": section.output_dir})


def _model(section: ModelSection, tokenizer: Any) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    num_ids = max(tokenizer.get_vocab().values()) + 1
    if section.pretrained is not None:
        model = AutoModelForCausalLM.from_pretrained(section.pretrained, trust_remote_code=False)
    else:
        options = dict(section.config or {})
        options.setdefault("vocab_size", -(-num_ids // _VOCABULARY_MULTIPLE) * _VOCABULARY_MULTIPLE)
        special_ids = {name: getattr(tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**{**special_ids, **options}))
    num_embeddings = model.get_input_embeddings().weight.shape[0]
    if num_embeddings < num_ids:
        raise ConfigError(
            f"train.model: has embeddings for {num_embeddings:,} ids, the tokenizer gives ids up to {num_ids - 1:,}; "
            "is it the tokenizer of another model?"
        )
    return model


def _with_adapters(model: Any, section: LoraSection) -> Any:
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ConfigError(f"train.lora: needs the extra: pip install 'hf-builders[train]' ({error})") from error
    return get_peft_model(
        model,
        LoraConfig(
            r=section.r,
            lora_alpha=section.alpha,
            lora_dropout=section.dropout,
            target_modules=section.target_modules,
            task_type="CAUSAL_LM",
        ),
    )


def _last_checkpoint(folder: Path, digest: str, find: Any) -> str | None:
    """Where to go on from; checkpoints of a run on other token rows are not gone on from."""
    note = folder / _TRAINED_ON
    if note.is_file():
        before = json.loads(note.read_text(encoding="utf-8"))["digest"]
        if before != digest:
            raise SourceError(
                f"{folder}: was trained on other token rows (digest {before[:12]}, now {digest[:12]}); "
                "choose another train.output_dir, or remove the folder"
            )
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"digest": digest}) + "\n", encoding="utf-8")
    checkpoint: str | None = find(str(folder))
    return checkpoint
