"""The Chinese README says what the English one says: the same pieces in the same order, the same code and facts."""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.code_comments import split_comments
from tests.readme_pieces import Piece, code_spans, figures, names, pieces, targets

ROOT = Path(__file__).parents[1]
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
LANGUAGE_LINES = "English | [简体中文](README.zh-CN.md)", "[English](README.md) | 简体中文"
SMALL_ENGLISH = """\
# Name

English | [简体中文](README.zh-CN.md)

Take [`loss`](a.md), which
is −100.

| what | rows |
| --- | --- |
| a | 115,669 |

```python
# on two cores
run("类型#裙", max_length=512)  # your model: max_length=
```

```diff
- 类型#裙 # a
```

```bash
make demo
```

## Speed

![picture](c.svg)

- four times as fast
"""
SMALL_CHINESE = """\
# Name

[English](README.md) | 简体中文

取 [`loss`](a.md)，即 −100。

| 什么 | 行数 |
| --- | --- |
| a | 115,669 |

```python
# 两个核上
run("类型#裙", max_length=512)  # 你的模型：max_length=
```

```diff
- 类型#裙 # a
```

```bash
make demo
```

## 速度

![图片](c.svg)

- 快四倍。
"""
HAN = re.compile(r"[\u4e00-\u9fff]")


def differences(english: str, chinese: str) -> list[str]:
    """What the Chinese README says otherwise than the English one, or leaves in English; a line each."""
    found = []
    for ours, theirs in zip_longest(pieces(chinese), pieces(english)):
        if ours is None or theirs is None or ours.kind != theirs.kind:
            # All that follows is shifted, and would differ too.
            return [*found, f"{_place(ours, theirs)}: {_shown(ours)}; in English it is {_shown(theirs)}"]
        found += [f"{_place(ours, theirs)}: {fact}" for fact in _differing_facts(ours, theirs)]
    return found


def _place(ours: Piece | None, theirs: Piece | None) -> str:
    return f"README.zh-CN.md:{ours.line if ours else 'end'} (README.md:{theirs.line if theirs else 'end'})"


def _shown(piece: Piece | None) -> str:
    return f"{piece.kind}, {piece.text[:40]!r}" if piece else "nothing"


def _differing_facts(ours: Piece, theirs: Piece) -> list[str]:
    if ours.kind.startswith("code "):
        return _differing_code(ours, theirs)
    if (theirs.text, ours.text) == LANGUAGE_LINES:
        return []
    facts = [
        f"{what}: {_but(of(ours.text), of(theirs.text))}"
        for what, of in (("links", targets), ("code", code_spans), ("figures", lambda text: set(figures(text).items())))
        if of(ours.text) != of(theirs.text)
    ]
    is_prose = ours.kind in ("paragraph", "item") or (ours.kind.startswith("heading") and ours.kind != "heading 1")
    if is_prose and not HAN.search(ours.text):
        facts.append(f"not translated: {ours.text[:40]!r}")
    return facts


def _differing_code(ours: Piece, theirs: Piece) -> list[str]:
    language = ours.kind.removeprefix("code ")
    try:
        (our_lines, our_comments), (their_lines, their_comments) = (
            split_comments(language, piece.text) for piece in (ours, theirs)
        )
    except ValueError as error:
        return [str(error)]
    facts = [
        f"line {number} of the code: {our_line!r}; in English {their_line!r}"
        for number, (our_line, their_line) in enumerate(zip_longest(our_lines, their_lines), 1)
        if our_line != their_line
    ]
    if (our_places := [each.line for each in our_comments]) != (places := [each.line for each in their_comments]):
        return [*facts, f"comments on lines {our_places}; in English on {places}, from 0"]
    for our, their in zip(our_comments, their_comments, strict=True):
        if not HAN.search(our.text) or our.text == their.text:
            facts.append(f"comment not translated: {our.text!r}")
        for what, of in (("names", names), ("figures", figures)):
            if of(our.text) != of(their.text):
                facts.append(f"{what} in a comment: {our.text!r}; in English {their.text!r}")
    return facts


def _but(ours: set[object], theirs: set[object]) -> str:
    return f"{sorted(map(str, ours - theirs))}; in English {sorted(map(str, theirs - ours))}"


def test_the_chinese_readme_says_what_the_english_one_says() -> None:
    assert differences(ENGLISH, CHINESE) == []
    kinds = [piece.kind for piece in pieces(CHINESE)]
    assert {"code bash", "code python", "code yaml", "code diff", "code text", "row of 5", "item"} <= set(kinds)


def test_each_readme_links_to_the_other_under_its_title() -> None:
    assert tuple(readme.splitlines()[2] for readme in (ENGLISH, CHINESE)) == LANGUAGE_LINES


@pytest.mark.parametrize("readme", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_every_relative_link_of_a_readme_leads_to_a_file(readme: str) -> None:
    paths = {target.split("#")[0] for target in targets(readme) if "://" not in target}
    assert len(paths) > 20
    assert [path for path in sorted(paths) if not (ROOT / path).is_file()] == []


def test_no_sentence_in_chinese_is_broken_over_lines() -> None:
    """A line break within a paragraph is shown as a space, which Chinese does not have."""
    broken = [piece.line for piece in pieces(CHINESE) if "\n" not in piece.text and piece.text not in CHINESE]
    assert broken == []


def test_two_readmes_of_one_content_do_not_differ() -> None:
    assert differences(SMALL_ENGLISH, SMALL_CHINESE) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("max_length=512", "max_length=511", "line 2 of the code"),
        ("  # 你的模型：", "# 你的模型：", ""),
        ("  # 你的模型：max_length=", "", "comments on lines"),
        ("你的模型：", "your model: ", "comment not translated"),
        ("max_length=\n", "length=\n", "names in a comment"),
        ("两个核", "三个核", "figures in a comment"),
        ("- 类型#裙 # a", "- 类型#裙 # b", "line 1 of the code"),
        ("```bash", "```sh", "code sh"),
        ("115,669", "115,668", "figures"),
        ("快四倍", "快五倍", "figures"),
        ("−100", "100", "figures"),
        ("| 行数 |", "| 行数 | |", "row of 3"),
        ("\n| a | 115,669 |", "", "row of 2"),
        ("## 速度", "### 速度", "heading 3"),
        ("(a.md)", "(b.md)", "links"),
        ("(c.svg)", "(d.svg)", "links"),
        ("`loss`", "loss", "code"),
        ("## 速度", "## Speed", "not translated"),
        ("\n## 速度", "\n多一段。\n\n## 速度", "'多一段。'"),
        ("\n- 快四倍。", "", "nothing; in English"),
        ("[English](README.md) | ", "", "links"),
    ],
)
def test_what_is_changed_in_one_readme_alone_is_told(old: str, new: str, told: str) -> None:
    assert SMALL_CHINESE.count(old) == 1
    found = differences(SMALL_ENGLISH, SMALL_CHINESE.replace(old, new))
    assert [told in line for line in found] == [True] * (told != ""), found


def test_every_line_of_code_changed_in_one_readme_alone_is_told() -> None:
    blocks = [piece for piece in pieces(CHINESE) if piece.kind.startswith("code ")]
    num_changed = 0
    for block in blocks:
        lines, _ = split_comments(block.kind.removeprefix("code "), block.text)
        for number, line in enumerate(lines):
            changed = block.text.splitlines()
            changed[number] = changed[number].replace(line.strip(), f"z{line.strip()}", 1)
            if line.strip():
                num_changed += 1
                assert _differing_code(block._replace(text="\n".join(changed)), block), f"{block.line}: {line}"
    assert num_changed > 100


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("115,669 rows, −100 and 1.4.", {"115,669": 1, "−100": 1, "1.4": 1}),
        ("one of two; a third; twenty; rows a second; tens of thousands", {2: 1, 3: 1, 20: 1}),
        ("一个，两个，三分之一，二十，第二，统一，数万，几百", {2: 1, 3: 1, 20: 1}),
        ("over a million; one in a thousand", {1_000_000: 1, 1000: 1}),
        ("超过一百万，每千行一行，一百二十三", {1_000_000: 1, 1000: 1, 123: 1}),
        ("`8 rows` of [seven](tests/9.md)", {7: 1}),
    ],
)
def test_figures_are_read_in_digits_and_in_words(text: str, expected: dict[str | int, int]) -> None:
    assert figures(text) == expected
