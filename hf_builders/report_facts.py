"""What several parts of the report ask the manifest for, and what a finding is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from markupsafe import Markup

Kind = Literal["warning", "advice", "good"]
_MANY = 0.1
"""Of all rows: so many that are not kept are no detail."""


class Finding(NamedTuple):
    kind: Kind
    text: Markup


def max_length_of(facts: Mapping[str, Any]) -> int:
    """Tokens of a record, or of a window."""
    return int((facts["tokenize"] or facts["spans"])["max_length"])


def sum_of(facts: Mapping[str, Any], kind: str, *reasons: str) -> int:
    """Rows of all splits that are counted under `left_out`, `quarantined` …; of all reasons, or of those named."""
    counts = [split.get(kind, {}) for split in facts["splits"].values()]
    return sum(count for each in counts for reason, count in each.items() if not reasons or reason in reasons)


def pressing(share: float) -> Kind:
    """The kind of a finding on rows that are not kept, a share of all."""
    return "warning" if share >= _MANY else "advice"
