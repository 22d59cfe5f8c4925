"""A chat template in; what it writes around the text of each role, out: found by rendering small conversations.

This is how a reader of token rows tells whose words they are. It shares nothing with the code that makes the rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from collators.chat_templates import choose_template
from collators.frame_probes import FIRST_STAND_IN, FrameProbe, Seen


class Marker(NamedTuple):
    """What the template writes where `role` begins to speak, without white space, in stand-ins (`Frame.stand_ins`)."""

    text: str
    role: str
    speaks_behind: bool
    """Whether the words of the marker still belong to the speaker before, as Llama-2's `[/INST]`."""


@dataclass(frozen=True)
class Frame:
    """What a template writes around texts; empty where there is no template, or it takes no ordinary conversation."""

    stand_ins: Mapping[int, str]
    """By its id, each control token as one private character, so that none is mistaken for the same words in data."""
    markers: tuple[Marker, ...] = ()
    """Longest first."""
    opening: str = ""
    """Who speaks before the first marker, where the template writes nothing before him."""
    ends: frozenset[int] = frozenset()
    """Ids of the control tokens that end an assistant's turn: eos, and what the template writes right behind it."""
    lead_ins: frozenset[str] = field(default_factory=frozenset)
    """What the template may write between the generation prompt and the answer (ChatGLM3's newline)."""
    call_lead_ins: frozenset[str] = field(default_factory=frozenset)
    """What it may write between the generation prompt and the name of a called tool."""
    prompt_ends: frozenset[int] = field(default_factory=frozenset)
    """The control tokens behind which the model speaks; empty where there are also words between."""
    ends_last: bool = True
    """Whether a control token ends the last answer of a conversation."""
    ends_others: bool = True
    """Whether one ends the answers before."""


def read_frame(tokenizer: Any, template: str | None = None, values: Mapping[str, Any] | None = None) -> Frame:
    """The frame of the template called `template`, or of the tokenizer's own; `values` are for its variables.

    Raises:
        TokenizationError: there is no template of that name, or it is for other tokenizers.
    """
    probe = FrameProbe(tokenizer, choose_template(tokenizer, template), values or {})
    seen, id_of = probe.seen(), {stand_in: id_ for id_, stand_in in probe.stand_ins.items()}
    lead_ins: dict[bool, set[str]] = {False: set(), True: set()}  # of answers, of calls
    prompt_ends, is_ended = set(), {False: {True}, True: {True}}  # of the last answer, of those before
    ends = set() if tokenizer.eos_token_id is None else {tokenizer.eos_token_id}
    for each in seen:
        for place in each.answers:
            is_last, is_call = place == len(each.roles) - 1, each.calls[place]
            end = each.behind[place].lstrip()[:1]
            if not is_call:
                ends |= {id_of[end]} if end in id_of else set()
            if not is_call and not each.has_tools:  # what a template knows nothing of, it may write anyhow
                is_ended[is_last].add(end in id_of)
            prompt = each.prompts[place]
            if prompt is not None:
                prompt_ends.add(prompt[0])
                lead_ins[is_call].add(prompt[1])
    calls = [(each, place) for each in seen for place in each.answers if each.calls[place]]
    ends |= {id_of[end] for end in (_end_of_call(*call, all(is_ended[True])) for call in calls) if end in id_of}
    is_bare = prompt_ends <= set(id_of) and not any(_THINK.sub("", text).strip() for text in lead_ins[False])
    return Frame(
        probe.stand_ins,
        tuple(_chosen_markers(seen, probe.stand_in("<think>"))),
        opening=next((each.roles[0] for each in seen if not each.before[0].strip()), ""),
        ends=frozenset(ends),
        lead_ins=frozenset(lead_ins[False]),
        call_lead_ins=frozenset(lead_ins[True]),
        prompt_ends=frozenset(id_of[end] for end in prompt_ends) if is_bare else frozenset(),
        ends_last=all(is_ended[True]),
        ends_others=all(is_ended[False]),
    )


def _end_of_call(seen: Seen, place: int, is_last_ended: bool) -> str:
    """What ends the call there: the last of what is written behind it, or, by a template that does not, the next."""
    tail, behind = seen.tails[place], seen.behind[place]
    return tail.rstrip()[-1:] if is_last_ended else behind[_num_shared(tail, behind) :].lstrip()[:1]


_THINK = re.compile(r"</?think>")


def roles_of(frame: Frame, ids: Sequence[int], texts: Sequence[str]) -> list[str]:
    """Whose words each token belongs to, with what the template writes before and behind them.

    "" is nobody, and where the row has no marker at all nothing is said about it. `texts` are the tokens' own. Where a
    template marks a speaker by plain words (`### Response:`), the same words in the data are mistaken for it.
    """
    chars: list[str] = []
    token_of: list[int] = []
    for place, (id_, text) in enumerate(zip(ids, texts, strict=True)):
        written = frame.stand_ins.get(id_) or "".join(char for char in text if not char.isspace() and char < _LIMIT)
        chars += written
        token_of += [place] * len(written)
    # Digits count something, as in ChatGLM2's `[Round 2]`.
    patterns = (re.sub(r"[0-9]+", "[0-9]+", re.escape(marker.text)) for marker in frame.markers)
    pattern = re.compile("|".join(f"({each})" for each in patterns) or r"(?!)")
    roles, role, since, found = [""] * len(ids), frame.opening, 0, False
    for match in pattern.finditer("".join(chars)):
        assert match.lastindex is not None
        marker = frame.markers[match.lastindex - 1]
        until = token_of[match.end() - 1] + 1 if marker.speaks_behind else token_of[match.start()]
        roles[since:until] = [role] * (until - since)
        role, since, found = marker.role, until, True
    return [*roles[:since], *[role] * (len(ids) - since)] if found else roles


_LIMIT = chr(FIRST_STAND_IN)


def _chosen_markers(seen: Sequence[Seen], think: str) -> list[Marker]:
    """The markers of all conversations, longest first; of two with the same text the more usual one.

    `think` is how `<think>` stands in them; what is thought comes behind it, so that a marker ends before.
    """
    found = Counter(marker for each in seen for marker in _later_markers(each, think))
    first = Counter((_squeeze(each.before[0]), each.roles[0]) for each in seen)
    preambles = set()
    for text, role in list(first):
        known = [marker.text for marker in found if marker.role == role and text.endswith(marker.text)]
        if known:  # what stands before it is nobody's: `[gMASK]sop`, or a system text of the template's own
            preambles.add(text.removesuffix(max(known, key=len)))
            del first[text, role]
    for (text, role), count in first.items():
        bare = text.removeprefix(max((each for each in preambles if text.startswith(each)), key=len, default=""))
        found[Marker(bare, role, False)] += count
    usual: dict[str, Marker] = {}
    # Templates that know no tools write a result as if a user or the system said it.
    for marker, _ in sorted(found.items(), key=lambda each: (each[0].role == "tool", -each[1])):
        if marker.text:
            usual.setdefault(marker.text, marker)
    return sorted(usual.values(), key=lambda marker: (-len(marker.text), marker))


def _later_markers(seen: Seen, think: str) -> Iterator[Marker]:
    """The marker of each message but the first: what is written before it and is no end of the message before."""
    for place in range(1, len(seen.roles)):
        before, tail = _squeeze(seen.before[place]), _squeeze(seen.tails[place - 1])
        own = before[_num_shared(before, tail) :]
        own = own.partition(think)[0] or own
        if own:
            yield Marker(own, seen.roles[place], False)
        elif seen.roles[place] != "tool":  # a template that knows tools marks them
            # One thing ends a turn and announces the next.
            yield Marker(before, seen.roles[place], True)


def _num_shared(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _squeeze(text: str) -> str:
    return "".join(text.split())
