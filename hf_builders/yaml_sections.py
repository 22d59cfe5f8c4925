"""YAML in, frozen dataclasses out: types, missing and unknown keys checked, every fault told at once.

What types cannot say, such as two keys that exclude each other, a dataclass says in a method `contradictions`.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union

import yaml

from hf_builders.errors import ConfigError, did_you_mean

Section = TypeVar("Section")


def parse_sections(cls: type[Section], text: str, place: str) -> Section:
    """An instance of a dataclass from the text of a file; `place` begins each line of an error.

    Raises:
        ConfigError: a line for every fault.
    """
    try:
        content = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{place}: is no YAML ({' '.join(str(error).split())})") from error
    faults: list[str] = []
    config = read_section(cls, content, "", faults)
    if faults:
        raise ConfigError("\n".join(f"{place}: {fault}" for fault in faults))
    assert config is not None
    return config


def read_section(cls: type[Section], content: object, place: str, faults: list[str]) -> Section | None:
    """An instance of the dataclass from what YAML gave; `place` begins each fault, and there is None after one.

    >>> from hf_builders.run_config import OutputSection
    >>> faults = []
    >>> read_section(OutputSection, {"dri": "out"}, "output", faults), faults[0]
    (None, "output.dri: unknown key; did you mean 'dir'?")
    """
    if not isinstance(content, Mapping):
        faults.append(f"{place or 'the file'}: is {_show(content)}; expected keys and values")
        return None
    num_faults, hints, values = len(faults), typing.get_type_hints(cls), {}
    known = {each.name: each for each in dataclasses.fields(cls)}  # type: ignore[arg-type]
    prefix = f"{place}." if place else ""
    for key, value in content.items():
        if key in known:
            values[key] = _read_value(hints[key], value, prefix + key, faults)
        else:
            faults.append(f"{prefix}{key}: unknown key{did_you_mean(str(key), known)}")
    for name, each in known.items():
        has_default = each.default is not dataclasses.MISSING or each.default_factory is not dataclasses.MISSING
        if name not in values and not has_default:
            faults.append(f"{prefix}{name}: is missing; it has no default")
    if len(faults) > num_faults:
        return None
    section = cls(**values)
    # What the types cannot say, such as two keys that exclude each other.
    faults += [f"{place}: {fault}" if place else fault for fault in getattr(section, "contradictions", tuple)()]
    return section


def _read_value(hint: Any, value: object, place: str, faults: list[str]) -> Any:
    if dataclasses.is_dataclass(hint):
        return read_section(typing.cast("type[Any]", hint), value, place, faults)
    choices = typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else (hint,)
    for choice in choices:
        if dataclasses.is_dataclass(choice) and isinstance(value, Mapping):
            return read_section(typing.cast("type[Any]", choice), value, place, faults)
        if _is_of(choice, value):
            return float(typing.cast("float", value)) if choice is float else value
    allowed = [_describe(choice) for choice in choices if choice is not type(None)]
    hint_text = did_you_mean(str(value), [str(each) for choice in choices for each in typing.get_args(choice)])
    faults.append(f"{place}: is {_show(value)}; expected {' or '.join(allowed)}{hint_text}")
    return None


def _is_of(hint: Any, value: object) -> bool:
    if hint is Any:
        return True
    origin = typing.get_origin(hint)
    if origin is Literal:
        return value in typing.get_args(hint)
    if origin is list:
        return isinstance(value, list) and all(_is_of(typing.get_args(hint)[0], item) for item in value)
    if origin is dict:
        return isinstance(value, Mapping)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _describe(hint: Any) -> str:
    origin = typing.get_origin(hint)
    if origin is Literal:
        return ", ".join(map(str, typing.get_args(hint)))
    names = {
        str: "text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        list: "a list",
        dict: "a mapping",
    }
    return "a mapping" if dataclasses.is_dataclass(hint) else names[origin or hint]


def _show(value: object) -> str:
    return "empty" if value is None else f"{value!r:.60}"


class _Loader(yaml.SafeLoader):
    """YAML in which `1e-4` is a number (PyYAML takes it for text) and a key given twice is a fault."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [key for i, key in enumerate(keys) if key in keys[:i]]:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice[0]!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)
