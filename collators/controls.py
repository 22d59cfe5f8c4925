"""A tokenizer's backend in, one out that no data can steer.

Control tokens (`<|im_end|>`, `<s>`) keep their ids but get secret names. Our own code writes a control token by its
secret name, so a `<|im_end|>` that stands in the data is ordinary text. All else is the tokenizer's own pipeline, so
ids are those it gives, with every habit it has around control tokens (stripped white space, prefix spaces).
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from collators.errors import TokenizationError
from collators.tokenizers import digest

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True)
class Control:
    """One control token."""

    text: str
    """How templates write it."""
    name: str
    """How text for the guarded backend writes it."""
    id: int


class GuardedBackend:
    """The backend of `state` (its JSON) with secret names for its control tokens.

    Control tokens are the special ones and those added tokens that stand in `examples`, the template's own text.
    """

    def __init__(self, state: str, examples: Iterable[str]) -> None:
        original = backend_of(state)
        written = "\n".join(examples)
        # Of the tokenizer's content, so that every process agrees; letters and digits, which no normalizer changes.
        secret = digest(state)
        self.controls = {
            token.content: Control(token.content, f"<qz{digest(secret, token.content)}>", id_)
            for id_, token in sorted(original.get_added_tokens_decoder().items())
            if token.special or token.content in written
        }
        names = {text: control.name for text, control in self.controls.items()}
        self.backend: Tokenizer = (
            _with_other_tokens(original, names) or _edited(state, self.controls.values()) or _rewritten(state, names)
        )
        for text, control in self.controls.items():
            if self.backend.token_to_id(control.name) != control.id:
                raise TokenizationError(
                    f"control token {text!r}: its id {control.id} cannot be kept apart from the text {text!r}; "
                    "save the tokenizer again with save_pretrained, which renumbers added tokens, and load that folder"
                )
        longest_first = sorted(map(re.escape, self.controls), key=len, reverse=True)
        self._pattern = re.compile("|".join(longest_first) or r"(?!)")

    @cached_property
    def state(self) -> str:
        """The backend as JSON."""
        return str(self.backend.to_str())

    @property
    def pattern(self) -> str:
        """A regular expression for the control tokens as they are written."""
        return self._pattern.pattern

    def find(self, text: str) -> list[tuple[int, int, Control]]:
        """Where control tokens stand in `text`: start, end, which; in characters."""
        return [(*match.span(), self.controls[match.group()]) for match in self._pattern.finditer(text)]

    def count(self, value: object) -> int:
        """How many control tokens stand in the texts of `value`, a JSON value of any depth."""
        number, rest = 0, [value]
        while rest:
            each = rest.pop()
            if isinstance(each, str):
                number += len(self.find(each))
            elif isinstance(each, Mapping):
                rest += [*each.keys(), *each.values()]
            elif isinstance(each, list | tuple):
                rest += each
        return number


@lru_cache(maxsize=2)
def guarded_backend(state: str, examples: tuple[str, ...]) -> GuardedBackend:
    """The same one for the same tokenizer and template: making it takes a second, and nothing changes it."""
    return GuardedBackend(state, examples)


_MOST_BACKENDS = 2
_backends: dict[str, Tokenizer] = {}


def backend_of(state: str, living: Tokenizer | None = None) -> Tokenizer:
    """The backend of this JSON, kept likewise; made from a living one of the same JSON, it is there at once."""
    from tokenizers import Tokenizer

    if state not in _backends:
        copied = None
        if living is not None:
            copied = _with_other_tokens(living, {}, parts=("normalizer", "pre_tokenizer", "post_processor", "decoder"))
        while len(_backends) >= _MOST_BACKENDS:
            del _backends[next(iter(_backends))]
        _backends[state] = copied or Tokenizer.from_str(state)
    return _backends[state]


def _with_other_tokens(
    original: Tokenizer, names: Mapping[str, str], *, parts: Sequence[str] = ("normalizer", "pre_tokenizer", "decoder")
) -> Tokenizer | None:
    """The same backend around the same model in memory; None where the model's own vocabulary has a control token.

    Left out of `parts`, a post-processor adds no tokens around a text and trims no offsets.
    """
    from tokenizers import AddedToken, Tokenizer

    if any(original.model.token_to_id(text) is not None for text in names):
        return None
    backend = Tokenizer(original.model)
    for part in parts:
        if (own := getattr(original, part)) is not None:
            setattr(backend, part, copy.deepcopy(own))  # its owner may change it
    tokens = sorted(original.get_added_tokens_decoder().items())
    flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
    backend.add_tokens(
        [
            AddedToken(names.get(token.content, token.content), **{flag: getattr(token, flag) for flag in flags})
            for _, token in tokens
        ]
    )
    ids = [backend.token_to_id(names.get(token.content, token.content)) for _, token in tokens]
    return backend if ids == [id_ for id_, _ in tokens] else None


def _edited(state: str, controls: Iterable[Control]) -> Tokenizer | None:
    """The backend made anew from its JSON, edited as a text, which is faster; None where that is not so simple."""
    from tokenizers import Tokenizer

    for control in controls:
        old, new = json.dumps(control.text, ensure_ascii=False), json.dumps(control.name)
        if state.count(f'"content":{old},') != 1:
            return None
        # In the list of added tokens, as what stands for the unknown, and as a piece of the model.
        for before, after in (('"content":', ""), ('"unk_token":', ""), ("", f":{control.id}")):
            for end in ",}":
                state = state.replace(before + old + after + end, before + new + after + end)
    try:
        backend = Tokenizer.from_str(state)
    except Exception:  # tokenizers raises just that: a merge makes a piece that now has another name
        return None
    backend.post_processor = None
    # A model that keeps its pieces as a list (Unigram) has none of the texts looked for above.
    return backend if all(backend.token_to_id(control.name) == control.id for control in controls) else None


def _rewritten(state: str, names: Mapping[str, str]) -> Tokenizer:
    """The backend made anew from its JSON with other names, also in the model's vocabulary."""
    from tokenizers import Tokenizer

    config = json.loads(state)
    for token in config["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    _rename_in_model(config["model"], names)
    config["post_processor"] = None
    return Tokenizer.from_str(json.dumps(config, ensure_ascii=False))


def _rename_in_model(model: dict[str, Any], names: Mapping[str, str]) -> None:
    """Take the control tokens' texts out of the model's own vocabulary, where text could still reach them."""
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        model["vocab"] = {names.get(piece, piece): id_ for piece, id_ in vocab.items()}
    else:
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in vocab]
    if isinstance(model.get("unk_token"), str):
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    if model.get("merges"):
        model["merges"] = [
            merge for merge in model["merges"] if "".join(merge) not in names and names.keys().isdisjoint(merge)
        ]
