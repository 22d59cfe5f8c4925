"""A push meets what a network and a Hub do to it: it goes on, or says why not, and never leaves half of anything."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="prepare tokenizes")

import datasets

import hf_builders
from hf_builders.cli import main
from hf_builders.errors import HubError
from hf_builders.hub import HubRepository
from tests.hf_builders.hub_stand_in import Hub, at_hub
from tests.hf_builders.test_publish import COMMIT, NAME, TOKENIZER, dict_of, prepared

# The client itself hands a file to its HTTP library in a way that library is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

ROOT = Path(__file__).parents[2]
PUT = ("PUT", "^/lfs/")
STEPS = [
    ("POST", "/api/repos/create$"),
    ("GET", f"/api/datasets/{NAME}(/revision/main)?$"),
    ("GET", "/tree/"),
    ("POST", "/preupload/main$"),
    ("POST", "/objects/batch$"),
    PUT,
    ("POST", "/api/validate-yaml$"),
    COMMIT,
    ("GET", "/resolve/"),
    ("HEAD", "/resolve/"),
    ("GET", "^/lfs/"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared("adgen", tmp_path_factory.mktemp("prepared") / "out")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that we would have slept before trying again; nobody does."""
    seconds: list[float] = []
    monkeypatch.setattr("hf_builders.hub_calls.sleep", seconds.append)
    return seconds


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, waits: list[float]) -> Iterator[Hub]:
    with Hub() as hub:
        at_hub(monkeypatch, hub, tmp_path / "home")
        yield hub


def check_pushed(hub: Hub, folder: Path, *, num_commits: int = 2) -> None:
    assert len(hub.commits(NAME)) == num_commits
    assert dict_of(datasets.load_dataset(NAME)) == dict_of(datasets.load_from_disk(folder / "data"))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step[1])
@pytest.mark.parametrize("status", [429, 503])
def test_a_hub_that_recovers_gets_everything_once(hub: Hub, folder: Path, step: Any, status: int) -> None:
    hub.fail(step, status, times=3)
    hf_builders.push(folder, NAME)
    assert [seen.status for seen in hub.asked(*step)][:3] == [status] * 3
    check_pushed(hub, folder)


@pytest.mark.parametrize("step", [step for step in STEPS if step[0] != "HEAD"], ids=lambda step: step[1])
def test_a_connection_that_breaks_in_the_middle_is_made_again(hub: Hub, folder: Path, step: Any) -> None:
    hub.cut(step, times=2)
    hf_builders.push(folder, NAME)
    check_pushed(hub, folder)


def test_the_hub_says_how_long_to_wait(hub: Hub, folder: Path, waits: list[float]) -> None:
    hub.fail(COMMIT, 429, headers={"Retry-After": "17"})
    hub.fail(COMMIT, 500, times=2)
    hf_builders.push(folder, NAME)
    assert waits == [17, 2, 4]


def test_a_hub_that_does_not_recover_is_told_in_one_line_with_a_way_out(
    hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.fail(COMMIT, 503, times=100)
    assert main(["push", str(folder), "--repo-id", NAME]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"hf-builders: {NAME}: Server error '503")
    assert told.endswith("; try again later: what is uploaded is not sent twice")
    assert len(hub.commits(NAME)) == 1


def test_an_upload_that_was_interrupted_goes_on_where_it_was(hub: Hub, folder: Path) -> None:
    hub.fail(lambda method, path: method == "PUT" and len(hub.asked(*PUT)) >= 1, 500, times=1_000)
    with pytest.raises(HubError, match="try again later: what is uploaded is not sent twice"):
        hf_builders.push(folder, NAME, views=["messages"])
    stored = [seen.path for seen in hub.asked(*PUT) if seen.status == 200]
    assert (len(stored), len(hub.commits(NAME))) == (1, 1)
    hub.recover()
    pushed = hf_builders.push(folder, NAME, views=["messages"])
    sent = [seen.path for seen in hub.asked(*PUT) if seen.status == 200]
    assert len(set(sent)) == len(sent) == len([name for name in pushed.files if name.endswith(".parquet")])
    check_pushed(hub, folder)


def test_a_push_that_is_killed_leaves_no_commit_and_the_next_clears_up_and_goes_on(hub: Hub, tmp_path: Path) -> None:
    folder = prepared("adgen", tmp_path / "out")
    hub.fail(PUT, 503, times=1_000, headers={"Retry-After": "100"})
    command = [sys.executable, "-m", "hf_builders.cli", "push", str(folder), "--repo-id", NAME]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **hub.environment(tmp_path / "other")}, stderr=-3)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".out.staged-*/files/README.md")):
        assert time.monotonic() < deadline, "the push never began"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(tmp_path.glob(".out.staged-*"))
    hub.recover()
    hf_builders.push(folder, NAME)
    assert not list(tmp_path.glob(".out*"))
    check_pushed(hub, folder)


def test_what_somebody_else_commits_meanwhile_is_kept(hub: Hub, folder: Path) -> None:
    hub.before_commit(lambda: hub.commit(NAME, {"notes.txt": b"mine"}))
    hf_builders.push(folder, NAME)
    assert [seen.status for seen in hub.asked(*COMMIT)] == [412, 200]
    assert hub.files(NAME)["notes.txt"] == b"mine"
    check_pushed(hub, folder, num_commits=3)


def test_412_without_end_is_an_error_and_no_commit(hub: Hub, folder: Path) -> None:
    hub.fail(COMMIT, 412, times=100)
    with pytest.raises(HubError) as error:
        hf_builders.push(folder, NAME)
    assert str(error.value) == f"{NAME}: others commit to it all the time; push again when they are done"
    assert len(hub.asked(*COMMIT)) == 6
    assert len(hub.commits(NAME)) == 1


def test_a_conflict_is_waited_for(hub: Hub, folder: Path, waits: list[float]) -> None:
    hub.fail(COMMIT, 409, times=3)
    hf_builders.push(folder, NAME)
    assert waits == [0, 1, 2]
    check_pushed(hub, folder)


@pytest.mark.parametrize("step", STEPS[1:5], ids=lambda step: step[1])
def test_a_repository_that_not_all_machines_of_the_hub_know_yet_is_waited_for(
    hub: Hub, folder: Path, waits: list[float], step: Any
) -> None:
    hub.fail(step, 404, times=3)
    hf_builders.push(folder, NAME)
    assert waits == [1, 2, 4]
    check_pushed(hub, folder)


@pytest.mark.parametrize("step", [*STEPS[:5], COMMIT], ids=lambda step: step[1])
def test_a_page_instead_of_an_answer_is_told(hub: Hub, folder: Path, waits: list[float], step: Any) -> None:
    hub.answer(step, b"<html>Sign in</html>", times=100, headers={"Content-Type": "text/html"})
    with pytest.raises(HubError) as error:
        hf_builders.push(folder, NAME)
    assert str(error.value) == (
        f"{NAME}: JSONDecodeError: Expecting value: line 1 column 1 (char 0); "
        "are HF_ENDPOINT and the proxy (HTTPS_PROXY, ALL_PROXY) right?"
    )
    assert waits == []


def test_a_file_of_another_length_is_told(hub: Hub, folder: Path) -> None:
    hub.answer(("GET", "^/lfs/"), b"<html>", times=100)
    with pytest.raises(HubError, match=r"Consistency check failed: file should be of size \d+ but has size 6 "):
        hf_builders.push(folder, NAME)


def test_a_signed_address_is_not_told(hub: Hub, folder: Path) -> None:
    hub.fail(PUT, 403, times=100)
    with pytest.raises(HubError, match="/lfs/somebody/rows/") as error:
        hf_builders.push(folder, NAME)
    assert "signature" not in str(error.value)


def test_a_card_that_the_hub_refuses_is_told_with_its_reason(hub: Hub, folder: Path) -> None:
    body = json.dumps({"errors": [{"message": "license is no word"}], "warnings": []}).encode()
    hub.answer(("POST", "/api/validate-yaml$"), body, 400)
    with pytest.raises(HubError) as error:
        hf_builders.push(folder, NAME)
    assert str(error.value) == (
        f"{NAME}: ValueError: Invalid metadata in README.md. - license is no word; "
        "the Hub has new rules for a card; ask for a newer hf-builders"
    )
    assert len(hub.commits(NAME)) == 1


def test_more_files_than_one_answer_lists_are_all_seen(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr("hf_builders.publication._SHARD_BYTES", 10_000)
    with Hub(page_size=5) as hub:
        at_hub(monkeypatch, hub, tmp_path / "home")
        many = hf_builders.push(folder, NAME, views=["messages"])
        assert len(many.files) > 20
        assert hf_builders.verify(NAME, tokenizer=TOKENIZER).passed
        monkeypatch.undo()
        at_hub(monkeypatch, hub, tmp_path / "home")
        few = hf_builders.push(folder, NAME)
        assert set(hub.files(NAME)) == {".gitattributes", *few.files}


def test_two_pushes_at_once_from_one_folder_to_one_repository_both_come_through(
    hub: Hub, folder: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "hf_builders.cli", "push", str(folder), "--repo-id", NAME]
    env = {**os.environ, **hub.environment(tmp_path / "other")}
    processes = [
        subprocess.Popen([*command, *views], cwd=ROOT, env=env, stdout=-3, stderr=-3)
        for views in ([], ["--view", "messages"])
    ]
    assert [process.wait(timeout=100) for process in processes] == [0, 0]
    assert hf_builders.verify(NAME, tokenizer=TOKENIZER).passed
    assert not list(folder.parent.glob(f".{folder.name}*"))


@pytest.mark.parametrize(
    "stage",
    ["publication._write_parquet", "publish.read_configs", "hub.HubRepository._upload", "hub.HubRepository._commit"],
)
def test_an_interrupted_push_leaves_nothing_and_can_be_made_again(
    hub: Hub, tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    folder = prepared("adgen", tmp_path / "out")
    with monkeypatch.context() as patched:
        patched.setattr(f"hf_builders.{stage}", interrupt)
        assert main(["push", str(folder), "--repo-id", NAME]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "hf-builders: interrupted"
    assert not list(tmp_path.glob(".out*"))
    hf_builders.push(folder, NAME)
    check_pushed(hub, folder)


def test_a_commit_whose_answer_is_lost_is_not_made_twice(hub: Hub, folder: Path) -> None:
    hub.lose_answer(COMMIT)
    pushed = hf_builders.push(folder, NAME)
    assert pushed.commit == hub.commits(NAME)[0].oid
    check_pushed(hub, folder)


@pytest.mark.parametrize("name", ["tokens/train-00000-of-00001.parquet", "manifest.json", "README.md"])
def test_a_file_that_comes_back_changed_is_found_and_the_command_fails(
    hub: Hub, folder: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = HubRepository.commit

    def commit_and_corrupt(*arguments: Any) -> str:
        made = commit(*arguments)
        hub.corrupt(NAME, name)
        return made

    monkeypatch.setattr(HubRepository, "commit", commit_and_corrupt)
    assert main(["push", str(folder), "--repo-id", NAME]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"hf-builders: {NAME}: what the Hub gives at {hub.commits(NAME)[0].oid} is not what")
    assert name in told


def test_a_file_that_is_changed_later_is_found_by_verify(
    hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hf_builders.push(folder, NAME)
    hub.corrupt(NAME, "tokens/train-00000-of-00001.parquet")
    assert main(["verify", NAME, "--tokenizer", TOKENIZER]) == 1
    assert "tokens/train-00000-of-00001.parquet: has the SHA-256 " in capsys.readouterr().out


@pytest.mark.parametrize("token", [Hub.reader, Hub.stranger, "hf_no_such_token_at_all"])
def test_a_token_without_the_right_is_told_so_and_never_shown(
    hub: Hub,
    folder: Path,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with caplog.at_level(logging.DEBUG):
        assert main(["push", str(folder), "--repo-id", NAME]) == 1
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1].endswith("is the token (`hf auth login`, or HF_TOKEN) one that may do this?")
    for text in (captured.out, captured.err, caplog.text):
        assert token not in text


def test_a_token_stands_in_no_file_and_no_log_of_a_push_that_works(
    hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    hub.fail(COMMIT, 500)
    with caplog.at_level(logging.DEBUG):
        hf_builders.push(folder, NAME, views=["messages"], token=hub.token)
    captured = capsys.readouterr()
    assert "500" in caplog.text
    for text in (
        captured.out,
        captured.err,
        caplog.text,
        *(data.decode("latin-1") for data in hub.files(NAME).values()),
    ):
        assert hub.token not in text
    for path in folder.parent.rglob("*"):
        assert not path.is_file() or hub.token.encode() not in path.read_bytes()


def test_a_repository_that_is_not_there_or_may_not_be_seen_is_told(hub: Hub) -> None:
    with pytest.raises(HubError, match=r"is the name right, and the token \(`hf auth login`, or HF_TOKEN\)"):
        hf_builders.verify("nobody/nothing")


def test_offline_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="unset HF_HUB_OFFLINE"):
        hf_builders.push(folder, NAME)
    assert waits == []


def test_nothing_listens_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, waits: list[float]
) -> None:
    with Hub() as hub:
        at_hub(monkeypatch, hub, tmp_path / "home")
    with pytest.raises(HubError, match="Connection refused"):
        hf_builders.push(folder, NAME)
    assert waits == [1, 2, 4, 8, 16]


def test_nothing_is_left_beside_the_folder_after_an_error(hub: Hub, tmp_path: Path) -> None:
    folder = prepared("adgen", tmp_path / "out")
    hub.fail(COMMIT, 403)
    with pytest.raises(HubError):
        hf_builders.push(folder, NAME)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_manifest_of_the_hub_may_be_damaged_and_is_then_somebody_elses(hub: Hub, folder: Path) -> None:
    hub.create(NAME)
    hub.commit(NAME, {"manifest.json": b"{", "README.md": b"# x"})
    with pytest.raises(hf_builders.OptionError, match=r"holds manifest\.json, which hf-builders did not push"):
        hf_builders.push(folder, NAME)
    hub.commit(NAME, {"manifest.json": json.dumps({"published": 1, "files": ["../x", "README.md"]}).encode()})
    hf_builders.push(folder, NAME)
    assert "README.md" in hub.files(NAME)
