"""How templates look at texts: what they search them for is found, whatever way it takes there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("transformers", reason="chat templates are rendered by transformers")

from datasets import Dataset

from collators import token_rows
from collators.template_reads import TemplateReads
from collators.tokenizers import CHATGLM3_TEMPLATE
from tests.collators.conftest import CHATML, FAMILIES

TYPICAL = {
    "rest of messages": "{% set turns = messages[1:] if messages[0].role == 'system' else messages %}",
    "how many": "{% if messages|length > 1 and loop.index0 == messages|length - 1 %}{% endif %}",
    "neighbour's role": "{% if loop.first or messages[loop.index0 - 1].role != 'tool' %}{% endif %}",
    "roles in a list": "{% if m.role in ['user', 'assistant'] and m.role not in roles %}{% endif %}",
    "by role": "{% set asked = messages | selectattr('role', 'equalto', 'user') | list | length %}",
    "constants only written": "{% set ns = namespace(end='\\n') %}{% set end = '\\n' %}{{ end + ns.end }}",
    "parts of a content": "{% if m.content is string %}{% else %}{% for part in m.content %}{% endfor %}{% endif %}",
}


@pytest.mark.parametrize("source", [*FAMILIES.values(), CHATGLM3_TEMPLATE, *TYPICAL.values()])
def test_ordinary_templates_leave_ordinary_texts_alone(source: str) -> None:
    reads = TemplateReads("{% for m in messages %}" + source + "{% endfor %}")
    assert not reads.opaque
    assert "\n" not in reads.contained | reads.equal


SEARCHING = {
    "a name": "{% set t = '#' %}{% if t in c %}{% set c = c.split(t)[-1] %}{% endif %}",
    "a name's name": "{% set s = '#' %}{% set t = s %}{% if t in c %}{% set c = c.split('#')[-1] %}{% endif %}",
    "a namespace": "{% set ns = namespace(t='#') %}{% set c = c.replace(ns.t, '') %}",
    "a loop": "{% for s in ['*', '#'] %}{% if s in c %}{{ s }}{% endif %}{% endfor %}",
    "a filter": "{% set c = c | replace('#', '') %}",
    "strip": "{% set c = c.strip('#') %}",
    "trim": "{% set c = c | trim('#') %}",
    "a start": "{% if c.startswith(('#', '*')) %}{{ 'x' }}{% endif %}",
    "a macro": "{% macro f(x) %}{% if '#' in x %}{{ 'x' }}{% endif %}{% endmacro %}{{ f(c) }}",
}
MEASURING = {
    "a slice": "{% set c = c[:40] %}",
    "truncate": "{% set c = c | truncate(40) %}",
    "length": "{% if c | length > 40 %}{{ 'x' }}{% endif %}",
    "a format": "{% set c = '%.40s' % c %}",
    "a neighbour": "{% if not loop.first and c == messages[loop.index0 - 1].content %}{{ 'x' }}{% endif %}",
    "a method": "{% if c.isdigit() %}{{ 'x' }}{% endif %}",
    "an order": "{% if c < '8' %}{{ 'x' }}{% endif %}",
    "part of a constant": "{% if c in 'abc' %}{{ 'x' }}{% endif %}",
    "any token": "{% if bos_token in c %}{{ 'x' }}{% endif %}",
    "joined": "{% set d = 'a' ~ c %}{% if 'ab' in d %}{{ 'x' }}{% endif %}",
}
ODD = ["a" * 50, "7", "#x", "x#", "a#b", "b", "<s>", "same"]


@pytest.mark.parametrize("way", [*SEARCHING, *MEASURING])
def test_no_row_gets_ids_other_than_the_templates(way: str, tokenizer_of: Callable[..., Any]) -> None:
    body = "{% set c = m['content'] %}" + {**SEARCHING, **MEASURING}[way]
    # What a block sets inside a loop stays there, as in real templates.
    template = CHATML.replace("%}{{ '<|im", "%}" + body + "{{ '<|im", 1).replace("m['content'] +", "c +")
    tokenizer = tokenizer_of(template=template)
    reads = TemplateReads(tokenizer.chat_template)
    assert (reads.opaque, "#" in reads.contained) == (way in MEASURING, way in SEARCHING)
    # The odd ones between many plain ones, so that the few rows of a shape that are proven are others.
    chats = [[{"role": "user", "content": f"plain {n}"}, {"role": "assistant", "content": "fine"}] for n in range(40)]
    for place, text in enumerate(ODD):
        chats[4 * place + 2] = [{"role": "user", "content": text}, {"role": "assistant", "content": text}]
    num_kept = 0
    for chat, row in zip(chats, token_rows(Dataset.from_dict({"messages": chats}), tokenizer), strict=True):
        if row["set_aside"] is None and "<s>" not in chat[0]["content"]:
            assert row["input_ids"] == tokenizer.apply_chat_template(chat, return_dict=False), chat
            num_kept += 1
    assert num_kept >= 20 or way == "a format"
