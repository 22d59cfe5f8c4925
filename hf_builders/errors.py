"""What goes wrong for a user, each as place, fact and way out.

    HfBuildersError
    ├── OptionError   a name or value the caller chose: dataset, view, option
    ├── ConfigError   a run config (YAML): every fault of the file in one error
    ├── SourceError   raw files: missing, of another dataset, damaged on the way
    ├── RowError      one raw row that cannot be read or breaks the schema
    └── HubError      the Hub does not answer, refuses, or gives other bytes than were pushed

Our own mistakes are `assert`s, not these.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HfBuildersError(Exception):
    """Root of every error this package raises for its users."""


class OptionError(HfBuildersError, ValueError):
    """A dataset, view or option that does not exist, or a value it does not take."""


class ConfigError(HfBuildersError, ValueError):
    """A run config with one or more faults, a line each."""


class SourceError(HfBuildersError):
    """Raw files that are missing, belong to another dataset, or are damaged."""


class HubError(HfBuildersError):
    """The Hub does not answer, refuses what is asked of it, or gives other bytes than were pushed."""


class RowError(HfBuildersError):
    """A raw row that stops the load.

    Args:
        place: `file:line` of the row.
        reason: the word it is counted under, such as `missing_field`.
        fact: what is wrong with it, with the value.
    """

    def __init__(self, place: str, reason: str, fact: str) -> None:
        super().__init__(place, reason, fact)  # all three, so that the error survives a worker's pickle
        self.place, self.reason, self.fact = place, reason, fact

    def __str__(self) -> str:
        return f"{self.place}: {self.fact}; fix the row, or set it aside with on_bad_row='quarantine'"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The hint behind an unknown word: the nearest known one, or nothing.

    >>> did_you_mean("adgn", ["adgen", "webqa"])
    "; did you mean 'adgen'?"
    >>> did_you_mean("zzz", ["adgen", "webqa"])
    ''
    """
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
