"""How many MB and rows a second each step of cleaning takes: `python -m tests.benchmarks.cleaning_speed`.

Every step on an Arrow array of real texts, each once: AdvertiseGen and the medical dialogues (Chinese), descriptions of
ClinicalTrials.gov (English), from `shared` beside the checkout. Beside each step runs the loop people write, from Arrow
to Arrow with one Python call of the same library (or of `re`) per text; where both do the same, their results must be
equal before anything is timed. Paths alternate in one process on one core; the figure is the median of the rounds.
Libraries are loaded before, but what a step remembers of single words (stems, lemmas) is forgotten before each round.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import importlib.metadata
import json
import re
import statistics
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from hf_builders import cleaning_words
from hf_builders.cleaning_characters import Case, Control, Mojibake, Simplified, UnicodeForm, Whitespace
from hf_builders.cleaning_filters import CharacterRatio, Length
from hf_builders.cleaning_markup import EMAIL, URL, Html, Urls
from hf_builders.cleaning_numbers import Numbers
from hf_builders.cleaning_punctuation import Punctuation
from hf_builders.cleaning_step import Step, TextStep
from hf_builders.cleaning_words import Lemmatisation, Stemming, StopWords
from tests.benchmarks.machine import machine_facts

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared"
_NUM_ROUNDS = 11
_LIBRARIES = ("pyarrow", "ftfy", "opencc", "cn2an", "rjieba", "stopwordsiso", "snowballstemmer", "simplemma", "lxml")

Loop = Callable[[list[str]], list[Any]]


def real_texts(shared: Path = SHARED) -> dict[str, list[str]]:
    """Distinct texts by language; no language whose files are not there."""
    realdata, texts = shared / "realdata", dict[str, list[str]]()
    advertising = realdata / "AdvertiseGen" / "train.json"
    medical = next((realdata / "Chinese-medical-dialogue-data").glob("*/*/*.csv"), None)
    if advertising.exists() and medical is not None:
        rows = [json.loads(line) for line in advertising.read_text(encoding="utf-8").splitlines()]
        chinese = [row[name] for row in rows for name in ("content", "summary")]
        with medical.open(encoding="gb18030", newline="") as file:
            chinese += [row[name] for row in csv.DictReader(file) for name in ("title", "ask", "answer")]
        texts["Chinese"] = list(dict.fromkeys(chinese))
    studies = realdata / "clinicaltrials" / "api_v2" / "ctg-studies.json"
    if studies.exists():
        texts["English"] = list(dict.fromkeys(_long_texts(json.loads(studies.read_text(encoding="utf-8")))))
    return texts


def _long_texts(value: Any) -> Iterator[str]:
    """What people wrote, not codes and dates."""
    if isinstance(value, str):
        if value.count(" ") >= 5:
            yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _long_texts(each)


def _library_loops() -> list[tuple[Step, str, Loop | None]]:
    """Each step, the loop beside it in words and as a function; no function where nobody's loop does that."""
    from lxml import html

    ftfy, opencc, cn2an, rjieba, stopwordsiso, snowballstemmer, simplemma = map(
        importlib.import_module,
        ("ftfy", "opencc", "cn2an", "rjieba", "stopwordsiso", "snowballstemmer", "simplemma"),
    )
    config = Mojibake()._config()
    to_simplified = opencc.OpenCC("t2s").convert
    stemmer = snowballstemmer.stemmer("english")
    word = cleaning_words._WORD
    stop = {language: stopwordsiso.stopwords(language) for language in ("zh", "en")}
    url, mail = re.compile(URL, re.ASCII), re.compile(EMAIL, re.ASCII)
    wide = {0x3000: " "} | {code + 0xFEE0: chr(code) for code in range(0x30, 0x7B) if chr(code).isalnum()}
    invisible = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u202a-\u206f\ufeff]+")
    blanks = re.compile(r"[^\S\n]+")
    english_stop = cleaning_words._TOKEN_AND_BLANKS

    def transform(text: str) -> str:
        try:
            return str(cn2an.transform(text, "cn2an"))
        except Exception:  # it warns where it stumbles, as at 万一, and gives up
            return text

    def each(change: Callable[[str], Any]) -> Loop:
        return lambda texts: [change(text) for text in texts]

    return [
        (UnicodeForm(), "str.translate", each(lambda text: text.translate(wide))),
        (UnicodeForm(form="NFKC"), "unicodedata", each(lambda text: unicodedata.normalize("NFKC", text))),
        (Mojibake(), "ftfy", each(lambda text: ftfy.fix_text(text, config))),
        (Simplified(), "opencc", each(to_simplified)),
        (Punctuation(to="chinese"), "", None),
        (Punctuation(to="ascii"), "", None),
        (Numbers(to="digits"), "cn2an.transform *", each(transform)),
        (Case(), "str.lower *", each(str.lower)),
        (Control(), "re *", each(lambda text: invisible.sub("", text))),
        (Whitespace(), "re *", each(lambda text: blanks.sub(" ", text).strip())),
        (Urls(emails=True), "re", each(lambda text: mail.sub("", url.sub("", text)))),
        (Html(), "lxml *", each(lambda text: html.fromstring(f"<div>{text}</div>").text_content())),
        (
            StopWords(language="zh"),
            "rjieba",
            each(lambda text: "".join(each for each in rjieba.cut(text) if each.lower() not in stop["zh"])),
        ),
        (
            StopWords(language="en"),
            "re*",
            each(
                lambda text: english_stop.sub(
                    lambda found: "" if found[1].replace("’", "'").lower() in stop["en"] else found[0], text
                )
            ),
        ),
        (
            Stemming(),
            "snowballstemmer",
            each(lambda text: word.sub(lambda found: stemmer.stemWord(found[0].lower()), text)),
        ),
        (
            Lemmatisation(),
            "simplemma",
            each(lambda text: word.sub(lambda found: simplemma.lemmatize(found[0], lang="en"), text)),
        ),
        (Length(min_chars=2, max_chars=4000), "len", each(lambda text: 2 <= len(text) <= 4000)),
        (CharacterRatio(of="letters", min=0.3), "str.isalpha *", each(_share_of_letters)),
    ]  # fmt: skip


def _share_of_letters(text: str) -> bool:
    characters = [each for each in text if not each.isspace()]
    return sum(map(str.isalpha, characters)) / max(len(characters), 1) >= 0.3


def measure(shared: Path = SHARED, *, num_rounds: int = _NUM_ROUNDS) -> Iterator[dict[str, Any]]:
    """A line for each language and step; none where the real texts are not there."""
    for language, texts in real_texts(shared).items():
        array, num_bytes = pa.array(texts, pa.string()), sum(len(text.encode()) for text in texts)
        for step, peer, loop in _library_loops():
            if isinstance(step, StopWords) and (step.language == "zh") != (language == "Chinese"):
                continue
            run = step.clean if isinstance(step, TextStep) else step.keeps  # type: ignore[attr-defined]
            result = run(array)
            if loop is not None and not peer.endswith("*"):
                assert result.to_pylist() == loop(texts), f"{step} and the loop beside it differ"
            ours: list[float] = []
            theirs: list[float] = []
            for _ in range(num_rounds):
                cleaning_words._stemmer.cache_clear()
                cleaning_words._lemmatiser.cache_clear()
                started = time.perf_counter()
                run(array)
                ours.append(time.perf_counter() - started)
                if loop is not None:
                    started = time.perf_counter()
                    pa.array(loop(array.to_pylist()))
                    theirs.append(time.perf_counter() - started)
            median = statistics.median(ours)
            changed = sum(before != after for before, after in zip(texts, result.to_pylist(), strict=True))
            yield {
                "texts": language, "step": _told(step), "MB/s": num_bytes / median / 1e6, "rows/s": len(texts) / median,
                "slowest and fastest, rows/s": f"{len(texts) / max(ours):,.0f}–{len(texts) / min(ours):,.0f}",
                "changed" : f"{changed:,}" if isinstance(step, TextStep) else "–",
                "loop of": peer.removesuffix(" *") or "–",
                "does the same": "–" if loop is None else "no" if peer.endswith("*") else "yes",
                "times as fast": f"{statistics.median(theirs) / median:,.1f}" if theirs else "–",
            }  # fmt: skip


def _told(step: Step) -> str:
    """
    >>> _told(UnicodeForm(form="NFKC"))
    'unicode: form=NFKC'
    """
    options = {name: value for name, value in vars(step).items() if value not in (None, False, "", [])}
    shown = ", ".join(f"{name}={value}" for name, value in options.items())
    return f"{step.name}: {shown}" if shown else step.name


def page(lines: list[dict[str, Any]], texts: dict[str, list[str]]) -> str:
    """The figures as Markdown."""
    head = list(lines[0])
    cells = [
        [f"{each[name]:,.{name == 'MB/s':d}f}" if isinstance(each[name], float) else str(each[name]) for name in head]
        for each in lines
    ]
    facts = ", ".join(f"{name} {value}" for name, value in machine_facts().items() if not isinstance(value, dict))
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
    sizes = ", ".join(
        f"{language} {len(some):,} texts, {sum(len(text.encode()) for text in some) / 1e6:.1f} MB, "
        f"{statistics.mean(map(len, some)):,.0f} characters each"
        for language, some in texts.items()
    )
    return "\n".join(
        [
            "# Cleaning\n",
            "Written by `python -m tests.benchmarks.cleaning_speed --write`; nothing here is typed by hand.",
            f"Machine: {facts}; {versions}. {_NUM_ROUNDS} rounds, alternating, medians, one core.",
            f"Texts: {sizes}; all distinct. A loop is one Python call per text; where it does not do the same as the "
            "step, the ratio only tells what one would pay for something like it.\n",
            *(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *cells]),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cleaning_speed")
    parser.add_argument(
        "--write", action="store_true", help="write CLEANING_RESULTS.md beside this file, not on stdout"
    )
    options = parser.parse_args()
    texts = real_texts()
    lines = list(measure())
    if not lines:
        print("no real texts beside the checkout: nothing measured")
    elif options.write:
        (HERE / "CLEANING_RESULTS.md").write_text(page(lines, texts), encoding="utf-8")
    else:
        print(page(lines, texts))


if __name__ == "__main__":
    main()
