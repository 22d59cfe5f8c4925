"""Fixtures every test may use: real samples beside the checkout, and a cache no other run has touched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

# CI must not fail on a draw nobody made before; a developer's run goes on looking for one.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _shared(kind: str) -> Callable[[str], Path]:
    def find(name: str) -> Path:
        path = SHARED / kind / name
        if not path.exists():
            pytest.skip(f"no shared/{kind}/{name} beside the checkout: real samples are not part of the project")
        return path

    return find


@pytest.fixture(scope="session")
def shared_realdata() -> Callable[[str], Path]:
    """`shared_realdata("AdvertiseGen")` is the folder with that real sample; skips where it is absent."""
    return _shared("realdata")


@pytest.fixture(scope="session")
def shared_tokenizer() -> Callable[[str], Path]:
    """`shared_tokenizer("chatglm3")` is the folder of that real tokenizer; skips where it is absent."""
    return _shared("tokenizers")


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What fixtures of a wider scope than one test load goes into no cache of the developer's."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _isolate(tmp_path_factory, monkeypatch)
        yield


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test sees no cached Arrow table of another test, and no data folder of the developer's."""
    _isolate(tmp_path_factory, monkeypatch)


def _isolate(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="every part of the product needs datasets")
    cache = tmp_path_factory.mktemp("hf_cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    monkeypatch.setattr(datasets.config, "DOWNLOADED_DATASETS_PATH", cache / "downloads")
    monkeypatch.setattr(datasets.config, "EXTRACTED_DATASETS_PATH", cache / "downloads" / "extracted")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("HF_BUILDERS_DATA", raising=False)
