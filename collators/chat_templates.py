"""Messages in, rendered text out; and what a template may do to a text on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from collators.errors import TokenizationError, check_choice
from collators.named_templates import CHATGLM3_TEMPLATE, TEMPLATE_CONTROLS, TEMPLATES
from collators.turns import Message

if TYPE_CHECKING:
    from collators.template_reads import TemplateReads

AN_EXAMPLE_CALL: Message = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"type": "function", "function": {"name": "name", "arguments": {"key": "text"}}}],
}
AN_EXAMPLE_TOOL = {
    "type": "function",
    "function": {
        "name": "name",
        "description": "text",
        "parameters": {
            "type": "object",
            "properties": {"key": {"type": "string", "description": "text"}},
            "required": ["key"],
        },
    },
}


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
        return _own_template(tokenizer)
    check_choice("template", name, TEMPLATES, "template")
    # Written by a tokenizer that has no such token, a control token would be plain text.
    added = tokenizer.get_added_vocab()
    missing = [token for token in TEMPLATE_CONTROLS[name] if token not in added]
    if missing:
        raise TokenizationError(
            f"template={name!r}: the tokenizer has no control token {missing[0]!r}; "
            "leave template out to take the tokenizer's own, or load the tokenizer of the model the template is for"
        )
    if tokenizer.eos_token is None:
        raise TokenizationError(
            f"template={name!r}: the tokenizer has no eos_token to end an answer with; set tokenizer.eos_token"
        )
    return TEMPLATES[name]


def _own_template(tokenizer: Any) -> str | None:
    """Of several, transformers takes the one called `tool_use` for rows with tools, and `default` for the others."""
    own = tokenizer.chat_template
    if not isinstance(own, Mapping):
        return str(own) if own else None
    if "default" not in own:
        raise TokenizationError(
            f"the tokenizer has chat templates called {', '.join(own)}, and none called default; "
            "set tokenizer.chat_template to one of them"
        )
    if "tool_use" not in own:
        return str(own["default"])
    return "{% if tools is not none %}" + str(own["tool_use"]) + "{% else %}" + str(own["default"]) + "{% endif %}"


class ChatTemplate:
    """A jinja chat template bound to the special tokens it writes and the values that are the same for every row."""

    def __init__(self, source: str, special_tokens: Mapping[str, Any], kwargs: Mapping[str, Any] | None = None) -> None:
        from tokenizers import Tokenizer, models
        from transformers import PreTrainedTokenizerFast

        self.source = source
        # Renders like any other; it need not know a word.
        self._tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"": 0}, unk_token="")))
        self._values = {**special_tokens, **(kwargs or {})}

    def render(self, messages: Sequence[Message], tools: Any = None, *, generation_prompt: bool = False) -> str:
        """The text of a conversation, with what invites the model's answer if `generation_prompt`.

        Raises:
            TemplateRefusal: the template does not take these messages or tools.
        """
        from jinja2 import TemplateError

        values = self._values
        if isinstance(tools, Mapping) and "tools_as_given" not in self.source:
            tools = [tools]
        if tools is not None and not _are_schemas(tools):
            # transformers lets no other tools through; ChatGLM3's files have any.
            if "tools_as_given" not in self.source:
                raise TemplateRefusal("template_refuses", "the tools are no list of JSON schemas, which it asks for")
            values, tools = {**values, "tools_as_given": tools}, None
        try:
            rendered = self._tokenizer.apply_chat_template(
                list(messages),
                tools=tools,
                chat_template=self.source,
                tokenize=False,
                add_generation_prompt=generation_prompt,
                **values,
            )
        # Templates call Python methods on what they are given, so a message they do not expect can raise any of these.
        except (TemplateError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise TemplateRefusal("template_refuses", f"the chat template refuses it: {error}") from error
        return str(rendered)

    @cached_property
    def examples(self) -> list[str]:
        """Renderings of ordinary conversations, with all that they may hold where the template takes it."""
        rounds: list[Message] = [{"role": role, "content": "text"} for role in ("user", "assistant") * 2]
        called: list[Message] = [
            {"role": "user", "content": "text"},
            {**AN_EXAMPLE_CALL, "content": "text"},
            {"role": "tool", "name": "name", "content": "text"},
            {"role": "assistant", "content": "text"},
        ]
        thought = [*rounds[:-1], {**rounds[-1], "reasoning_content": "text"}]
        texts = []
        with_system = [{"role": "system", "content": "text"}, *rounds]
        for messages, tools in ((rounds, None), (with_system, None), (thought, None), (called, [AN_EXAMPLE_TOOL])):
            try:
                texts += [self.render(messages, tools), self.render(messages[:-1], tools, generation_prompt=True)]
            except TemplateRefusal:
                continue
        return texts

    @cached_property
    def generation_prompt(self) -> str:
        """What the template adds where the model is to speak; empty for templates that add nothing."""
        user = [{"role": "user", "content": "text"}]
        for tools in (None, [AN_EXAMPLE_TOOL]):  # some templates take no conversation without
            try:
                without, invited = self.render(user, tools), self.render(user, tools, generation_prompt=True)
            except TemplateRefusal:
                continue
            return invited[num_shared(without, invited) :]
        return ""

    @property
    def answers_each_call(self) -> bool:
        """Whether the format has a call's result right behind it, so that a message holds one call at most."""
        return self.source == CHATGLM3_TEMPLATE

    @cached_property
    def role_of_results(self) -> str | None:
        """The role this template knows a tool's result by; None if it names none."""
        quoted = set(re.findall(r"['\"](tool|observation)['\"]", self.source))
        return "tool" if "tool" in quoted else "observation" if quoted else None

    @property
    def splits_thinking(self) -> bool:
        """Whether it takes the reasoning out of a content that holds `<think>…</think>`."""
        return "</think>" in self.source

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


def _are_schemas(tools: Any) -> bool:
    return isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)


def num_shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike.

    >>> num_shared("<|user|>", "<|assistant|>")
    2
    """
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
