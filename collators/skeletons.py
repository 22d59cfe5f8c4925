"""What a format writes around the texts of a conversation, and how a row's own rendering fits it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collators.controls import Control


@dataclass(frozen=True)
class Piece:
    """A stretch of the rendered text: a control token, a text of the row, or words of the template."""

    trained: bool
    text: str = ""
    """The template's own words."""
    slot: int | None = None
    """Which of the row's texts stands here."""
    turn: int | None = None
    """Whose text it is, or of which trained turn these words are."""
    control: Control | None = None

    @property
    def words(self) -> str:
        """What is the same in every row; nothing for a text of the row."""
        return self.control.text if self.control is not None else self.text


@dataclass(frozen=True)
class Skeleton:
    """What every conversation of one shape looks like once rendered."""

    pieces: tuple[Piece, ...]
    trims: bool = False
    """Whether the template takes white space away from the ends of a text."""
    words_at_end: str | None = None
    """What stands behind the last trained turn where no control token ends it, so that a model cannot learn to stop."""
    has_unended: bool = False
    """Whether an earlier turn is not trained because no control token ends it."""
    num_left_out: int = 0
    """Texts the template does not write: reasoning of earlier turns, what is said beside a call."""

    @property
    def controls(self) -> list[Control]:
        return [piece.control for piece in self.pieces if piece.control is not None]


def fit(skeleton: Skeleton, rendered: str, texts: Mapping[int, str]) -> dict[int, str] | None:
    """The texts by slot as they stand in `rendered`, a row's own rendering; None if it is not of this skeleton.

    >>> pieces = (Piece(False, "Q: "), Piece(False, slot=0), Piece(False, "!"))
    >>> fit(Skeleton(pieces), "Q: hi!", {0: " hi "})
    {0: 'hi'}
    >>> fit(Skeleton(pieces), "Q: HI!", {0: " hi "}) is None
    True
    """
    written: dict[int, str] = {}
    place = 0
    for piece, following in zip(skeleton.pieces, _words_behind(skeleton.pieces), strict=True):
        candidates = [piece.words]
        if piece.slot is not None:
            text = texts[piece.slot]
            bare = [text, text.strip(), text.lstrip(), text.rstrip(), text.strip("\n"), text.lstrip("\n")]
            candidates = [form for each in bare for form in as_json_string(each)]
        found = next((words for words in candidates if rendered.startswith(words + following, place)), None)
        if found is None:
            return None
        if piece.slot is not None:
            written[piece.slot] = found
        place += len(found)
    return written if place == len(rendered) else None


def as_json_string(text: str) -> list[str]:
    """A text as it is, and as it reads inside a JSON string, which is how some templates write results of tools."""
    escaped = json.dumps(text, ensure_ascii=False)[1:-1]
    return [text] if escaped == text else [text, escaped]


def _words_behind(pieces: Sequence[Piece]) -> list[str]:
    """For each piece, the template's own words between it and the next text."""
    words, behind = [""] * len(pieces), ""
    for place in range(len(pieces) - 1, -1, -1):
        words[place] = behind
        behind = "" if pieces[place].slot is not None else pieces[place].words + behind
    return words
