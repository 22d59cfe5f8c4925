"""Records as ms-swift reads them: `messages` with calls and results as roles, and a `loss` for every answer."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from collators.turns import Message
from hf_builders.export_records import ExportRecord, reasoning_of
from hf_builders.export_target import (
    Line,
    Note,
    Place,
    Target,
    alternate,
    as_json,
    as_yaml,
    function_of,
    strings,
    text_of,
    with_thoughts,
)


class Swift(Target):
    title = "ms-swift"

    def line(self, record: ExportRecord, note: Note) -> Line:
        if record.text is not None:
            # Its form of a text to learn: an answer to nothing.
            return {"id": record.id, "messages": [{"role": "assistant", "content": record.text}]}
        messages: list[dict[str, Any]] = []
        for message, is_trained in zip(record.messages, record.trained, strict=True):
            messages += self._messages(message, is_trained, note)
        self._note_order(record, note)
        self.note_wrapping(record, note)
        self.note_training(record, note, is_told=True)
        line: Line = {"id": record.id, "messages": messages}
        if self.survey.tools:
            line["tools"] = text_of(self.schemas(record))  # of none "[]": an empty text would be a tool
        return line

    def _messages(self, message: Message, is_trained: bool, note: Note) -> list[dict[str, Any]]:
        if message.get("metadata"):
            note("the metadata of an answer is left out: ms-swift has no place for it")
        role = "tool_response" if message["role"] in ("tool", "observation") else message["role"]
        if role != "assistant":
            return [{"role": role, "content": message["content"]}]
        calls = message.get("tool_calls", [])
        says = bool(message["content"] or reasoning_of(message) or not calls)
        if says and calls:
            note("text stands before a call, and ms-swift writes no newline between them, as Qwen's template does")
        if any(isinstance(function_of(call)[1], str) for call in calls):
            note("the arguments of a call are words, not a JSON object, and ms-swift leaves such a row out")
        answers = [{"role": "assistant", "content": with_thoughts(message)}] if says else []
        for name, arguments in map(function_of, calls):
            answers.append({"role": "tool_call", "content": text_of({"name": name, "arguments": arguments})})
        return [{**answer, "loss": is_trained} for answer in answers]

    def _note_order(self, record: ExportRecord, note: Note) -> None:
        has_system = record.messages[0]["role"] == "system"
        if has_system and not record.messages[0]["content"]:
            note("the system text is empty, and ms-swift writes none in its place")
        turns = record.messages[has_system:]
        # Results side by side are one turn to it; questions side by side it makes into one.
        runs = [role for role, _ in groupby(_side(message) for message in turns)]
        if "system" in runs or not alternate([side == "answer" for side in runs]):
            note("question and answer do not take turns, and ms-swift leaves such a row out or mends it its way")
        elif len([side for side in map(_side, turns) if side != "result"]) > len([s for s in runs if s != "result"]):
            note("messages of one speaker stand side by side, and ms-swift joins them")
        if record.answers and not record.trained[record.answers[-1]]:
            note("the last answer is not trained, and ms-swift trains its end token all the same")

    def features(self) -> list[dict[str, Any]]:
        # JSON, so that questions come out without a `loss`, as they are in the file.
        messages = {"name": "messages", "list": strings("role", "content") if self.run.is_text else "json"}
        columns = [*strings("id"), messages]
        return [*columns, *strings("tools")] if self.survey.tools else columns

    def settings(self, place: Place) -> dict[str, str]:
        info = [{"dataset_name": name, "dataset_path": f"{name}.jsonl"} for name in place.names.values()]
        settings: dict[str, Any] = {
            "custom_dataset_info": [f"{place.folder}/dataset_info.json"],
            "dataset": [place.names[place.first]],
        }
        if place.evaluated:
            settings["val_dataset"] = [place.names[place.evaluated]]
        settings["max_length"] = self.run.max_length
        if self.run.loss == "all" and not self.run.is_text:
            settings["loss_scale"] = "all"
        if self.run.is_packed:
            settings["packing"] = True
        command = self._subcommand
        comment = f"swift {command} THIS_FILE, with your model, output_dir, …"
        return {"dataset_info.json": as_json(info), f"swift_{command}.yaml": as_yaml(settings, comment)}

    @property
    def _subcommand(self) -> str:
        return "pt" if self.run.is_text else "sft"

    def command(self, place: Place) -> str:
        command = self._subcommand
        return f"swift {command} {place.folder}/swift_{command}.yaml --model … --output_dir …"


def _side(message: Message) -> str:
    return {"assistant": "answer", "user": "question", "system": "system"}.get(message["role"], "result")
