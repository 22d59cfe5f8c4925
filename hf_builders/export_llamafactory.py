"""Records as LLaMA-Factory reads them: ShareGPT's `from` and `value`, with an entry in `dataset_info.json`.

Of its formats only this one takes tools as they are: its `openai` adds a line to every system text (converter.py of
0.9.5). Its rows need question and answer in turns, and have no loss of their own: `mask_history` trains the last alone.
"""

from __future__ import annotations

from typing import Any

from collators.turns import Message
from hf_builders.export_records import ExportRecord
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

_TAGS = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation", "observation": "observation"}
_BETWEEN_RESULTS = "\n</tool_response>\n<tool_response>\n"
"""What its own reader of OpenAI's format writes between the results of parallel calls."""


class LlamaFactory(Target):
    title = "LLaMA-Factory"

    def line(self, record: ExportRecord, note: Note) -> Line:
        if record.text is not None:
            return {"id": record.id, "text": record.text}
        messages = list(record.messages)
        system = messages.pop(0)["content"] if messages[0]["role"] == "system" else None
        if system == "":
            note("the system text is empty, and LLaMA-Factory writes its template's default in its place")
        turns: list[dict[str, str]] = []
        for message in messages:
            self._add(turns, message, note)
        speakers = [turn["from"] for turn in turns]
        if "system" in speakers or not alternate([each in ("gpt", "function_call") for each in speakers]):
            note("question and answer do not take turns, and LLaMA-Factory skips such a row")
        self.note_wrapping(record, note)
        is_told = record.trains_its_end_only if self._masks_history else record.trains_every_answer
        self.note_training(record, note, is_told=is_told)
        line: Line = {"id": record.id}
        if self.survey.system:
            line["system"] = system or ""
        line["conversations"] = turns
        if self.survey.tools:
            tools = self.schemas(record)
            line["tools"] = text_of(tools) if tools else ""
        return line

    def _add(self, turns: list[dict[str, str]], message: Message, note: Note) -> None:
        if message.get("metadata"):
            note("the metadata of an answer is left out: LLaMA-Factory has no place for it")
        tag = _TAGS[message["role"]]
        if message.get("tool_calls"):
            if "<tool_call>" in with_thoughts(message):
                note("what is said before a call holds <tool_call>, which LLaMA-Factory takes for the call")
            turns.append({"from": "function_call", "value": _calls(message)})
        elif tag == "observation" and turns and turns[-1]["from"] == "observation":
            note("results of parallel calls are joined as LLaMA-Factory joins them, in the words of Qwen's format")
            turns[-1]["value"] += _BETWEEN_RESULTS + message["content"]
        else:
            turns.append({"from": tag, "value": with_thoughts(message)})

    @property
    def _masks_history(self) -> bool:
        """Whether the last answer alone is trained, in all records."""
        survey = self.survey
        return self.run.loss != "all" and survey.every_answer < survey.records == survey.end_only

    def features(self) -> list[dict[str, Any]]:
        if self.run.is_text:
            return strings("id", "text")
        columns = strings("id", *(["system"] if self.survey.system else []))
        columns.append({"name": "conversations", "list": strings("from", "value")})
        return [*columns, *strings("tools")] if self.survey.tools else columns

    def settings(self, place: Place) -> dict[str, str]:
        settings: dict[str, Any] = {
            "stage": self._stage,
            "do_train": True,
            "dataset_dir": place.folder,
            "dataset": place.names[place.first],
        }
        if place.evaluated:
            settings["eval_dataset"] = place.names[place.evaluated]
        # Where it packs it takes one token from this, and cuts a row that is just as long as ours may be.
        settings["cutoff_len"] = self.run.max_length + self.run.is_packed
        if self._masks_history:
            settings["mask_history"] = True
        if self.run.loss == "all" and not self.run.is_text:
            settings["train_on_prompt"] = True
        if self.run.is_packed:
            settings |= {"packing": True} if self.run.is_text else {"packing": True, "neat_packing": True}
        elif self.run.is_text:
            settings["packing"] = False  # it packs texts by default, and cuts them to do so
        comment = "llamafactory-cli train THIS_FILE, with your model_name_or_path, template, output_dir, …"
        return {
            "dataset_info.json": as_json({name: self._entry(name) for name in place.names.values()}),
            f"llamafactory_{self._stage}.yaml": as_yaml(settings, comment),
        }

    def general_notes(self) -> list[str]:
        notes = super().general_notes()
        if self.run.is_text and self.run.is_packed:
            notes.append(
                "our packed rows hold whole texts; LLaMA-Factory joins texts, and cuts them where a row is full"
            )
        return notes

    def _entry(self, name: str) -> dict[str, Any]:
        file = {"file_name": f"{name}.jsonl"}
        if self.run.is_text:
            return {**file, "columns": {"prompt": "text"}}
        columns = {"messages": "conversations"}
        for column in ("system", "tools"):
            if getattr(self.survey, column):
                columns[column] = column
        return {**file, "formatting": "sharegpt", "columns": columns}

    def command(self, place: Place) -> str:
        file = f"{place.folder}/llamafactory_{self._stage}.yaml"
        return f"llamafactory-cli train {file} model_name_or_path=… template=… output_dir=…"

    @property
    def _stage(self) -> str:
        return "pt" if self.run.is_text else "sft"


def _calls(message: Message) -> str:
    """Calls as JSON; text before them stands outside of the tags its `FunctionFormatter` looks for."""
    calls = [{"name": name, "arguments": arguments} for name, arguments in map(function_of, message["tool_calls"])]
    # The tags are looked for in all of the value, so inside JSON they are escaped.
    text = text_of(calls[0] if len(calls) == 1 else calls).replace("tool_call>", "tool_call\\u003e")
    said = with_thoughts(message)
    return f"{said}\n<tool_call>{text}</tool_call>" if message["content"] else said + text
