"""Stretches of a token row in; a picture of it as text, for a terminal, or for a browser, out."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from itertools import groupby

from collators.stretches import TRAINED, UNTRAINED, WRONG, ShownToken, Stretch
from collators.token_texts import visible

CLASSES = {TRAINED: "trained", UNTRAINED: "untrained", WRONG: "wrong"}
LEGEND = {TRAINED: "trained: the model must produce it", UNTRAINED: "not trained", WRONG: "the label is another id"}

_RESET = "\x1b[0m"
_ANSI = {TRAINED: "\x1b[32m", UNTRAINED: "\x1b[2m", WRONG: "\x1b[41m"}  # green, dim, on red
_ANSI_CONTROL = "\x1b[4m"  # underlined

# Colours that can be read on white and on black.
_STYLE = """
.hf-row{font:14px/1.7 ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere;margin:.5em 0}
.hf-row .run{display:flex;gap:1em}.hf-row .role{flex:0 0 6em;opacity:.75}.hf-row .num{flex:0 0 3em;text-align:right}
.hf-row .text{flex:1;white-space:pre-wrap}.hf-row .ids{display:block;font-size:.8em;opacity:.75}
.hf-row .text>span{border-radius:3px;box-shadow:inset 1px 0 rgba(128,128,128,.35)}
.hf-row .trained .text>span[title]{background:rgba(46,160,67,.3)}
.hf-row .untrained .text>span[title]{background:rgba(128,128,128,.12)}
.hf-row .wrong .text>span[title]{background:rgba(248,81,73,.45)}
.hf-row .control{font-weight:bold;text-decoration:underline dotted}
.hf-row hr{border:0;border-top:1px dashed rgba(128,128,128,.8)}
"""


def paint_text(stretches: Sequence[Stretch], ids: bool) -> str:
    """A line a stretch: mark, role, number of tokens, text; a rule between the records of a packed row."""
    return _lines(stretches, ids, lambda stretch: visible(stretch.text), lambda mark: mark)


def paint_ansi(stretches: Sequence[Stretch], ids: bool) -> str:
    """The same lines in colours: trained green, not trained dim, wrong labels on red, control tokens underlined."""

    def text(stretch: Stretch) -> str:
        style = _ANSI[stretch.mark]
        parts = groupby(stretch.tokens, lambda token: token.is_control)
        texts = [(is_control, visible("".join(token.text for token in tokens))) for is_control, tokens in parts]
        return "".join(f"{style}{_ANSI_CONTROL * is_control}{text}{_RESET}" for is_control, text in texts if text)

    return _lines(stretches, ids, text, lambda mark: f"{_ANSI[mark]}{mark}{_RESET}")


def _lines(stretches: Sequence[Stretch], ids: bool, text: Callable[[Stretch], str], mark: Callable[[str], str]) -> str:
    role_width = max((len(stretch.role) for stretch in stretches), default=0)
    num_width = max((len(str(len(stretch.ids))) for stretch in stretches), default=0)
    lines = []
    for before, stretch in zip([None, *stretches], stretches, strict=False):
        if before is not None and before.record != stretch.record:
            lines.append(f"──── record {stretch.record + 1}")
        head = f"{mark(stretch.mark)} {stretch.role:{role_width}} {len(stretch.ids):{num_width}}"
        lines.append("  ".join([head, text(stretch), *notes_of(stretch, ids)]).rstrip())
    return "\n".join(lines)


def notes_of(stretch: Stretch, ids: bool) -> list[str]:
    """What stands behind the text: ids where they are wanted, labels where they are wrong."""
    notes = [f"ids {' '.join(map(str, stretch.ids))}"] if ids else []
    return [*notes, f"labels {' '.join(map(str, stretch.labels))}"] if stretch.mark == WRONG else notes


def paint_html(stretches: Sequence[Stretch], ids: bool) -> str:
    """A self-contained fragment: a span a token, its id as title (it shows where the mouse is)."""
    lines = []
    for before, stretch in zip([None, *stretches], stretches, strict=False):
        if before is not None and before.record != stretch.record:
            lines.append("<hr>")
        spans = "".join(map(_span, stretch.tokens))
        notes = "".join(f'<span class="ids">{note}</span>' for note in notes_of(stretch, ids))
        head = f'<span class="role">{html.escape(stretch.role)}</span><span class="num">{len(stretch.ids)}</span>'
        lines.append(_line(stretch.mark, spans + notes, head))
    marks = {stretch.mark for stretch in stretches}
    legend = "".join(_line(mark, f'<span title="">{LEGEND[mark]}</span>') for mark in LEGEND if mark in marks)
    return f'<div class="hf-row"><style>{_STYLE}</style>\n' + "\n".join([*lines, "<br>", legend]) + "\n</div>"


def _line(mark: str, text: str, head: str = "") -> str:
    return f'<div class="run {CLASSES[mark]}"><span>{mark}</span>{head}<span class="text">{text}</span></div>'


def _span(token: ShownToken) -> str:
    control = ' class="control"' if token.is_control else ""
    return f'<span{control} title="{" ".join(map(str, token.ids))}">{html.escape(visible(token.text))}</span>'
