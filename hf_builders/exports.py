"""A prepared folder in, its records out: JSON Lines in the form of another trainer, and what its config needs.

OUT/NAME_SPLIT.jsonl  the records that gave the token rows, those of a split in a file
OUT/…                 entries and settings for the trainer, by its own file names
OUT/README.md         a dataset card (`datasets.load_dataset("OUT")`): what the lines were made of, and what they lack
OUT/export.json       the same for programs, with the digest of the token rows
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from datasets.utils import tqdm

from hf_builders.dataset_facts import DatasetFacts, dataset_facts
from hf_builders.errors import OptionError, did_you_mean
from hf_builders.export_llamafactory import LlamaFactory
from hf_builders.export_openai import OpenAI
from hf_builders.export_records import KeptRecords
from hf_builders.export_swift import Swift
from hf_builders.export_target import Notes, Place, Run, Target, num_records
from hf_builders.export_trl import Trl
from hf_builders.prepared_folder import Writer, drafted, write_manifest
from hf_builders.prepared_rows import PreparedRows, open_prepared
from hf_builders.publishable_manifest import without_paths

TARGETS: dict[str, type[Target]] = {"llamafactory": LlamaFactory, "trl": Trl, "swift": Swift, "openai": OpenAI}
_LINE_END = re.compile("[\x85\u2028\u2029]")
_EXPORT = Writer("export", "out", "export.json")


@dataclass(frozen=True)
class Exported:
    folder: Path
    rows: dict[str, int]
    """Lines by split: as many as there are token rows before packing."""
    files: dict[str, str]
    """Name of the file by split."""
    notes: list[str]
    """What the format cannot express, each with its number of records, and what else to know."""
    command: str
    """What to run next, for the trainer."""


def export(place: str | Path, to: str, out: str | Path | None = None) -> Exported:
    """Write the records of a prepared folder for another trainer; the folder appears whole or not at all.

    Args:
        place: what `prepare` wrote, or the run config it was written by.
        to: one of `TARGETS`.
        out: the folder to write; by default it stands beside the prepared one, as `out/demo_trl` beside `out/demo`.

    Raises:
        OptionError: there is no such format, or it has no place for what was prepared.
        SourceError: nothing was prepared, the raw files have changed since, or `out` holds something else.
        HfBuildersError: the raw files cannot be read.
    """
    if to not in TARGETS:
        raise OptionError(f"no format {to!r}{did_you_mean(to, TARGETS)}; there are {', '.join(TARGETS)}")
    prepared = open_prepared(place)
    folder = prepared.folder if prepared.folder.name not in ("", "..") else prepared.folder.resolve()
    out = folder.with_name(f"{folder.name}_{to}") if out is None else Path(out).expanduser()
    _check_out(out, folder)
    if prepared.manifest.get("spans"):
        raise OptionError(
            f"{folder}: holds windows, which are for encoders, and {TARGETS[to].title} takes conversations; prepare "
            "the view messages of the same dataset, and export that"
        )
    with drafted(out, _EXPORT) as draft:
        return _write(draft, out, prepared, to)


def _check_out(out: Path, folder: Path) -> None:
    inner, outer = out.resolve(), folder.resolve()
    if inner == outer or outer in inner.parents:
        raise OptionError(f"out: {out} is the prepared folder or lies in it; prepare writes that anew, choose another")


def _write(draft: Path, out: Path, prepared: PreparedRows, to: str) -> Exported:
    records = KeptRecords(prepared)
    run = _run(prepared.manifest, is_text=records.is_text)
    if run.is_text and not TARGETS[to].takes_texts:
        raise OptionError(
            f"{prepared.folder}: holds plain texts, and {TARGETS[to].title} takes conversations; export them to "
            f"{', '.join(name for name, each in TARGETS.items() if each.takes_texts)}, or prepare the view messages"
        )
    target = TARGETS[to](run, records.survey())
    stem = re.sub(r"[^\w.-]+", "_", prepared.folder.resolve().name)
    where = Place(out.as_posix(), {split: f"{stem}_{split}" for split in records.rows})
    notes = Notes()
    for split, name in where.names.items():
        with (draft / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for record in tqdm(records.of(split), total=records.rows[split], desc=f"{split}: export", unit=" records"):
                file.write(_line_of(target.line(record, notes.of_next())))
    facts = dataset_facts(prepared.manifest["dataset"]["name"])
    exported = Exported(
        out,
        records.rows,
        {split: f"{name}.jsonl" for split, name in where.names.items()},
        [*_run_notes(prepared.manifest, facts), *target.general_notes(), *notes.lines()],
        target.command(where),
    )
    for name, text in target.settings(where).items():
        (draft / name).write_text(text, encoding="utf-8")
    (draft / "README.md").write_text(_card(exported, target, prepared, facts), encoding="utf-8")
    dataset = without_paths(prepared.manifest, prepared.folder)["dataset"]  # such folders are handed on
    about = {"format": 1, "to": to, "digest": prepared.manifest["digest"], "dataset": dataset}
    write_manifest(draft, {**about, "rows": exported.rows, "notes": exported.notes}, _EXPORT)
    return exported


def _line_of(value: dict[str, Any]) -> str:
    r"""A line of a file: many readers of JSON Lines end one at each of Unicode's line ends, so those are escaped.

    >>> _line_of({"text": "上衣\u2028红"})
    '{"text": "上衣\\u2028红"}\n'
    """
    text = json.dumps(value, ensure_ascii=False)
    return _LINE_END.sub(lambda end: f"\\u{ord(end[0]):04x}", text) + "\n"


def _run(manifest: dict[str, Any], *, is_text: bool) -> Run:
    options, pack = manifest["tokenize"], manifest.get("pack") or {}
    return Run(
        loss=options["loss"],
        max_length=pack.get("max_length") or options["max_length"],
        is_text=is_text,
        is_packed=bool(pack),
        train_thinking=options["train_thinking"],
        chat_template_kwargs=options["chat_template_kwargs"],
        control_texts=sum(split["control_texts"] for split in manifest["splits"].values()),
    )


def _run_notes(manifest: dict[str, Any], facts: DatasetFacts) -> list[str]:
    notes = []
    if facts.barred:
        notes.append(f"{facts.name} may not be published, and that goes for these files: {facts.barred}")
    if cut := sum(split["rows_cut"] for split in manifest["splits"].values()):
        options = manifest["tokenize"]
        notes.append(
            f"{num_records(cut)}: whole in these files, and cut to {options['max_length']:,} tokens by "
            f"tokenize.overflow: {options['overflow']}"
        )
    return notes


def _card(exported: Exported, target: Target, prepared: PreparedRows, facts: DatasetFacts) -> str:
    """Read by `datasets` for files and columns, by people for the rest."""
    files = [{"split": split, "path": file} for split, file in exported.files.items()]
    header = {
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": {"config_name": "default", "features": target.features()},
    }
    rows = [f"| {split} | `{exported.files[split]}` | {rows:,} |" for split, rows in exported.rows.items()]
    lines = [
        "---",
        yaml.safe_dump(header, sort_keys=False, allow_unicode=True) + "---",
        f"# {facts.name} for {target.title}",
        "",
        f"Written by `hf-builders export` from `{prepared.folder.resolve().name}`: the records behind its token rows, "
        "in the order of the raw files. Records that were set aside are not among them.",
        "",
        "| split | file | records |",
        "| --- | --- | ---: |",
        *rows,
        "",
        f"- Licence of the source: {facts.licence}",
        f"- Digest of the token rows: `{prepared.manifest['digest']}`",
        *(f"- {note}" for note in exported.notes),
        "",
        f"Next: `{exported.command}`",
    ]
    return "\n".join(lines) + "\n"
