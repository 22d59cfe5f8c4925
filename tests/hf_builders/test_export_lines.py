"""Each format of `export`: literal lines for each shape of record, and a note for whatever it cannot express."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest
import yaml

from hf_builders.errors import OptionError
from hf_builders.export_records import ExportRecord, Survey, records_in
from hf_builders.export_target import Notes, Place, Run, Target
from hf_builders.exports import TARGETS
from tests.collators.conversation_rows import json_dataset

ASK, ANSWER = {"role": "user", "content": "天气？"}, {"role": "assistant", "content": "晴。"}
SYSTEM = {"role": "system", "content": "简短。"}
CALL = {"type": "function", "function": {"name": "查天气", "arguments": {"城市": "杭州"}}}
CALLING = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT = {"role": "tool", "name": "查天气", "content": "小雨"}
TOOL = {"name": "查天气", "parameters": {"type": "object", "properties": {"城市": {"type": "string"}}}}


def records_of(rows: Sequence[list[dict[str, Any]]], tools: Any = None, loss: Any = "assistant") -> list[ExportRecord]:
    table = json_dataset(rows, tools).data.table
    table = table.append_column("id", pa.array([f"r{number}" for number in range(len(rows))]))
    return list(records_in(table, range(len(rows)), loss))


def target_of(to: str, records: Sequence[ExportRecord], **run: Any) -> Target:
    options = {
        "loss": "assistant",
        "max_length": 2048,
        "is_text": False,
        "is_packed": False,
        "train_thinking": True,
        "chat_template_kwargs": {},
        **run,
    }
    return TARGETS[to](Run(**options), Survey.of(records))


def lines_of(
    to: str, rows: Sequence[list[dict[str, Any]]], tools: Any = None, **run: Any
) -> tuple[list[dict[str, Any]], list[str]]:
    """The lines, as they come out of a file, and the notes."""
    records, notes = records_of(rows, tools, run.get("loss", "assistant")), Notes()
    target = target_of(to, records, **run)
    lines = [json.loads(json.dumps(target.line(record, notes.of_next()))) for record in records]
    return lines, notes.lines()


def settings_of(to: str, rows: Sequence[list[dict[str, Any]]], tools: Any = None, **run: Any) -> dict[str, Any]:
    """What the files beside the lines hold."""
    target = target_of(to, records_of(rows, tools, run.get("loss", "assistant")), **run)
    files = target.settings(Place("out/x", {"train": "x_train", "validation": "x_validation"}))
    return {name: yaml.safe_load(text) for name, text in files.items()}


UNWRAPPED = (
    '1 record: a tool is not wrapped in {{"type": "function", "function": …}}; the chat template writes it as it is, '
    "and {} wraps it where its own template asks for it"
).format
ODDLY_NAMED = "1 record: a function is not named in 1 to 64 of the signs a-z, A-Z, 0-9, _ and -, as OpenAI asks"


PLAIN: Mapping[str, Any] = {
    "llamafactory": {
        "id": "r0",
        "conversations": [{"from": "human", "value": "天气？"}, {"from": "gpt", "value": "晴。"}],
    },
    "trl": {"id": "r0", "prompt": [ASK], "completion": [ANSWER]},
    "swift": {"id": "r0", "messages": [ASK, {**ANSWER, "loss": True}]},
    "openai": {"messages": [ASK, ANSWER]},
}


@pytest.mark.parametrize("to", TARGETS)
def test_a_question_and_its_answer(to: str) -> None:
    assert lines_of(to, [[ASK, ANSWER]]) == ([PLAIN[to]], [])


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize(
    "columns",
    [
        {"prompt": ["天气？"], "completion": ["晴。"]},
        {"prompt": ["天气？"], "response": ["晴。"]},
        {"instruction": ["天气？"], "input": [""], "output": ["晴。"]},
        {"conversations": [[{**ASK, "loss": False}, {**ANSWER, "loss": True}]]},
    ],
)
def test_every_shape_gives_the_same_line(to: str, columns: dict[str, Any]) -> None:
    records = list(records_in(pa.table({"id": ["r0"], **columns}), range(1), "assistant"))
    assert target_of(to, records).line(records[0], print) == PLAIN[to]


def test_rounds_with_a_system_text() -> None:
    rounds = [SYSTEM, ASK, ANSWER, ASK, ANSWER]
    assert lines_of("llamafactory", [rounds, [ASK, ANSWER]])[0] == [
        {
            "id": "r0",
            "system": "简短。",
            "conversations": [{"from": "human", "value": "天气？"}, {"from": "gpt", "value": "晴。"}] * 2,
        },
        {
            "id": "r1",
            "system": "",  # the template's own
            "conversations": [{"from": "human", "value": "天气？"}, {"from": "gpt", "value": "晴。"}],
        },
    ]
    assert lines_of("trl", [rounds, [ASK, ANSWER]])[0] == [
        {"id": "r0", "messages": rounds},
        {"id": "r1", "messages": [ASK, ANSWER]},
    ]
    trained = {**ANSWER, "loss": True}
    assert lines_of("swift", [rounds])[0] == [{"id": "r0", "messages": [SYSTEM, ASK, trained, ASK, trained]}]
    assert lines_of("openai", [rounds])[0] == [{"messages": rounds}]


def test_alpacas_system_and_history_stand_before_the_question() -> None:
    columns = {"id": ["r0"], "instruction": ["b"], "output": ["B"], "system": ["简短。"], "history": [[["a", "A"]]]}
    records = list(records_in(pa.table(columns), range(1), "assistant"))
    assert target_of("llamafactory", records).line(records[0], print) == {
        "id": "r0",
        "system": "简短。",
        "conversations": [
            {"from": "human", "value": "a"},
            {"from": "gpt", "value": "A"},
            {"from": "human", "value": "b"},
            {"from": "gpt", "value": "B"},
        ],
    }


WITH_CALL = [ASK, CALLING, RESULT, ANSWER]
WITH_CALL_CHATGLM3 = [
    ASK,
    {"role": "tool", "name": "查天气", "parameters": {"城市": "杭州"}, "observation": "小雨"},
    ANSWER,
]


@pytest.mark.parametrize("row", [WITH_CALL, WITH_CALL_CHATGLM3])
def test_tools_a_call_and_its_result(row: list[dict[str, Any]]) -> None:
    tools = [[TOOL], None]
    assert lines_of("llamafactory", [row, [ASK, ANSWER]], tools) == (
        [
            {
                "id": "r0",
                "conversations": [
                    {"from": "human", "value": "天气？"},
                    {"from": "function_call", "value": '{"name": "查天气", "arguments": {"城市": "杭州"}}'},
                    {"from": "observation", "value": "小雨"},
                    {"from": "gpt", "value": "晴。"},
                ],
                "tools": json.dumps([TOOL], ensure_ascii=False),
            },
            {**PLAIN["llamafactory"], "id": "r1", "tools": ""},
        ],
        [UNWRAPPED("LLaMA-Factory")],
    )
    assert lines_of("trl", [row, [ASK, ANSWER]], tools) == (
        [
            {"id": "r0", "messages": WITH_CALL, "tools": json.dumps([TOOL], ensure_ascii=False)},
            {"id": "r1", "messages": [ASK, ANSWER], "tools": None},
        ],
        [],
    )
    assert lines_of("swift", [row, [ASK, ANSWER]], tools) == (
        [
            {
                "id": "r0",
                "messages": [
                    ASK,
                    {"role": "tool_call", "content": '{"name": "查天气", "arguments": {"城市": "杭州"}}', "loss": True},
                    {"role": "tool_response", "content": "小雨"},
                    {**ANSWER, "loss": True},
                ],
                "tools": json.dumps([TOOL], ensure_ascii=False),
            },
            {**PLAIN["swift"], "id": "r1", "tools": "[]"},
        ],
        [UNWRAPPED("ms-swift")],
    )
    call = {"id": "call_1", "type": "function", "function": {"name": "查天气", "arguments": '{"城市": "杭州"}'}}
    assert lines_of("openai", [row, [ASK, ANSWER]], tools) == (
        [
            {
                "messages": [
                    ASK,
                    {"role": "assistant", "content": None, "tool_calls": [call]},
                    {"role": "tool", "tool_call_id": "call_1", "content": "小雨"},
                    ANSWER,
                ],
                "tools": [{"type": "function", "function": TOOL}],
            },
            {"messages": [ASK, ANSWER]},
        ],
        [ODDLY_NAMED],
    )


def test_tools_that_are_wrapped_stay_as_they_are() -> None:
    wrapped = {"type": "function", "function": TOOL}
    assert lines_of("openai", [WITH_CALL], [[wrapped]])[0][0]["tools"] == [wrapped]
    assert lines_of("openai", [WITH_CALL], [[{"function": TOOL}]])[0][0]["tools"] == [wrapped]
    for to in ("llamafactory", "trl", "swift"):
        (line,), notes = lines_of(to, [WITH_CALL], [[wrapped]])
        assert (json.loads(line["tools"]), notes) == ([wrapped], [])
        assert json.loads(lines_of(to, [WITH_CALL], [TOOL])[0][0]["tools"]) == [TOOL]  # a single one


PARALLEL = [
    ASK,
    {
        "role": "assistant",
        "content": "查两次。",
        "tool_calls": [{"id": "a", **CALL}, {"type": "function", "function": {"name": "时间", "arguments": {}}}],
    },
    {"role": "tool", "tool_call_id": "a", "content": "小雨"},
    {"role": "tool", "content": "八点"},
    ANSWER,
]


def test_text_with_parallel_calls_and_ids() -> None:
    calls = '[{"name": "查天气", "arguments": {"城市": "杭州"}}, {"name": "时间", "arguments": {}}]'
    lines, notes = lines_of("llamafactory", [PARALLEL])
    assert lines[0]["conversations"][1:3] == [
        {"from": "function_call", "value": f"查两次。\n<tool_call>{calls}</tool_call>"},
        {"from": "observation", "value": "小雨\n</tool_response>\n<tool_response>\n八点"},
    ]
    assert notes == [
        "1 record: results of parallel calls are joined as LLaMA-Factory joins them, in the words of Qwen's format"
    ]
    assert lines_of("trl", [PARALLEL]) == ([{"id": "r0", "messages": PARALLEL}], [])
    lines, notes = lines_of("swift", [PARALLEL])
    assert notes == [
        "1 record: text stands before a call, and ms-swift writes no newline between them, as Qwen's template does"
    ]
    assert lines[0]["messages"][1:5] == [
        {"role": "assistant", "content": "查两次。", "loss": True},
        {"role": "tool_call", "content": '{"name": "查天气", "arguments": {"城市": "杭州"}}', "loss": True},
        {"role": "tool_call", "content": '{"name": "时间", "arguments": {}}', "loss": True},
        {"role": "tool_response", "content": "小雨"},
    ]
    (line,), notes = lines_of("openai", [PARALLEL])
    assert [call["id"] for call in line["messages"][1]["tool_calls"]] == ["a", "call_2"]
    assert [message["tool_call_id"] for message in line["messages"][2:4]] == ["a", "call_2"]
    assert notes == [ODDLY_NAMED]


def test_the_id_of_a_call_without_one_is_no_other_calls() -> None:
    named = {"function": {"name": "f", "arguments": {}}}
    calling = {**CALLING, "tool_calls": [named, {"id": "call_1", **named}]}
    results = [{"role": "tool", "tool_call_id": "call_1", "content": "b"}, {"role": "tool", "content": "a"}]
    (line,), notes = lines_of("openai", [[ASK, calling, *results, ANSWER]])
    assert [call["id"] for call in line["messages"][1]["tool_calls"]] == ["call_1_", "call_1"]
    assert [message["tool_call_id"] for message in line["messages"][2:4]] == ["call_1", "call_1_"]
    assert notes == []


def test_arguments_in_words_are_noted_where_the_peer_leaves_the_row_out() -> None:
    call = {"function": {"name": "f", "arguments": "print(1)"}}
    rows = [[ASK, {**CALLING, "tool_calls": [call]}, RESULT, ANSWER]]
    assert lines_of("swift", rows)[1] == [
        "1 record: the arguments of a call are words, not a JSON object, and ms-swift leaves such a row out"
    ]
    assert lines_of("llamafactory", rows)[1] == lines_of("trl", rows)[1] == []


def test_the_words_of_a_tag_inside_arguments_are_escaped_for_llamafactory() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": {"a": "</tool_call><tool_call>"}}}
    (line,), _ = lines_of("llamafactory", [[ASK, {**CALLING, "content": "x", "tool_calls": [call]}, RESULT, ANSWER]])
    value = line["conversations"][1]["value"]
    assert value == 'x\n<tool_call>{"name": "f", "arguments": {"a": "</tool_call\\u003e<tool_call\\u003e"}}</tool_call>'
    assert json.loads(value.removeprefix("x\n<tool_call>").removesuffix("</tool_call>"))["arguments"] == {
        "a": "</tool_call><tool_call>"
    }


def test_reasoning_stands_before_the_text_or_in_its_own_field() -> None:
    row = [ASK, {**ANSWER, "reasoning_content": "看天"}]
    thought = "<think>\n看天\n</think>\n\n晴。"
    assert lines_of("llamafactory", [row])[0][0]["conversations"][1] == {"from": "gpt", "value": thought}
    assert lines_of("trl", [row])[0] == [{"id": "r0", "prompt": row[:1], "completion": row[1:]}]
    assert lines_of("swift", [row])[0][0]["messages"][1] == {"role": "assistant", "content": thought, "loss": True}
    assert lines_of("openai", [row]) == (
        [{"messages": [ASK, ANSWER]}],
        ["1 record: the reasoning of an answer is left out: OpenAI has no place for it"],
    )
    silent = [ASK, {**CALLING, "reasoning_content": "看天"}, RESULT, ANSWER]
    assert lines_of("llamafactory", [silent])[0][0]["conversations"][1]["value"] == (
        '<think>\n看天\n</think>\n\n{"name": "查天气", "arguments": {"城市": "杭州"}}'
    )
    for to, title in (("llamafactory", "LLaMA-Factory"), ("trl", "TRL"), ("swift", "ms-swift")):
        assert lines_of(to, [row], train_thinking=False)[1] == [
            f"1 record: tokenize.train_thinking: false leaves reasoning untrained, and {title} trains it"
        ]
        inline = [ASK, {"role": "assistant", "content": thought}]
        assert lines_of(to, [row, inline, [ASK, ANSWER]], train_thinking=False)[1] == [
            f"2 records: tokenize.train_thinking: false leaves reasoning untrained, and {title} trains it"
        ]


def test_metadata_is_kept_where_a_template_can_read_it_and_noted_elsewhere() -> None:
    code = {"role": "assistant", "content": "1 + 1", "metadata": "interpreter"}
    row = [ASK, code, {"role": "observation", "content": "2"}, ANSWER]
    assert lines_of("trl", [row]) == (
        [{"id": "r0", "messages": [ASK, code, {"role": "tool", "content": "2"}, ANSWER]}],
        [],
    )
    assert lines_of("llamafactory", [row])[1] == [
        "1 record: the metadata of an answer is left out: LLaMA-Factory has no place for it"
    ]
    assert lines_of("swift", [row])[1] == [
        "1 record: the metadata of an answer is left out: ms-swift has no place for it"
    ]
    assert lines_of("openai", [row])[1] == [
        "1 record: a result answers no call, and OpenAI refuses such a row",
        "1 record: the metadata of an answer is left out: OpenAI has no place for it",
    ]


SOME_UNTRAINED = [ASK, {**ANSWER, "loss": False}, ASK, ANSWER, ASK, ANSWER]
END_UNTRAINED = [ASK, ANSWER, ASK, {**ANSWER, "loss": False}]


def test_answers_that_are_not_trained() -> None:
    rows = [SOME_UNTRAINED, END_UNTRAINED, [ASK, ANSWER]]
    lines, notes = lines_of("openai", rows)
    assert [[message.get("weight") for message in line["messages"][1::2]] for line in lines] == [
        [0, None, None],
        [None, 0],
        [None],
    ]
    assert notes == []
    lines, notes = lines_of("swift", rows)
    assert [[message["loss"] for message in line["messages"][1::2]] for line in lines] == [
        [False, True, True],
        [True, False],
        [True],
    ]
    assert notes == ["1 record: the last answer is not trained, and ms-swift trains its end token all the same"]
    for to, title in (("llamafactory", "LLaMA-Factory"), ("trl", "TRL")):
        lines, notes = lines_of(to, rows)
        assert "loss" not in json.dumps(lines)
        assert notes == [f"2 records: not every answer is trained, and {title} trains each of them"]


def test_the_last_answer_alone_is_told_by_form_or_setting() -> None:
    rows = [[ASK, ANSWER, ASK, ANSWER], [ASK, ANSWER]]
    lines, notes = lines_of("trl", rows, loss="last")
    assert lines == [
        {"id": "r0", "prompt": [ASK, ANSWER, ASK], "completion": [ANSWER]},
        {"id": "r1", "prompt": [ASK], "completion": [ANSWER]},
    ]
    assert notes == []
    assert "assistant_only_loss" not in settings_of("trl", rows, loss="last")["trl_sft.yaml"]
    assert lines_of("llamafactory", rows, loss="last")[1] == []
    assert settings_of("llamafactory", rows, loss="last")["llamafactory_sft.yaml"]["mask_history"] is True
    assert [message.get("loss") for message in lines_of("swift", rows, loss="last")[0][0]["messages"]] == [
        None,
        False,
        None,
        True,
    ]
    assert [message.get("weight") for message in lines_of("openai", rows, loss="last")[0][0]["messages"]] == [
        None,
        0,
        None,
        None,
    ]


def test_all_trained_is_a_setting() -> None:
    rows = [[ASK, ANSWER]]
    assert settings_of("llamafactory", rows, loss="all")["llamafactory_sft.yaml"]["train_on_prompt"] is True
    assert settings_of("swift", rows, loss="all")["swift_sft.yaml"]["loss_scale"] == "all"
    assert "assistant_only_loss" not in settings_of("trl", rows, loss="all")["trl_sft.yaml"]
    assert lines_of("trl", rows, loss="all") == ([{"id": "r0", "messages": [ASK, ANSWER]}], [])
    assert lines_of("openai", rows, loss="all")[1] == ["1 record: all is trained, and OpenAI trains answers only"]


def test_order_that_a_peer_does_not_take_is_noted() -> None:
    rows = [[ASK, ASK, ANSWER], [ASK, ANSWER, ASK], [{**SYSTEM, "content": ""}, ASK, ANSWER]]
    assert lines_of("llamafactory", rows)[1] == [
        "2 records: question and answer do not take turns, and LLaMA-Factory skips such a row",
        "1 record: the system text is empty, and LLaMA-Factory writes its template's default in its place",
    ]
    assert lines_of("swift", rows)[1] == [
        "1 record: messages of one speaker stand side by side, and ms-swift joins them",
        "1 record: question and answer do not take turns, and ms-swift leaves such a row out or mends it its way",
        "1 record: the system text is empty, and ms-swift writes none in its place",
    ]
    refused = "1 record: the last message is not an answer, and OpenAI refuses such a row"
    assert lines_of("openai", rows)[1] == [refused]
    assert lines_of("trl", rows)[1] == []


def test_a_late_system_text_is_noted() -> None:
    rows = [[ASK, ANSWER, SYSTEM, ANSWER]]
    assert lines_of("llamafactory", rows)[1] == [
        "1 record: question and answer do not take turns, and LLaMA-Factory skips such a row"
    ]
    assert lines_of("swift", rows)[1] == [
        "1 record: question and answer do not take turns, and ms-swift leaves such a row out or mends it its way"
    ]


def test_tools_in_words_are_refused() -> None:
    for to, title in (("llamafactory", "LLaMA-Factory"), ("trl", "TRL"), ("swift", "ms-swift"), ("openai", "OpenAI")):
        with pytest.raises(OptionError) as caught:
            lines_of(to, [WITH_CALL], [["查天气: 一座城市的天气"]])
        assert str(caught.value) == (
            f'record r0: tools is ["查天气: 一座城市的天气"], and {title} takes a list of JSON schemas; write the '
            "tools as schemas, or leave out these records"
        )


def test_plain_texts_have_forms_of_their_own() -> None:
    records = list(records_in(pa.table({"id": ["a"], "text": ["长文。"]}), range(1), "assistant"))
    expected = {
        "llamafactory": {"id": "a", "text": "长文。"},
        "trl": {"id": "a", "text": "长文。"},
        "swift": {"id": "a", "messages": [{"role": "assistant", "content": "长文。"}]},
    }
    for to, line in expected.items():
        assert target_of(to, records, is_text=True).line(records[0], print) == line
    place = Place("out/x", {"train": "x_train"})
    files = target_of("llamafactory", records, is_text=True).settings(place)
    assert json.loads(files["dataset_info.json"]) == {
        "x_train": {"file_name": "x_train.jsonl", "columns": {"prompt": "text"}}
    }
    assert yaml.safe_load(files["llamafactory_pt.yaml"]) == {
        "stage": "pt",
        "do_train": True,
        "dataset_dir": "out/x",
        "dataset": "x_train",
        "cutoff_len": 2048,
        "packing": False,
    }
    assert list(target_of("swift", records, is_text=True).settings(place)) == ["dataset_info.json", "swift_pt.yaml"]


def test_the_entries_and_settings_name_files_splits_and_columns() -> None:
    rows, tools = [[SYSTEM, *WITH_CALL]], [[TOOL]]
    assert settings_of("llamafactory", rows, tools) == {
        "dataset_info.json": {
            name: {
                "file_name": f"{name}.jsonl",
                "formatting": "sharegpt",
                "columns": {"messages": "conversations", "system": "system", "tools": "tools"},
            }
            for name in ("x_train", "x_validation")
        },
        "llamafactory_sft.yaml": {
            "stage": "sft",
            "do_train": True,
            "dataset_dir": "out/x",
            "dataset": "x_train",
            "eval_dataset": "x_validation",
            "cutoff_len": 2048,
        },
    }
    assert settings_of("trl", rows, tools, chat_template_kwargs={"enable_thinking": False}) == {
        "trl_sft.yaml": {
            "dataset_name": "out/x",
            "dataset_train_split": "train",
            "dataset_test_split": "validation",
            "max_length": 2048,
            "assistant_only_loss": True,
        }
    }
    assert settings_of("swift", rows, tools, is_packed=True) == {
        "dataset_info.json": [
            {"dataset_name": name, "dataset_path": f"{name}.jsonl"} for name in ("x_train", "x_validation")
        ],
        "swift_sft.yaml": {
            "custom_dataset_info": ["out/x/dataset_info.json"],
            "dataset": ["x_train"],
            "val_dataset": ["x_validation"],
            "max_length": 2048,
            "packing": True,
        },
    }
    assert settings_of("openai", rows, tools) == {}


def test_values_for_the_chat_template_go_with_each_record_or_are_noted() -> None:
    kwargs = {"enable_thinking": False}
    assert lines_of("trl", [[ASK, ANSWER]], chat_template_kwargs=kwargs)[0][0]["chat_template_kwargs"] == kwargs
    records = records_of([[ASK, ANSWER]])
    assert target_of("trl", records, chat_template_kwargs=kwargs).general_notes() == []
    assert target_of("swift", records, chat_template_kwargs=kwargs).general_notes() == [
        'tokenize.chat_template_kwargs {"enable_thinking": false} is not in the files; give ms-swift what it has for it'
    ]


def test_control_tokens_in_texts_and_what_trl_asks_of_a_template_are_told() -> None:
    records = records_of([[ASK, ANSWER]])
    for to, title in (("llamafactory", "LLaMA-Factory"), ("trl", "TRL"), ("swift", "ms-swift")):
        assert target_of(to, records, control_texts=3).general_notes() == [
            "3 control tokens, such as <|im_end|>, stood in the texts of the records read: text in our rows, and "
            f"{title} makes the token of it; mend the raw rows where that is not meant"
        ]
    assert target_of("openai", records, control_texts=3).general_notes() == []
    rounds = records_of([[ASK, ANSWER, ASK, ANSWER]])
    assert target_of("trl", rounds).general_notes() == [
        "assistant_only_loss needs {% generation %} in the chat template; TRL has such copies of Qwen's and some "
        "others, for the rest give it one (chat_template_path)"
    ]


def test_a_folder_with_the_name_of_a_reader_of_datasets_is_told_apart() -> None:
    target = target_of("trl", records_of([[ASK, ANSWER]]))
    for folder, name in (("json", "./json"), ("out/x", "out/x"), ("/srv/x", "/srv/x")):
        settings = yaml.safe_load(target.settings(Place(folder, {"train": "x_train"}))["trl_sft.yaml"])
        assert settings["dataset_name"] == name


def test_packing_of_llamafactory_leaves_room_for_the_token_it_takes() -> None:
    settings = settings_of("llamafactory", [[ASK, ANSWER]], is_packed=True)["llamafactory_sft.yaml"]
    assert (settings["cutoff_len"], settings["packing"], settings["neat_packing"]) == (2049, True, True)
    texts = list(records_in(pa.table({"id": ["a"], "text": ["长文。"]}), range(1), "assistant"))
    assert target_of("llamafactory", texts, is_text=True, is_packed=True).general_notes() == [
        "our packed rows hold whole texts; LLaMA-Factory joins texts, and cuts them where a row is full"
    ]
