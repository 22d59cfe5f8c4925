"""What a check of a prepared folder found, by split."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

_NUM_SHOWN = 10


@dataclass
class SplitResult(abc.ABC):
    """Of one split: rows that failed, besides what each kind of check counts."""

    columns: ClassVar[tuple[str, ...]]
    """What `counts` are numbers of."""

    failed: int = 0
    offenders: list[str] = field(default_factory=list)
    """The first rows that failed: id, what is wrong, the text in question."""

    @abc.abstractmethod
    def counts(self) -> list[int]:
        """Numbers of `columns`."""

    def remarks(self) -> Iterator[str]:
        """What is no fault, and worth knowing."""
        yield from ()

    def fail(self, id_: object, fault: str, text: str = "") -> None:
        self.failed += 1
        if len(self.offenders) < _NUM_SHOWN:
            quoted = f"{text[:60]!r}{'…' if len(text) > 60 else ''} " if text else ""
            name = str(id_)  # of a set of others it could steer a terminal
            self.offenders.append(f"{name if name.isprintable() else repr(name)}: {quoted}{fault}")


@dataclass(frozen=True)
class Check:
    splits: Mapping[str, SplitResult]
    faults: list[str]
    """What is wrong with the set as a whole."""

    @property
    def passed(self) -> bool:
        return not self.faults and not any(split.failed for split in self.splits.values())
