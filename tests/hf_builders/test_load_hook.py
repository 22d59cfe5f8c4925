"""Our names work in `datasets`, every other name is passed on, in whatever order things are imported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets import get_dataset_config_names, get_dataset_split_names, load_dataset, load_dataset_builder

from hf_builders import OptionError, list_datasets, load_hook
from hf_builders.registry import builder_class

LOAD = "assert len(load_dataset('hf_builders/adgen', sample=True)['train']) > 100\n"
NAMES = (
    "assert get_dataset_config_names('hf_builders/adgen') == ['source', 'messages', 'conversations', 'instruction']\n"
)


@pytest.mark.parametrize(
    "imports",
    [
        "import hf_builders\nfrom datasets import get_dataset_config_names, load_dataset",
        "from datasets import get_dataset_config_names, load_dataset\nimport hf_builders",
        "import datasets.load\nimport hf_builders\nfrom datasets import get_dataset_config_names, load_dataset",
        "import hf_builders.registry\nimport datasets.inspect\n"
        "from datasets import get_dataset_config_names, load_dataset",
        "import importlib, hf_builders, hf_builders.load_hook\nimportlib.reload(hf_builders.load_hook)\n"
        "importlib.reload(hf_builders)\nfrom datasets import get_dataset_config_names, load_dataset\n"
        "importlib.reload(hf_builders.load_hook)\nimportlib.reload(hf_builders)",
        "import sys, hf_builders\nfor name in [n for n in sys.modules if n.startswith('hf_builders')]:\n"
        "    del sys.modules[name]\nimport hf_builders\nfrom datasets import get_dataset_config_names, load_dataset",
    ],
    ids=["before", "after", "in between", "a submodule", "reloaded", "imported twice"],
)
def test_the_order_of_imports_does_not_matter(imports: str, run_python: Callable[..., str]) -> None:
    code = "import datasets.load as load\nprint(hasattr(load.dataset_module_factory.__wrapped__, '__wrapped__'))"
    assert run_python(f"{imports}\n{LOAD}{NAMES}{code}") == "False\n", "it is wrapped once"


def test_datasets_own_functions_know_our_names(adgen_folder: Path) -> None:
    views = ["source", "messages", "conversations", "instruction"]
    for name in list_datasets():
        assert get_dataset_config_names(f"hf_builders/{name}")[0] == builder_class(name).DEFAULT_CONFIG_NAME
    assert get_dataset_config_names("hf_builders/adgen") == views
    assert get_dataset_split_names("hf_builders/adgen", data_dir=str(adgen_folder)) == ["train", "validation"]
    builder = load_dataset_builder("hf_builders/adgen", "messages", data_dir=adgen_folder)
    assert (builder.dataset_name, builder.config.name) == ("adgen", "messages")
    assert list(builder.info.features) == ["id", "messages"]


def test_other_names_are_passed_on_unchanged() -> None:
    passed_on = []

    def factory(path: str, *args: Any, **options: Any) -> str:
        passed_on.append((path, args, options))
        return "answer"

    wrapped = load_hook._answering(factory)
    names = ["csv", "squad", "user/hf_builders", "hf_builders", "./hf_builders/adgen", "hf_builders_2/adgen", Path("x")]
    for name in names:
        assert wrapped(name, "revision", data_dir="d") == "answer"
    assert passed_on == [(name, ("revision",), {"data_dir": "d"}) for name in names]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the csv builder of datasets 4.7 leaves its file open
def test_formats_and_folders_of_others_still_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "hf_builders" / "mine"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    assert load_dataset("csv", data_files=str(folder / "a.csv"), split="train").to_list() == [{"a": 1}]
    assert load_dataset(str(folder), split="train").to_list() == [{"a": 1}]
    assert load_dataset("hf_builders/mine", split="train").to_list() == [{"a": 1}]


@pytest.mark.parametrize("function", [load_dataset, load_dataset_builder, get_dataset_config_names])
def test_a_misspelt_name_of_ours_gets_the_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: Callable[[str], Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError) as error:
        function("hf_builders/adgn")
    assert str(error.value) == (
        f"no dataset 'adgn'; did you mean 'adgen'?; the datasets are {', '.join(list_datasets())}"
    )


@pytest.mark.parametrize("missing", ["dataset_module_factory", "DatasetModule"])
def test_without_the_hook_point_there_is_one_warning_and_the_direct_route(
    missing: str, run_python: Callable[..., str]
) -> None:
    printed = run_python(
        "import datasets.inspect, datasets.load, warnings\n"
        f"for module in (datasets.load, datasets.inspect): vars(module).pop({missing!r}, None)\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    import hf_builders\n"
        "print([(w.category.__name__, str(w.message)) for w in caught if 'hf_builders' in str(w.message)])\n"
        "print(len(hf_builders.load_dataset('adgen', sample=True)['train']) > 100)"
    )
    assert printed == f"{[('UserWarning', load_hook._WARNING)]}\nTrue\n"


def test_the_factory_keeps_its_name_and_help() -> None:
    factory = datasets.load.dataset_module_factory
    assert factory.__name__ == "dataset_module_factory"
    assert factory.__doc__ == factory.__wrapped__.__doc__
