"""The stand-in for the Hub: the real client publishes to it, reads what it sent, and meets the faults asked for."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, HfFileSystem, constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.hf_builders.hub_stand_in import Hub, at_hub, bare_client

# The client itself hands a file to its HTTP library in a way that library is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

NAME = "org/name"
CARD = b"""---
license: mit
language: [zh]
configs:
- config_name: big
  data_files: [{split: train, path: big/*.parquet}]
- config_name: small
  data_files: [{split: train, path: small/*.parquet}]
---
# Owls
"""
PUT, BATCH, COMMIT = ("PUT", "^/lfs/"), ("POST", "/objects/batch$"), ("POST", "/commit/main$")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        yield hub


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    return bare_client(monkeypatch)


@pytest.fixture
def api(hub: Hub, waits: list[float]) -> HfApi:
    hub.create(NAME)
    return HfApi(endpoint=hub.url, token=hub.token)


def parquet(*texts: str) -> bytes:
    table, buffer = pa.table({"text": list(texts)}), io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


BIG, SMALL = parquet("a", "b", "c"), parquet("d")


def add(path: str, data: bytes) -> CommitOperationAdd:
    """Goes up as an open file does: what is bytes, or the name of a file, and belongs to LFS, goes to Xet."""
    return CommitOperationAdd(path, io.BytesIO(data))


def upload(api: HfApi, *operations: CommitOperationAdd) -> None:
    for operation in operations:
        api.preupload_lfs_files(NAME, [operation], repo_type="dataset")


def commit(api: HfApi, *operations: CommitOperationAdd | CommitOperationDelete, parent: str | None = None) -> str:
    done = api.create_commit(NAME, list(operations), commit_message="rows", repo_type="dataset", parent_commit=parent)
    return done.oid


def publish(api: HfApi) -> str:
    return commit(api, add("README.md", CARD), add("big/0.parquet", BIG), add("small/0.parquet", SMALL))


def download(api: HfApi, path: str, cache: Path, revision: str | None = None) -> bytes:
    found = api.hf_hub_download(NAME, path, repo_type="dataset", cache_dir=cache, revision=revision)
    return Path(found).read_bytes()


@pytest.mark.usefixtures("waits")
def test_a_repository_is_made_once_and_whoever_asks_again_is_told(hub: Hub) -> None:
    api = HfApi(endpoint=hub.url, token=hub.token)
    assert api.whoami()["name"] == "owl"
    assert api.create_repo(NAME, repo_type="dataset", private=True) == f"{hub.url}/datasets/org/name"
    with pytest.raises(HfHubHTTPError) as error:
        api.create_repo(NAME, repo_type="dataset")
    assert error.value.response.status_code == 409
    api.create_repo(NAME, repo_type="dataset", exist_ok=True)
    assert [seen.status for seen in hub.asked("POST", "/create$")] == [200, 409, 409]
    info: Any = api.dataset_info(NAME)
    assert (info.private, [file.rfilename for file in info.siblings]) == (True, [".gitattributes"])
    assert [commit.title for commit in hub.commits(NAME)] == ["initial commit"]
    api.delete_repo(NAME, repo_type="dataset")
    assert not api.repo_exists(NAME, repo_type="dataset")


def test_files_go_up_one_by_one_and_one_commit_names_them(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    (tmp_path / "0.parquet").write_bytes(BIG)
    with (tmp_path / "0.parquet").open("rb") as file:
        big, small = CommitOperationAdd("big/0.parquet", file), add("small/0.parquet", SMALL)
        upload(api, big, small)
        assert hub.repository(NAME).objects.keys() == {hashlib.sha256(data).hexdigest() for data in (BIG, SMALL)}
        assert len(hub.commits(NAME)) == 1
        oid = commit(api, big, small, add("README.md", CARD), parent=hub.commits(NAME)[0].oid)
    assert [seen.sent for seen in hub.asked(*PUT)] == [len(BIG), len(SMALL)]
    assert [commit.oid for commit in hub.commits(NAME)] == [oid, hub.commits(NAME)[1].oid]
    attributes = hub.files(NAME).pop(".gitattributes")
    assert hub.files(NAME) == {
        ".gitattributes": attributes,
        "README.md": CARD,
        "big/0.parquet": BIG,
        "small/0.parquet": SMALL,
    }
    assert not [seen for seen in hub.requests if "xet" in seen.path]
    assert [seen.path for seen in hub.requests if seen.status >= 400] == []


def test_what_is_there_is_listed_and_read_in_every_way_of_the_client(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    oid = publish(api)
    tree: list[Any] = list(api.list_repo_tree(NAME, repo_type="dataset", recursive=True, expand=True))
    told = {entry.path: entry for entry in tree}
    assert list(told) == [".gitattributes", "README.md", "big", "big/0.parquet", "small", "small/0.parquet"]
    assert (told["big/0.parquet"].lfs.sha256, told["big/0.parquet"].size) == (hashlib.sha256(BIG).hexdigest(), len(BIG))
    assert (told["README.md"].lfs, told["README.md"].last_commit.oid) == (None, oid)
    assert told[".gitattributes"].last_commit.title == "initial commit"
    assert [entry.path for entry in api.get_paths_info(NAME, ["small", "no"], repo_type="dataset")] == ["small"]
    info: Any = api.dataset_info(NAME, files_metadata=True)
    assert (info.sha, info.card_data["license"]) == (oid, "mit")
    assert {file.rfilename: file.size for file in info.siblings}["small/0.parquet"] == len(SMALL)
    assert [entry.title for entry in api.list_repo_commits(NAME, repo_type="dataset")] == ["rows", "initial commit"]

    assert download(api, "README.md", tmp_path / "one") == CARD
    assert download(api, "big/0.parquet", tmp_path / "one", revision=oid) == BIG
    folder = Path(api.snapshot_download(NAME, repo_type="dataset", cache_dir=tmp_path / "all"))
    assert {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")} == hub.files(NAME)
    files = HfFileSystem(endpoint=hub.url, token=hub.token)
    assert files.glob(f"datasets/{NAME}/*/*.parquet") == [
        f"datasets/{NAME}/{name}/0.parquet" for name in ("big", "small")
    ]
    assert files.cat_file(f"datasets/{NAME}/big/0.parquet", 4, 9) == BIG[4:9]
    assert 206 in [seen.status for seen in hub.asked("GET", "^/lfs/")]


@pytest.mark.parametrize("private", [False, True])
def test_plain_load_dataset_in_another_process_gives_each_configuration(
    private: bool, run_python: Callable[..., str], tmp_path: Path
) -> None:
    with Hub() as hub:
        hub.create(NAME, private=private)
        hub.commit(NAME, {"README.md": CARD, "big/0.parquet": BIG, "small/0.parquet": SMALL})
        code = (
            "import json\nfrom datasets import load_dataset\n"
            f"rows = {{name: load_dataset({NAME!r}, name)['train']['text'][:] for name in ('big', 'small')}}\n"
            "print(json.dumps(rows))"
        )
        environment = hub.environment(tmp_path, hub.reader if private else None)
        assert json.loads(run_python(code, **environment)) == {"big": ["a", "b", "c"], "small": ["d"]}
        assert len(hub.asked("GET", "^/lfs/")) == 2


def test_plain_load_dataset_in_this_process_goes_to_the_hub_it_is_pointed_at(
    hub: Hub, api: HfApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish(api)
    at_hub(monkeypatch, hub, tmp_path)
    assert datasets.load_dataset(NAME, "big")["train"]["text"][:] == ["a", "b", "c"]
    assert datasets.load_dataset(NAME, "small", split="train", streaming=True).take(1).to_list() == [{"text": "d"}]
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # which the client wants for a file by its name
    datasets.Dataset.from_dict({"text": ["e"]}).push_to_hub("org/other")
    assert [path for path, file in hub.commits("org/other")[0].files.items() if file.lfs] == [
        "data/train-00000-of-00001.parquet"
    ]


def test_what_is_no_open_file_goes_to_xet_which_is_not_here(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    (tmp_path / "0.parquet").write_bytes(BIG)
    for data in (BIG, str(tmp_path / "0.parquet")):
        with pytest.raises(ConnectionError, match="404"):
            upload(api, CommitOperationAdd("big/0.parquet", data))
    assert [seen.status for seen in hub.asked("GET", "/xet-write-token/main$")] == [404, 404]


def test_an_object_that_is_there_is_not_sent_again_and_what_has_not_changed_makes_no_commit(
    hub: Hub, api: HfApi
) -> None:
    upload(api, add("big/0.parquet", BIG))
    upload(api, add("big/0.parquet", BIG))
    assert ([seen.sent for seen in hub.asked(*PUT)], len(hub.asked(*BATCH))) == ([len(BIG)], 2)
    oid = publish(api)
    assert publish(api) == oid
    assert (len(hub.commits(NAME)), len(hub.asked(*COMMIT)), len(hub.asked(*PUT))) == (2, 1, 2)


def test_a_file_goes_where_gitattributes_and_its_length_say_and_gitignore_keeps_one_out(hub: Hub, api: HfApi) -> None:
    long = bytes((10 << 20) + 1)
    commit(api, add("rows.json", b"{}"), add("long.json", long), add("rows.tsv", b"a\tb"), add("empty.parquet", b""))
    assert {path for path, file in hub.commits(NAME)[0].files.items() if file.lfs} == {"long.json"}
    hub.commit(NAME, {".gitattributes": b"*.tsv filter=lfs diff=lfs merge=lfs -text\n", ".gitignore": b"*.log\n"})
    commit(api, add("more.tsv", b"c\td"), add("rows.log", b"out"), CommitOperationDelete("rows.json"))
    files = hub.commits(NAME)[0].files
    assert (files["more.tsv"].lfs, files["rows.tsv"].lfs) == (True, False)
    assert files.keys() == {".gitattributes", ".gitignore", "long.json", "rows.tsv", "more.tsv", "empty.parquet"}


def test_a_commit_on_what_is_no_longer_the_head_is_refused(hub: Hub, api: HfApi) -> None:
    head = hub.commits(NAME)[0].oid
    hub.before_commit(lambda: hub.commit(NAME, {"theirs.txt": b"theirs"}))
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as error:
        commit(api, add("ours.txt", b"ours"), parent=head)
    assert (error.value.response.status_code, [seen.status for seen in hub.asked(*COMMIT)]) == (412, [412])
    assert hub.files(NAME).keys() == {".gitattributes", "theirs.txt"}
    commit(api, add("ours.txt", b"ours"), parent=hub.commits(NAME)[0].oid)
    assert hub.files(NAME).keys() == {".gitattributes", "theirs.txt", "ours.txt"}


def test_a_commit_that_names_an_object_that_never_came_is_refused(hub: Hub, api: HfApi) -> None:
    operation = add("big/0.parquet", BIG)
    upload(api, operation)
    hub.repository(NAME).objects.clear()
    with pytest.raises(HfHubHTTPError, match="was not uploaded") as error:
        commit(api, operation)
    assert error.value.response.status_code == 400


def test_branches_and_full_ids_are_revisions(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    first = hub.commits(NAME)[0].oid
    api.create_branch(NAME, branch="try/this", repo_type="dataset")
    api.create_commit(
        NAME, [add("a.txt", b"a")], commit_message="try", repo_type="dataset", revision="try/this", parent_commit=first
    )
    refs = {ref.name: ref.target_commit for ref in api.list_repo_refs(NAME, repo_type="dataset").branches}
    assert refs == {"main": first, "try/this": hub.commits(NAME, "try/this")[0].oid}
    assert download(api, "a.txt", tmp_path, "try/this") == b"a"
    with pytest.raises(EntryNotFoundError):
        download(api, "a.txt", tmp_path, first)
    with pytest.raises(RevisionNotFoundError):
        api.dataset_info(NAME, revision="nothing")


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("license: [mit", "YAML Metadata Error"),
        ("license: 3", '"license" must be a string'),
        ("language: {zh: 1}", '"language" must be a string'),
        ("configs: big", '"configs" must be an array'),
    ],
)
def test_a_card_that_is_wrong_is_refused_before_anything_is_sent(hub: Hub, api: HfApi, head: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        commit(api, add("README.md", f"---\n{head}\n---\n".encode()))
    assert [seen.path for seen in hub.requests] == ["/api/validate-yaml"]
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        commit(api, add("README.md", b"# Owls\n"))


@pytest.mark.parametrize(("private", "who"), [(False, "reader"), (False, "stranger"), (True, "reader")])
@pytest.mark.usefixtures("waits")
def test_who_may_not_write_is_told(hub: Hub, private: bool, who: str) -> None:
    hub.create(NAME, private=private)
    api = HfApi(endpoint=hub.url, token=getattr(hub, who))
    assert api.dataset_info(NAME).private is private
    with pytest.raises(HfHubHTTPError, match="don't have the rights") as error:
        commit(api, add("a.txt", b"a"))
    assert error.value.response.status_code == 403
    assert len(hub.commits(NAME)) == 1


@pytest.mark.parametrize(("token", "status"), [(False, 401), (Hub.stranger, 404)])
@pytest.mark.usefixtures("waits")
def test_what_is_private_is_not_there_for_others(hub: Hub, token: Any, status: int, tmp_path: Path) -> None:
    hub.create(NAME, private=True)
    api = HfApi(endpoint=hub.url, token=token)
    for look in (lambda: api.dataset_info(NAME), lambda: download(api, ".gitattributes", tmp_path)):
        with pytest.raises(RepositoryNotFoundError) as error:
            look()
        assert error.value.response.status_code == status
    with pytest.raises(HfHubHTTPError, match="Invalid credentials") as wrong:
        HfApi(endpoint=hub.url, token="no-token").dataset_info(NAME)
    assert wrong.value.response.status_code == 401


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_fails_for_a_while_is_tried_again_by_the_client_but_a_commit_is_not(
    hub: Hub, api: HfApi, waits: list[float], status: int
) -> None:
    for match in (("POST", "/preupload/"), BATCH, PUT):
        hub.fail(match, status, times=2, headers={"Retry-After": "7"})
    operation = add("big/0.parquet", BIG)
    upload(api, operation)
    assert waits == [8.0] * 6  # A second more than was asked for.
    hub.fail(COMMIT, status)
    with pytest.raises(HfHubHTTPError) as error:
        commit(api, operation)
    assert (error.value.response.status_code, len(hub.commits(NAME)), len(waits)) == (status, 1, 6)
    commit(api, operation)
    assert [seen.status for seen in hub.asked(*COMMIT)] == [status, 200]
    assert hub.files(NAME)["big/0.parquet"] == BIG


def test_an_upload_that_is_cut_is_sent_again(hub: Hub, api: HfApi, waits: list[float]) -> None:
    data = bytes(range(256)) * 40_000
    hub.cut(PUT, times=2)
    upload(api, add("big/0.parquet", data))
    assert [(seen.status, seen.sent) for seen in hub.asked(*PUT)] == [(0, 5_120_000)] * 2 + [(200, 10_240_000)]
    assert waits == [1.0, 2.0]


def test_an_upload_that_is_cut_for_good_is_an_error_and_the_next_try_sends_only_what_is_missing(
    hub: Hub, api: HfApi, waits: list[float]
) -> None:
    upload(api, add("small/0.parquet", SMALL))
    hub.cut(PUT, times=6)
    with pytest.raises(RuntimeError, match=r"Error while uploading 'big/0\.parquet' to the Hub\."):
        upload(api, add("big/0.parquet", BIG))
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0]
    publish(api)
    assert [seen.sent for seen in hub.asked(*PUT) if seen.status] == [len(SMALL), len(BIG)]


@pytest.mark.usefixtures("waits")
def test_an_object_goes_up_in_parts_where_the_hub_wants_that() -> None:
    data = bytes(range(256)) * 10
    with Hub(part_size=1000) as hub:
        hub.create(NAME)
        api = HfApi(endpoint=hub.url, token=hub.token)
        hub.cut(PUT)
        commit(api, add("big/0.parquet", data))
        assert [seen.sent for seen in hub.asked(*PUT)] == [500, 1000, 1000, 560]
        assert hub.files(NAME)["big/0.parquet"] == data


def test_a_commit_whose_answer_is_lost_was_made(hub: Hub, api: HfApi) -> None:
    hub.lose_answer(COMMIT)
    # Each version of the client has another HTTP library; what its own errors are is above its error of a status.
    with pytest.raises(HfHubHTTPError.__bases__[0]) as error:
        publish(api)
    assert not isinstance(error.value, OSError)
    assert (len(hub.commits(NAME)), hub.files(NAME)["big/0.parquet"]) == (2, BIG)


def test_a_download_that_is_cut_goes_on_where_it_was(
    hub: Hub, api: HfApi, tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(api)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 16)  # of 10 MiB, it would start again
    for match, path in ((("GET", "^/lfs/"), "big/0.parquet"), (("GET", "/README.md$"), "README.md")):
        hub.cut(match)
        assert download(api, path, tmp_path) == hub.files(NAME)[path]
        assert [seen.status for seen in hub.asked(*match)] == [0, 206]
    assert waits == [1.0, 1.0]


def test_a_hub_that_is_down_for_a_download_gives_no_file(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    publish(api)
    hub.fail(lambda method, path: path.endswith("/README.md"), 503, times=9)
    with pytest.raises(LocalEntryNotFoundError, match="error happened while trying to locate the file"):
        download(api, "README.md", tmp_path)


@pytest.mark.parametrize("path", ["README.md", "big/0.parquet"])
def test_a_corrupted_file_has_other_bytes_and_the_client_takes_them(
    hub: Hub, api: HfApi, tmp_path: Path, path: str
) -> None:
    publish(api)
    right = download(api, path, tmp_path / "before")
    hub.corrupt(NAME, path)
    wrong = download(api, path, tmp_path / "after")
    assert (hub.files(NAME)[path], len(wrong)) == (right, len(right))
    assert sum(a != b for a, b in zip(wrong, right, strict=True)) == 1
