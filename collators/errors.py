"""What goes wrong for a user of this package."""

from __future__ import annotations


class TokenizationError(ValueError):
    """A tokenizer, a conversation or an option that gives no training rows; says where, what and the way out."""
