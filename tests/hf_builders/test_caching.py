"""Same bytes, options and code: the cached Arrow is used. Anything else: it is made again. Across processes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Load = Callable[..., dict[str, Any]]


@pytest.fixture
def load(tmp_path: Path, run_python: Callable[..., str]) -> Load:
    """Loads in a new process, from a copy of the package, and returns rows and Arrow file (its identity on disk)."""
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT / "hf_builders", copy / "hf_builders", ignore=shutil.ignore_patterns("__pycache__"))

    def run(dataset: str, route: str = "datasets", **options: Any) -> dict[str, Any]:
        printed = run_python(
            f"import json, os, hf_builders, {route} as route\n"
            f"options = json.loads({json.dumps(options)!r})\n"
            f"rows = route.load_dataset('hf_builders/{dataset}', split='train', **options)\n"
            "file = rows.cache_files[0]['filename']\n"
            f"assert hf_builders.__file__.startswith({str(copy)!r})\n"
            "stat = os.stat(file)\n"
            "print(json.dumps({'rows': rows.to_list(), 'arrow': [file, stat.st_ino, stat.st_mtime_ns],"
            " 'kept': hf_builders.account(rows)['train'].kept}))",
            cwd=copy,
        )
        return dict(json.loads(printed))

    run.code = copy / "hf_builders"  # type: ignore[attr-defined]
    return run


def change(file: Path, old: str, new: str) -> None:
    """Other bytes of the same number, and no other time: only reading tells."""
    before = file.stat()
    text = file.read_bytes()
    assert text.count(old.encode()) == 1
    assert len(old.encode()) == len(new.encode())
    file.write_bytes(text.replace(old.encode(), new.encode()))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def test_untouched_data_is_not_made_again(adgen_folder: Path, load: Load) -> None:
    first = load("adgen", data_dir=str(adgen_folder))
    assert load("adgen", data_dir=str(adgen_folder)) == first
    by_file = load("adgen", route="hf_builders", data_files=str(adgen_folder / "train.json"))
    assert load("adgen", route="hf_builders", data_files=str(adgen_folder / "train.json")) == by_file
    assert by_file["arrow"] != first["arrow"]


def test_a_changed_raw_file_shows_even_with_the_same_size_and_time(adgen_folder: Path, load: Load) -> None:
    first = load("adgen", data_dir=str(adgen_folder))
    assert first["rows"][2] == {"content": "类型#裤", "summary": "一条好裤子。"}
    change(adgen_folder / "train.json", "一条好裤子", "两条坏裤子")
    second = load("adgen", data_dir=str(adgen_folder))
    assert second["rows"][2] == {"content": "类型#裤", "summary": "两条坏裤子。"}
    assert second["arrow"] != first["arrow"]
    change(adgen_folder / "train.json", "两条坏裤子", "一条好裤子")
    assert load("adgen", data_dir=str(adgen_folder)) == first


def test_a_changed_option_shows(medical_folder: Path, load: Load) -> None:
    name, folder = "chinese_medical_dialogue", str(medical_folder)
    kept = {
        "all": load(name, data_dir=folder)["kept"],
        "answers": load(name, data_dir=folder, max_answer_chars=4)["kept"],
        "longer": load(name, data_dir=folder, max_answer_chars=5)["kept"],
        "surgery": load(name, data_dir=folder, divisions=["surgery"])["kept"],
    }
    assert kept == {"all": 6, "answers": 4, "longer": 5, "surgery": 2}


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("adgen/builder.py", 'column(records, "summary")', 'pc.utf8_reverse(column(records, "summary"))'),
        (
            "json_reader.py",
            "yield Rows(table,",
            "yield Rows(table.set_column(1, 'summary', [['子裤好条一'] * len(table)]),",
        ),
        ("views.py", '"content": pa.concat_arrays([', '"content": pa.concat_arrays([*[pc.utf8_reverse(c) for c in ['),
    ],
)
def test_changed_code_of_the_dataset_or_of_a_shared_module_shows(
    adgen_folder: Path, load: Load, module: str, old: str, new: str
) -> None:
    first = load("adgen", name="messages", data_dir=str(adgen_folder))
    assert first["rows"][2]["messages"][1]["content"] == "一条好裤子。"
    path: Path = load.code / module  # type: ignore[attr-defined]
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    text = text.replace(old, new)
    if module == "views.py":
        text = text.replace("dialogue.question, dialogue.answer])", "dialogue.question, dialogue.answer]]])")
    if module == "adgen/builder.py":
        text = text.replace("import pyarrow as pa", "import pyarrow as pa\nimport pyarrow.compute as pc")
    path.write_text(text, encoding="utf-8")
    second = load("adgen", name="messages", data_dir=str(adgen_folder))
    assert second["rows"][2]["messages"][1]["content"].strip("。") == "子裤好条一"
    assert load("adgen", name="messages", data_dir=str(adgen_folder)) == second


def test_every_shared_module_that_makes_rows_is_part_of_the_cache_key(adgen_folder: Path) -> None:
    # A new module that the builder imports but its cache does not know would give stale rows.
    import ast

    from hf_builders.content_hash import _SHARED_MODULES

    reached, waiting = set(), ["builder", *_SHARED_MODULES]
    while waiting:
        module = waiting.pop()
        if module in reached:
            continue
        reached.add(module)
        tree = ast.parse((ROOT / "hf_builders" / f"{module}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hf_builders"):
                _, _, name = str(node.module).partition(".")
                waiting += [name] if name else [alias.name for alias in node.names]
    # The modules of a dataset's own folder are part of its key anyway.
    datasets = {path.parent.name for path in (ROOT / "hf_builders").glob("*/builder.py")}
    for path in [path for name in sorted(datasets) for path in (ROOT / "hf_builders" / name).glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hf_builders."):
                module = str(node.module).removeprefix("hf_builders.")
                if module.partition(".")[0] not in datasets:
                    reached.add(module)
    assert sorted(reached) == sorted(_SHARED_MODULES)
