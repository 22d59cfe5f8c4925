"""`push`: what may not be published stays here, and what was not proven does too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

pytest.importorskip("transformers", reason="prepare tokenizes, which needs transformers")

import hf_builders
from hf_builders import OptionError, SourceError
from hf_builders.cli import main
from hf_builders.prepare import prepare
from hf_builders.run_config import DatasetSection, OutputSection, RunConfig, TokenizeSection

TOKENIZER = str(Path(__file__).parents[2] / "configs" / "demo_tokenizer")


def prepared(name: str, folder: Path) -> Path:
    prepare(
        RunConfig(
            dataset=DatasetSection(name=name, sample=True),
            tokenize=TokenizeSection(tokenizer=TOKENIZER, overflow="truncate_prompt"),
            output=OutputSection(dir=str(folder)),
        )
    )
    return folder


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What was handed to the Hub's client: the name, and the rest."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def record(self: datasets.DatasetDict, repo_id: str, **options: Any) -> None:
        calls.append((repo_id, {**options, "rows": dict(self.num_rows)}))

    monkeypatch.setattr(datasets.DatasetDict, "push_to_hub", record)
    return calls


@pytest.mark.parametrize(("name", "reason"), [("mimic3", "PhysioNet"), ("snomed_ct", "Affiliate")])
def test_what_its_licence_bars_is_refused_with_the_reason_and_nothing_is_sent(
    tmp_path: Path,
    name: str,
    reason: str,
    uploads: list[tuple[str, dict[str, Any]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = prepared(name, tmp_path / "out")
    with pytest.raises(OptionError) as error:
        hf_builders.push(folder, "somebody/notes")
    assert str(error.value).startswith(f"{folder}: was made of {name}, which may not be published: ")
    assert reason in str(error.value)
    capsys.readouterr()
    assert main(["push", str(folder), "--repo-id", "somebody/notes", "--private"]) == 1
    assert capsys.readouterr().err == f"hf-builders: {error.value}\n"
    assert uploads == []


def test_other_sets_go_to_the_hub_with_their_licence_named(
    tmp_path: Path, uploads: list[tuple[str, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = prepared("cmrc2018", tmp_path / "out")
    capsys.readouterr()
    assert main(["push", str(folder), "--repo-id", "somebody/cmrc", "--private"]) == 0
    ((repo_id, sent),) = uploads
    assert (repo_id, sent["private"]) == ("somebody/cmrc", True)
    rows = sum(sent["rows"].values())
    assert rows > 200
    assert capsys.readouterr().out == f"pushed  {rows} rows to somebody/cmrc\nlicence cc-by-sa-4.0\n"


def test_rows_that_are_no_longer_those_of_the_manifest_are_not_sent(
    tmp_path: Path, uploads: list[tuple[str, dict[str, Any]]]
) -> None:
    folder = prepared("cmrc2018", tmp_path / "out")
    (arrow,) = (folder / "data" / "train").glob("*.arrow")
    data = bytearray(arrow.read_bytes())
    data[len(data) // 2] ^= 1
    arrow.write_bytes(data)
    with pytest.raises(SourceError, match=r"data/ is not what manifest\.json proves; run `hf-builders prepare` again"):
        hf_builders.push(folder, "somebody/cmrc")
    assert uploads == []


def test_a_hub_that_refuses_is_our_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("401 Unauthorized")

    monkeypatch.setattr(datasets.DatasetDict, "push_to_hub", refuse)
    with pytest.raises(SourceError) as error:
        hf_builders.push(prepared("cmrc2018", tmp_path / "out"), "somebody/cmrc")
    assert str(error.value) == (
        "somebody/cmrc: cannot be pushed (401 Unauthorized); is the token one that may write there?"
    )
