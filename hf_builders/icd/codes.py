"""The three code systems: what a code looks like, and where its dot stands."""

from __future__ import annotations

import re
from typing import Literal

System = Literal["icd10cm", "icd9cm_diagnosis", "icd9cm_procedure"]

NAMES: dict[str, str] = {
    "icd10cm": "ICD-10-CM",
    "icd9cm_diagnosis": "ICD-9-CM diagnosis",
    "icd9cm_procedure": "ICD-9-CM procedure",
}
_CODES = {
    "icd10cm": re.compile(r"[A-Z][0-9A-Z]{2,6}"),  # QA0 has a letter in second place
    "icd9cm_diagnosis": re.compile(r"[0-9]{3,5}|V[0-9]{2,4}|E[0-9]{3,4}"),
    "icd9cm_procedure": re.compile(r"[0-9]{2,4}"),
}


def is_code(system: System, code: str) -> bool:
    """Whether a text is a code without its dot."""
    return _CODES[system].fullmatch(code) is not None


def with_dot(system: System, code: str) -> str:
    """The code as people write it; the files of lists have none.

    >>> with_dot("icd10cm", "E119"), with_dot("icd9cm_diagnosis", "E8000"), with_dot("icd9cm_procedure", "0050")
    ('E11.9', 'E800.0', '00.50')
    """
    place = 2 if system == "icd9cm_procedure" else 4 if system == "icd9cm_diagnosis" and code[0] == "E" else 3
    return f"{code[:place]}.{code[place:]}" if len(code) > place else code


def prefixes(system: System, code: str) -> list[str]:
    """What may stand above a code, from the top; which of these there are, a file has to say.

    >>> prefixes("icd10cm", "T360X1A")
    ['T36', 'T360', 'T360X', 'T360X1']
    """
    shortest = 2 if system == "icd9cm_procedure" else 3
    return [code[:length] for length in range(shortest, len(code))]
