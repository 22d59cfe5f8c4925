"""One bar for each long stage, on stderr; what the libraries below would show of their own meanwhile is not shown."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator

import datasets
import huggingface_hub
from datasets.utils import tqdm


@contextlib.contextmanager
def stage(name: str, total: int, unit: str) -> Iterator[Callable[[int], object]]:
    """A bar that is moved on by the function it gives; `datasets.disable_progress_bars()` hides it like all others.

    >>> with stage("train: write", 3, " rows") as done:
    ...     _ = done(3)
    """
    with tqdm(total=total, desc=name, unit=unit, unit_scale=unit == "B") as bar, without_bars():
        yield bar.update


@contextlib.contextmanager
def without_bars() -> Iterator[None]:
    """No bars of `datasets` and `huggingface_hub`, unless a variable of the environment wants them shown."""
    hidden = [each for each in (datasets.utils, huggingface_hub.utils) if not each.are_progress_bars_disabled()]
    for library in hidden:
        with _without_warning():
            library.disable_progress_bars()
    try:
        yield
    finally:
        for library in hidden:
            with _without_warning():
                library.enable_progress_bars()


@contextlib.contextmanager
def _without_warning() -> Iterator[None]:
    """Where that variable is set, both libraries warn that it has its way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
