"""Modules that a peer imports for pictures or sound, and that have no build for this torch without a GPU."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType


def stand_in(*names: str) -> None:
    """Let `import` of these modules pass; whatever is asked of them is an empty class, which rows of text never use."""
    for name in names:
        module = _StandIn(name)
        module.__spec__ = ModuleSpec(name, None)
        module.__path__ = []
        sys.modules[name] = module


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})
