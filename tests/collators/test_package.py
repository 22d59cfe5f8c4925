"""The package as users see it from outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import collators

PACKAGE = Path(collators.__file__).parent

# Each module may import only those before it.
ORDER = [
    # conversations
    "errors", "turns", "structured_messages", "message_columns", "columns",
    # tokenizers and templates
    "named_templates", "bert_vocabulary", "tokenizers", "sentencepiece_bpe", "template_values", "template_reads",
    "chat_templates",
    # what a template writes where
    "controls", "shapes", "skeletons", "probes", "turn_spans", "skeleton_building",
    # tokens
    "encoding", "gigatoken_engine", "sentencepiece_engine", "engines",
    "token_runs", "overflow", "proof", "structured_rows",
    # labels
    "labelled", "rounds", "labelling", "ledger", "tokenization",
    # datasets
    "workers", "record_batches", "token_tables", "cached_tables", "dataset_tokenization",
    # batches
    "ragged", "flat_rows", "token_batches", "padded", "padding_collator",
    # packs
    "exact_packs", "bin_packing", "packed_rows", "packing_streams", "packing", "packing_collator",
    # training
    "trainer",
    # encoders: windows of a text and pairs, and what a model says of them
    "pair_frames", "encoder_texts", "encoder_batches", "span_tokenization", "pair_tokenization", "span_collator",
    "span_answers", "cmrc_metric", "span_metrics",
    # what was made of it
    "frame_probes", "template_frames", "token_texts", "stretches", "painting", "svg_painting", "inspection",
]  # fmt: skip


def test_every_name_of_all_is_there() -> None:
    for module in ("torch", "transformers"):
        pytest.importorskip(module, reason="every name of the package is loaded here")
    assert dir(collators) == sorted(set(collators.__all__))
    for name in collators.__all__:
        assert getattr(collators, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        collators.nothing  # noqa: B018


def test_import_loads_nothing_heavy() -> None:
    code = (
        "import sys, collators; print([m for m in ('torch', 'transformers', 'datasets', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_imports_point_one_way_and_never_to_hf_builders() -> None:
    assert sorted(ORDER) == sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")
    num_checked = 0
    for module in ORDER:
        for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("collators", "hf_builders"):
                parts = (node.module or "").split(".")
                names = [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
                assert parts[0] == "collators"
                # load_tokenizer reaches for the conversion only when a folder needs it.
                before = [*ORDER[: ORDER.index(module)], "sentencepiece_bpe" if module == "tokenizers" else ""]
                assert set(names) <= set(before), f"{module} imports {names}"
                num_checked += 1
    assert num_checked > 20
