"""The known families of instruction files, a few lines each: what their fields mean, and which defects they have."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hf_builders.instructions.dialogues import flattened_dialogue, lawyer_dialogue, with_laws
from hf_builders.instructions.exchanges import LeftOut, Row, shown
from hf_builders.instructions.fincuge import TASKS
from hf_builders.json_values import type_name
from hf_builders.quarantine import RowProblem

Reshape = Callable[[Row], Row]
"""A row of a family in, the same row with what `columns` names out. Raises `RowProblem` or `LeftOut`."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """How the rows of one family become exchanges."""

    about: str
    columns: Mapping[str, str] = field(default_factory=dict)
    """The family's field for a part of ours; a part that is not named here goes by our name."""
    names: tuple[str, ...] = ()
    """Of the values, in order, where rows are arrays without names."""
    reshape: Reshape | None = None
    """What has to be done to a row besides, first of all."""
    marks: tuple[tuple[str, ...], ...] = ()
    """Sets of fields by which rows of the family are known, to suggest the preset where it is not in use."""
    junk_line: tuple[str, re.Pattern[str]] | None = None
    """Lines that are no rows: the reason they are left out under, and what they look like."""


def _without_placeholder(placeholder: str) -> Reshape:
    """Leaves out rows whose answer is only a stand-in for one."""

    def reshape(row: Row) -> Row:
        output = row.get("output")
        if isinstance(output, str) and output.strip() == placeholder:
            raise LeftOut("placeholder_output")
        return row

    return reshape


def _law_gpt(row: Row) -> Row:
    """LAW-GPT's `question, answer, reference`; LaWGPT's rows have our names, and `无` for want of an answer."""
    if "question" not in row or "answer" not in row:
        return _without_placeholder("无")(row)
    return with_laws({"instruction": row["question"], "output": row["answer"]}, row.get("reference"))


def _longest_answer(row: Row) -> Row:
    """Of several answers the longest: the short ones are often questions back to the asker."""
    answers = row.get("answers")
    if "answers" in row and not (isinstance(answers, list) and all(isinstance(answer, str) for answer in answers)):
        fact = f"'answers' is {type_name(answers)} ({shown(answers)}); expected an array of texts"
        raise RowProblem("wrong_type", fact)
    return {**row, "answers": max(answers, key=len, default="")} if answers is not None else row


PRESETS: dict[str, Preset] = {
    "alpaca": Preset(about="instruction, input, output and, where there are any, history and system"),
    "chatdoctor": Preset(about="ChatDoctor: GenMedGPT-5k, HealthCareMagic-100k, iCliniq"),
    "doctorglm": Preset(about="DoctorGLM: GenMedGPT-5k-ch, ChatDoctor in Chinese"),
    "huatuo": Preset(about="Huatuo-Llama-Med-Chinese: llama_data.json, infer.json"),
    "huatuo_literature": Preset(
        about="Huatuo-Llama-Med-Chinese: liver_cancer.json, dialogues written into instruction",
        reshape=flattened_dialogue,
    ),
    "lawyer_llama": Preset(
        about="lawyer-llama, all files: legal advice, examinations, counsel with laws, of one round or several",
        reshape=lawyer_dialogue,
        marks=(("query", "laws", "response"), ("query", "laws", "history")),
    ),
    "disc_law": Preset(
        about="DISC-Law-SFT: Pair and Triplet, whose input holds the references already",
        columns={"instruction": "input"},
        reshape=_without_placeholder("O"),
    ),
    "disc_fin": Preset(about="DISC-FinLLM: consulting, task, computing and retrieval, with history"),
    "cornucopia": Preset(
        about="Cornucopia-LLaMA-Fin-Chinese: fin_data.json, which ends in lines of dots",
        junk_line=("trailing_dots", re.compile(r"\.+")),
    ),
    "lawgpt": Preset(
        about="LaWGPT's alpaca files; LAW-GPT's question, answer, reference",
        reshape=_law_gpt,
        marks=(("question", "answer", "reference"),),
    ),
    "crime_kg": Preset(
        about="CrimeKgAssitant: question, answers",
        columns={"instruction": "question", "output": "answers"},
        reshape=_longest_answer,
        marks=(("question", "answers"),),
    ),
    **{
        f"fincuge_{name}": Preset(about=f"BBT-FinCUGE: {name}, {', '.join(task.names)}", names=task.names, reshape=task)
        for name, task in TASKS.items()
    },
}
"""By the name that `preset=` takes."""
