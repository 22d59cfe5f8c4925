"""What each command of `hf-builders` does with its options: call the library, print what came of it.

Nothing heavy is imported before a command runs. One that returns False has found a fault, and printed it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hf_builders.check_results import SplitResult
    from hf_builders.prepared_rows import PreparedRows

_LIBRARY_OPTIONS = ("name", "version", "data_dir", "data_files", "description")  # of every config of `datasets`


def list_(options: argparse.Namespace) -> None:
    from hf_builders.dataset_facts import dataset_facts
    from hf_builders.registry import list_datasets

    for name in list_datasets():
        facts = dataset_facts(name)
        print(f"{name}\n  {facts.summary}\n  licence  {facts.licence}\n  get it   {facts.how_to_get}")
        if facts.barred:
            print(f"  barred   {facts.barred}")


def show(options: argparse.Namespace) -> None:
    from dataclasses import fields

    from hf_builders.corpus_builder import CorpusBuilder
    from hf_builders.dataset_facts import dataset_facts
    from hf_builders.registry import builder_class, load_dataset

    builder, facts = builder_class(options.name), dataset_facts(options.name)
    print(facts.summary)
    print(f"licence {facts.licence}")
    in_all = f"{builder.num_official_rows:,} in the real set, " if builder.num_official_rows else ""
    print(f"rows    {in_all}{builder.num_sample_rows:,} invented in the sample")
    if builder.official_files:
        print(f"files   {', '.join(f'{file.name} ({file.split})' for file in builder.official_files)}")
    else:
        print(f"files   your own, named with data_files= or data_dir= ({', '.join(builder.file_endings)})")
    print(f"get it  {facts.how_to_get}")
    if facts.barred:
        print(f"barred  {facts.barred}")
    own_options = [field for field in fields(builder.BUILDER_CONFIG_CLASS) if field.name not in _LIBRARY_OPTIONS]
    print(f"options {', '.join(f'{field.name}={field.default!r}' for field in own_options)}")
    if issubclass(builder, CorpusBuilder):
        print(f"tasks   {', '.join(builder.tasks)}")
    for view in builder.builder_configs:
        rows = load_dataset(options.name, view, sample=True)
        split = next(iter(rows))
        print(f"\n{view} ({', '.join(rows[split].column_names)}); the first row of the sample:")
        print(json.dumps(rows[split][0], ensure_ascii=False, indent=2, default=str))


def prepare(options: argparse.Namespace) -> None:
    from hf_builders.prepare import prepare
    from hf_builders.run_config import read_run_config
    from hf_builders.summary_lines import remarks, summary_table

    prepared = prepare(read_run_config(options.config))
    _print_table(summary_table(prepared.splits))
    for remark in remarks(prepared.splits):
        print(remark)
    print(f"digest  {prepared.digest}")
    print(f"written {prepared.folder}/ (report.html, data/, quarantine/, manifest.json)")


def inspect(options: argparse.Namespace) -> bool:
    from hf_builders.prepared_rows import open_prepared, pick_rows
    from hf_builders.row_pages import terminal_format, write_page

    prepared = open_prepared(options.place)
    if options.check:
        return _check(prepared)
    rows = pick_rows(prepared, split=options.split, row=options.row, id=options.id, num_rows=options.rows)
    if options.html is not None:
        write_page(
            options.html, str(prepared.folder), ((str(row), prepared.paint(row, "html", options.ids)) for row in rows)
        )
        print(f"written {options.html}")
        return True
    for row in rows:
        print(f"{row}\n{prepared.paint(row, terminal_format(), options.ids)}\n")
    return True


def _check(prepared: PreparedRows) -> bool:
    from datasets.utils import tqdm

    from hf_builders.label_check import check_labels
    from hf_builders.window_check import check_windows

    check_rows = check_windows if prepared.manifest.get("spans") else check_labels
    num_rows = sum(summary["rows_kept"] for summary in prepared.manifest["splits"].values())
    with tqdm(total=num_rows, desc="check", unit=" rows") as bar:
        check = check_rows(prepared, bar.update)
    _print_check(check.splits, check.faults)
    print("every label is right" if check.passed else f"{prepared.folder}: the check failed")
    return check.passed


def _print_check(splits: Mapping[str, SplitResult], faults: Sequence[str]) -> None:
    if splits:
        lines = ((name, *map("{:,}".format, split.counts())) for name, split in splits.items())
        _print_table([("split", *next(iter(splits.values())).columns), *lines])
    for fault in faults:
        print(fault)
    for name, split in splits.items():
        for offender in split.offenders:
            print(f"{name}: {offender}")
        if split.failed > len(split.offenders):
            print(f"{name}: … and {split.failed - len(split.offenders):,} more")
        for remark in split.remarks():
            print(f"{name}: {remark}")


def train(options: argparse.Namespace) -> None:
    from hf_builders.run_config import read_run_config
    from hf_builders.train import train

    with contextlib.redirect_stdout(sys.stderr):  # Trainer prints its progress; stdout is for what came of it
        trained = train(read_run_config(options.config))
    if trained.resumed_from is not None:
        print(f"resumed from {trained.resumed_from}")
    print(f"steps   {trained.num_steps:,}")
    if trained.losses:
        first, last = trained.losses[0], trained.losses[-1]
        print(f"loss    first {first:.3f}, last {last:.3f} ({last / first:.2f} x the first)")
    else:
        print("loss    was never logged; a smaller train.arguments.logging_steps shows it")
    for split, scores in trained.scores.items():
        print(f"{split}: exact match {scores['exact_match']:.2f}, F1 {scores['f1']:.2f}")
    print(f"written {trained.folder}/")


def export(options: argparse.Namespace) -> None:
    from hf_builders.exports import export

    exported = export(options.place, options.to, options.out)
    lines = [(split, f"{rows:,}", exported.files[split]) for split, rows in exported.rows.items()]
    _print_table([("split", "records", "file"), *lines])
    for note in exported.notes:
        print(note)
    print(f"written {exported.folder}/")
    print(f"next    {exported.command}")


def push(options: argparse.Namespace) -> None:
    from hf_builders.publish import push

    pushed = push(
        options.folder,
        options.repo_id,
        private=options.private,
        revision=options.revision,
        views=options.views,
        tokens=not options.no_tokens,
        quarantine=options.quarantine,
        licence=options.licence,
        dry_run=options.dry_run,
    )
    _print_rows(pushed.configs)
    size = f"{len(pushed.files):,} files, {sum(pushed.files.values()):,} bytes"
    print(f"licence {pushed.licence}")
    if pushed.digest is not None:
        print(f"digest  {pushed.digest}")
    if pushed.commit is None:
        print(f"dry run {size} for {pushed.repo_id}; nothing was sent")
        for name, num_bytes in pushed.files.items():
            print(f"        {name}  {num_bytes:,} bytes")
    else:
        print(f"pushed  {size} to {pushed.repo_id}, commit {pushed.commit}")
        print("proven  downloaded again: every hash, the number of rows and the digest are equal")


def verify(options: argparse.Namespace) -> bool:
    from datasets.utils import tqdm

    from hf_builders.verification import verify

    with tqdm(desc="verify", unit=" rows") as bar:
        found = verify(
            options.place,
            revision=options.revision,
            tokenizer=options.tokenizer,
            template=options.template,
            progress=bar.update,
        )
    _print_rows(found.configs)
    if found.digest is not None:
        print(f"digest  {found.digest}")
    _print_check(found.labels, found.faults)
    for each in found.unproven:
        print(f"not proven: {each}")
    commit = f" at {found.commit}" if found.commit else ""
    print(f"{found.place}{commit}: {'no fault found' if found.passed else 'the check failed'}")
    return found.passed


def _print_rows(configs: Mapping[str, Mapping[str, int]]) -> None:
    table = [(name, split, f"{rows:,}") for name, splits in configs.items() for split, rows in splits.items()]
    _print_table([("config", "split", "rows"), *table])


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell; text stands to the left, numbers and what is above them to the right."""
    columns = []
    for column in zip(*rows, strict=True):
        width, is_number = max(map(len, column)), column[-1][:1].isdigit()
        columns.append([cell.rjust(width) if is_number else cell.ljust(width) for cell in column])
    for row in zip(*columns, strict=True):
        print("  ".join(row).rstrip())
