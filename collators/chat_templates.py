"""Messages in, rendered text out; and what a template may do to a text on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from collators.errors import TokenizationError
from collators.tokenizers import TEMPLATES

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
        TokenizationError: there is no template of that name.
    """
    if name is None:
        return str(tokenizer.get_chat_template()) if tokenizer.chat_template else None
    if name not in TEMPLATES:
        near = get_close_matches(name, TEMPLATES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(map(repr, TEMPLATES))}"
        raise TokenizationError(f"template={name!r}: no such template; {hint}")
    return TEMPLATES[name]


class ChatTemplate:
    """A jinja chat template bound to the tokenizer whose special tokens it writes."""

    def __init__(self, source: str, tokenizer: Any, special_tokens: Mapping[str, Any]) -> None:
        self.source = source
        self._tokenizer = tokenizer
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
        found = pc.is_in(texts, value_set=pa.array(self._tested.equal, pa.large_string()))
        for part in self._tested.contained:
            found = pc.or_(found, pc.match_substring(texts, part))
        return found

    @cached_property
    def _tested(self) -> _TestedStrings:
        return _TestedStrings(self.source)


class _TestedStrings:
    """String constants a template compares texts with (`equal`) or searches in them (`contained`).

    >>> tested = _TestedStrings("{% if '</think>' in m.text and m.role == 'user' %}{{ m.text.split('#') }}{% endif %}")
    >>> tested.contained, tested.equal
    (['#', '</think>'], ['user'])
    """

    def __init__(self, source: str) -> None:
        from jinja2 import Environment, TemplateError, nodes

        contained: set[str] = set()
        equal: set[str] = set()
        try:
            # `generation` blocks are transformers' own extension of jinja, without influence on the text.
            tree = Environment(extensions=["jinja2.ext.loopcontrols"]).parse(
                re.sub(r"\{%-?\s*(end)?generation\s*-?%\}", "", source)
            )
        except TemplateError as error:
            raise TokenizationError(f"the chat template is not jinja: {error}") from error
        for compare in tree.find_all(nodes.Compare):
            is_search = any(operand.op in ("in", "notin") for operand in compare.ops)
            (contained if is_search else equal).update(_strings(compare))
        for call in tree.find_all(nodes.Call):
            # What strip() takes away is found by rendering padded texts; raise_exception() and the like only write.
            if isinstance(call.node, nodes.Getattr) and not call.node.attr.endswith("strip"):
                for argument in call.args:
                    contained.update(_strings(argument))
        for replacement in tree.find_all(nodes.Filter):
            if replacement.name == "replace":
                contained.update(_strings(replacement.args[0]))
        self.contained = sorted(contained - {""})
        self.equal = sorted(equal)


def _strings(node: Any) -> list[str]:
    from jinja2 import nodes

    found = [node] if isinstance(node, nodes.Const) else list(node.find_all(nodes.Const))
    return [constant.value for constant in found if isinstance(constant.value, str)]
