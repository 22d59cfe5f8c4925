"""A chat template in; whether a trained span begins where the template lets the model begin to speak, out.

The rows alone decide, without the records: behind the generation prompt stands what the model must produce.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, takewhile, zip_longest
from typing import Any

from collators.chat_templates import choose_template
from collators.frame_probes import FrameProbe, Seen
from collators.template_frames import Frame, roles_of
from collators.token_texts import token_texts

_ASSISTANT = "assistant"
_NUM_REMEMBERED = 1 << 14
_NUM_ADDED = 8
"""Tokens of a prompt that stand for none of its bytes, as SentencePiece adds them, at most."""


class TurnOpenings:
    """What is written before the model speaks, by one template for one tokenizer; `values` are for its variables."""

    def __init__(
        self, tokenizer: Any, frame: Frame, template: str | None = None, values: Mapping[str, Any] | None = None
    ) -> None:
        self._tokenizer, self._frame = tokenizer, frame
        probe = FrameProbe(tokenizer, choose_template(tokenizer, template), values or {})
        found = {prompt for seen in probe.seen() for prompt in _prompts(seen, probe)}
        written = {*found, *map(self._written_in_tokens, found)}
        self._prompts = tuple(sorted({_squeezed(prompt) for prompt in written} - {""}))
        self._can_end_in_space = any(prompt.endswith(" ") for prompt in found)
        self._think = tuple(_squeezed(probe.stand_in(text)) for text in ("<think>", "</think>"))
        self._reach = max((len(prompt.encode()) for prompt in found), default=0) + _NUM_ADDED
        self._written = functools.lru_cache(_NUM_REMEMBERED)(lambda ids: _squeezed(self._decoded(ids)))
        others = [marker for marker in frame.markers if marker.role != _ASSISTANT]
        id_of = {stand_in: id_ for id_, stand_in in frame.stand_ins.items()}
        self.others = frozenset(id_of[marker.text[0]] for marker in others if marker.text[0] in id_of) - frame.ends
        """Control tokens that begin what somebody else says."""
        self._marks = {id_of[char] for marker in frame.markers for char in marker.text if char in id_of}
        self._words = tuple(marker.text for marker in others if marker.text[0] not in id_of)

    def __bool__(self) -> bool:
        """Whether anything is known: not without a template."""
        return bool(self._prompts)

    def is_marked(self, ids: Sequence[int]) -> bool:
        """Whether the row has anything of the template."""
        if not self._marks.isdisjoint(ids):
            return True
        text = "".join(self._decoded(ids).split())
        return any(marker.text in text for marker in self._frame.markers)

    def is_at_opening(self, ids: Sequence[int], start: int) -> bool:
        """Whether the model begins to speak at `ids[start]`, or began with untrained thoughts or half a token."""
        if (first := self._prompt_before(ids, start)) is not None:
            # A space that no prompt ends in is the first token of the answer.
            if not self._can_end_in_space and self._written(tuple(ids[first : start - 1])).endswith(self._prompts):
                return False
            return not (ids[start - 1] in self._frame.ends and self._is_other(ids, start))
        return self._is_behind_thoughts(ids, start) or self._is_behind_half(ids, start)

    def _prompt_before(self, ids: Sequence[int], start: int) -> int | None:
        """A token behind which a prompt stands that ends before `ids[start]`, if one does."""
        firsts = range(start - 1, max(start - 1 - self._reach, -1), -1)
        return next((each for each in firsts if self._written(tuple(ids[each:start])).endswith(self._prompts)), None)

    def is_before_thoughts(self, ids: Sequence[int], end: int) -> bool:
        """Whether thoughts begin at `ids[end]`, before which a template may write a newline of the answer."""
        return _squeezed(self._decoded(ids[end : end + self._reach])).startswith(self._think[0])

    def fault(self, ids: Sequence[int], start: int) -> str:
        """What is wrong with a span that begins at `ids[start]`, and not where the model begins to speak."""
        texts = [text for each in token_texts(ids, self._tokenizer, self._frame.stand_ins) for text in _spread(each)]
        role = roles_of(self._frame, ids, texts)[start]
        if role not in ("", _ASSISTANT):
            return f"is trained, and {role} says it"
        rest = takewhile(lambda stop: ids[stop - 1] not in self._frame.ends, range(start + 1, len(ids) + 1))
        if any(self._prompt_before(ids, stop) is not None for stop in islice(rest, self._reach)):
            return "is trained, and the template writes it before the model speaks"
        if start and ids[start - 1] in self._frame.ends:
            return "is trained, and stands behind the end of the turn"
        if role == "":
            return "is trained, and nobody says it"
        return "is trained, and the turn begins before it"

    def _is_other(self, ids: Sequence[int], start: int) -> bool:
        """Whether somebody else's marker in plain words stands there, which is so only right behind an end."""
        longest = max(map(len, self._words), default=0)
        return longest > 0 and "".join(self._decoded(ids[start : start + longest]).split()).startswith(self._words)

    def _is_behind_thoughts(self, ids: Sequence[int], start: int) -> bool:
        begin, end = self._think
        text = self._decoded(ids[max(start - self._reach, 0) : start])
        if not _squeezed(text).rstrip("\n").endswith(end):
            before = self._decoded(ids[max(start - self._reach, 0) : max(start - 1, 0)])
            is_half = text[len(before) :][:1].isspace() and _squeezed(before).rstrip("\n").endswith(end)
            if not is_half:
                return False
        text = _squeezed(self._decoded(ids[:start]))
        places = [match.start() for match in re.finditer(re.escape(begin), text)]
        # The prompt may end before `<think>`, behind it, or behind the newline that follows.
        stops = (stop for place in places for stop in (place, place + len(begin)))
        prompts = tuple(prompt.rstrip("\n") for prompt in self._prompts)
        return any(text[:stop].rstrip("\n").endswith(prompts) for stop in stops)

    def _is_behind_half(self, ids: Sequence[int], start: int) -> bool:
        """Whether the last token before is half prompt and half answer: such a token is not trained."""
        if start < 2 or ids[start - 1] in self._frame.stand_ins:
            return False
        window = ids[max(start - 1 - self._reach, 0) : start]
        before, text = self._decoded(window[:-1]), self._decoded(window)
        is_spaced = self._can_end_in_space and text[len(before) :][:1] == " "
        before, text = _squeezed(before), _squeezed(text)
        stops = range(len(before) + (not is_spaced), len(text))
        return any(text[:stop].endswith(self._prompts) for stop in stops)

    def _written_in_tokens(self, text: str) -> str:
        """A prompt as its tokens have it, which is not always how the template does: a token may be unknown."""
        id_of = {stand_in: id_ for id_, stand_in in self._frame.stand_ins.items()}
        parts = re.split(f"([{''.join(id_of)}])", text) if id_of else [text]
        encode = self._tokenizer.backend_tokenizer.encode
        ids = ([id_of[part]] if part in id_of else encode(part, add_special_tokens=False).ids for part in parts)
        return self._decoded([id_ for each in ids for id_ in each])

    def _decoded(self, ids: Sequence[int]) -> str:
        """The text of some tokens, control tokens as their stand-ins."""
        decode, stand_ins = self._tokenizer.backend_tokenizer.decode, self._frame.stand_ins
        parts, plain = [], list[int]()
        for id_ in ids:
            if id_ in stand_ins:
                parts += [decode(plain, skip_special_tokens=False) if plain else "", stand_ins[id_]]
                plain = []
            else:
                plain.append(id_)
        return "".join([*parts, decode(plain, skip_special_tokens=False) if plain else ""])


def _prompts(seen: Seen, probe: FrameProbe) -> Iterator[str]:
    """What invites each answer of a conversation, without what ends the message before; all of it where that is all."""
    think = probe.stand_in("<think>")
    for place in seen.answers:
        prompt, before, tail = seen.prompts[place], seen.before[place], seen.tails[place - 1] if place else ""
        opening = before.removesuffix(probe.stand_in(prompt[1])) if prompt else before.partition(think)[0]
        num_shared = next((n for n, (a, b) in enumerate(zip_longest(opening, tail)) if a != b), len(opening))
        own = opening[num_shared:]
        yield own if own.strip() else opening


def _spread(text: Any) -> list[str]:
    """The text of some tokens that share a character, with the first of them."""
    return [text.text, *[""] * (text.end - text.start - 1)]


def _squeezed(text: str) -> str:
    """Without white space but newlines: SentencePiece adds spaces that no template writes."""
    return re.sub(r"[^\S\n]+", "", text)
