"""The command `hf-builders`: list, show, prepare, inspect, train, push. Nothing heavy is imported before one runs."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hf_builders import __version__
from hf_builders.errors import HfBuildersError

if TYPE_CHECKING:
    from hf_builders.prepared_rows import PreparedRows

_DONE, _OUR_ERROR, _INTERRUPTED = 0, 1, 130  # argparse itself exits with 2 on wrong usage
_LIBRARY_OPTIONS = ("name", "version", "data_dir", "data_files", "description")  # of every config of `datasets`


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 an error told in one line, 2 wrong usage.

    >>> main(["show", "adgn"])
    1
    """
    from collators.errors import TokenizationError

    options = _parser().parse_args(arguments)
    try:
        if options.run(options) is False:
            return _OUR_ERROR
    except (HfBuildersError, TokenizationError) as error:
        print(f"hf-builders: {error}", file=sys.stderr)
        return _OUR_ERROR
    except KeyboardInterrupt:
        print("hf-builders: interrupted", file=sys.stderr)
        return _INTERRUPTED
    return _DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hf-builders", description="Chinese vertical-domain data as provably right training tensors."
    )
    parser.add_argument("--version", action="version", version=f"hf-builders {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, run: object, summary: str, example: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"example: {example}",
        )
        command.set_defaults(run=run)
        return command

    add("list", _list, "list the datasets, with their licences and how to get them", "hf-builders list")
    show = add("show", _show, "show a dataset's views, with a row of its sample in each", "hf-builders show adgen")
    show.add_argument("name", metavar="NAME", help="a dataset, as `hf-builders list` names it")
    for name, run, summary in (
        ("prepare", _prepare, "read and tokenize what a run config names, and write it with its manifest"),
        ("train", _train, "train on what was prepared, or go on from the last checkpoint"),
    ):
        command = add(name, run, summary, f"hf-builders {name} configs/demo.yaml")
        command.add_argument("config", metavar="CONFIG", help="a run config (YAML)")
    summary = "show which tokens of a prepared set are trained, or prove it of every row (--check)"
    _add_inspect_options(
        add("inspect", _inspect, summary, "hf-builders inspect configs/demo.yaml --split train --row 2")
    )
    summary = "upload a prepared folder to the Hub, unless the licence of its source forbids that"
    push = add("push", _push, summary, "hf-builders push out/demo --repo-id your-name/adgen-tokens --private")
    push.add_argument("folder", metavar="DIR", help="a folder that `hf-builders prepare` wrote")
    push.add_argument("--repo-id", required=True, metavar="NAME", help="organisation/name of the dataset on the Hub")
    push.add_argument("--private", action="store_true", help="make it private, if it is not there yet")
    return parser


def _add_inspect_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("place", metavar="CONFIG_OR_DIR", help="a run config, or the folder it was prepared into")
    command.add_argument("--split", help="rows of this split only")
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "--row", type=_number, default=0, metavar="N", help="begin at row N, counted from 0 (default: 0)"
    )
    which.add_argument("--id", help="begin at the row of this id")
    command.add_argument("--rows", type=_number, default=1, metavar="K", help="show K rows of a split (default: 1)")
    command.add_argument("--ids", action="store_true", help="show the ids of the tokens too")
    command.add_argument("--html", metavar="FILE", help="write a page for the browser instead")
    command.add_argument(
        "--check",
        action="store_true",
        help="compare every row with the record it was made of: each trained span is a turn to be trained, and its end "
        "is trained; start and end of each window are an answer, or it holds none; exit code 1 if any row is not so",
    )


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of a row")
    return int(text)


def _list(options: argparse.Namespace) -> None:
    from hf_builders.dataset_facts import dataset_facts
    from hf_builders.registry import list_datasets

    for name in list_datasets():
        facts = dataset_facts(name)
        print(f"{name}\n  {facts.summary}\n  licence  {facts.licence}\n  get it   {facts.how_to_get}")
        if facts.barred:
            print(f"  barred   {facts.barred}")


def _show(options: argparse.Namespace) -> None:
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


def _prepare(options: argparse.Namespace) -> None:
    from hf_builders.prepare import prepare
    from hf_builders.run_config import read_run_config
    from hf_builders.summary_lines import remarks, summary_table

    prepared = prepare(read_run_config(options.config))
    _print_table(summary_table(prepared.splits))
    for remark in remarks(prepared.splits):
        print(remark)
    print(f"digest  {prepared.digest}")
    print(f"written {prepared.folder}/ (data/, quarantine/, manifest.json)")


def _inspect(options: argparse.Namespace) -> bool:
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
    columns = next(iter(check.splits.values())).columns
    _print_table(
        [("split", *columns), *((name, *map("{:,}".format, split.counts())) for name, split in check.splits.items())]
    )
    for fault in check.faults:
        print(fault)
    for name, split in check.splits.items():
        for offender in split.offenders:
            print(f"{name}: {offender}")
        if split.failed > len(split.offenders):
            print(f"{name}: … and {split.failed - len(split.offenders):,} more")
        for remark in split.remarks():
            print(f"{name}: {remark}")
    print("every label is right" if check.passed else f"{prepared.folder}: the check failed")
    return check.passed


def _train(options: argparse.Namespace) -> None:
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


def _push(options: argparse.Namespace) -> None:
    from hf_builders.publish import push

    pushed = push(options.folder, options.repo_id, private=options.private)
    print(f"pushed  {pushed.num_rows:,} rows to {pushed.repo_id}")
    print(f"licence {pushed.licence}")


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell; text stands to the left, numbers and what is above them to the right."""
    columns = []
    for column in zip(*rows, strict=True):
        width, is_number = max(map(len, column)), column[-1][:1].isdigit()
        columns.append([cell.rjust(width) if is_number else cell.ljust(width) for cell in column])
    for row in zip(*columns, strict=True):
        print("  ".join(row).rstrip())


if __name__ == "__main__":
    sys.exit(main())
