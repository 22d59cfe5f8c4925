"""`inspect_row`: every token once, in order, with its mark and its speaker; and nothing of the data steers the page."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers", reason="collators need transformers")

from datasets import Dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collators import IGNORE_INDEX, TokenizationError, inspect_row, load_tokenizer, tokenize
from collators.stretches import Stretch, stretches_of
from collators.template_frames import read_frame
from collators.token_texts import token_texts, visible
from tests.collators.conftest import BACKENDS, FAMILIES, GLM4

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "configs" / "demo_tokenizer"
GOLDEN = Path(__file__).parent / "golden" / "trained_tokens.svg"
DIALOGUE = [
    {"role": "system", "content": "你是文案助手。"},
    {"role": "user", "content": "类型#裙*颜色#白色"},
    {"role": "assistant", "content": "一条白色的裙子，\n简单大方。"},
    {"role": "user", "content": "换成<|user|>黑色"},
    {"role": "assistant", "content": "一条黑色的裙子。"},
]


def row_of(messages: list[dict[str, Any]], tokenizer: Any, **options: Any) -> dict[str, Any]:
    row: dict[str, Any] = tokenize(Dataset.from_dict({"messages": [messages]}), tokenizer, **options)[0]
    return row


def stretches(row: dict[str, Any], tokenizer: Any, **options: Any) -> list[Stretch]:
    return stretches_of(row["input_ids"], row["labels"], [0], tokenizer, read_frame(tokenizer, **options))


def demo_row(**options: Any) -> tuple[dict[str, Any], Any]:
    tokenizer = load_tokenizer(DEMO)
    return row_of(DIALOGUE, tokenizer, **options), tokenizer


def test_a_dialogue_as_text() -> None:
    row, tokenizer = demo_row()
    # A typed control token is shown as text, by one who speaks; the spaces are SentencePiece's dummy prefixes.
    assert inspect_row(row, tokenizer).splitlines() == [
        "- -          2  [gMASK]sop",
        "- system    10  <|system|> ⏎ 你是文案助手。",
        "- user      10  <|user|> ⏎ 类型#裙*颜色#白色",
        "- assistant  1  <|assistant|>",
        "+ assistant 14   ⏎ 一条白色的裙子，⏎简单大方。<|user|>",
        "- user      15   ⏎ 换成<|user|>黑色",
        "- assistant  1  <|assistant|>",
        "+ assistant 10   ⏎ 一条黑色的裙子。</s>",
    ]


def test_ids_are_shown_on_demand() -> None:
    row, tokenizer = demo_row()
    last = inspect_row(row, tokenizer, ids=True).splitlines()[-1]
    assert last.endswith("  ids " + " ".join(map(str, row["input_ids"][-10:])))


@pytest.mark.parametrize("kind", [*BACKENDS, "chatglm"])
def test_the_texts_of_all_tokens_joined_are_what_decoding_gives(
    kind: str, tokenizer_of: Callable[..., Any], chatglm_folder: Path
) -> None:
    tokenizer = load_tokenizer(chatglm_folder) if kind == "chatglm" else tokenizer_of(kind)
    known = sorted(set(tokenizer.get_vocab().values()))
    num_checked = 0

    @given(ids=st.lists(st.sampled_from(known), max_size=40))
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    def check(ids: list[int]) -> None:
        nonlocal num_checked
        controls = set(tokenizer.added_tokens_decoder)
        texts = token_texts(ids, tokenizer, controls)
        assert [place for start, end, _ in texts for place in range(start, end)] == list(range(len(ids)))
        assert "".join(each.text for each in texts) == tokenizer.decode(ids)
        for start, end, text in texts:
            if set(ids[start:end]) & controls:
                assert end == start + 1
                assert tokenizer.convert_ids_to_tokens(ids[start]) in text
        num_checked += len(ids)

    check()
    assert num_checked > 500


@pytest.mark.parametrize("family", FAMILIES)
def test_stretches_hold_every_token_once_in_order_with_its_mark(family: str, tokenizer_of: Callable[..., Any]) -> None:
    tokenizer = tokenizer_of("byte_level", FAMILIES[family])
    size = len(tokenizer)

    @given(
        tokens=st.lists(st.tuples(st.integers(0, size - 1), st.sampled_from(["trained", "not", "wrong"])), max_size=30),
        starts=st.sets(st.integers(1, 20), max_size=2),
    )
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    def check(tokens: list[tuple[int, str]], starts: set[int]) -> None:
        ids = [id_ for id_, _ in tokens]
        labels = [{"trained": id_, "not": IGNORE_INDEX, "wrong": id_ + 1}[kind] for id_, kind in tokens]
        begins = [0, *sorted(start for start in starts if start < len(ids))]
        found = stretches_of(ids, labels, begins, tokenizer, frame)
        assert [id_ for stretch in found for id_ in stretch.ids] == ids
        marks = [stretch.mark for stretch in found for _ in stretch.ids]
        assert marks == [{"trained": "+", "not": "-", "wrong": "!"}[kind] for _, kind in tokens]
        assert "".join(stretch.text for stretch in found) == tokenizer.decode(ids)
        kinds = [(stretch.mark, stretch.role, stretch.record) for stretch in found]
        assert all(one != other for one, other in pairwise(kinds))

    frame = read_frame(tokenizer)
    check()


@pytest.mark.parametrize("family", FAMILIES)
def test_each_text_is_its_speakers(family: str, tokenizer_of: Callable[..., Any]) -> None:
    tokenizer = tokenizer_of("byte_level", FAMILIES[family])
    texts = {"system": "fox", "user": "dog", "assistant": "lazy"}
    roles = ["system", "user", "assistant", "user", "assistant"]
    row = row_of([{"role": role, "content": texts[role]} for role in roles], tokenizer)
    spoken = [
        (text, stretch.role)
        for stretch in stretches(row, tokenizer)
        for text in re.findall("fox|dog|lazy", stretch.text)
    ]
    assert spoken == [(texts[role], role) for role in roles]


def test_a_tools_result_is_the_tools(tokenizer_of: Callable[..., Any]) -> None:
    template = (
        "{% for m in messages %}{% if m['role'] == 'tool' %}"
        "{{ '<|im_start|>user\\n<tool>' + m['content'] + '</tool><|im_end|>\\n' }}{% else %}"
        "{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endif %}{% endfor %}"
    )
    tokenizer = tokenizer_of(template=template)
    text = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>user\n<tool>rain</tool><|im_end|>\n"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    found = stretches({"input_ids": ids, "labels": [IGNORE_INDEX] * len(ids)}, tokenizer)
    assert [(stretch.role, stretch.text) for stretch in found] == [
        ("user", "<|im_start|>user\nhi<|im_end|>\n"),
        ("tool", "<|im_start|>user\n<tool>rain</tool><|im_end|>\n"),
    ]


def test_the_role_token_that_ends_an_answer_is_the_assistants(tokenizer_of: Callable[..., Any]) -> None:
    tokenizer = tokenizer_of(template=GLM4)
    row = row_of([*DIALOGUE[1:4], {"role": "assistant", "content": "a"}], tokenizer)
    trained = [stretch for stretch in stretches(row, tokenizer) if stretch.mark == "+"]
    assert [(stretch.role, stretch.text[-8:]) for stretch in trained] == [
        ("assistant", "<|user|>"),
        ("assistant", "\na"),
    ]
    # Not trained, it is where the next speaker begins.
    unlabelled = {**row, "labels": [IGNORE_INDEX] * len(row["labels"])}
    assert [stretch.text[:8] for stretch in stretches(unlabelled, tokenizer) if stretch.role == "user"] == [
        "<|user|>"
    ] * 2


def test_without_a_template_what_is_trained_is_the_assistants(tokenizer_of: Callable[..., Any]) -> None:
    tokenizer = tokenizer_of(template=None)
    ids = tokenizer("hello you", add_special_tokens=False)["input_ids"]
    row = {"input_ids": ids, "labels": [IGNORE_INDEX, *ids[1:]]}
    assert [(stretch.mark, stretch.role) for stretch in stretches(row, tokenizer)] == [("-", "-"), ("+", "assistant")]


def test_a_template_that_rows_were_made_with_can_be_named(tokenizer_of: Callable[..., Any]) -> None:
    tokenizer = load_tokenizer(DEMO)
    tokenizer.chat_template = None
    row = row_of(DIALOGUE, tokenizer, template="chatglm3")
    assert "- user" in inspect_row(row, tokenizer, template="chatglm3")
    assert "user " not in inspect_row(row, tokenizer)


def test_a_label_that_is_another_id_is_an_error_mark_with_that_label(tokenizer_of: Callable[..., Any]) -> None:
    row, tokenizer = demo_row()
    place = row["input_ids"].index(tokenizer.convert_tokens_to_ids("<|assistant|>"))
    row["labels"][place] = 7
    assert "! assistant  1  <|assistant|>  labels 7" in inspect_row(row, tokenizer).splitlines()
    assert 'class="run wrong"' in inspect_row(row, tokenizer, format="html")
    assert '<g class="wrong">' in inspect_row(row, tokenizer, format="svg")


def test_tokens_that_share_a_character_show_it_once_and_no_half_ones(tokenizer_of: Callable[..., Any]) -> None:
    tokenizer = tokenizer_of("byte_level")
    ids = tokenizer("a🦜龘b", add_special_tokens=False)["input_ids"]
    assert len(ids) > 5  # bytes
    texts = token_texts(ids, tokenizer, ())
    assert [text for _, _, text in texts] == ["a", "🦜", "龘", "b"]
    # Where the mask cuts through a character, it is shown in the stretch of its first token.
    labels = [IGNORE_INDEX, IGNORE_INDEX, *ids[2:]]
    found = stretches({"input_ids": ids, "labels": labels}, tokenizer)
    assert [stretch.text for stretch in found] == ["a🦜", "龘b"]


def test_a_row_cut_within_a_character_shows_the_half_of_it(tokenizer_of: Callable[..., Any]) -> None:
    tokenizer = tokenizer_of("byte_level")
    ids = tokenizer("a🦜", add_special_tokens=False)["input_ids"][:-1]
    assert inspect_row({"input_ids": ids, "labels": ids}, tokenizer).endswith(" a�")


def test_colours_say_what_the_marks_say_and_data_cannot_steer_the_terminal(tokenizer_of: Callable[..., Any]) -> None:
    tokenizer = tokenizer_of("byte_level")
    row = row_of([{"role": "user", "content": "\x1b[2J\r\u202eevil"}, {"role": "assistant", "content": "a"}], tokenizer)
    painted = inspect_row(row, tokenizer, format="ansi")
    bare = re.sub(r"\x1b\[\d+m", "", painted)
    assert bare == inspect_row(row, tokenizer)
    assert "␛[2J␍\\u202eevil" in bare
    assert "\x1b[32ma\x1b[0m\x1b[32m\x1b[4m<|im_end|>\x1b[0m" in painted  # green, the control token underlined


@pytest.mark.parametrize(
    ("text", "shown"), [("a\n\n", "a⏎⏎"), ("\t\0", "␉␀"), ("\x7f\x85\u2028", "\\u007f\\u0085\\u2028")]
)
def test_what_has_no_shape_is_shown_by_a_sign(text: str, shown: str) -> None:
    assert visible(text) == shown


class _Spans(HTMLParser):
    """The title and the text of every span that has a title; and which tags there are."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.tags: set[str] = set()
        self._title = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._title = dict(attrs).get("title") or ""

    def handle_endtag(self, tag: str) -> None:
        self._title = ""

    def handle_data(self, data: str) -> None:
        if self._title:
            self.found.append((self._title, data))


def test_html_has_a_span_a_token_and_takes_no_markup_from_the_data(tokenizer_of: Callable[..., Any]) -> None:
    tokenizer = tokenizer_of("byte_level")
    text = "<script>a</script> & \"b\" 'c'"
    row = row_of([{"role": "user", "content": text}, {"role": "assistant", "content": "🦜"}], tokenizer)
    page = _Spans()
    page.feed(inspect_row(row, tokenizer, format="html"))
    assert [int(id_) for title, _ in page.found for id_ in title.split()] == row["input_ids"]
    assert "".join(shown for _, shown in page.found) == tokenizer.decode(row["input_ids"]).replace("\n", "⏎")
    assert page.tags == {"div", "style", "span", "br"}


def test_records_of_a_packed_row_stand_apart() -> None:
    row, tokenizer = demo_row()
    length = len(row["input_ids"])
    packed = {name: row[name] * 2 for name in ("input_ids", "labels")}
    alone = inspect_row(row, tokenizer).splitlines()
    for extra in ({"seq_lengths": [length, length]}, {"position_ids": [*range(length)] * 2}):
        lines = inspect_row({**packed, **extra}, tokenizer).splitlines()
        assert lines == [*alone, "──── record 2", *alone]
    assert "<hr>" in inspect_row({**packed, **extra}, tokenizer, format="html")
    assert "<line " in inspect_row({**packed, **extra}, tokenizer, format="svg")


def test_arrays_are_rows_too() -> None:
    row, tokenizer = demo_row()
    arrays = {name: np.array(row[name], np.int32) for name in ("input_ids", "labels")}
    assert inspect_row(arrays, tokenizer, ids=True) == inspect_row(row, tokenizer, ids=True)


def test_an_empty_row_is_an_empty_picture() -> None:
    tokenizer = load_tokenizer(DEMO)
    empty: dict[str, list[int]] = {"input_ids": [], "labels": []}
    assert inspect_row(empty, tokenizer) == ""
    assert ElementTree.fromstring(inspect_row(empty, tokenizer, format="svg")).tag.endswith("svg")


@pytest.mark.parametrize(
    ("row", "fact"),
    [
        ({"input_ids": [5]}, "columns input_ids: no labels; show a row of collators.tokenize"),
        ({"input_ids": [5, 6], "labels": [5]}, "2 input_ids and 1 labels; expected one label for each token"),
        (
            {"input_ids": [5, 90000], "labels": [5, 6]},
            "input_ids[1] is 90000, no token of this tokenizer (3,009 of them)",
        ),
        ({"input_ids": [-100], "labels": [-100]}, "input_ids[0] is -100, no token of this tokenizer"),
        ({"input_ids": [0.5], "labels": [5]}, "input_ids: is an array of float64 with shape (1,); expected one row"),
        ({"input_ids": [[5]], "labels": [[5]]}, "input_ids: is an array of int64 with shape (1, 1); expected one row"),
        ({"input_ids": [5, 6], "labels": [5, 6], "seq_lengths": [1]}, "seq_lengths sum up to 1, the row has 2 tokens"),
    ],
)
def test_what_is_no_row_of_this_tokenizer_is_refused_in_plain_words(row: dict[str, Any], fact: str) -> None:
    with pytest.raises(TokenizationError, match=re.escape(fact)):
        inspect_row(row, load_tokenizer(DEMO))


def test_an_unknown_format_is_refused_with_the_nearest_one() -> None:
    row, tokenizer = demo_row()
    with pytest.raises(TokenizationError, match=r"format='htm': no such format; did you mean 'html'\?"):
        inspect_row(row, tokenizer, format="htm")
    with pytest.raises(TokenizationError, match="choose one of 'text', 'ansi', 'html', 'svg'"):
        inspect_row(row, tokenizer, format="🦜")


def test_the_picture_of_the_readme_is_what_the_tool_makes() -> None:
    """Make it anew with REWRITE_GOLDEN=1; the README shows this very file."""
    row, tokenizer = demo_row()
    picture = inspect_row(row, tokenizer, format="svg")
    if os.environ.get("REWRITE_GOLDEN"):
        GOLDEN.write_text(picture, encoding="utf-8")
    assert picture == GOLDEN.read_text(encoding="utf-8")


def test_the_picture_shows_every_text_within_its_borders() -> None:
    tokenizer = load_tokenizer(DEMO)
    messages = [{"role": "user", "content": "很长的问题" * 30}, {"role": "assistant", "content": "word " * 60}]
    row = row_of(messages, tokenizer)
    root = ElementTree.fromstring(inspect_row(row, tokenizer, format="svg"))
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    space = "{http://www.w3.org/2000/svg}"
    boxes = [box for box in root.iter(f"{space}rect") if box.get("class") != "page"]
    assert len(boxes) > 100
    for box in boxes:
        x, y, wide, high = (float(box.get(name, "0")) for name in ("x", "y", "width", "height"))
        assert 0 <= x < x + wide <= width
        assert 0 <= y < y + high <= height
    texts = [text.text or "" for text in root.iter(f"{space}text") if text.get("class") != "head"]
    shown = "".join(texts).replace("trained: the model must produce it", "").replace("not trained", "")
    assert shown == visible(tokenizer.decode(row["input_ids"]))


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["chatglm3", "qwen2_5", "llama2"])
def test_real_rows_are_shown_whole_and_by_their_speakers(
    name: str, shared_tokenizer: Callable[[str], Path], real_conversations: list[list[dict[str, str]]]
) -> None:
    tokenizer = load_tokenizer(shared_tokenizer(name))
    if tokenizer.chat_template is None:
        tokenizer.chat_template = FAMILIES["llama2"]
    chats = [[*chat, *other] for chat, other in zip(real_conversations[::50], real_conversations[25::50], strict=False)]
    rows = tokenize(Dataset.from_dict({"messages": chats}), tokenizer, max_length=8192)
    for row in rows:
        found = stretches(row, tokenizer)
        assert "".join(stretch.text for stretch in found) == tokenizer.decode(row["input_ids"])
        assert not any("\ufffd" in stretch.text for stretch in found)
        assert [stretch.role for stretch in found if stretch.mark == "+"] == ["assistant"] * 2
        assert "user" in {stretch.role for stretch in found if stretch.mark == "-"}
    assert len(rows) == len(chats) > 80
