"""Rows laid out all at once are those a tokenizer writes one by one, with every kind of frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("transformers", reason="the frames are those of its tokenizers")

from tokenizers import Tokenizer, models, pre_tokenizers, processors

from collators.errors import TokenizationError
from collators.pair_frames import PairFrame, Parts, Segment, ranges, read_frame
from tests.collators.encoder_tokenizers import encoder_of

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[X]"]


def backend(single: str | None, pair: str | None) -> Tokenizer:
    """One token a character."""
    vocab = {piece: id_ for id_, piece in enumerate([*SPECIALS, *"abcdefgh"])}
    made = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    if single is not None:
        specials = [(name, vocab[name]) for name in ("[CLS]", "[SEP]", "[X]")]
        made.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=specials)
    return made


FRAMES = {
    "bert": ("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"),
    "roberta": ("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 [SEP]:0 $B:0 [SEP]:0"),
    "xlnet": ("$A:0 [SEP]:0 [CLS]:2", "$A:0 [SEP]:0 $B:1 [SEP]:1 [CLS]:2"),
    "t5": ("$A:0 [SEP]:0", "$A:0 [SEP]:0 $B:0 [SEP]:0"),
    "two in front": ("[CLS]:0 [X]:3 $A:4", "[CLS]:0 [X]:3 $A:4 $B:5 [X]:6 [X]:7"),
    "none": (None, None),
}


def segments(*parts: tuple[int | None, tuple[int, ...], tuple[int, ...]]) -> PairFrame:
    return PairFrame(tuple(Segment(*part) for part in parts))


def test_the_frame_of_each_family_is_read() -> None:
    found = {name: read_frame(backend(*frame), num_texts=2) for name, frame in FRAMES.items()}
    assert found == {
        "bert": segments((None, (2,), (0,)), (0, (), (0,)), (None, (3,), (0,)), (1, (), (1,)), (None, (3,), (1,))),
        "roberta": segments(
            (None, (2,), (0,)), (0, (), (0,)), (None, (3, 3), (0, 0)), (1, (), (0,)), (None, (3,), (0,))
        ),
        "xlnet": segments((0, (), (0,)), (None, (3,), (0,)), (1, (), (1,)), (None, (3, 2), (1, 2))),
        "t5": segments((0, (), (0,)), (None, (3,), (0,)), (1, (), (0,)), (None, (3,), (0,))),
        "two in front": segments((None, (2, 4), (0, 3)), (0, (), (4,)), (1, (), (5,)), (None, (4, 4), (6, 7))),
        "none": segments((0, (), (0,)), (1, (), (1,))),
    }
    assert {name: frame.num_special for name, frame in found.items()} == {
        "bert": 3, "roberta": 4, "xlnet": 3, "t5": 2, "two in front": 4, "none": 0,
    }  # fmt: skip
    single = read_frame(backend(*FRAMES["bert"]), num_texts=1)
    assert single == segments((None, (2,), (0,)), (0, (), (0,)), (None, (3,), (0,)))


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "albert", "xlm_roberta", "deberta"])
def test_the_tokenizers_of_transformers_have_frames(family: str) -> None:
    tokenizer = encoder_of(family)
    for num_texts in (1, 2):
        frame = read_frame(tokenizer.backend_tokenizer, num_texts=num_texts)
        assert frame.num_special == tokenizer.num_special_tokens_to_add(pair=num_texts == 2) > 0


def test_texts_in_another_order_are_refused() -> None:
    other = backend("[CLS]:0 $A:0", "[CLS]:0 $B:0 [SEP]:0 $A:1")
    with pytest.raises(TokenizationError) as raised:
        read_frame(other, num_texts=2)
    assert str(raised.value) == (
        "the tokenizer does not write two texts one behind the other as they are; is it one of an encoder, such as "
        "BERT?"
    )


WORDS = st.lists(st.text("abcdefgh", max_size=6), min_size=1, max_size=5)


@pytest.mark.parametrize("kind", FRAMES)
@given(firsts=WORDS, seconds=WORDS)
@settings(max_examples=40, deadline=None)
def test_rows_laid_out_together_are_those_encoded_one_by_one(kind: str, firsts: list[str], seconds: list[str]) -> None:
    tokenizer = backend(*FRAMES[kind])
    pairs = list(zip(firsts, seconds, strict=False))
    runs = [[text for text, _ in pairs], [text for _, text in pairs]]
    frame = read_frame(tokenizer, num_texts=2)
    layout = frame.lay_out(*map(parts_of, runs))
    expected = [tokenizer.encode(*pair) for pair in pairs]
    assert layout.lengths.tolist() == [len(row.ids) for row in expected]
    assert layout.ids.tolist() == [id_ for row in expected for id_ in row.ids]
    assert layout.type_ids.tolist() == [id_ for row in expected for id_ in row.type_ids]
    texts = [-1 if text is None else text for row in expected for text in row.sequence_ids]
    assert layout.texts.tolist() == texts
    # Where each token of a text stands in the run of all texts of its side.
    places = zip(layout.texts.tolist(), layout.places.tolist(), layout.ids.tolist(), strict=True)
    letters = [ids_of("".join(run)) for run in runs]
    for text, place, id_ in places:
        assert place == -1 if text == -1 else letters[text][place] == id_
    for side, run in enumerate(runs):
        for row, first, text in zip(expected, layout.firsts[side].tolist(), run, strict=True):
            if text:
                assert row.sequence_ids.index(side) == first


def ids_of(text: str) -> list[int]:
    return [len(SPECIALS) + "abcdefgh".index(char) for char in text]


def parts_of(run: list[str]) -> Parts:
    ids = np.array(ids_of("".join(run)), np.int32)
    lengths = np.array([len(text) for text in run])
    return Parts(ids, lengths.cumsum() - lengths, lengths)


def test_parts_may_overlap_and_come_in_any_order() -> None:
    frame = read_frame(backend(*FRAMES["bert"]), num_texts=2)
    first = Parts(np.array([5, 6], np.int32), np.array([0, 0, 1]), np.array([2, 2, 1]))
    second = Parts(np.array([7, 8, 9], np.int32), np.array([1, 0, 3]), np.array([2, 2, 0]))
    layout = frame.lay_out(first, second)
    rows = np.split(layout.ids, layout.lengths.cumsum()[:-1])
    assert [row.tolist() for row in rows] == [[2, 5, 6, 3, 8, 9, 3], [2, 5, 6, 3, 7, 8, 3], [2, 6, 3, 3]]
    assert layout.firsts[1].tolist() == [4, 4, 3]
    assert layout.places.tolist()[:7] == [-1, 0, 1, -1, 1, 2, -1]


def test_no_rows_are_laid_out_as_none() -> None:
    frame = read_frame(backend(*FRAMES["bert"]), num_texts=2)
    none = Parts(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64))
    layout = frame.lay_out(none, none)
    assert (len(layout.ids), len(layout.lengths), len(layout.firsts[1])) == (0, 0, 0)


@given(pairs=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 6)), max_size=8))
def test_ranges_end_to_end(pairs: list[tuple[int, int]]) -> None:
    starts, lengths = np.array(pairs, np.int64).reshape(-1, 2).T
    expected: list[Any] = [number for start, length in pairs for number in range(start, start + length)]
    assert ranges(starts, lengths).tolist() == expected
