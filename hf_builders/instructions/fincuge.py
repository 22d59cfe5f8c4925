"""The tasks of BBT-FinCUGE: arrays without names, in an order of its own for each task, and no instruction.

The instructions here are ours; the publisher has none. The card lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hf_builders.instructions.exchanges import Row, missing, shown
from hf_builders.json_values import type_name
from hf_builders.quarantine import RowProblem

_POLARITY = ("消极", "中性", "积极")


@dataclass(frozen=True)
class Task:
    """One task: what its values are, what is asked, and how question and answer are made of a row."""

    names: tuple[str, ...]
    instruction: str
    answer: Callable[[dict[str, str]], str]
    question: Callable[[dict[str, str]], str] = lambda row: row["text"]

    def __call__(self, row: Row) -> Row:
        for name in self.names:
            if name not in row:
                raise missing(name, row, {})
            if isinstance(row[name], bool) or not isinstance(row[name], (str, int, float)):
                raise RowProblem(
                    "wrong_type", f"{name!r} is {type_name(row[name])} ({shown(row[name])}); expected text or a number"
                )
        texts = {name: str(row[name]) for name in self.names}
        if not texts["text"].strip():
            raise RowProblem("blank_user", "'text' is blank; a row needs a question")
        return {"instruction": self.instruction, "input": self.question(texts), "output": self.answer(texts)}


def _label(name: str, labels: dict[str, str]) -> Callable[[dict[str, str]], str]:
    """The word for the label in a field."""

    def answer(row: dict[str, str]) -> str:
        if row[name] not in labels:
            raise RowProblem("unknown_label", f"{name!r} is {row[name]!r}; expected one of {', '.join(labels)}")
        return labels[row[name]]

    return answer


def _negative_news(row: dict[str, str]) -> str:
    subjects = "、".join(name for name in row["negative_entities"].split(";") if name.strip())
    is_negative = _label("is_negative", {"0": "否", "1": "是"})(row)
    return f"{is_negative}，{subjects}" if is_negative == "是" and subjects else is_negative


def _titled(row: dict[str, str]) -> str:
    """Title, text and the entities to choose from; a title that only repeats the text is not said twice."""
    title = f"标题：{row['title']}\n" if row["title"].strip() and row["title"] != row["text"] else ""
    entities = "、".join(name for name in row["entities"].split(";") if name.strip()) or "无"
    return f"{title}正文：{row['text']}\n实体：{entities}"


TASKS = {
    "finna": Task(("summary", "text"), "请用一句话概括下面的财经新闻。", lambda row: row["summary"]),
    "finqa": Task(("text", "answer"), "请根据给出的财经新闻或公告回答问题。", lambda row: row["answer"]),
    "fincqa": Task(("text", "answer"), "请根据给出的因果事件材料回答问题。", lambda row: row["answer"]),
    "finnl": Task(
        ("text", "labels"),
        "请判断下面的财经新闻属于哪些类别，类别之间用逗号隔开。",
        lambda row: "，".join(row["labels"].split()),
    ),
    "finre": Task(
        ("head", "tail", "relation", "text"),
        "请判断句子中头实体与尾实体之间的关系，没有已知的关系时回答unknown。",
        lambda row: row["relation"],
        lambda row: f"句子：{row['text']}\n头实体：{row['head']}\n尾实体：{row['tail']}",
    ),
    "finfe": Task(
        ("text", "label"),
        "请判断下面这段股民评论的情绪是消极、中性还是积极。",
        _label("label", dict(zip("012", _POLARITY, strict=True))),
    ),
    "finne": Task(
        ("text", "score"),
        "请判断下面这段财经新闻的情绪是消极、中性还是积极。",
        _label("score", dict(zip(("0.0", "0.5", "1.0"), _POLARITY, strict=True))),
    ),
    "finese": Task(
        ("id", "text", "event", "subject"),
        "请找出文本中给定类型事件的主体，没有时回答“无”。",
        lambda row: "无" if row["subject"] == "NaN" else row["subject"],
        lambda row: f"文本：{row['text']}\n事件类型：{row['event']}",
    ),
    "finnsp": Task(
        ("id", "title", "text", "entities", "is_negative", "negative_entities"),
        "请判断文本是否含有针对所列实体的负面消息；如果有，再指出是哪些实体。",
        _negative_news,
        _titled,
    ),
}
"""By the name of the task's folder."""
