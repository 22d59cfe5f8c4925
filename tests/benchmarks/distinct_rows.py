"""Rows like the real ones, as many as asked for, no two alike: real clauses crossed with real clauses.

Caches of tokenizers remember words, and for a byte-level BPE a "word" of Chinese is all that stands between two signs
of punctuation. So rows that repeat flatter every cache, and so do rows made of whole clauses that repeat. Here each row
follows the clauses of one real row; a clause that the real rows say once is crossed with another of about its length
(the head of one, the tail of the other), and a clause that the real rows repeat themselves stays, as often as they do.
"""

from __future__ import annotations

import csv
import json
import random
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

_CLAUSE = re.compile(r"[^，。！？；,!?;\n]*[，。！？；,!?;\n]|[^，。！？；,!?;\n]+$")
_ENDS = "，。！？；,!?;\n"
# Partners of a crossed clause are this many places around it in the list of clauses sorted by length.
_WINDOW = 400
_SHORTEST_CROSSED = 4

Row = Mapping[str, str]


def clauses_of(text: str) -> list[str]:
    """Cut behind every sign of punctuation; joined, the pieces are the text.

    >>> clauses_of("简约，不简单。白色")
    ['简约，', '不简单。', '白色']
    """
    return _CLAUSE.findall(text)


class ClauseCrossing:
    """New texts with the clauses, the lengths and the punctuation of given ones.

    >>> crossing = ClauseCrossing(["红色的外套很好看。", "蓝色的裙子不便宜。"])
    >>> crossing.like(0, random.Random(3))
    '红色的裙子不便宜。'
    """

    def __init__(self, texts: Sequence[str]) -> None:
        cut = [clauses_of(text) for text in texts]
        counts = Counter(clause for clauses in cut for clause in clauses)
        self._pools: dict[str, list[str]] = {}
        for clause in sorted(counts, key=lambda each: (len(each), each)):
            if _is_crossed(clause, counts):
                self._pools.setdefault(_end(clause), []).append(clause)
        # A slot is a clause that stays, or the pool and the place of one that is crossed.
        self._slots = [[self._slot(clause, counts) for clause in clauses] for clauses in cut]

    def _slot(self, clause: str, counts: Counter[str]) -> str | tuple[list[str], int]:
        if not _is_crossed(clause, counts):
            return clause
        pool = self._pools[_end(clause)]
        return pool, bisect_left(pool, (len(clause), clause), key=lambda each: (len(each), each))

    def like(self, place: int, rng: random.Random) -> str:
        """A text with as many clauses as text `place`, of about their lengths."""
        draw, text = rng.random, ""
        for slot in self._slots[place]:
            if type(slot) is str:
                text += slot
                continue
            pool, rank = slot
            low = max(0, rank - _WINDOW)
            num_partners = min(len(pool), rank + _WINDOW) - low
            head = pool[low + int(draw() * num_partners)]
            tail = pool[low + int(draw() * num_partners)]
            cut = 1 + int(draw() * (min(len(head), len(tail)) - 2))
            text += head[:cut] + tail[cut:]
        return text


def _is_crossed(clause: str, counts: Counter[str]) -> bool:
    return counts[clause] == 1 and len(clause) >= _SHORTEST_CROSSED


def _end(clause: str) -> str:
    return clause[-1] if clause[-1] in _ENDS else ""


class AdvertisingRows:
    """AdvertiseGen: attribute pairs of a garment as `content`, advertising copy as `summary`."""

    columns = ("content", "summary")

    def __init__(self, rows: Sequence[Row]) -> None:
        self._names = [[pair.partition("#")[0] for pair in row["content"].split("*")] for row in rows]
        self._values: dict[str, list[str]] = {}
        for row in rows:
            for pair in row["content"].split("*"):
                self._values.setdefault(pair.partition("#")[0], []).append(pair)
        self._summaries = ClauseCrossing([row["summary"] for row in rows])

    def draw(self, place: int, rng: random.Random) -> tuple[str, ...]:
        pairs = (self._values[name] for name in self._names[place])
        content = "*".join(some[int(rng.random() * len(some))] for some in pairs)
        return content, self._summaries.like(place, rng)

    @staticmethod
    def conversation(row: Sequence[str]) -> tuple[str, str]:
        content, summary = row
        return content, summary


class MedicalRows:
    """Toyhom's medical dialogues: `department`, `title`, `ask`, `answer`."""

    columns = ("department", "title", "ask", "answer")

    def __init__(self, rows: Sequence[Row]) -> None:
        self._departments = [row["department"] for row in rows]
        self._crossings = [ClauseCrossing([row[name] for row in rows]) for name in self.columns[1:]]

    def draw(self, place: int, rng: random.Random) -> tuple[str, ...]:
        return self._departments[place], *(crossing.like(place, rng) for crossing in self._crossings)

    @staticmethod
    def conversation(row: Sequence[str]) -> tuple[str, str]:
        """The question is title and ask on a line each, unless one says the other again or nothing (`无`)."""
        _, title, ask, answer = row
        bare_title, bare_ask = title.strip(), ask.strip()
        if bare_ask == "无" or bare_ask in bare_title:
            return title, answer
        return (ask if bare_title in bare_ask else f"{title}\n{ask}"), answer


KINDS = {"advertising": AdvertisingRows, "medical": MedicalRows}


def distinct_rows(maker: AdvertisingRows | MedicalRows, num_templates: int, num_rows: int, seed: int = 0) -> Iterator:
    """Rows of the maker's columns, the same for a seed, each told apart from all before it by what it says.

    The first rows of a longer run are the rows of a shorter one.
    """
    rng, seen = random.Random(seed), set()
    for number in range(num_rows):
        for _ in range(100):
            row = maker.draw(int(rng.random() * num_templates), rng)
            said = hash(maker.conversation(row))
            if said not in seen:
                break
        else:
            raise ValueError(f"row {number}: 100 draws in a row gave rows seen before; give more real rows to cross")
        seen.add(said)
        yield row


@dataclass(frozen=True)
class RawFiles:
    """One set of rows, in every form that a pipeline reads."""

    raw: Path
    """As its publisher ships it: `train.json` in JSON Lines, or CSV in GB18030."""
    messages: Path
    """JSON Lines of `{"messages": [{"role", "content"}, ...]}`."""
    pairs: Path
    """JSON Lines of `{"prompt", "completion"}`."""
    turns: Path
    """JSON Lines of `{"prompt": [message], "completion": [message]}`."""


def raw_files(kind: str, folder: Path) -> RawFiles:
    name = "train.json" if kind == "advertising" else "内科5000-33000.csv"
    return RawFiles(folder / name, *(folder / f"{form}.jsonl" for form in ("messages", "pairs", "turns")))


def write_rows(
    kind: str, real: Sequence[Row], folder: Path, num_rows: int, *, for_peers: bool, seed: int = 0
) -> RawFiles:
    """Write `num_rows` rows like `real` into `folder`; files of an earlier run with the same arguments are kept."""
    files, done = raw_files(kind, folder), folder / "done.json"
    wanted = {"rows": num_rows, "for_peers": for_peers, "seed": seed, "real": len(real)}
    if done.exists() and json.loads(done.read_text()) == wanted:
        return files
    folder.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    maker = KINDS[kind](real)
    rows = distinct_rows(maker, len(real), num_rows, seed)
    with ExitStack() as stack:
        write_raw = _raw_writer(kind, maker.columns, files.raw, stack)
        write_for_peers = _peers_writer(files, stack) if for_peers else None
        for row in rows:
            write_raw(row)
            if write_for_peers:
                write_for_peers(*maker.conversation(row))
    done.write_text(json.dumps(wanted))
    return files


def _raw_writer(kind: str, columns: Sequence[str], path: Path, stack: ExitStack) -> Callable[[Sequence[str]], object]:
    if kind == "medical":
        writer = csv.writer(stack.enter_context(path.open("w", encoding="gb18030", newline="")), lineterminator="\n")
        writer.writerow(columns)
        return writer.writerow
    file = stack.enter_context(path.open("w", encoding="utf-8"))
    return lambda row: file.write(_line(dict(zip(columns, row, strict=True))))


def _peers_writer(files: RawFiles, stack: ExitStack) -> Callable[[str, str], None]:
    forms = (files.messages, files.pairs, files.turns)
    messages, pairs, turns = (stack.enter_context(path.open("w", encoding="utf-8")) for path in forms)

    def write(question: str, answer: str) -> None:
        user, assistant = {"role": "user", "content": question}, {"role": "assistant", "content": answer}
        messages.write(_line({"messages": [user, assistant]}))
        pairs.write(_line({"prompt": question, "completion": answer}))
        turns.write(_line({"prompt": [user], "completion": [assistant]}))

    return write


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def read_real_rows(kind: str, realdata: Path | None, samples: Path) -> list[dict[str, str]]:
    """The real rows of `kind` in `realdata`, or without such a folder the invented ones of the dataset's sample."""
    if kind == "advertising":
        folder = samples / "adgen" / "sample" if realdata is None else realdata / "AdvertiseGen"
        files = sorted(folder.rglob("*.json"))
        lines = (line for file in files for line in file.read_text(encoding="utf-8-sig").splitlines())
        return [json.loads(line) for line in lines]
    folder = samples / "chinese_medical_dialogue" / "sample"
    if realdata is not None:
        folder = realdata / "Chinese-medical-dialogue-data"
    rows: list[dict[str, str]] = []
    for file in sorted(folder.rglob("*.csv")):
        with file.open(encoding="gb18030", newline="") as lines:
            rows += csv.DictReader(lines)
    return [row for row in rows if all(row[name] for name in MedicalRows.columns)]
