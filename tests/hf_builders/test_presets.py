"""Presets: each family of files becomes the exchanges it means, on invented rows and on every real file there is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hf_builders
from hf_builders import OptionError, RowError
from hf_builders.instructions.fincuge import TASKS
from hf_builders.instructions.presets import PRESETS

Loaded = dict[str, Any]


def exchange(instruction: str, output: str, **others: Any) -> Loaded:
    """A record of the view `instruction` without its id."""
    return {"instruction": instruction, "input": "", "output": output, "system": "", "history": [], **others}


def load(path: Path, view: str = "instruction", **options: Any) -> Any:
    return hf_builders.load_dataset("instructions", view, data_files=str(path), split="train", **options)


def write_rows(path: Path, rows: list[Any]) -> Path:
    """JSON Lines, or, as lines that are arrays would be taken for one, an array with a row on each line."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    is_array = isinstance(rows[0], list)
    text = "[" + ",\n".join(lines) + "]" if is_array else "\n".join(lines)
    path.write_text(text + "\n", encoding="utf-8")
    return path


PLAIN = {"instruction": "头痛怎么办？", "input": "三天了", "output": "先量血压。"}
PLAIN_EXCHANGE = exchange("头痛怎么办？", "先量血压。", input="三天了")
LAWS = ["《甲法》第一条：借钱要还。", "《乙法》第二条：可以分期。"]
LAWS_TEXT = "参考法条：\n《甲法》第一条：借钱要还。\n《乙法》第二条：可以分期。"

FINESE = "请找出文本中给定类型事件的主体，没有时回答“无”。"

# Preset, a raw row, the exchange it is.
ROWS: list[tuple[str, Any, Loaded]] = [
    ("alpaca", PLAIN, PLAIN_EXCHANGE),
    ("chatdoctor", PLAIN, PLAIN_EXCHANGE),
    ("doctorglm", PLAIN, PLAIN_EXCHANGE),
    ("huatuo", {**PLAIN, "input": ""}, exchange("头痛怎么办？", "先量血压。")),
    (
        "huatuo_literature",
        {"instruction": " <user>: 肝区痛。 <bot>: 多久了？ <user>: 三天。", "output": "做B超。", "id": 7, "input": ""},
        exchange("三天。", "做B超。", history=[["肝区痛。", "多久了？"]]),
    ),
    ("huatuo_literature", {"instruction": " <user>: 肝区痛。", "output": "做B超。"}, exchange("肝区痛。", "做B超。")),
    ("lawyer_llama", [{"input": "", "instruction": "不还？", "output": "起诉。"}], exchange("不还？", "起诉。")),
    ("lawyer_llama", {"input": "单选题", "output": "选甲。", "type": "法考"}, exchange("单选题", "选甲。")),
    (
        "lawyer_llama",
        {"query": "借钱不还？", "laws": LAWS, "response": "起诉。"},
        exchange("借钱不还？", "起诉。", input=LAWS_TEXT),
    ),
    (
        "lawyer_llama",
        {"query": "借钱？", "laws": LAWS, "history": ["[客户] 借钱？", "[律师] 借条？", "[客户] 有。", "[律师] 告。"]},
        exchange("有。", "告。", history=[[f"借钱？\n{LAWS_TEXT}", "借条？"]]),
    ),
    (
        "lawyer_llama",
        {"query": "借钱？", "laws": LAWS, "history": ["[客户] 借钱？", "[客户] 急。", "[律师] 告。", "[律师] 别急。"]},
        exchange("借钱？\n急。", "告。\n别急。", input=LAWS_TEXT),
    ),
    (
        "lawyer_llama",
        {"query": "你好", "laws": [], "history": ["[客户] 你好", "[律师] 请讲。"]},
        exchange("你好", "请讲。"),
    ),
    ("disc_law", {"id": "a_1", "input": "能停车吗？", "output": "不能。"}, exchange("能停车吗？", "不能。")),
    (
        "disc_law",
        {"id": "a-1", "reference": LAWS, "input": f"{LAWS[1]}\n{LAWS[0]}\n<问题>：\n要还吗？", "output": "要。"},
        exchange(f"{LAWS[1]}\n{LAWS[0]}\n<问题>：\n要还吗？", "要。"),
    ),
    (
        "disc_fin",
        {"instruction": "那债券呢？", "input": "", "output": "[Calculator(1/2)→0.5]", "history": [["股票？", "险。"]]},
        exchange("那债券呢？", "[Calculator(1/2)→0.5]", history=[["股票？", "险。"]]),
    ),
    ("cornucopia", PLAIN, PLAIN_EXCHANGE),
    ("lawgpt", PLAIN, PLAIN_EXCHANGE),
    ("lawgpt", {"question": "还？", "answer": "还。", "reference": LAWS}, exchange("还？", "还。", input=LAWS_TEXT)),
    (
        "crime_kg",
        {"_id": {"$oid": "5c"}, "question": "被骗了怎么办？", "answers": ["多少钱？", "报警，保留转账记录。", "报警"]},
        exchange("被骗了怎么办？", "报警，保留转账记录。"),
    ),
    (
        "fincuge_finna",
        ["甲公司盈利", "甲公司今日公告，上半年盈利。"],
        exchange("请用一句话概括下面的财经新闻。", "甲公司盈利", input="甲公司今日公告，上半年盈利。"),
    ),
    (
        "fincuge_finqa",
        ["谁回购了股份？甲公司公告回购股份。", "甲公司"],
        exchange("请根据给出的财经新闻或公告回答问题。", "甲公司", input="谁回购了股份？甲公司公告回购股份。"),
    ),
    (
        "fincuge_fincqa",
        ["原因是什么？材料一###材料二", "无参数"],
        exchange("请根据给出的因果事件材料回答问题。", "无参数", input="原因是什么？材料一###材料二"),
    ),
    (
        "fincuge_finnl",
        ["某国央行加息。", "外国 政策"],
        exchange("请判断下面的财经新闻属于哪些类别，类别之间用逗号隔开。", "外国，政策", input="某国央行加息。"),
    ),
    (
        "fincuge_finre",
        ["甲公司", "乙公司", "被收购", "乙公司收购甲公司<N>股。"],
        exchange(
            "请判断句子中头实体与尾实体之间的关系，没有已知的关系时回答unknown。",
            "被收购",
            input="句子：乙公司收购甲公司<N>股。\n头实体：甲公司\n尾实体：乙公司",
        ),
    ),
    *(
        (
            "fincuge_finfe",
            [f"评论{label}", label],
            exchange("请判断下面这段股民评论的情绪是消极、中性还是积极。", word, input=f"评论{label}"),
        )
        for label, word in enumerate(("消极", "中性", "积极"))
    ),
    *(
        (
            "fincuge_finne",
            [f"新闻{score}", score],
            exchange("请判断下面这段财经新闻的情绪是消极、中性还是积极。", word, input=f"新闻{score}"),
        )
        for score, word in (("0.0", "消极"), ("0.5", "中性"), ("1.0", "积极"))
    ),
    (
        "fincuge_finese",
        ["1", "甲公司被立案。", "涉嫌违规", "甲公司"],
        exchange(FINESE, "甲公司", input="文本：甲公司被立案。\n事件类型：涉嫌违规"),
    ),
    (
        "fincuge_finese",
        ["2", "今天下雨。", "其他", "NaN"],
        exchange(FINESE, "无", input="文本：今天下雨。\n事件类型：其他"),
    ),
    (
        "fincuge_finnsp",
        ["a", "甲平台跑路", "甲平台与乙平台均停止兑付。", "甲平台;乙平台", "1", "甲平台;乙平台"],
        exchange(
            "请判断文本是否含有针对所列实体的负面消息；如果有，再指出是哪些实体。",
            "是，甲平台、乙平台",
            input="标题：甲平台跑路\n正文：甲平台与乙平台均停止兑付。\n实体：甲平台、乙平台",
        ),
    ),
    (
        "fincuge_finnsp",
        ["b", "今天天气好", "今天天气好", "", "0", ""],
        exchange(
            "请判断文本是否含有针对所列实体的负面消息；如果有，再指出是哪些实体。",
            "否",
            input="正文：今天天气好\n实体：无",
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("preset", "row", "expected"), ROWS, ids=[f"{i}-{row[0]}" for i, row in enumerate(ROWS)])
def test_a_row_of_a_family_becomes_the_exchange_it_means(
    tmp_path: Path, preset: str, row: Any, expected: Loaded
) -> None:
    loaded = list(load(write_rows(tmp_path / "rows.json", [row, row]), preset=preset))
    mark = "#" if isinstance(row, list) else ":"
    assert loaded == [{"id": f"rows.json{mark}{n}", **expected} for n in (1, 2)]


def test_every_preset_has_a_row_in_the_test_above() -> None:
    assert {preset for preset, _, _ in ROWS} == set(PRESETS)
    assert all(preset.about for preset in PRESETS.values())


# Preset, a raw row, the reason it is left out under.
LEFT_OUT = [
    ("lawyer_llama", {"query": "急", "history": ["[客户] 急", "[律师] 讲", "[客户] 好"]}, "ends_with_client"),
    ("disc_law", {"id": "x_1", "input": "风险等级？", "output": "O"}, "placeholder_output"),
    ("lawgpt", {"instruction": "借钱不还？", "input": "", "output": "无"}, "placeholder_output"),
]  # fmt: skip


@pytest.mark.parametrize(("preset", "row", "reason"), LEFT_OUT)
def test_known_defects_are_left_out_and_counted(tmp_path: Path, preset: str, row: Any, reason: str) -> None:
    path = write_rows(tmp_path / "rows.json", [PLAIN, row, PLAIN])
    loaded = load(path, preset=preset)
    assert loaded["id"][:] == ["rows.json:1", "rows.json:3"]
    account = hf_builders.account(loaded)["train"]
    assert (account.read, account.kept, dict(account.left_out), dict(account.quarantined)) == (3, 2, {reason: 1}, {})
    assert len(load(path, "source", preset=preset)) == 3, "`source` shows such rows: nothing is lost there"
    assert [row["id"] for row in load(path, "messages", preset=preset, streaming=True)] == [
        "rows.json:1",
        "rows.json:3",
    ]


def test_dots_behind_the_rows_are_left_out_by_the_preset_and_bad_without_it(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "fin_data.json", [PLAIN, PLAIN])
    path.write_text(path.read_text(encoding="utf-8") + "......\n...\n", encoding="utf-8")
    for view in ("source", "messages"):
        loaded = load(path, view, preset="cornucopia")
        account = hf_builders.account(loaded)["train"]
        assert (account.read, account.kept, dict(account.left_out)) == (4, 2, {"trailing_dots": 2})
    with pytest.raises(RowError, match=r"^fin_data.json:3: invalid JSON at column 1 \(Expecting value\)"):
        load(path)
    path.write_text(path.read_text(encoding="utf-8") + "{broken\n", encoding="utf-8")
    with pytest.raises(RowError, match=r"^fin_data.json:5: invalid JSON"):
        load(path, preset="cornucopia")


# Preset, a raw row, the fact of the error.
BAD_ROWS = [
    (
        "huatuo_literature",
        {"instruction": "肝区痛怎么办？", "output": "做B超。"},
        "'instruction' (\"肝区痛怎么办？\") has no tag; expected <user>: … <bot>: … <user>: … and nothing before",
    ),
    (
        "huatuo_literature",
        {"instruction": "<user>: 痛。 <bot>: 哪里？", "output": "做B超。"},
        "'instruction' (\"<user>: 痛。 <bot>: 哪里？\") has <user> <bot>; "
        "expected <user>: … <bot>: … <user>: … and nothing before",
    ),
    (
        "huatuo_literature",
        {"instruction": "<user>: 痛。 <bot>: <user>: 肝。", "output": "做B超。"},
        "round 1 of 'history' has a blank assistant message",
    ),
    (
        "lawyer_llama",
        {"query": "急", "laws": LAWS},
        "'response' is missing; the row has the fields query, laws; "
        "say which field is which, as columns={'instruction': 'query', 'output': 'answer'} does",
    ),
    (
        "lawyer_llama",
        {"query": "急", "laws": "《甲法》", "response": "起诉。"},
        "the laws are text (\"《甲法》\"); expected an array of texts",
    ),
    (
        "lawyer_llama",
        {"query": "急", "laws": [], "history": ["[律师] 请讲。", "[客户] 急"]},
        "'history' ([\"[律师] 请讲。\", \"[客户] 急\"]) does not begin with '[客户]'",
    ),
    (
        "lawyer_llama",
        {"query": "急", "laws": [], "history": ["[客户] 急", "请讲。"]},
        "a turn of 'history' begins with neither '[客户]' nor '[律师]': \"请讲。\"",
    ),
    (
        "lawyer_llama",
        [{"input": "甲"}, {"input": "乙"}],
        "the row is an array of 2 values without names: [{\"input\": \"甲\"}, {\"input\": \"乙\"}]; did you mean "
        "preset='fincuge_finna' or 'fincuge_finqa' or 'fincuge_fincqa' or 'fincuge_finnl' or 'fincuge_finfe' or "
        "'fincuge_finne'?; else name the values in order, as columns=['output', 'input'] does",
    ),
    (
        "crime_kg",
        {"question": "被骗了？", "answers": "报警"},
        "'answers' is text (\"报警\"); expected an array of texts",
    ),
    ("crime_kg", {"question": "被骗了？", "answers": []}, "'answers' is blank; a row needs an answer"),
    ("fincuge_finfe", ["好", 3], "'label' is '3'; expected one of 0, 1, 2"),
    ("fincuge_finfe", ["好", None], "'label' is null (null); expected text or a number"),
    ("fincuge_finfe", ["\u3000", 1], "'text' is blank; a row needs a question"),
    (
        "fincuge_finna",
        ["只有一个"],
        "the row has 1 value; expected 2: summary, text; name the values in order, as columns=['output', 'input'] does",
    ),
    (
        "fincuge_finna",
        {"id": 1, "input": "新闻"},
        "'summary' is missing; the row has the fields id, input; "
        "say which field is which, as columns={'instruction': 'query', 'output': 'answer'} does",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("preset", "row", "fact"), BAD_ROWS, ids=range(len(BAD_ROWS)))
def test_a_row_that_is_none_of_the_family_is_bad_with_the_fact(
    tmp_path: Path, preset: str, row: Any, fact: str
) -> None:
    path = write_rows(tmp_path / "rows.json", [row])
    with pytest.raises(RowError) as error:
        load(path, preset=preset)
    assert str(error.value) == f"rows.json:1: {fact}; fix the row, or set it aside with on_bad_row='quarantine'"


@pytest.mark.parametrize(
    ("row", "preset"),
    [
        ({"query": "急", "laws": LAWS, "response": "起诉。"}, "lawyer_llama"),
        ({"query": "急", "laws": LAWS, "history": []}, "lawyer_llama"),
        ({"question": "急", "answer": "起诉。", "reference": LAWS}, "lawgpt"),
        ({"question": "急", "answers": ["起诉。"]}, "crime_kg"),
        (["甲", "乙", "收购", "甲收购乙。"], "fincuge_finre"),
    ],
)
def test_the_preset_that_fits_is_suggested(tmp_path: Path, row: Any, preset: str) -> None:
    with pytest.raises(RowError, match=f"did you mean preset='{preset}'"):
        load(write_rows(tmp_path / "rows.json", [row]))


def test_a_dialogue_in_one_text_is_not_taken_for_a_question_unless_told_so(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.json", [{"instruction": " <user>: 痛。", "input": "", "output": "做B超。"}])
    with pytest.raises(RowError) as error:
        load(path)
    assert str(error.value) == (
        'rows.json:1: the instruction (" <user>: 痛。") is a dialogue written into one text; '
        "preset='huatuo_literature' takes it apart, preset='alpaca' keeps it as it is; "
        "fix the row, or set it aside with on_bad_row='quarantine'"
    )
    assert load(path, preset="huatuo_literature")["instruction"][:] == ["痛。"]
    assert load(path, preset="alpaca")["instruction"][:] == [" <user>: 痛。"]


def test_an_unknown_preset_gets_the_nearest_right_one(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.json", [PLAIN])
    with pytest.raises(OptionError) as error:
        load(path, preset="disc_finn")
    known = ", ".join(PRESETS)
    assert str(error.value) == f"no preset 'disc_finn'; did you mean 'disc_fin'?; the presets are {known}"
    with pytest.raises(OptionError, match=r"^columns= and preset='alpaca': a preset has its columns already"):
        load(path, preset="alpaca", columns={"instruction": "问"})


# What follows reads the real files with `json` alone and says, in other words than the package, what each row means.
def huatuo_dialogue(row: Loaded) -> Loaded:
    turns = [turn.strip() for turn in re.split("<user>:|<bot>:", row["instruction"])][1:]
    pairs = [[turns[i], turns[i + 1]] for i in range(0, len(turns) - 1, 2)]
    return exchange(turns[-1], row["output"], history=pairs)


def counsel(row: Loaded) -> Loaded:
    turns: list[str] = []
    speaker = ""
    for said in row["history"]:
        if said[:4] == speaker:
            turns[-1] += "\n" + said[5:]
        else:
            turns.append(said[5:])
        speaker = said[:4]
    assert speaker == "[律师]"
    laws = "参考法条：\n" + "\n".join(row["laws"])
    if len(turns) == 2:
        return exchange(turns[0], turns[1], input=laws)
    pairs = [turns[i : i + 2] for i in range(0, len(turns), 2)]
    pairs[0][0] += "\n" + laws
    return exchange(*pairs[-1], history=pairs[:-1])


def finre(row: list[str]) -> Loaded:
    instruction = "请判断句子中头实体与尾实体之间的关系，没有已知的关系时回答unknown。"
    return exchange(instruction, row[2], input=f"句子：{row[3]}\n头实体：{row[0]}\n尾实体：{row[1]}")


def alpaca(row: Loaded) -> Loaded:
    return exchange(row["instruction"], row["output"], input=row["input"], history=row.get("history", []))


HUATUO, FIN, LEGAL = "alpaca_medical/huatuo", "fin", "legal"
# File, preset, number of rows, what a row means.
REAL: list[tuple[str, str, int, Callable[[Any], Loaded]]] = [
    (f"{HUATUO}/data/llama_data.json", "huatuo", 4000, alpaca),
    (f"{HUATUO}/data/infer.json", "huatuo", 5, alpaca),
    (f"{HUATUO}/data-literature/liver_cancer.json", "huatuo_literature", 1000, huatuo_dialogue),
    (
        f"{FIN}/BBT-FinCUGE/FinCUGE_Publish/finna/eval_list.json",
        "fincuge_finna",
        3600,
        lambda row: exchange("请用一句话概括下面的财经新闻。", row[0], input=row[1]),
    ),
    (f"{FIN}/BBT-FinCUGE/FinCUGE_Publish/finre/eval_list.json", "fincuge_finre", 1489, finre),
    (f"{FIN}/Cornucopia/instruction_data/fin_data.json", "cornucopia", 10, alpaca),
    (f"{FIN}/DISC-FinLLM/data/consulting_part.json", "disc_fin", 100, alpaca),
    (f"{FIN}/DISC-FinLLM/data/task_part.json", "disc_fin", 100, alpaca),
    *(
        (
            f"{LEGAL}/DISC-Law-SFT/DISC-Law-SFT-{kind}-QA-released.excerpt.jsonl",
            "disc_law",
            1,
            lambda row: exchange(row["input"], row["output"]),
        )
        for kind in ("Pair", "Triplet")
    ),
    (f"{LEGAL}/lawyer-llama/data/legal_advice.json", "lawyer_llama", 800, lambda row: alpaca(row[0])),
    (
        f"{LEGAL}/lawyer-llama/data/zixun_gpt4.json",
        "lawyer_llama",
        250,
        lambda row: exchange(row["query"], row["response"], input="参考法条：\n" + "\n".join(row["laws"])),
    ),
    (f"{LEGAL}/lawyer-llama/data/legal_counsel_multi_turn_with_article_v2.json", "lawyer_llama", 150, counsel),
]


def raw_rows(path: Path) -> tuple[list[Any], str]:
    """The rows of a real file and what its ids are counted with; lines that are no JSON are not among them."""
    text = path.read_text(encoding="utf-8")
    if text.lstrip().startswith("["):
        return json.loads(text), "#"
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")], ":"


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "preset", "num_rows", "meaning"), REAL, ids=[name for name, *_ in REAL])
def test_every_row_of_a_real_file_is_there_and_says_what_the_file_says(
    name: str,
    preset: str,
    num_rows: int,
    meaning: Callable[[Any], Loaded],
    shared_realdata: Callable[[str], Path],
) -> None:
    path = shared_realdata(name)
    rows, mark = raw_rows(path)
    assert len(rows) == num_rows
    loaded = load(path, preset=preset)
    expected = [{"id": f"{path.name}{mark}{n}", **meaning(row)} for n, row in enumerate(rows, start=1)]
    assert list(loaded) == expected
    account = hf_builders.account(loaded)["train"]
    num_dots = 2 if preset == "cornucopia" else 0
    assert (account.read, account.kept) == (num_rows + num_dots, num_rows)
    assert (account.left_out.total(), account.quarantined.total()) == (num_dots, 0)

    for view, key, with_loss in (("messages", "messages", False), ("conversations", "conversations", True)):
        shown = list(load(path, view, preset=preset))
        assert [row["id"] for row in shown] == [row["id"] for row in expected]
        for row, record in zip(shown, expected, strict=True):
            question = "\n".join(filter(None, (record["instruction"], record["input"])))
            texts = [text for pair in record["history"] for text in pair] + [question, record["output"]]
            assert [message["content"] for message in row[key]] == texts
            assert [message["role"] for message in row[key]] == ["user", "assistant"] * (len(texts) // 2)
            if with_loss:
                assert [message["loss"] for message in row[key]] == [False, True] * (len(texts) // 2)

    source = load(path, "source", preset=preset)
    names = list(PRESETS[preset].names)
    for shown, row in zip(list(source), rows, strict=True):
        row = row[0] if isinstance(row, list) and isinstance(row[0], dict) else row
        fields = dict(zip(names, row, strict=True)) if names else row
        assert {field: value for field, value in shown.items() if field in fields} == fields
        assert all(value is None for field, value in shown.items() if field not in fields)


@pytest.mark.realdata
def test_every_real_file_of_the_families_is_in_the_test_above(shared_realdata: Callable[[str], Path]) -> None:
    root = shared_realdata("fin").parent
    there = {
        path.relative_to(root).as_posix()
        for family in ("alpaca_medical", "fin", "legal")
        for path in (root / family).rglob("*.json*")
    }
    assert there == {name for name, *_ in REAL}
    assert len(there) == 13


def test_the_card_names_every_preset_and_every_instruction_of_ours() -> None:
    card = (Path(hf_builders.__file__).parent / "instructions" / "README.md").read_text(encoding="utf-8")
    for name in PRESETS:
        assert f"| `{name}`" in card, name
    for name, task in TASKS.items():
        assert f"| `fincuge_{name}` | {', '.join(task.names)} | {task.instruction} |" in card
    assert len(TASKS) == 9
