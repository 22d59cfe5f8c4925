"""A `vocab.txt` alone becomes the BERT tokenizer it belongs to, or the file is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="load_tokenizer gives a transformers tokenizer")

from collators import TokenizationError, load_tokenizer
from tests.collators.encoder_tokenizers import PIECES, SPECIALS

LOWER = [*SPECIALS, "小", "明", "##明", "hello", "##s", "é", "e"]
UPPER = [*SPECIALS, "小", "明", "##明", "Hello", "##s", "é", "e"]


def folder_with(folder: Path, pieces: list[str] | bytes, **files: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_bytes(pieces if isinstance(pieces, bytes) else "\n".join([*pieces, ""]).encode())
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def message(folder: Path) -> str:
    with pytest.raises(TokenizationError) as raised:
        load_tokenizer(folder)
    return str(raised.value).replace(str(folder), "TMP")


def test_a_vocabulary_gives_its_line_numbers_as_ids_in_the_frame_of_bert(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(folder_with(tmp_path, LOWER))
    assert (type(tokenizer).__name__, tokenizer.is_fast, len(tokenizer)) == ("BertTokenizer", True, len(LOWER))
    encoded = tokenizer("小明 Hellos", "é龘")
    assert encoded["input_ids"] == [2, 5, 6, 8, 9, 3, 11, 1, 3]  # the accent goes, as in every uncased BERT
    assert encoded["token_type_ids"] == [0, 0, 0, 0, 0, 0, 1, 1, 1]
    assert encoded["attention_mask"] == [1] * 9
    names = ("pad_token_id", "unk_token_id", "cls_token_id", "sep_token_id", "mask_token_id")
    assert [getattr(tokenizer, name) for name in names] == [0, 1, 2, 3, 4]
    assert load_tokenizer(str(tmp_path))("小明")["input_ids"] == [2, 5, 6, 3]


@pytest.mark.parametrize(
    ("pieces", "config", "expected"),
    [
        (LOWER, None, ["hello", "##s", "e"]),
        (UPPER, None, ["Hello", "##s", "é"]),
        # An upper-case letter in the middle of words only; control tokens and single signs are no words.
        ([*LOWER, "##M"], None, ["[UNK]", "é"]),
        ([*LOWER, "[unused1]", "<S>", "<T>", "ß", "ª"], None, ["hello", "##s", "e"]),
        (UPPER, {"do_lower_case": True}, ["[UNK]", "e"]),
        (LOWER, {"do_lower_case": False}, ["[UNK]", "é"]),
        (LOWER, {"do_lower_case": None}, ["hello", "##s", "e"]),
        (LOWER, {"strip_accents": False}, ["hello", "##s", "é"]),
        (LOWER, {"model_max_length": 512, "init_inputs": []}, ["hello", "##s", "e"]),
    ],
)
def test_case_is_that_of_the_pieces_unless_the_config_says_otherwise(
    tmp_path: Path, pieces: list[str], config: dict[str, Any] | None, expected: list[str]
) -> None:
    files = {} if config is None else {"tokenizer_config": config}
    assert load_tokenizer(folder_with(tmp_path, pieces, **files)).tokenize("Hellos é") == expected


def test_chinese_words_can_stay_whole(tmp_path: Path) -> None:
    assert load_tokenizer(folder_with(tmp_path, LOWER)).tokenize("小明") == ["小", "明"]
    options = {"tokenize_chinese_chars": False}
    assert load_tokenizer(folder_with(tmp_path, LOWER, tokenizer_config=options)).tokenize("小明") == ["小", "##明"]


def test_lines_may_end_in_any_way(tmp_path: Path) -> None:
    kinds = {
        "unix": "\n".join(LOWER) + "\n",
        "windows": "\r\n".join(LOWER) + "\r\n",
        "no last end": "\n".join(LOWER),
        "byte order mark": "\ufeff" + "\n".join(LOWER) + "\n",
    }
    for kind, text in kinds.items():
        tokenizer = load_tokenizer(folder_with(tmp_path, text.encode()))
        assert (len(tokenizer), tokenizer("e hello")["input_ids"]) == (len(LOWER), [2, 11, 8, 3]), kind


def test_a_piece_may_hold_what_looks_like_the_end_of_a_line(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(folder_with(tmp_path, [*SPECIALS, "\u2028", "\x85", "\x1c", "a"]))
    assert len(tokenizer) == 9
    assert tokenizer("a")["input_ids"] == [2, 8, 3]


def test_a_vocabulary_without_mask_serves_for_reading(tmp_path: Path) -> None:
    assert load_tokenizer(folder_with(tmp_path, [*SPECIALS[:4], "a"]))("a")["input_ids"] == [2, 4, 3]


def test_saved_and_loaded_again_it_gives_the_same_ids(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    for name, pieces in (("lower", PIECES), ("upper", UPPER)):
        tokenizer = load_tokenizer(folder_with(tmp_path / name, pieces))
        tokenizer.save_pretrained(tmp_path / f"{name}_saved")
        for load in (load_tokenizer, AutoTokenizer.from_pretrained):
            again = load(tmp_path / f"{name}_saved")
            for pair in [("谁来了？", "小明 Hello 31é"), ("[MASK] 龘", "Hello")]:
                assert dict(again(*pair)) == dict(tokenizer(*pair))
            assert again.pad_token_id == 0


def test_a_folder_that_says_what_it_holds_goes_to_auto_tokenizer(tmp_path: Path) -> None:
    from transformers import BertTokenizer

    # Left to itself, transformers takes any BERT for an uncased one.
    kinds = {
        "config": {"config": {"model_type": "bert"}},
        "class": {"tokenizer_config": {"tokenizer_class": "BertTokenizer"}},
    }
    for name, files in kinds.items():
        assert load_tokenizer(folder_with(tmp_path / name, UPPER, **files)).tokenize("Hello e") == ["[UNK]", "e"], name
    BertTokenizer(vocab={piece: id_ for id_, piece in enumerate(UPPER)}, do_lower_case=False).save_pretrained(
        tmp_path / "saved"
    )
    # vocab.txt is of another model here; the tokenizer.json counts.
    tokenizer = load_tokenizer(folder_with(tmp_path / "saved", LOWER))
    assert tokenizer.tokenize("Hellos") == ["Hello", "##s"]


def test_the_config_of_the_original_releases_is_no_hindrance(tmp_path: Path) -> None:
    assert len(load_tokenizer(folder_with(tmp_path, LOWER, bert_config={"vocab_size": 12}))) == 12


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["[UNK]", "[CLS]", "a"], "has no piece [PAD], [SEP]; is it the vocab.txt of a BERT model?"),
        (["<s>", "<pad>", "</s>", "<unk>"],
         "has no piece [PAD], [UNK], [CLS], [SEP]; is it the vocab.txt of a BERT model?"),
        (b"", "has no piece [PAD], [UNK], [CLS], [SEP]; is it the vocab.txt of a BERT model?"),
        ([*LOWER, "hello"], "the piece 'hello' stands there twice; fetch the file again"),
        ("\r\n".join([*LOWER, "小", "明", ""]).encode(), "the piece '小' stands there twice; fetch the file again"),
        ("\n".join([*SPECIALS, "小明"]).encode("gb18030"),
         "not UTF-8 (invalid continuation byte); fetch the file again"),
    ],
)  # fmt: skip
def test_what_is_no_vocabulary_is_named(tmp_path: Path, pieces: Any, expected: str) -> None:
    assert message(folder_with(tmp_path, pieces)) == f"TMP/vocab.txt: {expected}"


def test_a_config_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder_with(tmp_path, LOWER, tokenizer_config={"do_lower_case": "yes"})
    assert message(tmp_path) == "TMP/tokenizer_config.json: do_lower_case is 'yes'; expected true or false"
    folder_with(tmp_path, LOWER, tokenizer_config=[])
    assert message(tmp_path) == "TMP/tokenizer_config.json: [] is no JSON object; fetch the file again"
    (tmp_path / "tokenizer_config.json").write_text("{")
    assert message(tmp_path).startswith("TMP/tokenizer_config.json: not JSON (")


@pytest.mark.realdata
def test_the_real_chinese_vocabulary_is_an_uncased_one(shared_tokenizer: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shared_tokenizer("bert_chinese")
    lines = (folder / "vocab.txt").read_bytes().decode().split("\n")
    tokenizer = load_tokenizer(folder)
    assert len(tokenizer) == 21128
    assert tokenizer.convert_ids_to_tokens([0, 100, 101, 102, 103]) == SPECIALS
    assert tokenizer.convert_ids_to_tokens(list(range(21128))) == lines[:21128]
    ids = tokenizer("Windows 95系统，café")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == [
        "[CLS]", "windows", "95", "系", "统", "，", "cafe", "[SEP]",
    ]  # fmt: skip
    tokenizer.save_pretrained(tmp_path)
    assert load_tokenizer(tmp_path)("Windows 95系统，café")["input_ids"] == ids


def test_the_original_config_renamed_tells_nothing_and_one_with_a_model_type_goes_to_auto_tokenizer(
    tmp_path: Path,
) -> None:
    cased = [*SPECIALS, "Hello", "hello"]
    original = {"hidden_size": 768, "vocab_size": len(cased)}
    for name in ("bert_config", "config"):
        folder = folder_with(tmp_path / name, cased, **{name: original})
        assert load_tokenizer(folder)("Hello", add_special_tokens=False)["input_ids"] == [cased.index("Hello")]
    folder = folder_with(tmp_path / "named", cased, config={"model_type": "bert", **original})
    # transformers' own default is to lower-case.
    assert load_tokenizer(folder)("Hello", add_special_tokens=False)["input_ids"] == [cased.index("hello")]
