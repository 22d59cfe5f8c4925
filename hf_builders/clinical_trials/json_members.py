"""An object of a JSON study in, its members out with the types they must have; what is not there is null or empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hf_builders.json_values import type_name
from hf_builders.quarantine import RowProblem

_MAX_INT = (1 << 63) - 1


@dataclass(frozen=True)
class Members:
    """The members of one object. Each method raises `RowProblem`, `wrong_type`, where a member is something else.

    >>> Members({"count": 7, "conditions": None}, "designModule").whole("count")
    7
    """

    values: Mapping[str, Any]
    path: str = ""
    """Where the object stands in its study, in names joined by dots."""

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        return None if value is None else self._checked(name, value, str, "text")

    def flag(self, name: str) -> bool | None:
        value = self.values.get(name)
        return None if value is None else self._checked(name, value, bool, "true or false")

    def whole(self, name: str) -> int | None:
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or abs(self._checked(name, value, int, "a whole number")) > _MAX_INT:
            raise self._problem(name, value, "a whole number")
        return int(value)

    def object(self, name: str) -> Members:
        value = self.values.get(name)
        return Members({} if value is None else self._checked(name, value, dict, "an object"), self._path_of(name))

    def texts(self, name: str) -> list[str]:
        return [self._checked(name, value, str, "an array of texts") for value in self._array(name)]

    def objects(self, name: str) -> list[Members]:
        found = [self._checked(name, value, dict, "an array of objects") for value in self._array(name)]
        return [Members(value, f"{self._path_of(name)}[{number}]") for number, value in enumerate(found)]

    def _array(self, name: str) -> list[Any]:
        value = self.values.get(name)
        return [] if value is None else list(self._checked(name, value, list, "an array"))

    def _path_of(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _checked(self, name: str, value: Any, kind: type, expected: str) -> Any:
        if not isinstance(value, kind):
            raise self._problem(name, value, expected)
        return value

    def _problem(self, name: str, value: Any, expected: str) -> RowProblem:
        fact = f"{self._path_of(name)!r} has {type_name(value)} ({value!r:.60}); expected {expected}"
        return RowProblem("wrong_type", fact)
