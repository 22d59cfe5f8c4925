"""AdvertiseGen: attribute pairs of a garment and the advertising copy written from them."""

from collections.abc import Iterator

import pyarrow as pa

from hf_builders.dialogue_builder import DialogueBuilder
from hf_builders.json_reader import read_json
from hf_builders.locations import Download, OfficialFile
from hf_builders.quarantine import Quarantine
from hf_builders.schema import text_features
from hf_builders.sources import Rows, SourceFile
from hf_builders.views import Dialogue, column


class Builder(DialogueBuilder):
    """`content` is `类型#上衣*材质#牛仔布`, `summary` the copy. The files are JSON Lines in spite of their ending."""

    source_features = text_features("content", "summary")
    official_files = (OfficialFile("train.json", "train"), OfficialFile("dev.json", "validation"))
    official_download = Download(
        "https://cloud.tsinghua.edu.cn", {"f/b3f119a008264b1cabd1/?dl=1": None}, is_archive=True
    )
    num_official_rows = 114_599 + 1_070
    num_sample_rows = 280

    def read(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Rows]:
        return read_json(source, list(self.source_features), bad_rows)

    def dialogue(self, records: pa.Table) -> Dialogue:
        content, no_input = column(records, "content"), pa.array([""] * len(records), pa.string())
        return Dialogue(content, column(records, "summary"), instruction=content, input=no_input)
