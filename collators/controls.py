"""A tokenizer's backend in, one out that no data can steer.

Control tokens (`<|im_end|>`, `<s>`) keep their ids but get secret names. Our own code writes a control token by its
secret name, so a `<|im_end|>` that stands in the data is ordinary text. All else is the tokenizer's own pipeline, so
ids are those it gives, with every habit it has around control tokens (stripped white space, prefix spaces).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
        from tokenizers import Tokenizer

        config = json.loads(state)
        written = "\n".join(examples)
        # Of the tokenizer's content, so that every process agrees; letters and digits, which no normalizer changes.
        secret = digest(state)
        self.controls = {
            token["content"]: Control(token["content"], f"<qz{digest(secret, token['content'])}>", token["id"])
            for token in config["added_tokens"]
            if token["special"] or token["content"] in written
        }
        names = {text: control.name for text, control in self.controls.items()}
        for token in config["added_tokens"]:
            token["content"] = names.get(token["content"], token["content"])
        _rename_in_model(config["model"], names)
        # Adds no tokens around a text and trims no offsets.
        config["post_processor"] = None
        self.backend: Tokenizer = Tokenizer.from_str(json.dumps(config, ensure_ascii=False))
        for text, control in self.controls.items():
            if self.backend.token_to_id(control.name) != control.id:
                raise TokenizationError(
                    f"control token {text!r}: its id {control.id} cannot be kept apart from the text {text!r}; "
                    "save the tokenizer again with save_pretrained, which renumbers added tokens, and load that folder"
                )
        longest_first = sorted(map(re.escape, self.controls), key=len, reverse=True)
        self._pattern = re.compile("|".join(longest_first) or r"(?!)")

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


def _rename_in_model(model: dict[str, Any], names: dict[str, str]) -> None:
    """Take the control tokens' texts out of the model's own vocabulary, where text could still reach them."""
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        model["vocab"] = {names.get(piece, piece): id_ for piece, id_ in vocab.items()}
    else:
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in vocab]
    if isinstance(model.get("unk_token"), str):
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    if model.get("merges"):
        model["merges"] = [merge for merge in model["merges"] if "".join(merge) not in names]
