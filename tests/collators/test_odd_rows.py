"""What must never give a wrong mask in silence: templates that write less than they are given, and odd values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("transformers", reason="chat templates are rendered by transformers")

import pyarrow as pa
from datasets import Dataset

from collators import IGNORE_INDEX, TokenizationError, Tokenize, token_rows
from tests.collators.conftest import CHATML, make_tokenizer
from tests.collators.conversation_families import FAMILIES, with_family
from tests.collators.conversation_rows import rows_of, trained_text

CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "杭州"}}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CALLED = [
    {"role": "user", "content": "q"}, {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "name": "weather", "content": "sunny"}, {"role": "assistant", "content": "fin"},
]  # fmt: skip


@pytest.fixture(scope="module")
def hermes(backends: dict[str, str]) -> Any:
    return with_family(backends["byte_level"], FAMILIES["hermes"])


def test_a_row_whose_calls_the_template_does_not_write_is_set_aside(tokenizer_of: Callable[..., Any]) -> None:
    called, plain = rows_of([CALLED, [CALLED[0], CALLED[3]]], None, tokenizer_of(template=CHATML))
    assert (called["set_aside"], plain["set_aside"]) == ("template_rewrites", None)


def test_a_template_that_takes_nothing_without_tools_is_masked_all_the_same(backends: dict[str, str]) -> None:
    family = FAMILIES["hermes"]
    tokenizer = with_family(backends["byte_level"], family)
    needs = family.template + "{% if not tools %}{{ raise_exception('no tools') }}{% endif %}"
    expected, _ = rows_of([CALLED, CALLED], [[TOOL], None], tokenizer)
    tokenizer.chat_template = needs
    with_tools, without = rows_of([CALLED, CALLED], [[TOOL], None], tokenizer)
    assert (with_tools["labels"], without["set_aside"]) == (expected["labels"], "template_refuses")


def test_a_call_with_an_end_of_its_own_is_trained_with_that_end(tokenizer_of: Callable[..., Any]) -> None:
    template = CHATML.replace(
        "m['content'] + '<|im_end|>' + '\\n'",
        "(m['content'] if not m['tool_calls'] else m['tool_calls'][0]['function'] | tojson + '</s>')"
        " + ('<|im_end|>' if not m['tool_calls'] else '')",
    )
    tokenizer = tokenizer_of(template=template)
    (row,) = rows_of([CALLED], None, tokenizer)
    call = json.dumps(CALL["function"], ensure_ascii=False)
    assert trained_text(tokenizer, row) == call + "</s>fin<|im_end|>"


def test_of_several_templates_rows_with_tools_take_tool_use(hermes: Any, backends: dict[str, str]) -> None:
    tokenizer = make_tokenizer(hermes.backend_tokenizer, None)
    tokenizer.chat_template = {"default": CHATML, "tool_use": FAMILIES["hermes"].template}
    with_tools, plain = rows_of([CALLED, CALLED[:1] + CALLED[3:]], [[TOOL], None], tokenizer)
    assert with_tools["input_ids"] == hermes.apply_chat_template(CALLED, tools=[TOOL], return_dict=False)
    assert plain["input_ids"] == tokenizer.apply_chat_template(CALLED[:1] + CALLED[3:], return_dict=False)
    tokenizer.chat_template = {"tool_use": CHATML}
    with pytest.raises(TokenizationError, match="chat templates called tool_use, and none called default"):
        Tokenize(tokenizer)


def test_earlier_rounds_come_behind_the_rows_own_system_text(tokenizer_of: Callable[..., Any]) -> None:
    messages = [{"role": role, "content": text} for role, text in (("system", "s"), ("user", "q"), ("assistant", "a"))]
    tokenizer = tokenizer_of(template=CHATML)
    (row,) = token_rows(Dataset.from_dict({"messages": [messages], "history": [[["q0", "a0"]]]}), tokenizer)
    roles = [word.split("\n")[0] for word in tokenizer.decode(row["input_ids"]).split("<|im_start|>")[1:]]
    assert roles == ["system", "user", "assistant", "user", "assistant"]
    assert trained_text(tokenizer, row) == "a0<|im_end|>a<|im_end|>"


def test_the_answers_of_a_prompt_are_given_not_produced(tokenizer_of: Callable[..., Any]) -> None:
    prompt = [{"role": role, "content": text} for role, text in (("user", "q"), ("assistant", "old"), ("user", "r"))]
    data = {"prompt": [prompt], "completion": [[{"role": "assistant", "content": "new"}]]}
    tokenizer = tokenizer_of(template=CHATML)
    (row,) = token_rows(Dataset.from_dict(data), tokenizer)
    assert trained_text(tokenizer, row) == "new<|im_end|>"


@pytest.mark.parametrize(
    ("content", "trained"),
    [
        ("r\n</think>\n\nans", "ans"), ("Sure. <think>r</think>ans", "ans"), ("<think>r</think>", ""),
        ("<think>r</think>a<think>s</think>b", "b"), ("no thought", "no thought"),
    ],
)  # fmt: skip
def test_without_thinking_nothing_before_the_last_mark_is_trained(
    content: str, trained: str, tokenizer_of: Callable[..., Any]
) -> None:
    tokenizer = tokenizer_of(template=CHATML)
    chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": content}]
    (row,) = rows_of([chat], None, tokenizer, train_thinking=False)
    assert trained_text(tokenizer, row) == trained + "<|im_end|>"


def test_a_result_that_keeps_its_value_beside_its_text_is_no_second_call(hermes: Any) -> None:
    kept = [*CALLED[:2], {**CALLED[2], "content": '{"t": 21.0}', "observation": {"t": 21.0}}, CALLED[3]]
    bare = [*CALLED[:2], {**CALLED[2], "content": '{"t": 21.0}'}, CALLED[3]]
    one, other = rows_of([kept, bare], None, hermes)
    assert one == other
    assert trained_text(hermes, one).count("<tool_call>") == 1


@pytest.mark.parametrize(
    "tools", ['[{"name": "f", "description": "\\ud83d"}]', '[{"x": ' + "[" * 600 + "]" * 600 + "}]"]
)
def test_a_value_that_cannot_be_written_costs_its_row_and_no_other(tools: str, hermes: Any) -> None:
    chat = [CALLED[0], CALLED[3]]
    odd, plain = token_rows(Dataset.from_dict({"messages": [chat, chat], "tools": [tools, "[]"]}), hermes)
    assert odd["set_aside"] in ("not_text", "template_refuses")
    assert plain["set_aside"] is None


def test_fields_of_any_kind_of_text_are_read(hermes: Any) -> None:
    texts = pa.array(["q", "a"])
    names = [pa.array(["x", None]), pa.array(["x", None]).dictionary_encode(), pa.array(["x", None], pa.large_string())]
    rows = []
    for name in names:
        message = pa.StructArray.from_arrays(
            [pa.array(["user", "assistant"]), texts, name], ["role", "content", "name"]
        )
        table = pa.table({"messages": pa.ListArray.from_arrays(pa.array([0, 2], pa.int32()), message)})
        rows.append(Tokenize(hermes).token_rows(table).to_pylist()[0])
    assert rows[0] == rows[1] == rows[2]
    assert any(label != IGNORE_INDEX for label in rows[0]["labels"])


def test_half_a_character_in_a_content_is_named(hermes: Any) -> None:
    half = pa.array([['{"role": "user", "content": "\\ud83d"}']], pa.list_(pa.string())).cast(pa.list_(pa.json_()))
    with pytest.raises(TokenizationError, match="holds half of a surrogate pair"):
        Tokenize(hermes).token_rows(pa.table({"messages": half}))


def test_a_tool_message_with_a_blank_content_is_still_a_call_and_reasoning_stays_with_it(hermes: Any) -> None:
    tool = {"role": "tool", "name": "weather", "parameters": {"city": "杭州"}, "observation": "sunny"}
    said = {"role": "assistant", "content": "so", "reasoning_content": "hm"}
    one, other = rows_of(
        [[CALLED[0], said, {**tool, "content": ""}, CALLED[3]], [CALLED[0], said, tool, CALLED[3]]], None, hermes
    )
    assert one == other
    assert trained_text(hermes, one).startswith("so\n<tool_call>")
    assert one["left_out"] == 1  # this template writes no reasoning


def test_a_template_that_joins_arguments_as_text_gets_them_as_text(backends: dict[str, str]) -> None:
    tokenizer = with_family(backends["byte_level"], FAMILIES["hermes"])
    (expected,) = rows_of([CALLED], [[TOOL]], tokenizer)
    tokenizer.chat_template = FAMILIES["hermes"].template.replace("(call.arguments | tojson)", "call.arguments")
    (row,) = rows_of([CALLED], [[TOOL]], tokenizer)
    assert row["set_aside"] is None
    assert (row["input_ids"], row["labels"]) == (expected["input_ids"], expected["labels"])
