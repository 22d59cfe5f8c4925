"""The manifest of a prepared folder in; out the same, less where things lie on this machine and who logs in where."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_HUB_CACHE = re.compile(r"models--([\w.-]+?)--([\w.-]+)/snapshots/")
_ADDRESS = re.compile(r"\w+://\S*")
_LOGIN = re.compile(r"(\w+://)[^\s/@]*@")
_PATH = re.compile(r"[/~]|\.\.?[/\\]|[A-Za-z]:[/\\]|\\\\")
_MANY_FILES = re.compile(r"(?P<folder>.+): (?P<files>[\d,]+ files)")


def without_paths(manifest: Mapping[str, Any], place: Path | None = None) -> dict[str, Any]:
    """The manifest to be published: of paths the names of files, of folders that hold data nothing.

    Whether data came from a folder of the user's or was downloaded stays, as true or false; so do names at the Hub.

    Args:
        place: the prepared folder. A relative path began in a folder above it as a rule, if not in the working folder.

    >>> facts = {"name": "adgen", "data_dir": "/home/somebody/AdvertiseGen", "data_files": None, "download": False}
    >>> without_paths({"dataset": {**facts, "options": {}}, "sources": []})["dataset"]["data_dir"]
    True
    """
    dataset = dict(manifest["dataset"])
    for name in ("data_dir", "download"):
        dataset[name] = bool(dataset[name])
    dataset["data_files"] = _each(dataset["data_files"], _last_part)
    dataset["options"] = _each(dataset["options"], partial(_without_path, place=place))
    sections = {
        name: {**manifest[name], "tokenizer": tokenizer_name(manifest[name]["tokenizer"], place)}
        for name in ("tokenize", "spans")
        if manifest.get(name)
    }
    clean = {"clean": _each(manifest["clean"], partial(_without_path, place=place))} if manifest.get("clean") else {}
    sources = [{**source, "name": _without_folder(source["name"])} for source in manifest["sources"]]
    return {**manifest, "dataset": dataset, **clean, **sections, "sources": sources}


def tokenizer_name(tokenizer: str, place: Path | None = None) -> str:
    """Its name at the Hub, also where it was read from the Hub's cache; of another folder the last part.

    >>> tokenizer_name("Qwen/Qwen2.5-7B"), tokenizer_name("/models/chatglm3-6b/")
    ('Qwen/Qwen2.5-7B', 'chatglm3-6b')
    """
    if cached := _HUB_CACHE.search(tokenizer):
        return "/".join(cached.groups())
    if is_hub_name(tokenizer) and not _is_there(tokenizer, place):
        return tokenizer
    return _last_part(tokenizer) or "tokenizer"


def is_hub_name(name: str) -> bool:
    """Whether a model on the Hub can have that name; a folder here can have it too.

    >>> [is_hub_name(name) for name in ("Qwen/Qwen2.5-7B", "gpt2", "../qwen", "/models/qwen")]
    [True, True, False, False]
    """
    return _HUB_NAME.fullmatch(name) is not None


def _each(value: Any, change: Any) -> Any:
    """The same value with every text in it changed."""
    if isinstance(value, Mapping):
        return {name: _each(each, change) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_each(each, change) for each in value]
    return change(value) if isinstance(value, str) else value


def _is_there(path: str, place: Path | None) -> bool:
    folders = [Path(), *(place.parents if place is not None else ())]
    return any(os.path.exists(folder / os.path.expanduser(path)) for folder in folders)


def _last_part(path: str) -> str:
    """The name of a file or pattern."""
    if _ADDRESS.fullmatch(path):
        path = urlsplit(path).path  # what is before may be a login, what is behind a token
    return PurePosixPath(path.replace("\\", "/")).name.strip(".")


def _without_path(value: str, place: Path | None) -> str:
    """A text that is no path, as most options are, stays as it is."""
    if _ADDRESS.fullmatch(value) or _PATH.match(value) or _is_there(value, place):
        return _last_part(value)
    home = os.path.expanduser("~").rstrip("/")
    return _LOGIN.sub(r"\1", value.replace(home, "~") if home else value)


def _without_folder(name: str) -> str:
    """The files of a folder may be described as one, by its name; those of an archive are called by the archive's."""
    many = _MANY_FILES.fullmatch(name)
    return many["files"] if many and not many["folder"].endswith(".zip") else name
