"""What became of the splits of a prepared folder in, the table and the remarks that the command line prints out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hf_builders.summaries import SplitSummary, WindowSummary

Summaries = Mapping[str, SplitSummary] | Mapping[str, WindowSummary]
_READ = ("split", "rows read", "kept", "left out", "bad", "set aside")
_TOKEN_ROWS = (*_READ, "tokens", "trained", "median", "longest")
_WINDOWS = (*_READ, "windows", "answered", "tokens", "median", "longest")


def summary_table(summaries: Summaries) -> list[tuple[str, ...]]:
    """A head line, and a line for each split."""
    is_of_windows = any(isinstance(summary, WindowSummary) for summary in summaries.values())
    table: list[tuple[str, ...]] = [_WINDOWS if is_of_windows else _TOKEN_ROWS]
    for split, summary in summaries.items():
        out = [sum(reasons.values()) for reasons in (summary.left_out, summary.quarantined, summary.set_aside)]
        if isinstance(summary, WindowSummary):
            made = [f"{summary.windows:,}", f"{summary.windows_answered:,}", f"{summary.tokens:,}"]
        else:
            made = [f"{summary.tokens:,}", f"{summary.trained_tokens / summary.tokens:.1%}"]
        lengths = [f"{summary.length_percentiles[name]:,}" for name in ("50", "max")]
        table.append((split, *(f"{n:,}" for n in (summary.rows_read, summary.rows_kept, *out)), *made, *lengths))
    return table


def remarks(summaries: Summaries) -> Iterator[str]:
    """A line for everything else worth a word, with its split before it."""
    for split, summary in summaries.items():
        for kind in ("left_out", "quarantined", "set_aside"):
            for reason, count in getattr(summary, kind).items():
                yield f"{split}: {count:,} rows {kind.replace('_', ' ')}: {reason}"
        for reason, count in summary.noted.items():
            yield f"{split}: {count:,} rows noted: {reason}"
        own = _of_windows(summary) if isinstance(summary, WindowSummary) else _of_token_rows(summary)
        yield from (f"{split}: {remark}" for remark in own)


def _of_windows(summary: WindowSummary) -> Iterator[str]:
    for reason, count in summary.unlocated.items():
        yield f"{count:,} rows kept to be evaluated on, though no window has their answer: {reason}"


def _of_token_rows(summary: SplitSummary) -> Iterator[str]:
    if (packed := summary.packed) is not None:
        yield f"packed in {packed.rows:,} rows of {packed.max_length:,} tokens, {packed.fill:.2%} full"
    for step in summary.cleaned:
        yield f"clean.{step.step} changed {step.changed:,} texts and dropped {step.dropped:,} rows"
    if summary.rows_cut:
        yield (
            f"{summary.rows_cut:,} rows cut to max_length, by {summary.tokens_cut:,} tokens in all, "
            f"{summary.trained_tokens_cut:,} of them trained, of {summary.turns_cut:,} messages"
        )
    if summary.texts_left_out:
        yield f"the chat template does not write {summary.texts_left_out:,} texts (reasoning, words beside a call)"
    if summary.control_texts:
        yield f"{summary.control_texts:,} control tokens in the texts stay text"
    if summary.tokens_straddling:
        yield f"{summary.tokens_straddling:,} tokens not trained: half prompt, half answer"
