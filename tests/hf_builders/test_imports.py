"""Who may import whom: read from the source, so that it holds for code no test runs."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hf_builders

ROOT = Path(hf_builders.__file__).parents[1]
# A module of the data half imports from the groups before its own, and a dataset from those before `registry`.
DATA_HALF = (
    {"errors"},
    {"schema", "sources"},
    {"encodings", "quarantine", "locations", "splits", "json_columns"},
    {"json_values", "csv_reader", "own_files", "view_config", "views"},
    {"json_documents", "json_files", "origin", "reading", "reading_layouts", "xml_files"},
    {"json_reader", "value_files"},
    {"content_hash"},
    {"builder"},
    {"corpus_builder", "dialogue_builder", "reading_builder"},
    {"registry"},
    {"load_hook"},
)


def modules(package: str) -> dict[str, Path]:
    """Every module of a package by its dotted name; a package goes by the name of its folder."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted((ROOT / package).rglob("*.py"))
    }


ALL = modules("hf_builders") | modules("collators")


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imported(tree: ast.AST, in_functions: bool) -> Iterator[str]:
    """The modules of ours that code imports, by dotted name; imports for types only do not count."""
    for node in ast.iter_child_nodes(tree):
        if is_for_types_only(node) or (isinstance(node, ast.FunctionDef) and not in_functions):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in ALL else str(node.module)
        else:
            yield from imported(node, in_functions)


def imports_of(name: str, in_functions: bool = True) -> set[str]:
    tree = ast.parse(ALL[name].read_text(encoding="utf-8"))
    return {module for module in imported(tree, in_functions) if module in ALL}


def layer_of(module: str) -> int:
    """Where a module of `hf_builders` stands: datasets below `registry`, the application on top."""
    name = module.removeprefix("hf_builders.")
    if "." in name or (ROOT / "hf_builders" / name).is_dir():
        return 2 * DATA_HALF.index({"registry"}) - 1
    return next((2 * i for i, group in enumerate(DATA_HALF) if name in group), 100)


def test_the_modules_of_the_data_half_are_the_ones_that_are_there() -> None:
    for group in DATA_HALF:
        for name in group:
            assert f"hf_builders.{name}" in ALL


@pytest.mark.parametrize("module", [name for name in modules("hf_builders") if layer_of(name) < 100])
def test_a_module_of_the_data_half_imports_from_below_itself_only(module: str) -> None:
    if module == "hf_builders":
        pytest.fail("the package itself has no layer")
    # A dataset may be asked for by name (importlib), never by import.
    for other in imports_of(module) - {"hf_builders"}:
        assert other.startswith("hf_builders."), f"{module} imports {other}"
        is_same_dataset = other.count(".") == 2 and other.rpartition(".")[0] == module.rpartition(".")[0]
        assert is_same_dataset or layer_of(other) < layer_of(module), f"{module} imports {other}"


def test_the_package_itself_imports_its_hook_only() -> None:
    assert imports_of("hf_builders") == {"hf_builders.load_hook"}


def test_collators_know_nothing_of_hf_builders() -> None:
    names = [name for name in ALL if name.partition(".")[0] == "collators"]
    assert len(names) > 3
    for name in names:
        assert not [other for other in imports_of(name) if other.startswith("hf_builders")], name
        assert "hf_builders" not in [
            str(node.module).partition(".")[0]
            for node in ast.walk(ast.parse(ALL[name].read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
        ]


def test_there_is_no_cycle() -> None:
    graph = {name: imports_of(name, in_functions=False) - {name} for name in ALL}
    assert sum(map(len, graph.values())) > 20
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"a cycle: {' → '.join([*above, name])}"
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*above, name))
            done.add(name)

    for name in graph:
        visit(name, ())
    assert done == set(graph)


def test_importing_the_package_imports_nothing_heavy(run_python: Callable[..., str]) -> None:
    heavy = {"datasets", "pyarrow", "numpy", "pandas", "torch", "transformers", "yaml", "collators"}
    printed = run_python("import sys, hf_builders\nprint(hf_builders.list_datasets()[0], *sys.modules)")
    loaded = set(printed.split())
    assert {"adgen", "hf_builders.load_hook"} <= loaded
    assert not heavy & loaded


def test_all_is_sorted_and_true() -> None:
    assert hf_builders.__all__ == sorted(hf_builders.__all__)
    for name in hf_builders.__all__:
        thing = getattr(hf_builders, name)
        home = importlib.import_module(thing.__module__)
        assert home.__name__.startswith("hf_builders.")
        assert getattr(home, name) is thing
    tree = ast.parse((ROOT / "hf_builders" / "__init__.py").read_text(encoding="utf-8"))
    (for_types,) = [node for node in tree.body if is_for_types_only(node)]
    named = [alias.name for node in ast.walk(for_types) if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(named) == hf_builders.__all__
    assert dir(hf_builders) == sorted([*hf_builders.__all__, "__version__"])
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        hf_builders.no_such_name  # noqa: B018
