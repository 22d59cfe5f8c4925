"""All real conversations with tools and of several rounds, with the real tokenizers, against the slow references."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="collators need transformers")

from collators import load_tokenizer
from tests.collators.conversation_families import CHATML_TURN, Family, Message
from tests.collators.conversation_references import IGNORED, as_messages, labels_by_offsets, rendered_reference
from tests.collators.conversation_rows import demo_chatglm3, rows_of

pytestmark = pytest.mark.realdata
Chats = list[tuple[list[Message], Any]]
NUM_GLAIVE, NUM_DISC, NUM_LAWYER = 200, 200, 150


def from_sharegpt(turns: list[dict[str, str]]) -> list[Message]:
    """A call and the observation behind it are one tool message."""
    roles = {"human": "user", "gpt": "assistant", "observation": "observation"}
    conversation: list[Message] = []
    for turn in turns:
        if turn["from"] == "function_call":
            call = json.loads(turn["value"])
            conversation.append({"role": "tool", "name": call["name"], "parameters": call["arguments"]})
        elif turn["from"] == "observation" and conversation[-1]["role"] == "tool":
            conversation[-1]["observation"] = turn["value"]
        else:
            conversation.append({"role": roles[turn["from"]], "content": turn["value"]})
    return conversation


def from_pairs(pairs: list[list[str]], system: str = "") -> list[Message]:
    head = [{"role": "system", "content": system}] if system else []
    turns = [(role, text) for pair in pairs for role, text in zip(("user", "assistant"), pair, strict=True)]
    return head + [{"role": role, "content": text} for role, text in turns]


@pytest.fixture(scope="session")
def glaive(shared_realdata: Callable[[str], Path]) -> Chats:
    file = shared_realdata("chatglm3_tools") / "LLaMA-Factory" / "data" / "glaive_toolcall_zh_demo.json"
    rows = json.loads(file.read_text(encoding="utf-8"))
    return [(from_sharegpt(row["conversations"]), json.loads(row["tools"])) for row in rows]


@pytest.fixture(scope="session")
def dialogues(shared_realdata: Callable[[str], Path]) -> Chats:
    disc = shared_realdata("fin") / "DISC-FinLLM" / "data"
    chats = []
    for name in ("consulting_part", "task_part"):
        for row in json.loads((disc / f"{name}.json").read_text(encoding="utf-8")):
            question = row["instruction"] + ("\n" + row["input"] if row["input"] else "")
            chats.append(from_pairs([*row["history"], [question, row["output"]]]))
    assert len(chats) == NUM_DISC
    file = shared_realdata("legal") / "lawyer-llama" / "data" / "legal_counsel_multi_turn_with_article_v2.json"
    for row in json.loads(file.read_text(encoding="utf-8")):
        said = [re.fullmatch(r"\[(客户|律师)\] ?(.*)", line, re.DOTALL) for line in row["history"]]
        turns = [({"客户": "user", "律师": "assistant"}[match[1]], match[2]) for match in said if match]
        assert len(turns) == len(row["history"])
        laws = {"role": "system", "content": "\n".join(row["laws"])}
        chats.append([laws, *({"role": role, "content": text} for role, text in turns)])
    return [(chat, None) for chat in chats]


def test_chatglm3_by_sentencepiece_alone(
    shared_tokenizer: Callable[[str], Path], glaive: Chats, dialogues: Chats
) -> None:
    tokenizer, reference = demo_chatglm3(shared_tokenizer("chatglm3"))
    chats = glaive + dialogues
    for form in (lambda chat: chat, as_messages):
        rows = rows_of([form(chat) for chat, _ in chats], [tools for _, tools in chats], tokenizer)
        num_checked = 0
        for (chat, tools), row in zip(chats, rows, strict=True):
            expected = reference(chat, tools)
            assert row["set_aside"] is None
            assert (row["input_ids"], row["labels"]) == (expected.ids, expected.labels), chat
            num_checked += 1
        assert num_checked == NUM_GLAIVE + NUM_DISC + NUM_LAWYER
        assert rows[0]["input_ids"][0] == 64790


def test_qwen_by_apply_chat_template_and_by_offsets(
    shared_tokenizer: Callable[[str], Path], glaive: Chats, dialogues: Chats
) -> None:
    tokenizer = load_tokenizer(shared_tokenizer("qwen2_5"))
    family = Family(tokenizer.chat_template, *CHATML_TURN)
    chats = glaive + dialogues
    num_checked = num_calls = 0
    # Without tools both forms are the same.
    converted = rows_of([chat for chat, _ in glaive], [tools for _, tools in glaive], tokenizer)
    given = rows_of([as_messages(chat) for chat, _ in chats], [tools for _, tools in chats], tokenizer)
    call, end = tokenizer.convert_tokens_to_ids(["<tool_call>", "<|im_end|>"])
    assert converted == given[:NUM_GLAIVE]
    for (chat, tools), row in zip(chats, given, strict=True):
        expected = rendered_reference(tokenizer, family, as_messages(chat), tools)
        assert row["set_aside"] is None
        assert (row["input_ids"], row["labels"]) == (expected.ids, expected.labels), chat
        assert row["labels"].count(call) == sum(message["role"] == "tool" for message in chat)
        assert row["labels"].count(end) == sum(m["role"] == "assistant" for m in as_messages(chat))
        num_checked += 1
        num_calls += row["labels"].count(call)
    assert num_checked == NUM_GLAIVE + NUM_DISC + NUM_LAWYER
    assert num_calls == 156


def alpaca(chat: list[Message]) -> tuple[str, list[tuple[int, int]]]:
    """Stanford's prompt, once for each round, and where the answers stand with their ends."""
    head, *rest = chat if chat[0]["role"] == "system" else [{"content": INSTRUCTED}, *chat]
    text, answers = "<s>" + head["content"] + "\n\n", []
    for message in rest:
        if message["role"] == "user":
            text += f"### Instruction:\n{message['content']}\n\n### Response:\n"
        else:
            answers.append((len(text), len(text + message["content"] + "</s>")))
            text += message["content"] + "</s>\n\n"
    return text.removesuffix("\n\n"), answers


INSTRUCTED = "Below is an instruction that describes a task. Write a response that appropriately completes the request."


def test_llama2_with_alpacas_prompt(shared_tokenizer: Callable[[str], Path], dialogues: Chats) -> None:
    tokenizer = load_tokenizer(shared_tokenizer("llama2"))
    # Where one lawyer speaks twice, no prompt says so.
    chats = [chat for chat, _ in dialogues if not re.search("aa", "".join(m["role"][0] for m in chat))]
    num_trained = num_checked = 0
    for chat, row in zip(chats, rows_of(chats, None, tokenizer, template="alpaca"), strict=True):
        ids, labels = labels_by_offsets(tokenizer, *alpaca(chat))
        assert row["set_aside"] is None
        assert ids == tokenizer(alpaca(chat)[0], add_special_tokens=False)["input_ids"]
        assert (row["input_ids"], row["labels"]) == (ids, labels), chat
        num_trained += sum(label != IGNORED for label in labels)
        num_checked += 1
    assert num_checked == NUM_DISC + NUM_LAWYER - 3
    assert num_trained > 50_000


def test_whole_turns_of_real_dialogues_stay_whole(shared_tokenizer: Callable[[str], Path], dialogues: Chats) -> None:
    tokenizer, reference = demo_chatglm3(shared_tokenizer("chatglm3"))
    chats = [chat for chat, _ in dialogues if sum(message["role"] == "user" for message in chat) > 1]
    num_cut = 0
    for chat, row in zip(
        chats, rows_of(chats, None, tokenizer, max_length=700, overflow="truncate_turns"), strict=True
    ):
        starts = [place for place, message in enumerate(chat) if message["role"] == "user"]
        for start in starts:
            left = reference(chat[: starts[0]] + chat[start:], None)
            if len(left.ids) <= 700:
                assert (row["input_ids"], row["labels"]) == (left.ids, left.labels)
                assert row["cut"] == len(reference(chat, None).ids) - len(left.ids)
                num_cut += start > starts[0]
                break
        else:
            assert row["set_aside"] is not None
    assert num_cut > 10
