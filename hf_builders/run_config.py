"""A run as a YAML file: read into frozen dataclasses, with every fault of the file reported at once.

    dataset:  {name: adgen, view: messages, data_dir: AdvertiseGen}
    clean:    {steps: [control, {unicode: {form: full_width}}, whitespace]}
    tokenize: {tokenizer: models/chatglm3-6b, max_length: 1024}
    output:   {dir: out/adgen}
    train:    {model: {pretrained: models/…}, output_dir: out/adgen_model, arguments: {learning_rate: 1e-4}}

Paths are taken from the folder the command runs in, as on any command line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hf_builders.cleaned_texts import ROLES
from hf_builders.cleaning import parse_steps
from hf_builders.cleaning_step import Step
from hf_builders.errors import ConfigError, OptionError, did_you_mean
from hf_builders.quarantine import OnBadRow
from hf_builders.table_text import RowTemplate
from hf_builders.train_sections import TrainSection
from hf_builders.yaml_sections import parse_sections


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
class CleanSection:
    """What is done to the texts of records before they are tokenized; see `hf_builders.cleaning`."""

    steps: list[Any] = field(default_factory=list)
    """In their order: the name of a step, or one name with its options."""
    roles: list[str] = field(default_factory=lambda: ["system", "user", "assistant"])
    """Whose texts, also in the view `instruction`; what a tool says is left as it is."""
    template: str | None = None
    """Makes texts of the rows of the view `source`, before any step; see `hf_builders.table_text`."""
    columns: dict[str, Any] = field(default_factory=dict)
    """The types of the template's columns that it does not state itself."""

    def parsed(self, faults: list[str]) -> list[Step]:
        return parse_steps(self.steps, "clean.steps", faults)


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
class SpansSection:
    """How questions on texts become windows for an encoder; see `collators.TokenizeSpans`."""

    tokenizer: str
    """A folder (a `vocab.txt` is enough for BERT) or hub name."""
    max_length: int = 512
    """Tokens of a window."""
    doc_stride: int = 256
    """Tokens that neighbouring windows share; no answer of so many is cut in two."""
    max_question_length: int | None = None
    """Tokens; left out, no question is cut."""

    def contradictions(self) -> Iterator[str]:
        if not 0 <= self.doc_stride < self.max_length:
            yield f"doc_stride is {self.doc_stride}; it takes 0 or more tokens, less than max_length"
        if self.max_question_length is not None and self.max_question_length < 1:
            yield f"max_question_length is {self.max_question_length}; it takes 1 token or more"


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
class RunConfig:
    dataset: DatasetSection
    output: OutputSection
    clean: CleanSection | None = None
    """Left out, texts are tokenized as they are."""
    tokenize: TokenizeSection | None = None
    """Token rows of conversations, for a model that writes. Either this or `spans`."""
    spans: SpansSection | None = None
    """Windows of the view `mrc`, for an encoder that finds answers."""
    pack: PackSection | None = None
    """Left out, a row is a record. `pack: {}` packs to `tokenize.max_length`."""
    train: TrainSection | None = None
    """Left out where only `prepare` is wanted."""

    @property
    def tokenizer(self) -> str:
        """A folder or hub name."""
        section = self.tokenize or self.spans
        assert section is not None  # one of them is there
        return section.tokenizer

    def contradictions(self) -> Iterator[str]:
        if (self.tokenize is None) == (self.spans is None):
            said = "both are given" if self.tokenize else "neither is given"
            yield f"tokenize, spans: {said}; tokenize makes token rows of conversations, spans windows of the view mrc"
        elif (self.dataset.view == "mrc") != (self.spans is not None):
            section = "spans" if self.spans else "tokenize"
            yield f"dataset.view is {self.dataset.view}, with {section}; mrc goes with spans, all others with tokenize"
        has_template = self.clean is not None and self.clean.template is not None
        if self.dataset.view == "source" and not has_template:
            yield "dataset.view: source has no texts to tokenize; choose messages or another view, or a clean.template"
        elif has_template and self.dataset.view != "source":
            yield f"clean.template makes texts of the view source; dataset.view is {self.dataset.view}"
        if self.clean is not None:
            yield from self._clean_contradictions(self.clean)
        if self.pack is not None and self.tokenize is not None:
            yield from self._pack_contradictions(self.pack, self.tokenize)
        if self.spans is not None:
            yield from self._spans_contradictions()
        elif self.train is not None and self.train.answers is not None:
            yield "train.answers goes with spans; a model that writes has no answers to find"
        if self.train is not None:
            prepared, trained = (Path(each).expanduser().resolve() for each in (self.output.dir, self.train.output_dir))
            if prepared == trained or prepared in trained.parents or trained in prepared.parents:
                yield f"train.output_dir: {self.train.output_dir} and output.dir must not lie in each other"

    def _clean_contradictions(self, clean: CleanSection) -> Iterator[str]:
        faults: list[str] = []
        clean.parsed(faults)
        yield from faults
        for role in clean.roles:
            if role not in ROLES:
                yield f"clean.roles: {role!r} is no role{did_you_mean(str(role), ROLES)}"
        if clean.template is not None:
            try:
                RowTemplate(clean.template, clean.columns)
            except OptionError as error:
                yield f"clean.{error}"
        if not clean.steps and clean.template is None:
            yield "clean.steps is empty; name a step, or leave out clean"
        if self.spans is not None:
            yield "clean does not go with spans; it would move the answers away from their offsets"

    def _pack_contradictions(self, pack: PackSection, tokenize: TokenizeSection) -> Iterator[str]:
        if pack.seed < 0:
            yield f"pack.seed is {pack.seed}; it takes whole numbers from 0"
        if (pack.max_length or tokenize.max_length) < tokenize.max_length:
            yield (
                f"pack.max_length is {pack.max_length}, less than tokenize.max_length, {tokenize.max_length}: no "
                "record is cut to be packed"
            )
        if self.train is not None and self.train.padding_side == "left":
            yield "train.padding_side: left does not go with pack; packed rows are full, leave it out"

    def _spans_contradictions(self) -> Iterator[str]:
        if self.pack is not None:
            yield "pack does not go with spans; windows are full as they are"
        if self.train is None:
            return
        for name, default in (("lora", None), ("padding_side", "right"), ("max_tokens_per_batch", None)):
            if getattr(self.train, name) != default:
                yield f"train.{name} does not go with spans; leave it out"


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
    return parse_sections(RunConfig, text, place)
