"""Records as TRL reads them: `messages` for chat templates, or `prompt` and `completion`, and a config for `trl sft`.

Where every record trains its last message only, prompt and completion say so by themselves. Else `assistant_only_loss`
trains every answer, for which TRL needs a chat template with generation marks, or one that it has such a copy of.
"""

from __future__ import annotations

from typing import Any

from hf_builders.export_records import ExportRecord
from hf_builders.export_target import Line, Note, Place, Target, as_yaml, strings, text_of


class Trl(Target):
    title = "TRL"
    takes_template_kwargs = True

    def line(self, record: ExportRecord, note: Note) -> Line:
        if record.text is not None:
            return {"id": record.id, "text": record.text}
        messages = [
            {**message, "role": "tool"} if message["role"] == "observation" else dict(message)
            for message in record.messages
        ]
        line: Line = {"id": record.id}
        if self._has_completions:
            line |= {"prompt": messages[:-1], "completion": messages[-1:]}
        else:
            line["messages"] = messages
        self.note_training(record, note, is_told=self._has_completions or record.trains_every_answer)
        if self.survey.tools:
            tools = self.schemas(record)
            line["tools"] = text_of(tools) if tools else None
        if self.run.chat_template_kwargs:
            line["chat_template_kwargs"] = dict(self.run.chat_template_kwargs)
        return line

    @property
    def _trains_every_answer(self) -> bool:
        return self.run.loss != "all" and not self.run.is_text and not self._has_completions

    @property
    def _has_completions(self) -> bool:
        return self.run.loss != "all" and self.survey.end_only == self.survey.records

    def features(self) -> list[dict[str, Any]]:
        if self.run.is_text:
            return strings("id", "text")
        # Stated here, as `datasets` infers types from the first 10 MB of a file, which may be without a call.
        names = ("prompt", "completion") if self._has_completions else ("messages",)
        columns = strings("id")
        for name in names:
            columns.append({"name": name, "list": "json" if self.survey.more_than_text else strings("role", "content")})
        if self.survey.tools:
            columns += strings("tools")
        if self.run.chat_template_kwargs:
            columns.append({"name": "chat_template_kwargs", "dtype": "json"})
        return columns

    def settings(self, place: Place) -> dict[str, str]:
        # `datasets` takes a bare `json` or `text` for its own reader of that name.
        folder = place.folder if "/" in place.folder else f"./{place.folder}"
        settings: dict[str, Any] = {"dataset_name": folder, "dataset_train_split": place.first}
        if place.evaluated:
            settings["dataset_test_split"] = place.evaluated
        settings["max_length"] = self.run.max_length
        if self._trains_every_answer:
            settings["assistant_only_loss"] = True
        if self.run.is_packed:
            settings["packing"] = True
        comment = "trl sft --config THIS_FILE, with your model_name_or_path, output_dir, …"
        return {"trl_sft.yaml": as_yaml(settings, comment)}

    def command(self, place: Place) -> str:
        return f"trl sft --config {place.folder}/trl_sft.yaml --model_name_or_path … --output_dir …"

    def general_notes(self) -> list[str]:
        notes = super().general_notes()
        if self._trains_every_answer:
            notes.append(
                "assistant_only_loss needs {% generation %} in the chat template; TRL has such copies of Qwen's and "
                "some others, for the rest give it one (chat_template_path)"
            )
        return notes
