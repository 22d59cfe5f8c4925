"""YAML into dataclasses of any kind: what each type takes, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from hf_builders.errors import ConfigError
from hf_builders.yaml_sections import parse_sections


@dataclass(frozen=True, kw_only=True)
class Sail:
    area: float
    colour: Literal["white", "red"] = "white"
    reefs: int = 0

    def contradictions(self) -> Iterator[str]:
        if self.reefs < 0:
            yield f"reefs is {self.reefs}; it takes 0 or more"
        if self.area <= 0:
            yield f"area is {self.area}; it takes more than 0"


@dataclass(frozen=True, kw_only=True)
class Boat:
    name: str
    sail: Sail
    spare: Sail | None = None
    draught: float | None = None
    ballast: bool | str = False
    crew: list[str] | str = "nobody"
    log: dict[str, Any] = field(default_factory=dict)

    def contradictions(self) -> Iterator[str]:
        if self.spare is not None and self.spare.area > self.sail.area:
            yield "spare.area: is larger than sail.area"


def faults_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_sections(Boat, text, "boat.yaml")
    return [fault.removeprefix("boat.yaml: ") for fault in str(caught.value).splitlines()]


def test_every_type_takes_what_is_of_it() -> None:
    boat = parse_sections(
        Boat,
        """
name: 望潮
sail: {area: 12, colour: red, reefs: 2}
spare: {area: 1e1}
draught: 2
ballast: lead
crew: [甲, 乙]
log: {1897: {any: [thing]}}
""",
        "boat.yaml",
    )
    assert boat == Boat(
        name="望潮",
        sail=Sail(area=12.0, colour="red", reefs=2),
        spare=Sail(area=10.0),
        draught=2.0,
        ballast="lead",
        crew=["甲", "乙"],
        log={1897: {"any": ["thing"]}},
    )
    assert isinstance(boat.sail.area, float)
    assert isinstance(boat.draught, float)


def test_an_empty_key_is_none_where_there_may_be_nothing_and_a_fault_elsewhere() -> None:
    boat = parse_sections(Boat, "{name: a, sail: {area: 1}, spare: , draught: }", "boat.yaml")
    assert (boat.spare, boat.draught) == (None, None)
    assert faults_of("{name: , sail: }") == [
        "name: is empty; expected text",
        "sail: is empty; expected keys and values",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sail: {area: wide}", "sail.area: is 'wide'; expected a number"),
        ("sail: {area: true}", "sail.area: is True; expected a number"),
        ("sail: {area: 1, reefs: 1.5}", "sail.reefs: is 1.5; expected a whole number"),
        ("sail: {area: 1, reefs: yes}", "sail.reefs: is True; expected a whole number"),
        ("sail: {area: 1, colour: rad}", "sail.colour: is 'rad'; expected white, red; did you mean 'red'?"),
        ("sail: {area: 1, color: red}", "sail.color: unknown key; did you mean 'colour'?"),
        ("sail: {area: 1, 7: red}", "sail.7: unknown key"),
        ("sail: [1]", "sail: is [1]; expected keys and values"),
        ("sail: {area: 1}, spare: 3", "spare: is 3; expected a mapping"),
        ("sail: {area: 1}, spare: {}", "spare.area: is missing; it has no default"),
        ("sail: {area: 1}, draught: deep", "draught: is 'deep'; expected a number"),
        ("sail: {area: 1}, ballast: 4", "ballast: is 4; expected true or false or text"),
        ("sail: {area: 1}, crew: [甲, 2]", "crew: is ['甲', 2]; expected a list or text"),
        ("sail: {area: 1}, log: [1]", "log: is [1]; expected a mapping"),
        ("sail: {area: 1}, spare: {area: 2}", "spare.area: is larger than sail.area"),
    ],
)
def test_what_is_of_another_type_is_told_with_its_place_and_what_is_expected(text: str, fault: str) -> None:
    assert faults_of(f"{{name: a, {text}}}") == [fault]


def test_all_contradictions_of_a_section_are_told() -> None:
    assert faults_of("{name: a, sail: {area: -1, reefs: -2}}") == [
        "sail: reefs is -2; it takes 0 or more",
        "sail: area is -1.0; it takes more than 0",
    ]


def test_what_is_said_of_a_long_value_is_short() -> None:
    (fault,) = faults_of(f"{{name: [{'很长的名字，' * 40}], sail: {{area: 1}}}}")
    assert len(fault) < 100


@pytest.mark.parametrize("text", ["", "just text", "- a", "7"])
def test_a_file_that_holds_no_keys_is_told(text: str) -> None:
    (fault,) = faults_of(text)
    assert fault.startswith("the file: is ")
    assert fault.endswith("; expected keys and values")


@pytest.mark.parametrize(
    "text", ["name: a\nname: b", "{name: a, sail: {area: 1, area: 2}}", "? [a]\n: 1", "a: [", "\t"]
)
def test_what_is_no_mapping_of_distinct_keys_is_no_yaml(text: str) -> None:
    (fault,) = faults_of(text)
    assert fault.startswith("is no YAML (")


def test_numbers_in_every_spelling_are_numbers() -> None:
    for text, number in {"3e-4": 3e-4, "1E3": 1e3, "-2.5e+1": -25.0, "+4": 4.0, ".5": 0.5}.items():
        boat = parse_sections(Boat, f"{{name: a, sail: {{area: 1}}, draught: {text}}}", "boat.yaml")
        assert boat.draught == number
