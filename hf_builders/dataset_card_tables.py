"""A published manifest in, the tables of its dataset card out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hf_builders.markdown import code, table
from hf_builders.publication import TOKENS, Publication
from hf_builders.run_records import option_text

NUM_SOURCES = 50
"""Raw files that are listed."""
_PERCENTILES = ("min", "50", "95", "99", "max")
_LENGTHS = {"uncut": "record, before max_length", "total": "row", "prompt": "prompt", "answer": "answer"}
_VIEWS = {
    "source": "the source's own columns",
    "messages": "a conversation, a list of `{role, content}`",
    "conversations": "a conversation in ChatGLM3's fine-tuning format",
    "instruction": "an instruction and its output, as in Alpaca",
    "mrc": "a question on a text, in SQuAD's columns",
}
_TEXT = {"id", "text"}
_KINDS = {
    "left_out": "left out",
    "quarantined": "bad",
    "set_aside": "set aside",
    "noted": "kept, with a note",
    "unlocated": "kept, without an answer in any window",
}
_CHANGES = {
    "rows_cut": "rows cut to max_length",
    "tokens_cut": "tokens cut off these rows",
    "trained_tokens_cut": "of them trained",
    "texts_left_out": "texts the chat template does not write",
    "control_texts": "control tokens in texts, where they stay text",
    "tokens_straddling": "tokens not trained, as they are half prompt and half answer",
}


def configs_table(publication: Publication) -> str:
    return table(
        "config | a row is | columns | rows",
        (
            [
                f"`{name}`",
                _row_of(name, publication),
                ", ".join(code(column) for column in publication.features[name]),
                ", ".join(f"{code(split)} {rows:,}" for split, rows in splits.items()),
            ]
            for name, splits in publication.configs.items()
        ),
    )


def _row_of(config: str, publication: Publication) -> str:
    manifest = publication.manifest
    if config == TOKENS and manifest.get("spans"):
        return "a window for an encoder: a question and a piece of its text, as ids, with the place of the answer"
    if config == TOKENS and manifest.get("pack"):
        return "a packed row: whole records, one behind the other, as ids and labels"
    if config == TOKENS:
        return "a token row: one record, as ids and labels"
    return "a plain text" if set(publication.features[config]) == _TEXT else _VIEWS.get(config, "a record")


def accounts_table(manifest: Mapping[str, Any]) -> str:
    """Where every raw row went."""
    return table(
        "split | read: | kept: | left out: | bad: | set aside:",
        (
            [
                code(split),
                summary["rows_read"],
                summary["rows_kept"],
                *(sum(summary[kind].values()) for kind in ("left_out", "quarantined", "set_aside")),
            ]
            for split, summary in manifest["splits"].items()
        ),
    )


def reasons_table(manifest: Mapping[str, Any]) -> str:
    return table(
        "split | rows were | reason | rows:",
        (
            [code(split), words, code(reason), count]
            for split, summary in manifest["splits"].items()
            for kind, words in _KINDS.items()
            for reason, count in summary.get(kind, {}).items()
            if count
        ),
    )


def changes_table(manifest: Mapping[str, Any]) -> str:
    """What was done to rows that were kept."""
    return table("split | what | number:", _changes(manifest["splits"]))


def _changes(splits: Mapping[str, Mapping[str, Any]]) -> Iterator[Sequence[object]]:
    for split, summary in splits.items():
        for step in summary.get("cleaned", ()):
            if step["changed"]:
                yield code(split), f"texts changed by {code('clean.' + step['step'])}", step["changed"]
        for name, words in _CHANGES.items():
            if summary.get(name):
                yield code(split), words, summary[name]


def rules_table(manifest: Mapping[str, Any]) -> str:
    """How records became token rows."""
    rules = manifest["tokenize"] or manifest["spans"]
    rows = [
        ("tokenizer", code(rules["tokenizer"])),
        ("digest of the tokenizer", f"`{manifest['tokenizer_digest']}`"),
        ("made of the view", f"`{manifest['dataset']['view']}`"),
    ]
    if options := manifest["dataset"]["options"]:
        rows.append(("options of the dataset", code(option_text(options))))
    if clean := manifest.get("clean"):
        rows += [("cleaned by", ", ".join(code(option_text(step)) for step in clean["steps"]) or "–")]
        if clean["template"]:
            rows.append(("texts made by the template", code(clean["template"])))
    for name, value in rules.items():
        if name != "tokenizer" and value is not None and value != {}:
            rows.append((name, code(option_text(value))))
    for split, summary in manifest["splits"].items():
        if packed := summary.get("packed"):
            said = f"{packed['rows']:,} rows of {packed['max_length']:,} tokens, {packed['fill']:.2%} full"
            rows.append((f"packed, {code(split)}", said))
    rows.append(("digest of ids and labels", f"`{manifest['digest']}`"))
    return table("rule | value", rows)


def tokens_table(manifest: Mapping[str, Any]) -> str:
    if manifest.get("spans"):
        return table(
            "split | tokens: | windows: | with an answer:",
            (
                [code(split), summary["tokens"], summary["windows"], summary["windows_answered"]]
                for split, summary in manifest["splits"].items()
            ),
        )
    return table(
        "split | tokens: | trained: | share:",
        (
            [code(split), each["tokens"], each["trained_tokens"], f"{each['trained_tokens'] / each['tokens']:.1%}"]
            for split, each in manifest["splits"].items()
        ),
    )


def lengths_table(manifest: Mapping[str, Any]) -> str:
    """Tokens, at some percentiles."""
    return table(
        "split | of a | rows: | shortest: | median: | 95 %: | 99 %: | longest:",
        (
            [code(split), words, lengths["rows"], *map(lengths["percentiles"].get, _PERCENTILES)]
            for split, statistics in manifest.get("statistics", {}).items()
            for kind, words in _LENGTHS.items()
            if (lengths := statistics["lengths"].get(kind))
            and (kind != "uncut" or lengths != statistics["lengths"]["total"])  # nothing was cut
        ),
    )


def batches_table(manifest: Mapping[str, Any]) -> str:
    """What padding and packing would make of the rows."""
    statistics = manifest.get("statistics", {})
    return table(
        "split | padding in batches of 8: | of 32: | "
        "packed rows: | of tokens: | full: | max_length that keeps 99.5 % whole:",
        (
            [
                code(split),
                *(f"{each['padding'][size]:.1%}" for size in ("8", "32")),
                *(packing["rows"], packing["max_length"], f"{packing['fill']:.1%}"),
                each["recommended_max_length"],
            ]
            for split, each in statistics.items()
            if (packing := each["packing"])
        ),
    )


def repeats_table(manifest: Mapping[str, Any]) -> str:
    """Rows that say what another one says too."""
    kinds = ("row", "prompt", "answer")
    return table(
        "split | repeated rows: | repeated prompts: | "
        "repeated answers: | rows also in `train`: | prompts also in `train`:",
        (
            [
                code(split),
                *(statistics["repeated"][kind]["rows"] if kind in statistics["repeated"] else "–" for kind in kinds),
                *(statistics["in_train"].get(kind, "–") for kind in ("row", "prompt")),
            ]
            for split, statistics in manifest.get("statistics", {}).items()
        ),
    )


def sources_table(manifest: Mapping[str, Any]) -> str:
    """The raw files; the first ones, where they are very many."""
    return table(
        "file | bytes: | SHA-256",
        (
            [
                f"{code(each['name'])}{' (its archive)' if each['member'] else ''}",
                each["num_bytes"],
                f"`{each['sha256']}`",
            ]
            for each in manifest["sources"][:NUM_SOURCES]
        ),
    )
