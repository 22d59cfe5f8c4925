"""What became of the rows of a dataset, in columns and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from collators.overflow import ANSWER_CUT_OFF, ANSWER_TOO_LONG, NOTHING_TO_TRAIN, TOO_LONG

_ABOUT_LENGTH = {TOO_LONG, ANSWER_TOO_LONG, ANSWER_CUT_OFF}
LEDGER = ["set_aside", "straddling", "cut", "cut_trained", "cut_turns", "left_out", "control_texts"]
"""Columns of token rows that account for what became of a row; they are not for training."""


class Ledger:
    """What became of some rows of `token_rows`, summed up batch by batch.

    >>> ledger = Ledger()
    >>> cut = {"cut": [5, 0], "cut_trained": [2, 0], "cut_turns": [1, 0], "straddling": [0, 0]}
    >>> ledger.add(pa.table({"set_aside": [None, "too_long"], **cut, "left_out": [0, 0], "control_texts": [0, 3]}))
    >>> for line in ledger.reports():
    ...     print(line)
    set aside 1 of 2 rows: too_long 1
    cut 1 row by 5 tokens, 2 of them trained, of 1 message; 3 control tokens in the texts of 1 row stay text
    """

    def __init__(self) -> None:
        self.num_rows = 0
        self.set_aside: Counter[str] = Counter()
        """Rows, by reason."""
        self.totals = dict.fromkeys(LEDGER[1:], 0)
        self.rows_with = dict.fromkeys(LEDGER[1:], 0)
        """Rows in which the column is more than 0."""

    def add(self, rows: pa.Table) -> None:
        """Count some rows more."""
        self.num_rows += len(rows)
        for each in pc.value_counts(rows["set_aside"].drop_null()).to_pylist():
            self.set_aside[each["values"]] += each["counts"]
        for name in self.totals:
            self.totals[name] += pc.sum(rows[name]).as_py() or 0
            self.rows_with[name] += pc.sum(pc.greater(rows[name], 0)).as_py() or 0

    def reports(self, facts: Mapping[str, str] | None = None) -> list[str]:
        """A line on rows that are not trained on, with a fact on each reason that has one, and one on what was done to
        the others; none where there is nothing to say."""
        return [line for line in (report_set_aside(self.set_aside, self.num_rows, facts), self._rest()) if line]

    def _rest(self) -> str:
        totals, num_rows = self.totals, self.rows_with
        parts = []
        if totals["cut"]:
            parts.append(
                f"cut {_counted(num_rows['cut'], 'row')} by {_counted(totals['cut'], 'token')}, "
                f"{totals['cut_trained']:,} of them trained, of {_counted(totals['cut_turns'], 'message')}"
            )
        if totals["left_out"]:
            texts, where = _counted(totals["left_out"], "text"), f"{num_rows['left_out']:,} rows"
            parts.append(f"the chat template leaves out {texts} (reasoning, words beside a call) of {where}")
        if totals["control_texts"]:
            tokens = _counted(totals["control_texts"], "control token")
            parts.append(f"{tokens} in the texts of {_counted(num_rows['control_texts'], 'row')} stay text")
        return "; ".join(parts)


def report_set_aside(counts: Mapping[str, int], num_rows: int, facts: Mapping[str, str] | None = None) -> str:
    """One line on rows that are not trained on; empty where there are none.

    >>> report_set_aside({"too_long": 3, "nothing_to_train": 1}, 1200)
    'set aside 4 of 1,200 rows: too_long 3, nothing_to_train 1'
    """
    if not counts:
        return ""
    return f"set aside {sum(counts.values()):,} of {num_rows:,} rows: {listed_reasons(counts, facts or {})}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def listed_reasons(counts: Mapping[str, int], facts: Mapping[str, str]) -> str:
    """Reasons with their counts, most first.

    >>> listed_reasons({"nothing_to_train": 1, "template_refuses": 2}, {"template_refuses": "no system"})
    'template_refuses 2 (no system), nothing_to_train 1'
    """
    ordered = sorted(counts.items(), key=lambda count: (-count[1], count[0]))
    said = {reason: f" ({fact})" for reason, fact in facts.items()}
    return ", ".join(f"{reason} {count:,}{said.get(reason, '')}" for reason, count in ordered)


def nothing_left(ledger: Ledger, shortest: int | None, max_length: int, facts: Mapping[str, str] | None = None) -> str:
    """What to say where every row is set aside; the shortest has so many tokens."""
    counts = ledger.set_aside
    fact = f"no row of {ledger.num_rows:,} keeps a trained token ({listed_reasons(counts, facts or {})})"
    if not set(counts) & _ABOUT_LENGTH:
        hint = "; see that assistant messages are there, not empty, not loss: false" * (NOTHING_TO_TRAIN in counts)
        return f"{fact}; token_rows() shows the rows{hint}"
    return f"max_length={max_length}: {fact}; the shortest has {shortest:,} tokens; raise max_length"
