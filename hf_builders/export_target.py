"""What every format of `hf-builders export` has: lines made of records, settings that go with them, notes."""

from __future__ import annotations

import abc
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import yaml

from collators.turns import Message
from hf_builders.errors import OptionError
from hf_builders.export_records import ExportRecord, Survey, reasoning_of
from hf_builders.summaries import first_split

Line = dict[str, Any]
Note = Callable[[str], None]
"""Takes a fact about the record at hand that its format cannot express."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """How the folder was prepared, as far as a peer has settings for it."""

    loss: str
    max_length: int
    """Tokens."""
    is_text: bool
    is_packed: bool
    train_thinking: bool
    chat_template_kwargs: Mapping[str, Any]
    control_texts: int = 0
    """Control tokens, such as `<|im_end|>`, in the texts of all records read."""


@dataclass(frozen=True)
class Place:
    """Where the lines go."""

    folder: str
    """As the user names it: peers take paths from the folder their command runs in."""
    names: Mapping[str, str]
    """By split, what the peer calls it; the file has the same name and `.jsonl`."""

    @property
    def first(self) -> str:
        """The split to train on."""
        return first_split(self.names)

    @property
    def evaluated(self) -> str | None:
        return next((split for split in ("validation", "test") if split in self.names and split != self.first), None)


@dataclass
class Notes:
    """Facts about records, each counted once a record."""

    counts: Counter[str] = field(default_factory=Counter)

    def of_next(self) -> Note:
        """What takes the facts about one record more."""
        seen: set[str] = set()

        def note(fact: str) -> None:
            self.counts[fact] += fact not in seen
            seen.add(fact)

        return note

    def lines(self) -> list[str]:
        return [f"{num_records(count)}: {fact}" for fact, count in sorted(self.counts.items())]


class Target(abc.ABC):
    """One peer. Subclasses say what a line is and which settings go with it."""

    title: ClassVar[str]
    """As its makers write it."""
    takes_texts: ClassVar[bool] = True
    takes_template_kwargs: ClassVar[bool] = False
    """Whether its lines have a place for values of the chat template."""
    reads_control_texts: ClassVar[bool] = True
    """Whether a control token that is typed in a text becomes that token."""

    def __init__(self, run: Run, survey: Survey) -> None:
        self.run = run
        self.survey = survey

    @abc.abstractmethod
    def line(self, record: ExportRecord, note: Note) -> Line:
        """A record as one line of the file."""

    @abc.abstractmethod
    def features(self) -> list[dict[str, Any]]:
        """The columns of a line, as the header of a dataset card has them."""

    @abc.abstractmethod
    def settings(self, place: Place) -> dict[str, str]:
        """The text of each file beside the lines, by name."""

    @abc.abstractmethod
    def command(self, place: Place) -> str:
        """What to run next."""

    def note_training(self, record: ExportRecord, note: Note, *, is_told: bool) -> None:
        """Note what of the choice of trained turns is not in the line; `is_told` if that choice is."""
        if not is_told:
            note(f"not every answer is trained, and {self.title} trains each of them")
        if not self.run.train_thinking and any(map(_thinks, record.messages)):
            note(f"tokenize.train_thinking: false leaves reasoning untrained, and {self.title} trains it")

    def note_wrapping(self, record: ExportRecord, note: Note) -> None:
        """For peers that describe every tool as OpenAI does, whatever the chat template makes of it."""
        if any("function" not in tool for tool in self.schemas(record)):
            note(
                'a tool is not wrapped in {"type": "function", "function": …}; the chat template writes it as it is, '
                f"and {self.title} wraps it where its own template asks for it"
            )

    def schemas(self, record: ExportRecord) -> list[dict[str, Any]]:
        """The tools of a record, one JSON schema each; none where it has none.

        Raises:
            OptionError: they are something else, such as a description in words.
        """
        tools = [record.tools] if isinstance(record.tools, dict) else record.tools or []
        if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
            raise OptionError(
                f"record {record.id}: tools is {json.dumps(record.tools, ensure_ascii=False):.60}, and {self.title} "
                "takes a list of JSON schemas; write the tools as schemas, or leave out these records"
            )
        return tools

    def general_notes(self) -> list[str]:
        """Facts that are the same for all records."""
        notes = []
        if self.reads_control_texts and (count := self.run.control_texts):
            notes.append(
                f"{count:,} control token{'' if count == 1 else 's'}, such as <|im_end|>, stood in the texts of the "
                f"records read: text in our rows, and {self.title} makes the token of it; mend the raw rows where that "
                "is not meant"
            )
        if self.run.chat_template_kwargs and not self.takes_template_kwargs:
            values = text_of(self.run.chat_template_kwargs)
            notes.append(
                f"tokenize.chat_template_kwargs {values} is not in the files; give {self.title} what it has for it"
            )
        return notes


def num_records(count: int) -> str:
    """
    >>> num_records(1), num_records(1000)
    ('1 record', '1,000 records')
    """
    return f"{count:,} record{'' if count == 1 else 's'}"


def function_of(call: Message) -> tuple[str, Any]:
    """Name and arguments of a call."""
    function = call.get("function") or call
    return function["name"], function["arguments"]


def _thinks(message: Message) -> bool:
    """Whether reasoning stands in an answer, in its own field or in the text."""
    return bool(reasoning_of(message)) or (message["role"] == "assistant" and "</think>" in message["content"])


def with_thoughts(message: Message) -> str:
    r"""The text of an answer behind its reasoning, as models write both.

    >>> with_thoughts({"role": "assistant", "content": "晴", "reasoning_content": "看天气"})
    '<think>\n看天气\n</think>\n\n晴'
    """
    reasoning = reasoning_of(message)
    return f"<think>\n{reasoning}\n</think>\n\n{message['content']}" if reasoning else message["content"]


def alternate(speakers: Sequence[bool]) -> bool:
    """Whether question and answer (True) take turns, from a question to an answer.

    >>> alternate([False, True]), alternate([False, False, True]), alternate([False])
    (True, False, False)
    """
    return len(speakers) % 2 == 0 and all(speaks == place % 2 for place, speaks in enumerate(speakers))


def strings(*names: str) -> list[dict[str, Any]]:
    """Columns of text."""
    return [{"name": name, "dtype": "string"} for name in names]


def as_yaml(settings: Mapping[str, Any], comment: str) -> str:
    return f"# {comment}\n" + yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)


def as_json(value: Any) -> str:
    """In ASCII: LLaMA-Factory opens `dataset_info.json` in the encoding of the system."""
    return json.dumps(value, indent=2) + "\n"


def text_of(value: Any) -> str:
    """A value as JSON text within a line."""
    return json.dumps(value, ensure_ascii=False)
