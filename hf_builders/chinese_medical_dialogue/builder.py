"""Chinese-medical-dialogue-data (Toyhom): patients' questions and doctors' answers, six divisions of a hospital."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from hf_builders.csv_reader import read_csv
from hf_builders.dialogue_builder import DialogueBuilder
from hf_builders.errors import OptionError, did_you_mean
from hf_builders.locations import Download, OfficialFile
from hf_builders.quarantine import Quarantine
from hf_builders.schema import DIALOGUE_VIEWS, text_features
from hf_builders.sources import Rows, SourceFile
from hf_builders.view_config import ViewConfig
from hf_builders.views import Dialogue, column

COLUMNS = ("department", "title", "ask", "answer")
# Division, its English name, its official file, the git blob id of that file at the commit below.
DIVISIONS = (
    ("男科", "andrology", "Andriatria_男科/男科5-13000.csv", "ab9752e9748e9670ef4486fe4a0d6406e3481715"),
    ("内科", "internal_medicine", "IM_内科/内科5000-33000.csv", "308341e3c4fd997877857bb566a2b786abca0f39"),
    (
        "妇产科",
        "obstetrics_gynecology",
        "OAGD_妇产科/妇产科6-28000.csv",
        "32b0897cb041c4f72f23dfddc4d8957b6fd37812",
    ),
    ("肿瘤科", "oncology", "Oncology_肿瘤科/肿瘤科5-10000.csv", "64537063130d42e891e1160394248eafdee2279b"),
    ("儿科", "pediatrics", "Pediatric_儿科/儿科5-14000.csv", "ea47a9b26d1fe6a986736183acfcb1eb218ceacf"),
    ("外科", "surgery", "Surgical_外科/外科5-14000.csv", "3804d05327a717d9b421d37f55d7734fea73b11d"),
)
NO_ASK = "无"


@dataclass
class DialogueConfig(ViewConfig):
    divisions: str | list[str] | None = None
    """Which of the six, by Chinese or English name; all that are there by default."""
    max_question_chars: int | None = None
    """Leave out longer questions, in characters (200 in the well-known recipe)."""
    max_answer_chars: int | None = None
    validation: float = 0.0
    """The share of rows cut off as a split, by hash of the question; the source has no official splits."""
    test: float = 0.0


class Builder(DialogueBuilder):
    """`title` and `ask` are the question; `division`, taken from the file, is added to the file's own columns."""

    BUILDER_CONFIG_CLASS = DialogueConfig
    BUILDER_CONFIGS: ClassVar[list[ViewConfig]] = [DialogueConfig(name=view) for view in DIALOGUE_VIEWS]
    source_features = text_features(*COLUMNS, "division")
    official_files = tuple(
        OfficialFile(path.rpartition("/")[2], "train", part=chinese, also=f"{chinese}*.csv")
        for chinese, _, path, _ in DIVISIONS
    )
    official_download = Download(
        "https://raw.githubusercontent.com/Toyhom/Chinese-medical-dialogue-data/26724a4357fcd142f0cab81188cacf1a2dd8a827",
        {f"Data_数据/{path}": git_blob for _, _, path, git_blob in DIVISIONS},
    )
    num_official_rows = 792_099
    num_sample_rows = 300

    def parts(self, config: ViewConfig) -> list[str] | None:
        assert isinstance(config, DialogueConfig)
        return None if config.divisions is None else _chinese_names(config.divisions)

    def check(self, config: ViewConfig) -> None:
        assert isinstance(config, DialogueConfig)
        for option in ("max_question_chars", "max_answer_chars"):
            limit = getattr(config, option)
            if limit is not None and (type(limit) is not int or limit < 1):
                raise OptionError(f"{option}={limit!r}: takes a number of characters, 1 or more")

    def fractions(self, config: ViewConfig) -> dict[str, float]:
        assert isinstance(config, DialogueConfig)
        shares = {"validation": config.validation, "test": config.test}
        return {split: share for split, share in shares.items() if share != 0}

    def read(self, source: SourceFile, bad_rows: Quarantine) -> Iterator[Rows]:
        # The publisher's README calls the column `question`, the files `ask`.
        for rows in read_csv(source, COLUMNS, bad_rows, aliases={"question": "ask"}):
            division = pa.repeat(pa.scalar(source.part), len(rows.table))
            yield rows._replace(table=rows.table.append_column("division", division))

    def left_out(self, records: pa.Table) -> dict[str, pa.Array]:
        question_limit, answer_limit = self.config.max_question_chars, self.config.max_answer_chars
        is_out = {}
        if question_limit is not None:
            question = _question(column(records, "title"), column(records, "ask"))
            is_out["question_too_long"] = pc.greater(pc.utf8_length(question), question_limit)
        if answer_limit is not None:
            is_out["answer_too_long"] = pc.greater(pc.utf8_length(column(records, "answer")), answer_limit)
        return is_out

    def dialogue(self, records: pa.Table) -> Dialogue:
        question = _question(column(records, "title"), column(records, "ask"))
        # The instruction form of the publisher's own fine-tuning data.
        instruction = pc.binary_join_element_wise(
            "现在你是一个", column(records, "department"), "医生，请根据患者的问题给出建议：", ""
        )
        return Dialogue(question, column(records, "answer"), instruction=instruction, input=question)


def _question(title: pa.Array, ask: pa.Array) -> pa.Array:
    """Title and ask on a line each, without the placeholder and without saying the same twice."""
    bare_title, bare_ask = pc.utf8_trim_whitespace(title), pc.utf8_trim_whitespace(ask)
    # Arrow has no kernel for "is this row's text in that row's text".
    pairs = list(zip(bare_title.to_pylist(), bare_ask.to_pylist(), strict=True))
    drops_ask = pc.or_(pc.equal(bare_ask, NO_ASK), pa.array([ask in title for title, ask in pairs], pa.bool_()))
    drops_title = pa.array([title in ask for title, ask in pairs], pa.bool_())
    both = pc.binary_join_element_wise(title, ask, "\n")
    return pc.if_else(drops_ask, title, pc.if_else(drops_title, ask, both))


def _chinese_names(divisions: str | list[str]) -> list[str]:
    """One or some divisions by the names their files have.

    >>> _chinese_names(["surgery", "内科"])
    ['外科', '内科']
    """
    chinese = {name: division for division, english, _, _ in DIVISIONS for name in (division, english)}
    known = ", ".join(f"{division} ({english})" for division, english, _, _ in DIVISIONS)
    names = [divisions] if isinstance(divisions, str) else divisions
    if not isinstance(names, (list, tuple)) or not names:
        raise OptionError(f"divisions={divisions!r}: takes a list of names; the divisions are {known}")
    for name in names:
        if name not in chinese:
            raise OptionError(f"no division {name!r}{did_you_mean(str(name), chinese)}; the divisions are {known}")
    return [chinese[name] for name in names]
