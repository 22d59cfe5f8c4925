"""A token row in, the same row for human eyes out: which tokens are trained, and whose words they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from collators.errors import TokenizationError, check_choice
from collators.painting import paint_ansi, paint_html, paint_text
from collators.stretches import Stretch, stretches_of
from collators.svg_painting import paint_svg
from collators.template_frames import read_frame

FORMATS: dict[str, Callable[[Sequence[Stretch], bool], str]] = {
    "text": paint_text,
    "ansi": paint_ansi,
    "html": paint_html,
    "svg": paint_svg,
}


def inspect_row(
    token_row: Mapping[str, Any],
    tokenizer: Any,
    *,
    format: str = "text",
    ids: bool = False,
    template: str | None = None,
    chat_template_kwargs: Mapping[str, Any] | None = None,
) -> str:
    """Show a row of `tokenize`: a line for each stretch of tokens of one speaker, all trained (`+`) or all not (`-`).

    Each line has the mark, the role, the number of tokens and their text, a newline as ⏎. A label that is neither -100
    nor its token's own id is marked `!`. The roles are those of the tokenizer's chat template; where it tells none,
    trained tokens are `assistant` and the others `-`. Joined, the texts are `tokenizer.decode(input_ids)`.

    Args:
        token_row: `input_ids` and `labels`, lists or arrays of T whole numbers. Of a packed row, `seq_lengths` or
            `position_ids` tell the records apart, and a rule is drawn between them.
        format: `text`; `ansi`, with colours for a terminal; `html`, a self-contained fragment; `svg`, a picture.
        ids: show the ids too.
        template, chat_template_kwargs: as they were given to `tokenize`.

    Raises:
        TokenizationError: no such format or template, or a row that is none of this tokenizer's.

    >>> from tokenizers import Tokenizer, models
    >>> from transformers import PreTrainedTokenizerFast
    >>> backend = Tokenizer(models.WordLevel({"[UNK]": 0, "hi": 1, "hello": 2, "you": 3}, unk_token="[UNK]"))
    >>> tokenizer = PreTrainedTokenizerFast(
    ...     tokenizer_object=backend, unk_token="[UNK]", bos_token="<bot>", eos_token="<end>"
    ... )
    >>> tokenizer.chat_template = (
    ...     "{% for m in messages %}{{ m.content }}{{ '<bot>' if m.role == 'user' else '<end>' }}{% endfor %}"
    ... )
    >>> print(inspect_row({"input_ids": [1, 3, 4, 2, 5], "labels": [-100, -100, -100, 2, 5]}, tokenizer))
    - user      3  hi you <bot>
    + assistant 2   hello <end>
    """
    check_choice("format", format, FORMATS, "format")
    frame = read_frame(tokenizer, template, chat_template_kwargs)
    input_ids, labels = (_numbers(token_row, name) for name in ("input_ids", "labels"))
    _check(input_ids, labels, tokenizer)
    stretches = stretches_of(input_ids, labels, _starts(token_row, len(input_ids)), tokenizer, frame)
    return FORMATS[format](stretches, ids)


def _numbers(token_row: Mapping[str, Any], name: str) -> list[int]:
    import numpy as np

    if name not in token_row:
        raise TokenizationError(f"columns {', '.join(token_row)}: no {name}; show a row of collators.tokenize")
    values = np.asarray(token_row[name])
    if values.ndim != 1 or not (np.issubdtype(values.dtype, np.integer) or not values.size):
        fact = f"is an array of {values.dtype} with shape {values.shape}"
        raise TokenizationError(f"{name}: {fact}; expected one row of whole numbers")
    return [int(value) for value in values]


def _check(input_ids: Sequence[int], labels: Sequence[int], tokenizer: Any) -> None:
    if len(input_ids) != len(labels):
        raise TokenizationError(
            f"{len(input_ids)} input_ids and {len(labels)} labels; expected one label for each token"
        )
    backend = tokenizer.backend_tokenizer
    for place, id_ in enumerate(input_ids):
        if id_ < 0 or backend.id_to_token(id_) is None:
            raise TokenizationError(
                f"input_ids[{place}] is {id_}, no token of this tokenizer ({backend.get_vocab_size():,} of them); "
                "load the one the row was made with"
            )


def _starts(token_row: Mapping[str, Any], num_tokens: int) -> list[int]:
    """Where the records of the row begin."""
    if "seq_lengths" in token_row:
        lengths = _numbers(token_row, "seq_lengths")
        if sum(lengths) != num_tokens:
            raise TokenizationError(f"seq_lengths sum up to {sum(lengths)}, the row has {num_tokens} tokens")
        return [0, *accumulate(lengths)][:-1] or [0]
    if "position_ids" in token_row:
        return [place for place, position in enumerate(_numbers(token_row, "position_ids")) if position == 0] or [0]
    return [0]
