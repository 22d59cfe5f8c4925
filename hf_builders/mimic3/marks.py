"""The marks that de-identification left in notes in, placeholders that say what stood there out."""

from __future__ import annotations

import re

_MARK = re.compile(r"\[\*\*([^\[\]]*)\*\*\]")
_PLACEHOLDERS = (
    ("HOSPITAL", r"hospital|ward ?name"),
    ("AGE", r"^age\b"),
    ("PHONE", r"telephone|fax\b|pager"),
    ("LOCATION", r"^(location|state|country|po box|(street|apartment) address)\b"),
    ("ID", r"number|identifier"),
    ("NAME", r"name|^initials?\b"),
    (
        "DATE",
        r"^[0-9]{4}$|^-?[0-9]+(-?/-?|-)[0-9/-]*$|\b(date|year|month|day)\b|^holiday|^(january|february|march|april|may|"
        r"june|july|august|september|october|november|december)\b",
    ),
    ("ID", r"^[0-9]+$"),
)
_KINDS = tuple((placeholder, re.compile(pattern)) for placeholder, pattern in _PLACEHOLDERS)


def replace_marks(text: str) -> str:
    """The text with a placeholder for each mark; one that is not closed stays as it is.

    >>> replace_marks("Mr. [**Known lastname 7**] came to [**Hospital9 77**] on [**2199-2-3**]; [**open")
    'Mr. [NAME] came to [HOSPITAL] on [DATE]; [**open'
    """
    return _MARK.sub(lambda mark: f"[{placeholder_of(mark[1])}]", text)


def placeholder_of(label: str) -> str:
    """What the publisher's words inside a mark say stood there; a line may end between them.

    >>> [placeholder_of(label) for label in ("Known\\nlastname 7", "Telephone/Fax (1) 99123", "2-3", "Attending Info ")]
    ['NAME', 'PHONE', 'DATE', 'OTHER']
    """
    words = " ".join(label.lower().split())
    return next((placeholder for placeholder, pattern in _KINDS if pattern.search(words)), "OTHER")
