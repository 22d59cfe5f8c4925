"""The shapes a dataset is shown in. A *view* is a config name of `load_dataset`."""

from __future__ import annotations

from datasets import Features, List, Value

_TEXT = Value("string")

FEATURES: dict[str, Features] = {
    "messages": Features({"id": _TEXT, "messages": List({"role": _TEXT, "content": _TEXT})}),
    "conversations": Features(
        {"id": _TEXT, "conversations": List({"role": _TEXT, "content": _TEXT, "loss": Value("bool")})}
    ),
    "instruction": Features({"id": _TEXT, "instruction": _TEXT, "input": _TEXT, "output": _TEXT}),
    "text": Features({"id": _TEXT, "text": _TEXT}),
    "mrc": Features(
        {
            "id": _TEXT,
            "title": _TEXT,
            "context": _TEXT,
            "question": _TEXT,
            "answers": {"text": List(_TEXT), "answer_start": List(Value("int32"))},
        }
    ),
}
"""Features of the views whose shape is the same for every dataset; `source` is each dataset's own."""

DIALOGUE_VIEWS = ("source", "messages", "conversations", "instruction")
"""The views of a dataset of questions and answers."""

READING_VIEWS = ("source", "mrc", "messages", "instruction")
"""The views of a dataset of questions on a text."""

CORPUS_VIEWS = ("source", "text", "messages", "instruction")
"""The views of a dataset of texts and records that answer questions about themselves."""


def text_features(*columns: str) -> Features:
    """Features of a table whose columns are all text."""
    return Features(dict.fromkeys(columns, _TEXT))
