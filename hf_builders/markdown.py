"""Values in, Markdown out; words of the data are shown, never read as Markdown or HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_LONGEST = 200


def code(text: object) -> str:
    """Text of the data as Markdown shows it and does not read it, in one line, also in a table.

    >>> print(code("train.json"), code("a|b"))
    `train.json` <code>a&#124;b</code>
    """
    flat = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in " ".join(str(text).split()))
    if not flat:
        return "–"
    if len(flat) > _LONGEST:
        flat = flat[: _LONGEST - 1] + "…"
    if not re.search(r"[`|\\<>&]", flat):
        return f"`{flat}`"
    return f"<code>{re.sub(r'[!-/:-@[-`{-~]', lambda found: f'&#{ord(found[0])};', flat)}</code>"


def table(head: str, rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown, or nothing where there is no row; columns whose name ends in `:` are numbers.

    >>> print(table("split | rows:", [["train", 1234]]))
    | split | rows |
    | --- | ---: |
    | train | 1,234 |
    """
    lines = [f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in row)} |" for row in rows]
    if not lines:
        return ""
    names = head.split(" | ")
    rules = ["---:" if name.endswith(":") else "---" for name in names]
    return "\n".join([f"| {' | '.join(name.rstrip(':') for name in names)} |", f"| {' | '.join(rules)} |", *lines])
