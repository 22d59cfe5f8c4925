"""Free-form values in, Arrow columns of the type `datasets.Json()` out, every number exactly as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_NUMBER = re.compile(r"-?[0-9][0-9.eE+-]*")
_LONG_NUMBER = re.compile(r"[0-9]{19}")
_ENCODER = json.JSONEncoder(ensure_ascii=False)
_READABLE_DEPTH = 1_024
_READABLE = range(-(2**63), 2**64)


def json_text(value: Any) -> str:
    """The JSON text of a value; unlike the encoder of `datasets` (ujson), it loses no digit.

    >>> json_text({"温度": 3.0, "n": 0.1 + 0.2})
    '{"温度": 3.0, "n": 0.30000000000000004}'
    """
    return _ENCODER.encode(value)


def json_column(texts: Iterable[str | None]) -> pa.Array:
    """A column of n JSON texts; None is a row without a value (the text `null` is the value null)."""
    return pa.ExtensionArray.from_storage(pa.json_(), pa.array(texts, pa.string()))


def json_lists(rows: Sequence[Sequence[str]]) -> pa.Array:
    """A column of n lists of JSON texts.

    >>> json_lists([['{"a": 3.0}', "[]"], []]).to_pylist()
    [['{"a": 3.0}', '[]'], []]
    """
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), json_column([text for row in rows for text in row]))


def unreadable(text: str) -> str | None:
    """Why `datasets` could store this JSON text and not read it back, or None where it can.

    >>> unreadable('{"n": 12345678901234567890}') is None
    True
    >>> unreadable('{"n": 123456789012345678901}')
    'a whole number below -2**63 or above 2**64 - 1, which datasets cannot read back; write it as text'
    """
    has_long_number = _LONG_NUMBER.search(text) is not None
    if has_long_number or text.count("[") + text.count("{") > _READABLE_DEPTH:
        bare = _STRING.sub("", text)
        steps = ((char in "[{") - (char in "]}") for char in bare)
        if max(accumulate(steps), default=0) > _READABLE_DEPTH:
            return "values nested more than 1,024 deep, which datasets cannot read back; write them as text"
        # It does not even refuse all of these: some come back as another number.
        if any(number.lstrip("-").isdigit() and int(number) not in _READABLE for number in _NUMBER.findall(bare)):
            return "a whole number below -2**63 or above 2**64 - 1, which datasets cannot read back; write it as text"
    return None
