"""Rows painted for human eyes: what the terminal takes, and a page for the browser."""

from __future__ import annotations

import html
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from hf_builders.errors import SourceError

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Of a page that holds data: no script of anybody's runs, and nothing is asked for from anywhere."""


def terminal_format() -> str:
    """`ansi` where stdout is a terminal that takes colours and nobody said NO_COLOR, else `text`."""
    takes_colours = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")
    return "ansi" if takes_colours else "text"


def write_page(path: str | Path, title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Write an HTML page of rows, each a heading and what `inspect_row` makes of it; whole or not at all.

    Raises:
        SourceError: nothing can be written there.
    """
    sections = "".join(f"<h2>{html.escape(heading)}</h2>\n{fragment}\n" for heading, fragment in rows)
    put_page(
        path,
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{html.escape(title)}</title>\n"
        "<style>body{max-width:70em;margin:1em auto;padding:0 1em;font-family:sans-serif}h2{font-size:1em}</style>\n"
        f"</head><body>\n<h1>{html.escape(title)}</h1>\n{sections}</body></html>\n",
    )


def put_page(path: str | Path, page: str) -> None:
    """Write a page; whole or not at all. Half of a surrogate pair, which is no character, is written as `\\udNNN`.

    Raises:
        SourceError: nothing can be written there.
    """
    target = Path(path).expanduser()
    draft = target.with_name(f".{target.name}.draft-{os.getpid()}")
    try:
        draft.write_text(page, encoding="utf-8", errors="backslashreplace")
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise SourceError(f"{path}: cannot be written ({error.strerror}); choose another file") from error
