"""The builder of a dataset of questions and answers: text columns in, the four dialogue views out."""

from __future__ import annotations

import abc
from typing import ClassVar

import pyarrow as pa
from datasets import Features

from hf_builders.builder import RecordBuilder
from hf_builders.quarantine import Quarantine
from hf_builders.schema import DIALOGUE_VIEWS, FEATURES
from hf_builders.sources import Rows
from hf_builders.view_config import ViewConfig
from hf_builders.views import Dialogue, show_dialogue


class DialogueBuilder(RecordBuilder):
    """A dataset states `source_features` and writes `read` (the columns of these) and `dialogue`."""

    BUILDER_CONFIGS: ClassVar[list[ViewConfig]] = [ViewConfig(name=view) for view in DIALOGUE_VIEWS]
    DEFAULT_CONFIG_NAME = "source"

    source_features: ClassVar[Features]
    """Of the view `source`."""

    @abc.abstractmethod
    def dialogue(self, records: pa.Table) -> Dialogue:
        """Question and answer of each record: what every view but `source` is made of."""

    def features(self) -> Features:
        view = self.config.name
        return self.source_features if view == "source" else FEATURES[view]

    def show(self, rows: Rows, bad_rows: Quarantine) -> pa.Table:
        if self.config.name == "source":
            return rows.table.cast(self.source_features.arrow_schema)
        return show_dialogue(self.config.name, rows, self.dialogue(rows.table), bad_rows)

    def split_keys(self, records: pa.Table) -> pa.Array:
        """A question stays in one split."""
        return self.dialogue(records).question
