"""Predicted and reference answers of questions in, CMRC 2018's exact match and F1 in percent out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from collators.errors import TokenizationError

# The script lists "……" too, but compares single characters with its list, so "…" stays in the text.
_DROP_PUNCTUATION = str.maketrans("", "", r"-:_*^/\~`+=，。：？！“”；’《》·、「」（）－～『』")

_PIECES = re.compile(r"[\u4e00-\u9fa5]|[^\u4e00-\u9fa5]+")
"""One Chinese character, or all that stands between two."""

_NEEDS_NO_NLTK = re.compile(r"[\u4e00-\u9fa5]|(?:\s|\b(?!(?:cannot|gimme|gonna|gotta|lemme|wanna)\b)[a-z0-9]+\b)*")
"""A piece that white space alone splits; of the words of letters and digits, nltk splits only these six."""


def cmrc_scores(predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Score one predicted answer per question as the script of CMRC 2018 does (cmrc2018_evaluate.py, v5).

    Both mappings go by question id; `references` holds every right answer, and the best counts. Gives `exact_match` and
    `f1`, percent, the mean of all questions of `references`; `total`, how many these are; `skipped`, how many of them
    have no prediction and so count 0. For one question:

    * exact match: the texts are equal, in lower case, stripped, and without the listed punctuation;
    * F1: of the longest run of tokens (`segment`) that stands in both texts; whatever else they share counts nothing.

    An empty prediction gives 0, and an exact match has F1 100, with one exception, the script's own: an answer of
    nothing but listed punctuation has no token, so its F1 is always 0, and an empty prediction is an exact match of it.
    F1 100 is no exact match where two texts differ in white space only, or in '' for ".

    A question with no answers (`[]`) is unanswerable: both are 100 if the prediction is empty or white space, else 0.
    That is SQuAD 2's rule; the script knows no such questions.

    Raises:
        TokenizationError: no references, a prediction for an id they lack, an answer that is no text, or nltk missing.

    >>> references = {"q1": ["北大", "清华大学"], "q2": [], "q3": ["1898年", "1898"], "q4": ["蔡元培"]}
    >>> cmrc_scores({"q1": "北京大学", "q2": "", "q3": "1898 年。"}, references)
    {'exact_match': 25.0, 'f1': 62.5, 'total': 4, 'skipped': 1}
    """
    if not references:
        raise TokenizationError("no references: there is no question to score")
    unknown = [question for question in predictions if question not in references]
    if unknown:
        more = f" (and {len(unknown) - 1:,} more)" if len(unknown) > 1 else ""
        raise TokenizationError(f"predictions[{unknown[0]!r}]{more}: no such id among {len(references):,} references")
    exact_match = f1 = 0.0
    for question, answers in references.items():
        if isinstance(answers, str):
            raise TokenizationError(f"references[{question!r}] is a text; expected a list of answers: [{answers!r}]")
        if question in predictions:
            _check_texts(question, [predictions[question], *answers])
            of_exact_match, of_f1 = _score_question(predictions[question], answers)
            exact_match += of_exact_match
            f1 += of_f1
    total = len(references)
    return {
        "exact_match": 100 * exact_match / total,
        "f1": 100 * f1 / total,
        "total": total,
        "skipped": total - len(predictions),
    }


def segment(text: str) -> list[str]:
    """The tokens F1 counts: each Chinese character (U+4E00 to U+9FA5), and the words between as nltk splits them.

    In lower case; listed punctuation is dropped first, which joins what stands around it. Words are split by
    `NLTKWordTokenizer`. The script first finds sentences with nltk's punkt, a model to be downloaded, so the two may
    differ at a full stop that ends a sentence within a stretch of words: "it works. really" is `it`, `works.`, `really`
    here. Other differences are between versions of nltk: those of the script's day kept "——" and ".." whole.

    >>> segment("《Windows 95》：1990-95年，3.5英寸")
    ['windows', '95199095', '年', '3.5', '英', '寸']
    """
    tokens: list[str] = []
    for piece in _PIECES.findall(_plain(text)):
        tokens += piece.split() if _NEEDS_NO_NLTK.fullmatch(piece) else _word_splitter()(piece)
    return tokens


def longest_common_run(first: Sequence[str], second: Sequence[str]) -> int:
    """How many tokens the longest run without a gap has that stands in both.

    >>> longest_common_run(["北", "京", "大", "学"], ["北", "方", "大", "学"])
    2
    """
    # A token becomes a character, so that a run is found as a text is, in C.
    codes: dict[str, str] = {}
    first_text, second_text = (
        "".join(codes.setdefault(token, chr(len(codes))) for token in tokens) for tokens in (first, second)
    )
    longest = 0
    for end in range(1, len(first_text) + 1):
        # From one end to the next the longest run grows by one token at most, and if it does it ends there.
        longest += first_text[end - longest - 1 : end] in second_text
    return longest


def _score_question(prediction: str, answers: Sequence[str]) -> tuple[float, float]:
    """Exact match and F1, from 0 to 1."""
    if not answers:
        is_right = float(not prediction.strip())
        return is_right, is_right
    tokens = segment(prediction)
    f1 = max(_f1(tokens, segment(answer)) for answer in answers)
    return float(_plain(prediction) in map(_plain, answers)), f1


def _f1(first: Sequence[str], second: Sequence[str]) -> float:
    # Harmonic mean of run / first and run / second.
    num_tokens = len(first) + len(second)
    return 2 * longest_common_run(first, second) / num_tokens if num_tokens else 0.0


def _plain(text: str) -> str:
    return text.lower().strip().translate(_DROP_PUNCTUATION)


def _check_texts(question: str, texts: Sequence[object]) -> None:
    for text in texts:
        if not isinstance(text, str):
            raise TokenizationError(f"question {question!r}: a prediction or answer is {text!r}; expected a text")


@cache
def _word_splitter() -> Callable[[str], list[str]]:
    try:
        from nltk.tokenize import NLTKWordTokenizer
    except ImportError as error:
        raise TokenizationError(
            "splitting the words between Chinese characters needs nltk: pip install 'hf-builders[train]'"
        ) from error
    split: Callable[[str], list[str]] = NLTKWordTokenizer().tokenize
    return split
