"""A run as a YAML file: read into frozen dataclasses, with every fault of the file reported at once.

    dataset:  {name: adgen, view: messages, data_dir: AdvertiseGen}
    tokenize: {tokenizer: models/chatglm3-6b, max_length: 1024}
    output:   {dir: out/adgen}
    train:    {model: {pretrained: models/…}, output_dir: out/adgen_model, arguments: {learning_rate: 1e-4}}

Paths are taken from the folder the command runs in, as on any command line.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

import yaml

from hf_builders.errors import ConfigError, did_you_mean
from hf_builders.quarantine import OnBadRow

Section = TypeVar("Section")


@dataclass(frozen=True, kw_only=True)
class DatasetSection:
    """What is read. Exactly one of `data_dir`, `data_files`, `download` and `sample` says where it comes from."""

    name: str
    view: str = "messages"
    data_dir: str | None = None
    data_files: dict[str, Any] | list[str] | str | None = None
    download: bool | str = False
    sample: bool = False
    on_bad_row: OnBadRow = "raise"
    num_proc: int | None = None
    """Processes that read raw files; one file is always read by one."""
    options: dict[str, Any] = field(default_factory=dict)
    """The dataset's own, as in `load_dataset` (`divisions`, `max_answer_chars`, …)."""

    def contradictions(self) -> Iterator[str]:
        origins = [name for name in ("data_dir", "data_files", "download", "sample") if getattr(self, name)]
        if len(origins) != 1:
            said = f"{' and '.join(origins)} are" if origins else "nothing is"
            yield f"{said} given; one of data_dir, data_files, download: true and sample: true says what is read"
        own = {each.name for each in dataclasses.fields(self)}
        for name in self.options:
            if name in own or not isinstance(name, str):
                yield f"options.{name} is no option of a dataset; a key of this section stands one level up"
        yield from _num_proc_faults(self.num_proc)


@dataclass(frozen=True, kw_only=True)
class TokenizeSection:
    """How records become token rows; see `collators.tokenize`."""

    tokenizer: str
    """A folder or hub name."""
    template: str | None = None
    max_length: int = 2048
    """Tokens."""
    overflow: Literal["drop", "truncate", "truncate_prompt", "truncate_turns", "error"] = "drop"
    loss: Literal["assistant", "last", "all"] = "assistant"
    train_thinking: bool = True
    chat_template_kwargs: dict[str, Any] = field(default_factory=dict)
    """More values for the chat template, such as `enable_thinking: false`."""
    engine: Literal["gigatoken", "sentencepiece", "tokenizers"] | None = None
    """What encodes; left out, the fastest that gives the ids of the tokenizer itself. The rows are the same."""
    num_proc: int | None = None
    """Processes at most; fewer where that is measured to be faster."""

    def contradictions(self) -> Iterator[str]:
        if self.max_length < 2:
            yield f"max_length is {self.max_length}; a row needs 2 tokens, one to be predicted from the other"
        yield from _num_proc_faults(self.num_proc)


@dataclass(frozen=True, kw_only=True)
class PackSection:
    """How token rows are laid together in packed rows; see `collators.pack`."""

    max_length: int | None = None
    """Tokens of a packed row; left out, `tokenize.max_length`."""
    seed: int = 0
    """Draws the order of the packed rows."""


@dataclass(frozen=True, kw_only=True)
class OutputSection:
    dir: str
    """`prepare` writes this folder anew, as a whole."""


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
class TrainSection:
    model: ModelSection
    output_dir: str
    """Checkpoints and the final model; a run that was cut off goes on from its last checkpoint."""
    lora: LoraSection | None = None
    padding_side: Literal["left", "right"] = "right"
    pad_to_multiple_of: int = 8
    max_tokens_per_batch: int | None = None
    """Of one device, with padding: batches of rows of about one length, instead of `per_device_train_batch_size`."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Any of `transformers.TrainingArguments`."""

    def contradictions(self) -> Iterator[str]:
        if self.max_tokens_per_batch is None:
            return
        if self.max_tokens_per_batch < 1:
            yield f"max_tokens_per_batch is {self.max_tokens_per_batch}; a batch needs the tokens of its longest row"
        for name in ("per_device_train_batch_size", "train_sampling_strategy", "group_by_length"):
            if name in self.arguments:
                yield f"max_tokens_per_batch and arguments.{name} both say what a batch is; leave one out"


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    dataset: DatasetSection
    tokenize: TokenizeSection
    output: OutputSection
    pack: PackSection | None = None
    """Left out, a row is a record. `pack: {}` packs to `tokenize.max_length`."""
    train: TrainSection | None = None
    """Left out where only `prepare` is wanted."""

    def contradictions(self) -> Iterator[str]:
        if self.pack is not None and self.pack.seed < 0:
            yield f"pack.seed is {self.pack.seed}; it takes whole numbers from 0"
        if self.pack is not None and (self.pack.max_length or self.tokenize.max_length) < self.tokenize.max_length:
            yield (
                f"pack.max_length is {self.pack.max_length}, less than tokenize.max_length, "
                f"{self.tokenize.max_length}: no record is cut to be packed"
            )
        if self.pack is not None and self.train is not None and self.train.padding_side == "left":
            yield "train.padding_side: left does not go with pack; packed rows are full, leave it out"
        if self.train is not None:
            prepared, trained = (Path(each).expanduser().resolve() for each in (self.output.dir, self.train.output_dir))
            if prepared == trained or prepared in trained.parents or trained in prepared.parents:
                yield f"train.output_dir: {self.train.output_dir} and output.dir must not lie in each other"


def _num_proc_faults(num_proc: int | None) -> Iterator[str]:
    if num_proc is not None and num_proc < 1:
        yield f"num_proc is {num_proc}; it takes 1 or more processes"


def read_run_config(path: str | Path) -> RunConfig:
    """The run a YAML file describes.

    Raises:
        ConfigError: a line for every fault of the file: unknown or missing keys, wrong types, unknown choices.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fact = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path}: cannot be read ({fact}); is it a run config (YAML)?") from error
    return parse_run_config(text, str(path))


def parse_run_config(text: str, place: str) -> RunConfig:
    """The same for the text of a file; `place` begins each line of an error.

    >>> parse_run_config("{dataset: {nam: adgen}, tokenize: {tokenizer: models/x}, output: {dir: out}}", "run.yaml")
    Traceback (most recent call last):
        ...
    hf_builders.errors.ConfigError: run.yaml: dataset.nam: unknown key; did you mean 'name'?
    run.yaml: dataset.name: is missing; it has no default
    """
    try:
        content = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{place}: is no YAML ({' '.join(str(error).split())})") from error
    faults: list[str] = []
    config = _read_section(RunConfig, content, "", faults)
    if faults:
        raise ConfigError("\n".join(f"{place}: {fault}" for fault in faults))
    assert config is not None
    return config


def _read_section(cls: type[Section], content: object, place: str, faults: list[str]) -> Section | None:
    """An instance of the dataclass, or None where a fault was added."""
    if not isinstance(content, Mapping):
        faults.append(f"{place or 'the file'}: is {_show(content)}; expected keys and values")
        return None
    num_faults, hints, values = len(faults), typing.get_type_hints(cls), {}
    known = {each.name: each for each in dataclasses.fields(cls)}  # type: ignore[arg-type]
    prefix = f"{place}." if place else ""
    for key, value in content.items():
        if key in known:
            values[key] = _read_value(hints[key], value, prefix + key, faults)
        else:
            faults.append(f"{prefix}{key}: unknown key{did_you_mean(str(key), known)}")
    for name, each in known.items():
        has_default = each.default is not dataclasses.MISSING or each.default_factory is not dataclasses.MISSING
        if name not in values and not has_default:
            faults.append(f"{prefix}{name}: is missing; it has no default")
    if len(faults) > num_faults:
        return None
    section = cls(**values)
    # What the types cannot say, such as two keys that exclude each other.
    faults += [f"{place}: {fault}" if place else fault for fault in getattr(section, "contradictions", tuple)()]
    return section


def _read_value(hint: Any, value: object, place: str, faults: list[str]) -> Any:
    if dataclasses.is_dataclass(hint):
        return _read_section(typing.cast("type[Any]", hint), value, place, faults)
    choices = typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else (hint,)
    for choice in choices:
        if dataclasses.is_dataclass(choice) and isinstance(value, Mapping):
            return _read_section(typing.cast("type[Any]", choice), value, place, faults)
        if _is_of(choice, value):
            return float(typing.cast("float", value)) if choice is float else value
    allowed = [_describe(choice) for choice in choices if choice is not type(None)]
    hint_text = did_you_mean(str(value), [str(each) for choice in choices for each in typing.get_args(choice)])
    faults.append(f"{place}: is {_show(value)}; expected {' or '.join(allowed)}{hint_text}")
    return None


def _is_of(hint: Any, value: object) -> bool:
    origin = typing.get_origin(hint)
    if origin is Literal:
        return value in typing.get_args(hint)
    if origin is list:
        return isinstance(value, list) and all(_is_of(typing.get_args(hint)[0], item) for item in value)
    if origin is dict:
        return isinstance(value, Mapping)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _describe(hint: Any) -> str:
    origin = typing.get_origin(hint)
    if origin is Literal:
        return ", ".join(map(str, typing.get_args(hint)))
    names = {
        str: "text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        list: "a list",
        dict: "a mapping",
    }
    return "a mapping" if dataclasses.is_dataclass(hint) else names[origin or hint]


def _show(value: object) -> str:
    return "empty" if value is None else f"{value!r:.60}"


class _Loader(yaml.SafeLoader):
    """YAML in which `1e-4` is a number (PyYAML takes it for text) and a key given twice is a fault."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [key for i, key in enumerate(keys) if key in keys[:i]]:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice[0]!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)
