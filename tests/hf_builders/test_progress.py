"""One bar for a stage, and none of the libraries below it; afterwards they show theirs again."""

from __future__ import annotations

import sys
import warnings

import datasets
import huggingface_hub
import pytest

from hf_builders.progress import stage, without_bars

LIBRARIES = (datasets.utils, huggingface_hub.utils)


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the variables of this environment say."""
    # By their modules, as the packages name their classes like them.
    monkeypatch.setattr(sys.modules["datasets.utils.tqdm"], "HF_DATASETS_DISABLE_PROGRESS_BARS", None)
    monkeypatch.setattr(sys.modules["huggingface_hub.utils.tqdm"], "HF_HUB_DISABLE_PROGRESS_BARS", None)
    for library in LIBRARIES:
        library.enable_progress_bars()


def are_hidden() -> list[bool]:
    return [library.are_progress_bars_disabled() for library in LIBRARIES]


def test_a_stage_shows_its_own_bar_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with stage("upload", 2, " files") as done:
        assert are_hidden() == [True, True]
        list(datasets.utils.tqdm(range(3), desc="of the library"))
        done(2)
    assert are_hidden() == [False, False]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "upload: 100%" in captured.err
    assert "of the library" not in captured.err


def test_an_error_gives_the_bars_back() -> None:
    with pytest.raises(KeyError), without_bars():
        raise KeyError
    assert are_hidden() == [False, False]


def test_who_has_hidden_them_finds_them_hidden_and_sees_no_stage(capsys: pytest.CaptureFixture[str]) -> None:
    datasets.disable_progress_bars()
    try:
        with stage("upload", 2, " files") as done:
            done(2)
        assert are_hidden() == [True, False]
    finally:
        datasets.enable_progress_bars()
    assert capsys.readouterr().err == ""


def test_a_variable_that_wants_them_shown_has_its_way_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["huggingface_hub.utils.tqdm"], "HF_HUB_DISABLE_PROGRESS_BARS", False)
    with warnings.catch_warnings(record=True) as warned, without_bars():
        assert are_hidden() == [True, False]
    assert warned == []
