"""Bad rows: stop at the first, or set each aside with its reason; and the account that makes the counts add up."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

from hf_builders.errors import RowError, SourceError

OnBadRow = Literal["raise", "quarantine"]


@dataclass(frozen=True)
class BadRow:
    """A raw row that cannot become a record."""

    place: str
    """`file:line`, or the id of a record."""
    reason: str
    """The word it is counted under."""
    fact: str
    raw: str
    """The row as it stands in the file, a question with the text it shares with others; bytes that are no text are
    written as `\\xNN`."""


class RowProblem(Exception):
    """What is wrong with a row that is read as a whole; whoever knows its place makes a `BadRow` of it.

    Args:
        reason: the word it is counted under.
        fact: what is wrong, with the value and the way out.
    """

    def __init__(self, reason: str, fact: str) -> None:
        super().__init__(reason, fact)
        self.reason, self.fact = reason, fact


class Quarantine:
    """Takes the bad rows of one source; writes nothing until there is one.

    Args:
        policy: `raise` stops the load at the first bad row, `quarantine` sets every one aside.
        path: the JSON Lines file they go to; None where there is no place for one (streaming).
    """

    def __init__(self, policy: OnBadRow, path: Path | None) -> None:
        self.policy, self.path = policy, path
        self.counts: Counter[str] = Counter()
        self._file: TextIO | None = None

    def add(self, row: BadRow) -> None:
        """Set `row` aside, or raise `RowError` where the policy says so."""
        if self.policy == "raise":
            raise RowError(row.place, row.reason, row.fact)
        self.counts[row.reason] += 1
        if self.path is not None:
            if self._file is None:
                self._file = self.path.open("w", encoding="utf-8")
            self._file.write(json.dumps(vars(row), ensure_ascii=False) + "\n")

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()


@dataclass
class Account:
    """Where the rows of one split, or of some sources of it, went. `read` is the sum of the other three."""

    read: int = 0
    kept: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Good rows that the caller's own options keep out, by reason."""
    quarantined: Counter[str] = field(default_factory=Counter)
    """Bad rows, by reason."""
    noted: Counter[str] = field(default_factory=Counter)
    """Kept rows with something to know of them, such as a mended offset, by reason."""

    def __add__(self, other: Account) -> Account:
        return Account(
            self.read + other.read,
            self.kept + other.kept,
            self.left_out + other.left_out,
            self.quarantined + other.quarantined,
            self.noted + other.noted,
        )

    def is_balanced(self) -> bool:
        return self.read == self.kept + self.left_out.total() + self.quarantined.total()

    def told(self) -> str:
        """In words, with the reasons.

        >>> Account(3, 1, quarantined=Counter(blank_user=2)).told()
        '3 read, 2 set aside (blank_user 2)'
        """
        went = [f"{self.read:,} read"]
        for verb, counts in (("left out", self.left_out), ("set aside", self.quarantined)):
            if counts.total():  # an option that left out nobody is there with 0
                reasons = ", ".join(f"{reason} {number:,}" for reason, number in counts.most_common() if number)
                went.append(f"{counts.total():,} {verb} ({reasons})")
        return ", ".join(went)

    def save(self, path: Path, sources: list[dict[str, Any]]) -> None:
        """Write the account of some sources, with what is known of these files."""
        assert self.is_balanced(), f"rows were lost on the way: {self}"
        path.write_text(json.dumps({**vars(self), "sources": sources}, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Account:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        counters = (Counter(fields[name]) for name in ("left_out", "quarantined", "noted"))
        return cls(fields["read"], fields["kept"], *counters)


# A cached load runs none of our code, so a counter in memory would be empty then: accounts and bad rows are files
# beside the Arrow files instead, and move with them.
def account_path(folder: Path, split: str, source_index: int) -> Path:
    return folder / f"account-{split}-{source_index:05d}.json"


def quarantine_path(folder: Path, split: str, source_index: int) -> Path:
    return folder / f"quarantine-{split}-{source_index:05d}.jsonl"


def read_accounts(folder: Path) -> dict[str, Account]:
    """The account of every split whose Arrow files lie in `folder`."""
    accounts: dict[str, Account] = {}
    for path in sorted(folder.glob("account-*.json")):
        split = path.stem.split("-")[1]
        accounts[split] = accounts.get(split, Account()) + Account.load(path)
    if not accounts:
        raise SourceError(f"{folder}: holds no account; was this dataset loaded with hf_builders?")
    return accounts


def read_sources(folder: Path) -> list[dict[str, Any]]:
    """The raw files that the Arrow files in `folder` were made of, each once."""
    sources = [
        source
        for path in sorted(folder.glob("account-*.json"))
        for source in json.loads(path.read_text(encoding="utf-8"))["sources"]
    ]
    return [source for i, source in enumerate(sources) if source not in sources[:i]]
