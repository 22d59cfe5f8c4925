"""The parts of the benchmark that take no time: the rows it runs on, the comparison of ids, the page it writes."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.benchmarks.agreement import compare
from tests.benchmarks.distinct_rows import (
    KINDS,
    AdvertisingRows,
    ClauseCrossing,
    MedicalRows,
    clauses_of,
    distinct_rows,
    read_real_rows,
    write_rows,
)
from tests.benchmarks.pipelines import BY_TOKENIZER, PEER_VENVS
from tests.benchmarks.promises import promises
from tests.benchmarks.results_page import results_page
from tests.benchmarks.row_facts import row_facts
from tests.benchmarks.running import HERE

PACKAGES = Path(__file__).parents[1] / "hf_builders"


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def test_no_two_rows_are_alike(kind: str) -> None:
    real = read_real_rows(kind, None, PACKAGES)
    maker = KINDS[kind](real)
    rows = list(distinct_rows(maker, len(real), 3000))
    assert len({maker.conversation(row) for row in rows}) == len(rows) == 3000


def test_rows_are_the_same_for_a_seed_and_a_shorter_run_is_the_beginning_of_a_longer_one(kind: str) -> None:
    real = read_real_rows(kind, None, PACKAGES)
    long, short, other = (
        list(distinct_rows(KINDS[kind](real), len(real), number, seed)) for number, seed in ((200, 3), (50, 3), (50, 4))
    )
    assert long[:50] == short != other


def test_rows_are_about_as_long_as_the_real_ones_and_repeat_clauses_about_as_often(kind: str) -> None:
    real = read_real_rows(kind, None, PACKAGES)
    maker = KINDS[kind](real)
    made = map(maker.conversation, distinct_rows(maker, len(real), 2000))
    facts = row_facts(kind, real, made)
    assert facts["made"]["mean"] == pytest.approx(facts["real"]["mean"], rel=0.05)
    for share, length in facts["real"]["percentiles"].items():
        assert facts["made"]["percentiles"][share] == pytest.approx(length, rel=0.15), share
    assert facts["made"]["repeats_among_as_many"] <= facts["real"]["repeats"] * 1.15


def test_a_clause_said_once_is_crossed_and_one_said_twice_stays() -> None:
    crossing = ClauseCrossing(["感谢咨询，红色的外套很好看。", "感谢咨询，蓝色的裙子不便宜。"])
    texts = {crossing.like(0, random.Random(seed)) for seed in range(20)}
    assert {clauses_of(text)[0] for text in texts} == {"感谢咨询，"}
    assert {clauses_of(text)[1] for text in texts} > {"红色的裙子不便宜。"}


def test_too_few_real_rows_to_cross_are_told_and_not_repeated() -> None:
    maker = AdvertisingRows([{"content": "类型#裙", "summary": "好，"}])
    with pytest.raises(ValueError, match="row 1: 100 draws in a row gave rows seen before"):
        list(distinct_rows(maker, 1, 2))


def test_every_form_of_the_rows_holds_the_same_conversations(kind: str, tmp_path: Path) -> None:
    files = write_rows(kind, read_real_rows(kind, None, PACKAGES), tmp_path, 20, for_peers=True)
    pairs = [(row["prompt"], row["completion"]) for row in _lines(files.pairs)]
    assert len(pairs) == 20
    assert [tuple(each["content"] for each in row["messages"]) for row in _lines(files.messages)] == pairs
    assert [(row["prompt"][0]["content"], row["completion"][0]["content"]) for row in _lines(files.turns)] == pairs
    raw = _lines(files.raw) if kind == "advertising" else _csv_rows(files.raw)
    assert [KINDS[kind].conversation(tuple(row.values())) for row in raw] == pairs


def test_our_builders_read_the_raw_files_into_these_conversations(kind: str, tmp_path: Path) -> None:
    import hf_builders

    files = write_rows(kind, read_real_rows(kind, None, PACKAGES), tmp_path, 30, for_peers=True)
    name = {"advertising": "adgen", "medical": "chinese_medical_dialogue"}[kind]
    records = hf_builders.load_dataset(name, "messages", data_files=str(files.raw), split="train")
    read = [[each["content"] for each in messages] for messages in records["messages"]]
    assert read == [[row["prompt"], row["completion"]] for row in _lines(files.pairs)]
    assert len(read) == 30


@pytest.mark.realdata
def test_rows_of_the_real_sample_are_all_distinct(kind: str, shared_realdata: Callable[[str], Path]) -> None:
    real = read_real_rows(kind, shared_realdata("AdvertiseGen").parent, PACKAGES)
    maker = KINDS[kind](real)
    facts = row_facts(kind, real, map(maker.conversation, distinct_rows(maker, len(real), 5000)))
    assert facts["distinct_rows"] == 5000
    assert facts["made"]["mean"] == pytest.approx(facts["real"]["mean"], rel=0.03)


def test_title_and_ask_are_joined_as_our_builder_joins_them() -> None:
    assert MedicalRows.conversation(("内科", "头疼", "三天了", "多休息")) == ("头疼\n三天了", "多休息")
    assert MedicalRows.conversation(("内科", "头疼", "无", "多休息")) == ("头疼", "多休息")
    assert MedicalRows.conversation(("内科", "头疼", "我头疼三天", "多休息")) == ("我头疼三天", "多休息")


def test_other_ids_are_counted_and_the_first_is_shown() -> None:
    ours = _token_rows([5, 6], [7, 8, 9])
    other = _token_rows([5, 6], [7, 1, 9])
    found = compare(ours, other)
    assert (found.rows, found.ids_equal, found.labels_equal) == (2, 1, 1)
    assert found.first_difference is not None
    assert found.first_difference.startswith("row 1, token 1 (3 and 3 tokens): ours … [7, 8, 9]")


def test_a_missing_row_is_a_difference() -> None:
    assert compare(_token_rows([5], [6], [7]), _token_rows([5], [7])).ids_equal == 1


def test_the_page_shows_ratios_failures_and_promises_that_are_not_kept() -> None:
    page = results_page(RESULTS)
    assert "- pipelines: `python -m tests.benchmarks`, 2026-01-01, 3 runs" in page
    assert "| LLaMA-Factory 0.9.5 | 10 | 100 (90–110) | 1,000 | 5.0 | 4.0 |" in page
    assert "TRL, messages was not run: no venv" in page
    assert "| Qwen2.5, medical: × llamafactory | 15 | 5 | **no** |" in page
    assert "- Not kept: Qwen2.5, medical: × llamafactory is 5, wanted 15." in page
    assert "- Qwen2.5, medical: floor: gigatoken alone does 2.0 × the rows a second of ours." in page
    assert "- Qwen2.5, medical: LLaMA-Factory needs 50% of our memory on the same rows." in page


def test_promises_about_scale_are_read_off_the_figures() -> None:
    kept = {name: is_kept for name, _, _, is_kept in promises(RESULTS)}
    assert kept["Qwen2.5, medical: GiB at 1,000,000 rows"]
    assert not kept["Qwen2.5, medical: time per row at 1,000,000 rows / at 100,000"]


def test_every_pipeline_has_its_script_and_every_peer_its_requirements() -> None:
    pipelines = [each for some in BY_TOKENIZER.values() for each in some]
    assert len(pipelines) > 15
    assert all((HERE / each.script).is_file() for each in pipelines)
    assert {each.venv for each in pipelines} - {None} == set(PEER_VENVS)
    for name in PEER_VENVS:
        pins = (HERE / "peers" / f"{name}.txt").read_text(encoding="utf-8").splitlines()[1:]
        assert len(pins) > 20
        assert all("==" in pin for pin in pins), name
        assert "torch==2.13.0" in pins


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="gb18030", newline="") as file:
        return list(csv.DictReader(file))


def _token_rows(*rows: list[int]) -> dict[str, np.ndarray]:
    flat = np.array([token for row in rows for token in row])
    return {"lengths": np.array([len(row) for row in rows]), "ids": flat, "labels": flat}


def _figures(rows_per_second: float, **more: Any) -> dict[str, Any]:
    return {
        "rows": 10,
        "rows_per_second": rows_per_second,
        "tokens_per_second": rows_per_second * 10,
        "fastest": rows_per_second * 1.1,
        "slowest": rows_per_second * 0.9,
        "seconds": 10 / rows_per_second,
        "cpu_seconds": 15 / rows_per_second,
        "process_seconds": 3.0,
        "peak_bytes": 2**30,
        "agreement": None,
        "versions": {},
    } | more


RESULTS: dict[str, Any] = {
    "taken": {"pipelines": {"command": "python -m tests.benchmarks", "date": "2026-01-01", "repeats": 3}},
    "machine": {
        "processor": "X",
        "cores": 2,
        "memory_gib": 8,
        "system": "Linux",
        "python": "3.11.7",
        "load": 0.1,
        "versions": {"datasets": "5.2.0"},
    },
    "pipelines": {
        "qwen2_5/medical": {
            "ours": _figures(500),
            "ours-few": _figures(400),
            "llamafactory": _figures(100, peak_bytes=2**29, versions={"llamafactory": "0.9.5"}),
            "trl": {"failed": "no venv"},
            "gigatoken": _figures(1000),
        }
    },
    "scale": [
        {"tokenizer": "qwen2_5", "kind": "medical"} | _figures(1000, rows=100_000),
        {"tokenizer": "qwen2_5", "kind": "medical"} | _figures(800, rows=1_000_000),
    ],
}
