"""What goes wrong for a user of this package."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches


class TokenizationError(ValueError):
    """A tokenizer, a conversation or an option that gives no training rows; says where, what and the way out."""


def check_choice(option: str, value: object, choices: Collection[str], what: str = "choice") -> None:
    """Raise `TokenizationError` unless `value` is one of `choices`.

    >>> check_choice("loss", "asistant", ["assistant", "last"])
    Traceback (most recent call last):
        ...
    collators.errors.TokenizationError: loss='asistant': no such choice; did you mean 'assistant'?
    """
    if value in choices:
        return
    near = get_close_matches(str(value), choices, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(map(repr, choices))}"
    raise TokenizationError(f"{option}={value!r}: no such {what}; {hint}")
