"""The command `hf-builders`: its options, and its exit codes. What each command does is in `commands`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hf_builders import __version__, commands
from hf_builders.errors import HfBuildersError

_TRAINERS = ("llamafactory", "trl", "swift", "openai")  # those of `exports.TARGETS`, which --help need not import
_DONE, _OUR_ERROR, _INTERRUPTED = 0, 1, 130  # argparse itself exits with 2 on wrong usage


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
    parsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, run: object, summary: str, example: str) -> argparse.ArgumentParser:
        command = parsers.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"example: {example}",
        )
        command.set_defaults(run=run)
        return command

    add("list", commands.list_, "list the datasets, with their licences and how to get them", "hf-builders list")
    show = add(
        "show", commands.show, "show a dataset's views, with a row of its sample in each", "hf-builders show adgen"
    )
    show.add_argument("name", metavar="NAME", help="a dataset, as `hf-builders list` names it")
    for name, run, summary in (
        ("prepare", commands.prepare, "read and tokenize what a run config names, and write it with its manifest"),
        ("train", commands.train, "train on what was prepared, or go on from the last checkpoint"),
    ):
        command = add(name, run, summary, f"hf-builders {name} configs/demo.yaml")
        command.add_argument("config", metavar="CONFIG", help="a run config (YAML)")
    summary = "show which tokens of a prepared set are trained, or prove it of every row (--check)"
    _add_inspect_options(
        add("inspect", commands.inspect, summary, "hf-builders inspect configs/demo.yaml --split train --row 2")
    )
    summary = "write the records of a prepared set in the form of another trainer, and the entry of its config"
    export = add("export", commands.export, summary, "hf-builders export out/demo --to trl")
    export.add_argument("place", metavar="CONFIG_OR_DIR", help="a run config, or the folder it was prepared into")
    export.add_argument("--to", required=True, choices=_TRAINERS, help="whose form")
    export.add_argument("--out", metavar="DIR", help="default: beside the prepared folder, as out/demo_trl")
    summary = "publish a prepared folder on the Hub with its card and manifest, download it again, and compare"
    _add_push_options(
        add("push", commands.push, summary, "hf-builders push out/demo --repo-id you/adgen-tokens --private")
    )
    summary = "compute hashes, counts and digest of a set again and check its labels, be it prepared or published"
    verify = add("verify", commands.verify, summary, "hf-builders verify out/demo")
    verify.add_argument("place", metavar="REPO_OR_DIR", help="organisation/name of a dataset on the Hub, or a folder")
    verify.add_argument("--revision", metavar="NAME", help="a branch, tag or commit of it")
    verify.add_argument("--tokenizer", metavar="NAME", help="of the rows, if what the manifest names is not here")
    verify.add_argument("--template", metavar="NAME", help="of rows without our manifest: alpaca, chatglm3, chatglm2")
    return parser


def _add_push_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", metavar="DIR", help="a folder that `hf-builders prepare` wrote")
    command.add_argument("--repo-id", required=True, metavar="NAME", help="organisation/name of the dataset on the Hub")
    command.add_argument("--private", action="store_true", help="make it private; refused where it is there and public")
    command.add_argument("--revision", metavar="BRANCH", help="push to this branch, which is made if it is not there")
    command.add_argument(
        "--view", action="append", default=[], metavar="VIEW", dest="views",
        help="publish this view of the dataset too, untokenized; may be given several times",
    )  # fmt: skip
    command.add_argument("--no-tokens", action="store_true", help="publish views only")
    command.add_argument("--quarantine", action="store_true", help="publish the rows set aside too, with their text")
    command.add_argument("--licence", metavar="NAME", help="of files of your own, as the Hub names it (cc-by-4.0)")
    command.add_argument("--dry-run", action="store_true", help="write and check all files, and send nothing")


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


if __name__ == "__main__":
    sys.exit(main())
