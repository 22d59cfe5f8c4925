"""Bad rows that a preset knows for a defect of its source: left out under a reason of their own."""

from __future__ import annotations

import re

from hf_builders.quarantine import BadRow, Quarantine


class KnownJunk(Quarantine):
    """Keeps the bad rows that look like `junk_line` (a reason and a pattern) and hands on all others."""

    def __init__(self, others: Quarantine, junk_line: tuple[str, re.Pattern[str]] | None) -> None:
        super().__init__(others.policy, None)
        self.others = others
        self.reason = junk_line[0] if junk_line else ""
        self._pattern = junk_line[1] if junk_line else None
        self.rows: list[BadRow] = []

    def add(self, row: BadRow) -> None:
        if self._pattern is not None and self._pattern.fullmatch(row.raw):
            self.rows.append(row)
        else:
            self.others.add(row)
