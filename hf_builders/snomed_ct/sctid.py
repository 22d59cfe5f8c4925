"""SNOMED CT identifiers: how they are checked, and those of the metadata that every release shares."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

FULLY_SPECIFIED_NAME = 900000000000003001
SYNONYM = 900000000000013009
DEFINITION = 900000000000550004
PREFERRED = 900000000000548007
IS_A = 116680003
STATED = 900000000000010007
INFERRED = 900000000000011006
US_ENGLISH = 900000000000509007
GB_ENGLISH = 900000000000508004
DEFINITION_STATUS = {900000000000074008: "primitive", 900000000000073002: "fully_defined"}

_MIN_DIGITS, _MAX_DIGITS = 6, 18

# Verhoeff's tables: the multiplication of the dihedral group of order 10, and the powers of his permutation.
_TIMES = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4, 0, 6, 7, 8, 9, 5], [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7], [4, 0, 1, 2, 3, 9, 5, 6, 7, 8], [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2], [7, 6, 5, 9, 8, 2, 1, 0, 4, 3], [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ],
    np.int8,
)  # fmt: skip
_PERMUTED = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 5, 7, 6, 2, 8, 3, 0, 9, 4], [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7], [9, 4, 5, 3, 1, 2, 6, 8, 7, 0], [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5], [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ],
    np.int8,
)  # fmt: skip


def is_sctid(texts: pa.Array) -> np.ndarray:
    """Which texts are numbers of 6 to 18 digits; the check digit is another question.

    >>> is_sctid(pa.array(["123456", "12345", "0123456", "12345x", "1" * 19])).tolist()
    [True, False, False, False, False]
    """
    length = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    is_number = pc.and_not(pc.ascii_is_decimal(texts), pc.starts_with(texts, "0"))
    is_right: np.ndarray = is_number.to_numpy(zero_copy_only=False)
    is_right &= (length >= _MIN_DIGITS) & (length <= _MAX_DIGITS)
    return is_right


def has_right_check_digit(ids: np.ndarray) -> np.ndarray:
    """Which numbers end in their Verhoeff check digit.

    >>> has_right_check_digit(np.array([116680003, 116680004, 900000000000509007])).tolist()
    [True, False, True]
    """
    check, rest = np.zeros(len(ids), np.int8), ids.copy()
    for place in range(_MAX_DIGITS):
        rest, digit = np.divmod(rest, 10)
        is_there = (rest > 0) | (digit > 0)
        check = np.where(is_there, _TIMES[check, _PERMUTED[place % 8, digit]], check)
    is_zero: np.ndarray = check == 0
    return is_zero
