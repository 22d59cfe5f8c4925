"""Run configs of machine reading in small: the bundled samples, the demo's vocabulary, windows of 128 tokens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hf_builders.run_config import DatasetSection, OutputSection, RunConfig, SpansSection
from hf_builders.train_sections import TrainSection

VOCABULARY = Path(__file__).parents[2] / "configs" / "demo_vocabulary"
SPANS = {"tokenizer": str(VOCABULARY), "max_length": 128, "doc_stride": 48}


def config_of(
    folder: Path,
    name: str = "cmrc2018",
    *,
    dataset: Mapping[str, Any] | None = None,
    train: TrainSection | None = None,
    **spans: Any,
) -> RunConfig:
    """A run that prepares windows into `folder`; `spans` are options other than `SPANS`."""
    return RunConfig(
        dataset=DatasetSection(name=name, view="mrc", **(dataset or {"sample": True})),
        spans=SpansSection(**{**SPANS, **spans}),
        output=OutputSection(dir=str(folder)),
        train=train,
    )


def article(context: str, **answers: str) -> dict[str, Any]:
    """A paragraph of CMRC 2018's list layout; of each question the id and the answer, `谁？` is asked."""
    questions = [{"query_id": id_, "query_text": "谁？", "answers": [answer]} for id_, answer in answers.items()]
    return {"context_id": "c", "context_text": context, "title": "", "qas": questions}
