"""Dialogues that a source keeps in a text or in a list of prefixed texts, taken apart into rounds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from hf_builders.instructions.exchanges import LeftOut, Row, missing, shown
from hf_builders.json_values import type_name
from hf_builders.quarantine import RowProblem

_TAG = re.compile(r"\s*<(user|bot)>:\s*")
_SPEAKER = re.compile(r"\[(客户|律师)\]\s*")


def flattened_dialogue(row: Row) -> Row:
    """The dialogue in `instruction`, as Huatuo writes it: the last turn is the question, the others are history.

    The space around the tags goes.

    >>> row = flattened_dialogue({"instruction": " <user>: 肝区痛。 <bot>: 多久了？ <user>: 三天。"})
    >>> row["instruction"], row["history"]
    ('三天。', [['肝区痛。', '多久了？']])

    Raises:
        RowProblem: text before the first tag, or turns that are not user, bot, …, user.
    """
    text = row.get("instruction")
    if not isinstance(text, str):
        return row
    before, *tagged = _TAG.split(text)
    speakers, turns = tagged[::2], [turn.strip() for turn in tagged[1::2]]
    if before.strip() or speakers != [("user", "bot")[i % 2] for i in range(len(turns))] or len(turns) % 2 == 0:
        found = " ".join(f"<{speaker}>" for speaker in speakers) or "no tag"
        raise RowProblem(
            "no_dialogue",
            f"'instruction' ({shown(text)}) has {found}; expected <user>: … <bot>: … <user>: … and nothing before",
        )
    return {**row, "instruction": turns[-1], "history": [turns[i : i + 2] for i in range(0, len(turns) - 1, 2)]}


def lawyer_dialogue(row: Row) -> Row:
    """The four schemas of lawyer-llama, told apart by their fields.

    `query, laws, history`: rounds by the prefixes `[客户]` and `[律师]`; what one of them says twice in a row is one
    turn. `query, laws, response`: a round. Else `instruction, input, output`, of which the first may be absent.

    Raises:
        LeftOut: `ends_with_client`, a dialogue without the answer to its last question.
        RowProblem: a field is missing or no text; the dialogue does not begin with the client.
    """
    if "query" not in row:
        return row
    if "history" not in row:
        if "response" not in row:
            raise missing("response", row, {})
        return with_laws({"instruction": row["query"], "output": row["response"]}, row.get("laws"))
    speakers, turns = _merged_turns(row["history"])
    if speakers[:1] != ["客户"]:
        raise RowProblem("no_dialogue", f"'history' ({shown(row['history'])}) does not begin with '[客户]'")
    if speakers[-1] == "客户":
        raise LeftOut("ends_with_client")
    *history, last = [turns[i : i + 2] for i in range(0, len(turns), 2)]
    exchange = {"instruction": last[0], "output": last[1], "history": history}
    if not history:
        return with_laws(exchange, row.get("laws"))
    # The first answer already cites the laws, so they stand with the first question.
    history[0][0] = f"{history[0][0]}\n{_laws_text(row['laws'])}" if row.get("laws") else history[0][0]
    return exchange


def with_laws(row: Row, laws: Any) -> Row:
    """The row with the articles its answer was written from as `input`.

    >>> with_laws({"instruction": "能退货吗？"}, ["《某法》第一条：可以。", "《某法》第二条：七天内。"])["input"]
    '参考法条：\\n《某法》第一条：可以。\\n《某法》第二条：七天内。'

    Raises:
        RowProblem: they are no list of texts.
    """
    return {**row, "input": _laws_text(laws)} if laws else row


def _laws_text(laws: Any) -> str:
    if not isinstance(laws, list) or not all(isinstance(law, str) for law in laws):
        raise RowProblem("wrong_type", f"the laws are {type_name(laws)} ({shown(laws)}); expected an array of texts")
    return "\n".join(["参考法条：", *laws])


def _merged_turns(history: Any) -> tuple[list[str], list[str]]:
    """Speakers and texts of a prefixed history, neighbours of one speaker joined by a newline."""
    if not isinstance(history, list) or not all(isinstance(turn, str) for turn in history):
        raise RowProblem(
            "wrong_type", f"'history' is {type_name(history)} ({shown(history)}); expected an array of texts"
        )
    said: list[tuple[str, str]] = []
    for turn in history:
        prefix = _SPEAKER.match(turn)
        if prefix is None:
            fact = f"a turn of 'history' begins with neither '[客户]' nor '[律师]': {shown(turn)}"
            raise RowProblem("no_dialogue", fact)
        said.append((prefix[1], turn[prefix.end() :]))
    merged: Sequence[tuple[str, list[str]]] = [
        (speaker, [text for _, text in turns]) for speaker, turns in groupby(said, key=lambda turn: turn[0])
    ]
    return [speaker for speaker, _ in merged], ["\n".join(texts) for _, texts in merged]
