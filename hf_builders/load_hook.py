"""Makes `datasets.load_dataset("hf_builders/<name>")` find our builders.

`datasets` has no plug-in point, so its `dataset_module_factory` is wrapped: our names are answered (a misspelt one with
the nearest right one), every other name is passed on. Importing `datasets` takes a second, which `hf-builders --help`
does not need, so where it is not imported yet the wrapping waits until it is.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from hf_builders.registry import PREFIX, builder_class, list_datasets

_HOOKED = "datasets.load"
_WARNING = (
    "hf_builders: this version of datasets has no datasets.load.dataset_module_factory, so "
    "datasets.load_dataset('hf_builders/…') does not know our datasets; use hf_builders.load_dataset instead"
)


def install() -> None:
    """Wrap the factory of `datasets`, now or as soon as it is imported; a second call does nothing."""
    if _HOOKED in sys.modules:
        _wrap(sys.modules[_HOOKED])
    elif not any(isinstance(finder, _WrapOnImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WrapOnImport())


def _wrap(load: ModuleType) -> None:
    if not hasattr(load, "dataset_module_factory") or not hasattr(load, "DatasetModule"):
        warnings.warn(_WARNING, UserWarning, stacklevel=2)
        return
    # `datasets.inspect` has its own reference to the factory.
    for module in (load, sys.modules.get("datasets.inspect")):
        original = getattr(module, "dataset_module_factory", None)
        if original is not None and not hasattr(original, "_answers_hf_builders"):
            module.dataset_module_factory = _answering(original)  # type: ignore[union-attr]


def _answering(original: Callable[..., Any]) -> Callable[..., Any]:
    """The factory `original`, but for our names."""

    @functools.wraps(original)
    def factory(path: str, *args: Any, **options: Any) -> Any:
        name = str(path).removeprefix(PREFIX)
        if str(path).startswith(PREFIX) and (name in list_datasets() or not os.path.exists(path)):
            # The builder names its cache after what it reads, so no hash is needed here.
            module = builder_class(name).__module__
            return sys.modules[_HOOKED].DatasetModule(module, "", {"dataset_name": name})
        return original(path, *args, **options)

    factory._answers_hf_builders = True  # type: ignore[attr-defined]
    return factory


class _WrapOnImport(importlib.abc.MetaPathFinder):
    """Finds `datasets.load` for the import system, and wraps its factory once its code has run."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != _HOOKED:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        run_code = spec.loader.exec_module

        def run_code_and_wrap(module: ModuleType) -> None:
            run_code(module)
            _wrap(module)

        spec.loader.exec_module = run_code_and_wrap  # type: ignore[method-assign]
        return spec
