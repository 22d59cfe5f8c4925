"""Messages in, rendered text out; and what a template may do to a text on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from collators.errors import TokenizationError
from collators.tokenizers import TEMPLATE_CONTROLS, TEMPLATES

if TYPE_CHECKING:
    from collators.template_reads import TemplateReads

Message = Mapping[str, str]


class TemplateRefusal(Exception):
    """The template raised, or did to this conversation what no mask can follow; `reason` is the row's `set_aside`."""

    def __init__(self, reason: str, fact: str) -> None:
        super().__init__(reason, fact)
        self.reason = reason
        self.fact = fact

    def __str__(self) -> str:
        return self.fact


NO_TEMPLATE = (
    "the tokenizer has no chat template; set tokenizer.chat_template to the one its model was trained with, "
    f"or choose template= one of {', '.join(map(repr, TEMPLATES))}"
)


def choose_template(tokenizer: Any, name: str | None) -> str | None:
    """The jinja source to render with: the one called `name`, or the tokenizer's own; None if it brings none.

    Raises:
        TokenizationError: there is no template of that name, or it is for other tokenizers.
    """
    if name is None:
        return str(tokenizer.get_chat_template()) if tokenizer.chat_template else None
    if name not in TEMPLATES:
        near = get_close_matches(name, TEMPLATES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(map(repr, TEMPLATES))}"
        raise TokenizationError(f"template={name!r}: no such template; {hint}")
    # Written by a tokenizer that has no such token, a control token would be plain text.
    added = tokenizer.get_added_vocab()
    missing = [token for token in TEMPLATE_CONTROLS[name] if token not in added]
    if missing:
        raise TokenizationError(
            f"template={name!r}: the tokenizer has no control token {missing[0]!r}; "
            "leave template out to take the tokenizer's own, or load the tokenizer of the model the template is for"
        )
    return TEMPLATES[name]


class ChatTemplate:
    """A jinja chat template bound to the special tokens it writes."""

    def __init__(self, source: str, special_tokens: Mapping[str, Any]) -> None:
        from tokenizers import Tokenizer, models
        from transformers import PreTrainedTokenizerFast

        self.source = source
        # Renders like any other; it need not know a word.
        self._tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"": 0}, unk_token="")))
        self._special_tokens = dict(special_tokens)

    def render(self, messages: Sequence[Message], *, generation_prompt: bool = False) -> str:
        """The text of a conversation, with what invites the model's answer if `generation_prompt`.

        Raises:
            TemplateRefusal: the template does not take these messages.
        """
        from jinja2 import TemplateError

        try:
            rendered = self._tokenizer.apply_chat_template(
                list(messages),
                chat_template=self.source,
                tokenize=False,
                add_generation_prompt=generation_prompt,
                **self._special_tokens,
            )
        # Templates call Python methods on what they are given, so a message they do not expect can raise any of these.
        except (TemplateError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise TemplateRefusal("template_refuses", f"the chat template refuses it: {error}") from error
        return str(rendered)

    @cached_property
    def examples(self) -> list[str]:
        """Renderings of ordinary conversations: two rounds, with a system message too where one is accepted."""
        rounds = [{"role": role, "content": "text"} for role in ("user", "assistant") * 2]
        texts = []
        for messages in (rounds, [{"role": "system", "content": "text"}, *rounds]):
            try:
                texts += [self.render(messages), self.render(messages[:-1], generation_prompt=True)]
            except TemplateRefusal:
                continue
        return texts

    @cached_property
    def generation_prompt(self) -> str:
        """What the template adds where the model is to speak; empty for templates that add nothing."""
        user = [{"role": "user", "content": "text"}]
        try:
            without, invited = self.render(user), self.render(user, generation_prompt=True)
        except TemplateRefusal:
            return ""
        shared = 0
        while shared < min(len(without), len(invited)) and without[shared] == invited[shared]:
            shared += 1
        return invited[shared:]

    def may_rewrite(self, texts: pa.LargeStringArray) -> pa.BooleanArray:
        """Which texts hold something the template looks for, so that it may not write them as they are."""
        if self._reads.opaque:
            return pa.array([True] * len(texts))
        found = pc.is_in(texts, value_set=pa.array(sorted(self._reads.equal), pa.large_string()))
        for part in sorted(self._reads.contained - {""}):
            found = pc.or_(found, pc.match_substring(texts, part))
        if self._reads.strips:
            found = pc.or_(found, pc.not_equal(pc.utf8_trim_whitespace(texts), texts))
        return found

    @cached_property
    def _reads(self) -> TemplateReads:
        from collators.template_reads import TemplateReads

        return TemplateReads(self.source)
