"""The output folder: whole or not at all, and nothing in it lost that was not ours."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hf_builders.errors import SourceError
from hf_builders.prepared_folder import MANIFEST, drafted, read_manifest, staged_beside, write_manifest


def prepare_into(folder: Path, text: str) -> None:
    with drafted(folder) as draft:
        (draft / "data").mkdir()
        (draft / "data" / "rows").write_text(text)
        write_manifest(draft, {"format": 1, "digest": text})


def dead_process() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_folder_appears_with_its_manifest(tmp_path: Path) -> None:
    prepare_into(tmp_path / "deep" / "out", "rows")
    manifest = read_manifest(tmp_path / "deep" / "out")
    assert manifest == {"format": 1, "digest": "rows", "files": {"data/rows": 4}}
    assert os.listdir(tmp_path / "deep") == ["out"]


def test_a_second_draft_takes_the_place_of_the_first(tmp_path: Path) -> None:
    prepare_into(tmp_path / "out", "one")
    prepare_into(tmp_path / "out", "two")
    assert (tmp_path / "out" / "data" / "rows").read_text() == "two"
    assert os.listdir(tmp_path) == ["out"]


def test_a_draft_that_fails_is_gone_and_the_folder_as_it_was(tmp_path: Path) -> None:
    prepare_into(tmp_path / "out", "one")
    with pytest.raises(RuntimeError, match="power"), drafted(tmp_path / "out"):
        raise RuntimeError("power")
    assert (tmp_path / "out" / "data" / "rows").read_text() == "one"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("place", ["notes.txt", "data/notes.txt", "quarantine/deep/notes.txt"])
def test_a_file_of_somebody_else_anywhere_in_the_folder_stops_us(tmp_path: Path, place: str) -> None:
    prepare_into(tmp_path / "out", "one")
    theirs = tmp_path / "out" / place
    theirs.parent.mkdir(parents=True, exist_ok=True)
    theirs.write_text("years of work")
    with pytest.raises(SourceError) as error:
        prepare_into(tmp_path / "out", "two")
    assert str(error.value) == (
        f"output.dir: {tmp_path / 'out'} holds {place}, which prepare did not write; choose another folder, or empty"
        " this one"
    )
    assert theirs.read_text() == "years of work"


def test_a_manifest_of_somebody_else_does_not_make_a_folder_ours(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MANIFEST).write_text("{}")
    with pytest.raises(SourceError, match=r"holds manifest\.json, which prepare did not write"):
        prepare_into(tmp_path / "out", "one")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    prepare_into(tmp_path / "disk" / "out", "one")
    (tmp_path / "out").symlink_to(tmp_path / "disk" / "out")
    prepare_into(tmp_path / "out", "two")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "disk" / "out" / "data" / "rows").read_text() == "two"
    assert sorted(os.listdir(tmp_path)) == ["disk", "out"]


def test_what_a_killed_run_left_is_cleared_away_and_what_runs_is_not(tmp_path: Path) -> None:
    for name in (
        f".out.draft-{dead_process()}",
        f".out.old-{dead_process()}",
        f".out.draft-{os.getppid()}",
        ".out.mine-1",
    ):
        (tmp_path / name).mkdir()
    prepare_into(tmp_path / "out", "one")
    assert sorted(os.listdir(tmp_path)) == [f".out.draft-{os.getppid()}", ".out.mine-1", "out"]


def test_a_folder_lost_between_two_renames_is_put_back(tmp_path: Path) -> None:
    prepare_into(tmp_path / "out", "one")
    (tmp_path / "out").rename(tmp_path / f".out.old-{dead_process()}")
    with pytest.raises(RuntimeError, match="again"), drafted(tmp_path / "out"):
        raise RuntimeError("again")
    assert (tmp_path / "out" / "data" / "rows").read_text() == "one"


def test_places_that_are_no_folder_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SourceError, match=r"output\.dir: .*file is a file; choose a folder"):
        prepare_into(tmp_path / "file", "one")
    with pytest.raises(SourceError, match=r"output\.dir: .* cannot be written \(Not a directory\); choose another"):
        prepare_into(tmp_path / "file" / "out", "one")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=r"is the folder the command runs in; choose one below it"):
        prepare_into(Path(), "one")


def test_a_manifest_that_is_missing_damaged_or_incomplete_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no manifest\.json; make the folder with `hf-builders prepare`"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text("{half")
    with pytest.raises(SourceError, match="is damaged, or not ours; run `hf-builders prepare` again"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text(json.dumps({"format": 1, "digest": "", "files": {"data/rows": 1}}))
    with pytest.raises(SourceError, match="data/rows is gone; run `hf-builders prepare` again"):
        read_manifest(tmp_path)


def test_the_folder_of_a_push_that_runs_is_not_taken_by_another(tmp_path: Path) -> None:
    with staged_beside(tmp_path / "out") as first:
        with pytest.raises(SourceError, match="cannot be written"), staged_beside(tmp_path / "out"):
            raise AssertionError("never here")
        assert first.is_dir()
    assert list(tmp_path.iterdir()) == []
