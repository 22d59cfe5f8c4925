"""What became of the rows of a dataset, in columns and in words."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

LEDGER = ["set_aside", "straddling", "cut", "cut_trained", "cut_turns", "left_out", "control_texts"]
"""Columns of token rows that account for what became of a row; they are not for training."""


def report_set_aside(counts: Mapping[str, int], num_rows: int, facts: Mapping[str, str] | None = None) -> str:
    """One line on rows that are not trained on, with a fact on each reason that has one; empty where there are none.

    >>> report_set_aside({"too_long": 3, "nothing_to_train": 1}, 1200)
    'set aside 4 of 1,200 rows: too_long 3, nothing_to_train 1'
    """
    if not counts:
        return ""
    return f"set aside {sum(counts.values()):,} of {num_rows:,} rows: {listed_reasons(counts, facts or {})}"


def report_ledger(rows: pa.Table) -> str:
    """One line on what `token_rows` did to the rows it kept; empty where there is nothing to say.

    >>> cut = {"cut": [5, 0], "cut_trained": [2, 0], "cut_turns": [1, 0]}
    >>> report_ledger(pa.table({**cut, "left_out": [0, 0], "control_texts": [0, 3]}))
    'cut 1 row by 5 tokens, 2 of them trained, of 1 message; 3 control tokens in the texts of 1 row stay text'
    """
    totals = {name: pc.sum(rows[name]).as_py() or 0 for name in LEDGER[2:]}
    num_rows = {name: pc.sum(pc.greater(rows[name], 0)).as_py() or 0 for name in totals}
    parts = []
    if totals["cut"]:
        parts.append(
            f"cut {_counted(num_rows['cut'], 'row')} by {_counted(totals['cut'], 'token')}, "
            f"{totals['cut_trained']:,} of them trained, of {_counted(totals['cut_turns'], 'message')}"
        )
    if totals["left_out"]:
        texts = _counted(totals["left_out"], "text")
        parts.append(
            f"the chat template leaves out {texts} (reasoning, words beside a call) of {num_rows['left_out']:,} rows"
        )
    if totals["control_texts"]:
        tokens, where = _counted(totals["control_texts"], "control token"), _counted(num_rows["control_texts"], "row")
        parts.append(f"{tokens} in the texts of {where} stay text")
    return "; ".join(parts)


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
