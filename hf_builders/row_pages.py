"""Rows painted for human eyes: what the terminal takes, and a page for the browser."""

from __future__ import annotations

import html
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from hf_builders.errors import SourceError


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
    page = (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">\n'
        f"<title>{html.escape(title)}</title>\n"
        "<style>body{max-width:70em;margin:1em auto;padding:0 1em;font-family:sans-serif}h2{font-size:1em}</style>\n"
        f"</head><body>\n<h1>{html.escape(title)}</h1>\n{sections}</body></html>\n"
    )
    target = Path(path).expanduser()
    draft = target.with_name(f".{target.name}.draft-{os.getpid()}")
    try:
        draft.write_text(page, encoding="utf-8")
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise SourceError(f"{path}: cannot be written ({error.strerror}); choose another file") from error
