"""The command line: exit codes, one clear line for an error, examples that work, nothing heavy for --help."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hf_builders.cli import main
from hf_builders.registry import list_datasets

ROOT = Path(__file__).parents[2]
COMMANDS = ("list", "show", "prepare", "train")


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_list_names_every_dataset(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list_datasets()
    assert any("AdvertiseGen" in line for line in lines)


def test_show_prints_a_row_of_every_view(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "adgen"]) == 0
    out = capsys.readouterr().out
    for view in ("source (content, summary)", "messages (id, messages)", "conversations (id, conversations)"):
        assert f"\n{view}; the first row of the sample:" in out
    assert out.count('"train.json:1"') == 3


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
