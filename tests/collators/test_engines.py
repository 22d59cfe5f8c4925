"""Engines: all give the ids of the tokenizer's own backend, or are left out before a row is wrong."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("transformers", reason="collators need transformers")

from datasets import Dataset

from collators import TokenizationError, Tokenize, engines, load_tokenizer, token_rows, tokenize
from collators.controls import GuardedBackend
from collators.encoding import Encoded, TokenizersEngine
from collators.engines import EngineName, ProvenEngine
from collators.gigatoken_engine import GigatokenEngine
from collators.sentencepiece_engine import SentencePieceEngine
from collators.tokenizers import backend_json
from tests.collators.conftest import TEXT

Chats = list[list[dict[str, str]]]
SAID = "上衣 牛仔布 简约 红色 hello world quick fox 高血压 可以 口服 1 23 ， 。 < | > im_end"
WORDS = [*SAID.split(" "), " ", "\n"]


def chats(num_rows: int, seed: int = 0) -> Chats:
    draw = random.Random(seed)

    def text() -> str:
        return "".join(draw.choices(WORDS, k=draw.randint(1, 30)))

    return [[{"role": "user", "content": text()}, {"role": "assistant", "content": text()}] for _ in range(num_rows)]


@pytest.fixture
def tokenizer(tokenizer_of: Callable[..., Any]) -> Any:
    return tokenizer_of("byte_level")


def digest(rows: Dataset) -> str:
    table = rows.with_format("arrow")[:]
    flat = [table[name].combine_chunks().flatten().to_numpy() for name in ("input_ids", "labels")]
    lengths = table["length"].to_numpy()
    return hashlib.sha256(b"|".join(array.tobytes() for array in (*flat, lengths))).hexdigest()


class Planted:
    """The reference's ids, but for texts with `fault` in them."""

    name = "gigatoken"

    def __init__(self, state: str, fault: str, fails: bool = False) -> None:
        from tokenizers import Tokenizer

        self._reference = TokenizersEngine(Tokenizer.from_str(state))
        self._fault, self._fails = fault, fails

    def encode(self, texts: pa.LargeStringArray) -> Encoded:
        if self._fails and any(self._fault in text for text in texts.to_pylist()):
            raise RuntimeError("planted")
        return self._reference.encode(pa.array([t.replace(self._fault, "X") for t in texts.to_pylist()], texts.type))


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    def put(*arguments: Any) -> None:
        engines._accelerator.cache_clear()
        monkeypatch.setitem(engines._MAKERS, "gigatoken", lambda state: Planted(state, *arguments))
        monkeypatch.setitem(engines._MAKERS, "sentencepiece", engines._MAKERS["sentencepiece"])

    yield put
    engines._accelerator.cache_clear()


@pytest.fixture
def many_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many processes as asked for, however few rows there are."""
    monkeypatch.setattr("collators.token_tables.fastest", lambda asked, *_: asked)


def test_the_fastest_engine_is_chosen_where_rows_are_many(tokenizer: Any, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("gigatoken", reason="the extra `fast`")
    caplog.set_level(logging.INFO, "collators")
    tokenize(Dataset.from_dict({"messages": chats(100)}), tokenizer)
    assert "encodes with tokenizers" in caplog.messages
    caplog.clear()
    tokenize(Dataset.from_dict({"messages": chats(2500)}), tokenizer)
    assert "encodes with gigatoken" in caplog.messages


def test_a_step_of_ones_own_map_chooses_by_its_first_large_batch(tokenizer: Any) -> None:
    pytest.importorskip("gigatoken", reason="the extra `fast`")
    step, rows = Tokenize(tokenizer), Dataset.from_dict({"messages": chats(600)}).with_format("arrow")
    step(rows[:10])
    assert step.engine == "tokenizers"
    step(rows[:500])
    assert step.engine == "gigatoken"
    assert Tokenize(tokenizer, engine="tokenizers").digest == step.digest


@pytest.mark.usefixtures("many_processes")
def test_same_ids_and_labels_for_every_engine_number_of_processes_and_batch_size(tokenizer: Any) -> None:
    pytest.importorskip("gigatoken", reason="the extra `fast`")
    data = Dataset.from_dict({"messages": chats(2500)})
    expected = digest(tokenize(data, tokenizer, engine="tokenizers"))
    found = {f"{num} processes": digest(tokenize(data, tokenizer, num_proc=num)) for num in (2, 4)}
    step = Tokenize(tokenizer, engine="gigatoken")
    found["batches of 10,000"] = digest(data.map(step, batched=True, batch_size=10_000, remove_columns=["messages"]))
    assert found == dict.fromkeys(found, expected)
    few = data.select(range(300))
    expected = digest(tokenize(few, tokenizer))
    for engine in ("gigatoken", "tokenizers"):
        step = Tokenize(tokenizer, engine=engine)  # type: ignore[arg-type]
        assert digest(few.map(step, batched=True, batch_size=1, remove_columns=["messages"])) == expected


@pytest.mark.usefixtures("many_processes")
def test_processes_after_threads_do_not_wait_for_each_other(tokenizer: Any) -> None:
    data = Dataset.from_dict({"messages": chats(2500)})
    for _ in range(3):  # threads of the encoder, then forks of this process, then threads again
        assert digest(tokenize(data, tokenizer)) == digest(tokenize(data, tokenizer, num_proc=2))


@pytest.mark.parametrize("fault", ["龘", "红色hello"])
@pytest.mark.parametrize("fails", [False, True])
def test_an_engine_that_is_wrong_on_a_rare_row_leaves_no_wrong_row(
    tokenizer: Any, plant: Callable[..., None], caplog: pytest.LogCaptureFixture, fault: str, fails: bool
) -> None:
    """A rare character at the end of the data, and a sequence in the first of its rows."""
    rows = [[turn | {"content": turn["content"].replace(fault, "")} for turn in chat] for chat in chats(9000)]
    rows[8765][1]["content"] += "龘" if fault == "龘" else ""
    rows[0][1]["content"] += fault if fault != "龘" else ""
    data = Dataset.from_dict({"messages": rows})
    expected = digest(tokenize(data, tokenizer, engine="tokenizers"))
    caplog.clear()
    plant(fault, fails)
    assert digest(tokenize(data, tokenizer)) == expected
    said = "gigatoken fails (planted)" if fails else "gigatoken gives other ids than tokenizers for "
    assert [m for m in caplog.messages if m.startswith(said)]
    step = Tokenize(tokenizer)
    own = data.map(step, batched=True, remove_columns=["messages"])
    assert digest(own) == expected
    assert step.engine == "tokenizers"


def test_an_engine_asked_for_is_used_or_an_error(tokenizer: Any, plant: Callable[..., None]) -> None:
    data = Dataset.from_dict({"messages": chats(50)})
    with pytest.raises(TokenizationError, match=r"^engine 'sentencepiece': the tokenizer is not a SentencePiece BPE"):
        tokenize(data, tokenizer, engine="sentencepiece")
    with pytest.raises(TokenizationError, match=r"^engine='gigatokn': no such choice; did you mean 'gigatoken'\?"):
        tokenize(data, tokenizer, engine="gigatokn")  # type: ignore[arg-type]
    plant("上衣")
    with pytest.raises(TokenizationError, match=r"^gigatoken gives other ids than tokenizers for .*; leave engine="):
        tokenize(data, tokenizer, engine="gigatoken")


def test_an_engine_that_is_not_installed_is_named_with_its_extra(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines._accelerator.cache_clear()
    monkeypatch.setitem(sys.modules, "gigatoken", None)
    data = Dataset.from_dict({"messages": chats(2500)})
    with pytest.raises(TokenizationError, match=r"^engine 'gigatoken': .*; pip install 'hf-builders\[fast\]'$"):
        tokenize(data, tokenizer, engine="gigatoken")
    assert len(tokenize(data, tokenizer)) == 2500  # with another one


def test_every_character_and_some_whole_rows_are_compared() -> None:
    seen: list[str] = []

    class Reference:
        name = "reference"

        def encode(self, texts: pa.LargeStringArray) -> Encoded:
            seen.extend(texts.to_pylist())
            return Encoded(np.zeros(len(texts), np.int32), np.arange(len(texts) + 1, dtype=np.int64))

    proven = ProvenEngine(Reference(), Reference())
    proven._num_texts = 256  # the first texts are compared whole
    texts = [f"ab{chr(0x4E00 + place)}" for place in range(2000)] + ["𠀀 beyond 16 bits"]
    proven.encode(pa.array(texts, pa.large_string()))
    given_by_accelerator = len(texts)
    compared = seen[given_by_accelerator:]
    for text in texts:
        assert sum(text in each for each in compared) >= 1
    seen.clear()
    proven.encode(pa.array(texts, pa.large_string()))
    assert len(seen) == len(texts) + 2  # one row in a thousand, nothing else
    proven.encode(pa.array(["x" * 40 + "ÿ" + "y" * 40], pa.large_string()))
    assert seen[-1] == "x" * 8 + "ÿ" + "y" * 8 or "ÿ" in seen[-2]


def test_a_tokenizer_an_engine_does_not_know_is_refused(tokenizer_of: Callable[..., Any], chatglm_folder: Path) -> None:
    from tokenizers import AddedToken

    data = Dataset.from_dict({"messages": chats(300)})
    whole_words = tokenizer_of("byte_level")
    whole_words.backend_tokenizer.add_tokens([AddedToken("fox", single_word=True, special=False)])
    spaced = load_tokenizer(chatglm_folder)
    spaced.backend_tokenizer.add_tokens([AddedToken("two words", special=False, normalized=False)])
    config = json.loads(backend_json(load_tokenizer(chatglm_folder)))
    config["model"]["merges"].pop()
    fewer_merges = load_tokenizer(chatglm_folder)
    fewer_merges._tokenizer = type(fewer_merges.backend_tokenizer).from_str(json.dumps(config))
    for tokenizer, engine, said in (
        (whole_words, "gigatoken", "added tokens that are whole words only"),
        (spaced, "sentencepiece", "not a SentencePiece BPE model"),
        (fewer_merges, "sentencepiece", "as no SentencePiece model does"),
    ):
        with pytest.raises(TokenizationError, match=f"^engine '{engine}': .*{said}"):
            tokenize(data, tokenizer, engine=engine)  # type: ignore[arg-type]
        assert len(tokenize(data, tokenizer)) == 300


@pytest.fixture(scope="module")
def sentencepiece_pair(chatglm_folder: Path) -> tuple[SentencePieceEngine, TokenizersEngine, list[str]]:
    guarded = GuardedBackend(backend_json(load_tokenizer(chatglm_folder)), ())
    names = [control.name for control in guarded.controls.values()]
    return SentencePieceEngine(guarded.state), TokenizersEngine(guarded.backend), names


@given(parts=st.lists(st.one_of(st.integers(0, 9), st.text(), st.sampled_from([*TEXT, " ", "  ", "▁", "<0x0A>"]))))
@example(parts=[0, 1, 2, " ", 3, "", 4, "  ", 5, 6])
def test_sentencepiece_gives_the_ids_of_the_backend_also_around_control_tokens(
    sentencepiece_pair: tuple[SentencePieceEngine, TokenizersEngine, list[str]], parts: list[int | str]
) -> None:
    ours, reference, names = sentencepiece_pair
    text = "".join(names[part] if isinstance(part, int) else part for part in parts)
    texts = pa.array([text, "a", text[::-1]], pa.large_string())
    given_ids, expected = ours.encode(texts), reference.encode(texts)
    assert given_ids.ids.tolist() == expected.ids.tolist()
    assert given_ids.starts.tolist() == expected.starts.tolist()


SCRIPT = """
import os
os.environ["HF_DATASETS_CACHE"] = {cache!r}
from datasets import Dataset
from collators import load_tokenizer, tokenize
import collators.token_tables as d
d.fastest = lambda asked, *_: asked
rows = [[{{"role": "user", "content": "hello"}}, {{"role": "assistant", "content": "world"}}]] * 50
print(len(tokenize(Dataset.from_dict({{"messages": rows}}), load_tokenizer({folder!r}), num_proc=2)))
"""


def test_a_plain_script_without_a_main_guard_may_ask_for_processes(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(cache=str(tmp_path), folder=str(tmp_path / "tokenizer")), encoding="utf-8")
    root = Path(engines.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.stdout.strip() == "50", done.stderr


@pytest.mark.realdata
@pytest.mark.usefixtures("many_processes")
@pytest.mark.parametrize(("name", "num_engines"), [("chatglm3", 3), ("qwen2_5", 2), ("llama2", 3)])
def test_one_digest_on_all_real_rows_for_every_engine_process_count_and_batch_size(
    shared_tokenizer: Callable[[str], Path], real_conversations: Chats, name: str, num_engines: int
) -> None:
    tokenizer = load_tokenizer(shared_tokenizer(name))
    options: dict[str, Any] = {"template": "alpaca"} if name == "llama2" else {}
    data, found = Dataset.from_dict({"messages": real_conversations}), {}
    for engine in get_args(EngineName):
        try:
            rows = token_rows(data, tokenizer, engine=engine, **options)
        except TokenizationError:
            continue
        found[engine] = digest(rows)
    assert len(found) == num_engines
    for processes in (1, 2, 4):
        found[f"{processes} processes"] = digest(token_rows(data, tokenizer, num_proc=processes, **options))
    for size in (1, 10_000):
        step, some = Tokenize(tokenizer, **options), data.select(range(0, len(data), 10 if size == 1 else 1))
        rows = some.map(step, batched=True, batch_size=size, remove_columns=["messages"])
        key = f"tenth by {size}" if size == 1 else f"by {size}"
        found[key] = digest(rows)
    tenth = found.pop("tenth by 1")
    assert tenth == digest(token_rows(data.select(range(0, len(data), 10)), tokenizer, **options))
    assert len(set(found.values())) == 1


def test_gigatoken_is_made_anew_before_what_it_remembers_fills_the_memory(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gigatoken", reason="the extra `fast`")
    made = []
    make_anew = GigatokenEngine._made_anew
    monkeypatch.setattr(GigatokenEngine, "_made_anew", lambda self: made.append(self) or make_anew(self))
    monkeypatch.setattr("collators.gigatoken_engine._MOST_BYTES", 10_000)
    monkeypatch.setattr("collators.gigatoken_engine._memory", lambda: math.inf)
    engines._accelerator.cache_clear()
    data = Dataset.from_dict({"messages": chats(2500)})
    assert digest(tokenize(data, tokenizer, engine="gigatoken")) == digest(
        tokenize(data, tokenizer, engine="tokenizers")
    )
    assert len(made) > 2
