"""The command line: exit codes, one clear line for an error, examples that work, nothing heavy for --help."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hf_builders.cli import _parser, main
from hf_builders.registry import list_datasets

ROOT = Path(__file__).parents[2]
COMMANDS = ("list", "show", "prepare", "inspect", "train", "export", "push", "verify")


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_list_says_of_every_dataset_its_licence_and_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == list_datasets()
    for label in ("licence", "get it"):
        facts = [line.removeprefix(f"  {label}").strip() for line in lines if line.startswith(f"  {label} ")]
        assert len(facts) == len(list_datasets())
        assert all(facts)
    adgen = lines[lines.index("adgen") :]
    assert adgen[1].startswith("  AdvertiseGen: ")
    assert adgen[2:4] == [
        "  licence  not stated",
        "  get it   download=True gets it from https://cloud.tsinghua.edu.cn/f/b3f119a008264b1cabd1/?dl=1",
    ]


def test_list_says_what_may_not_be_published(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    blocks = re.split(r"^(?=\w)", capsys.readouterr().out, flags=re.MULTILINE)
    assert {block.split()[0] for block in blocks if "\n  barred " in block} == {"mimic3", "snomed_ct"}


def test_show_prints_a_row_of_every_view(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "adgen"]) == 0
    out = capsys.readouterr().out
    for view in ("source (content, summary)", "messages (id, messages)", "conversations (id, conversations)"):
        assert f"\n{view}; the first row of the sample:" in out
    assert out.count('"train.json:1"') == 3


def test_show_says_what_a_set_is_and_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "webqa"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^rows +300 invented in the sample$", out, re.MULTILINE)
    assert "me_train.json (train), me_validation.ann.json (validation)" in out
    assert re.search(r"^get it  .*WebQA.* by hand .*https://.*; then data_dir=$", out, re.MULTILINE)
    assert "no_answer='根据文章无法回答。'" in out
    views = ("mrc (id, title, context, question, answers)", "messages (id, messages)")
    assert all(f"\n{view}; the first row of the sample:" in out for view in views)


def test_the_commands_in_the_comments_of_the_shipped_configs_are_commands_on_that_config() -> None:
    num_commands = 0
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if command := re.fullmatch(r"#   hf-builders (.*?)(?:  +\(.*)?", line):
                options = _parser().parse_args(command[1].split())
                place = getattr(options, "config", None) or options.place
                assert place == f"configs/{path.name}"
                num_commands += 1
    assert num_commands >= 8


def test_our_errors_are_one_line_on_stderr_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "adgn"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    names = ", ".join(list_datasets())
    assert captured.err == f"hf-builders: no dataset 'adgn'; did you mean 'adgen'?; the datasets are {names}\n"


@pytest.mark.parametrize("arguments", [[], ["prepare"], ["nonsense"], ["list", "--nonsense"]])
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: hf-builders")


def test_the_trainers_the_help_names_are_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers", reason="exports read prepared rows")
    from hf_builders.exports import TARGETS

    assert f"{{{','.join(TARGETS)}}}" in help_of("export", capsys)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_an_example_of_this_very_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    example = re.search(r"example: (hf-builders .*)", help_of(command, capsys))
    assert example is not None
    assert example[1].split()[1] == command


@pytest.mark.parametrize("command", ["list", "show"])
def test_the_example_of_the_help_runs(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    example = re.search(r"example: hf-builders (.*)", help_of(command, capsys))
    assert example is not None
    assert main(example[1].split()) == 0


def test_help_imports_nothing_heavy() -> None:
    code = """
        import sys
        from hf_builders.cli import main
        try:
            main(["--help"])
        except SystemExit:
            pass
        heavy = {"datasets", "pyarrow", "numpy", "torch", "transformers", "yaml"} & set(sys.modules)
        assert not heavy, heavy
    """
    code = "\n".join(line[8:] for line in code.splitlines())
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "commands" in result.stdout


@pytest.mark.parametrize("module", ["hf_builders", "hf_builders.cli"])
def test_the_command_is_a_module_too(module: str) -> None:
    command = [sys.executable, "-m", module, "list"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "adgen" in result.stdout


def test_an_interrupted_command_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(path: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hf_builders.run_config.read_run_config", interrupt)
    assert main(["prepare", "run.yaml"]) == 130
    assert capsys.readouterr().err == "hf-builders: interrupted\n"


@pytest.fixture
def prepared_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The demo's config, tokenizer and prepared folder in the folder the test runs in."""
    pytest.importorskip("transformers", reason="prepare tokenizes, which needs transformers")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    assert main(["prepare", "configs/demo.yaml"]) == 0
    capsys.readouterr()
    return tmp_path / "out" / "demo"


def test_the_example_of_inspect_shows_a_row_as_text(prepared_demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = re.search(r"example: hf-builders (inspect [^\n]*)", " ".join(help_of("inspect", capsys).split()))
    assert example is not None
    assert main(example[1].split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"train\[2\]  id train\.json:3  \d+ tokens, \d+ trained", lines[0])
    assert [line.split()[:2] for line in lines[1:-1]] == [
        ["-", "-"],
        ["-", "user"],
        ["-", "assistant"],
        ["+", "assistant"],
    ]
    assert lines[4].endswith("</s>")


def test_inspect_shows_the_first_row_of_every_split_and_more_on_demand(
    prepared_demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def heads(*arguments: str) -> list[str]:
        assert main(["inspect", str(prepared_demo), *arguments]) == 0
        return re.findall(r"^(\w+\[\d+\])", capsys.readouterr().out, re.MULTILINE)

    assert heads() == ["train[0]", "validation[0]"]
    assert heads("--split", "validation", "--rows", "2") == ["validation[0]", "validation[1]"]
    assert heads("--id", "train.json:240") == ["train[239]"]


def test_inspect_takes_colours_for_a_terminal_and_heeds_no_color(
    prepared_demo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("hf_builders.row_pages.sys.stdout.isatty", lambda: True, raising=False)
    assert main(["inspect", "configs/demo.yaml"]) == 0
    assert "\x1b[32m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["inspect", "configs/demo.yaml", "--ids"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "  ids 3001 3003" in out


def test_inspect_writes_a_page_for_the_browser(prepared_demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(prepared_demo), "--rows", "3", "--html", "rows.html"]) == 0
    assert capsys.readouterr().out == "written rows.html\n"
    page = Path("rows.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert re.findall(r"<h2>(\w+\[\d\])", page) == [
        f"{split}[{i}]" for split in ("train", "validation") for i in range(3)
    ]
    assert "类型" in page
    assert sorted(path.name for path in Path().iterdir()) == ["configs", "out", "rows.html"]
    assert main(["inspect", str(prepared_demo), "--html", "no/such/rows.html"]) == 1
    assert capsys.readouterr().err.startswith("hf-builders: no/such/rows.html: cannot be written (No such file")


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (["configs/nothing.yaml"], "configs/nothing.yaml: cannot be read"),
        (["configs"], "configs: holds no manifest.json; make the folder with `hf-builders prepare`"),
        (["configs/demo.yaml", "--split", "tran"], "no split 'tran'; did you mean 'train'?"),
        (["configs/demo.yaml", "--row", "999"], "no row 999; train has 240 rows"),
        (["configs/demo.yaml", "--id", "x"], "no row with the id 'x'"),
        (["configs/other.yaml"], "was prepared with tokenize.max_length=256, the run config says 128; run"),
    ],
)
def test_inspect_says_what_is_not_there(
    arguments: list[str], fact: str, prepared_demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Path("configs/demo.yaml").read_text(encoding="utf-8")
    Path("configs/other.yaml").write_text(config.replace("max_length: 256", "max_length: 128"), encoding="utf-8")
    assert main(["inspect", *arguments]) == 1
    assert fact in capsys.readouterr().err


def test_inspect_refuses_a_changed_tokenizer(prepared_demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = prepared_demo / "manifest.json"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(re.sub(r'"tokenizer_digest": "\w+"', '"tokenizer_digest": "0"', text), encoding="utf-8")
    assert main(["inspect", str(prepared_demo)]) == 1
    assert "configs/demo_tokenizer has changed since it was prepared; run" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--row", "-1"], ["--row", "two"], ["--row", "1", "--id", "x"]])
def test_wrong_usage_of_inspect_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["inspect", "out", *arguments])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: hf-builders inspect")


def test_train_prints_no_score_where_there_is_none_and_every_one_there_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("transformers", reason="train imports collators, which needs it")
    from hf_builders.train import Trained

    scores = {"trial": {"exact_match": 66.25, "f1": 100.0, "loss": 1.0}}
    runs = iter([Trained(Path("out"), 1_200, [2.0, 0.5], None), Trained(Path("out"), 3, [], Path("c-3"), scores)])
    monkeypatch.setattr("hf_builders.run_config.read_run_config", lambda path: None)
    monkeypatch.setattr("hf_builders.train.train", lambda config: next(runs))
    assert main(["train", "run.yaml"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "steps   1,200",
        "loss    first 2.000, last 0.500 (0.25 x the first)",
        "written out/",
    ]
    assert main(["train", "run.yaml"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "resumed from c-3",
        "steps   3",
        "loss    was never logged; a smaller train.arguments.logging_steps shows it",
        "trial: exact match 66.25, F1 100.00",
        "written out/",
    ]
