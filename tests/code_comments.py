"""Code as a README shows it in, its comments out: each with its place, and the code without them."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable, Iterator
from typing import NamedTuple

import yaml


class Comment(NamedTuple):
    line: int
    """From 0."""
    column: int
    """Of the `#`, in characters, from 0."""
    text: str
    """From the `#` to the end of the line."""


def split_comments(language: str, code: str) -> tuple[list[str], list[Comment]]:
    """The lines of `code` without comments and the blanks before them, and the comments.

    A language other than bash, python and yaml has none: all of it is code.

    Raises:
        ValueError: what is not code of that language, or bash with a here-document.

    >>> split_comments("bash", "make demo   # a minute")
    (['make demo'], [Comment(line=0, column=12, text='# a minute')])
    """
    find = _FINDERS.get(language)
    try:
        comments = list(find(code)) if find else []
    except (SyntaxError, tokenize.TokenError, yaml.YAMLError) as error:
        raise ValueError(f"not {language}: {error}") from error
    lines = code.splitlines()
    for comment in comments:
        lines[comment.line] = lines[comment.line][: comment.column].rstrip()
    return lines, comments


def _of_python(code: str) -> Iterator[Comment]:
    # On Python 3.11 and older, tokenize lets an open string pass.
    ast.parse(code)
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            yield Comment(token.start[0] - 1, token.start[1], token.string)


def _of_bash(code: str) -> Iterator[Comment]:
    """A `#` at the start of a word and outside of quotes, which may run over lines."""
    quote, place = "", 0
    while place < len(code):
        char = code[place]
        if char == "\\" and quote != "'":
            place += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif code.startswith("<<", place):
            raise ValueError("a here-document, in which a # is text: show the command another way")
        elif char == "#" and (place == 0 or code[place - 1] in " \t\n;&|()"):
            comment = _at(code, place)
            yield comment
            place += len(comment.text) - 1
        place += 1


def _of_yaml(code: str) -> Iterator[Comment]:
    """A `#` between two tokens of YAML's own scanner: never in a scalar, be it plain, quoted or a block."""
    end = 0
    for token in yaml.scan(code, Loader=yaml.SafeLoader):
        start, stop = token.start_mark.index, token.end_mark.index
        if isinstance(token, yaml.ScalarToken) and token.style in ("|", ">"):
            # Behind the sign of a block, on its line, a comment may stand.
            start = code.find("\n", start, stop)
        yield from _in_gap(code, end, start)
        end = max(end, stop)
    yield from _in_gap(code, end, len(code))


def _in_gap(code: str, place: int, stop: int) -> Iterator[Comment]:
    while (place := code.find("#", place, stop)) >= 0:
        comment = _at(code, place)
        yield comment
        place += len(comment.text)


def _at(code: str, place: int) -> Comment:
    """The comment whose `#` is at `place`."""
    before = code[:place]
    return Comment(before.count("\n"), place - before.rfind("\n") - 1, code[place:].split("\n", 1)[0])


_FINDERS: dict[str, Callable[[str], Iterator[Comment]]] = {"bash": _of_bash, "python": _of_python, "yaml": _of_yaml}
