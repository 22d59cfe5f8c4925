"""`train`: the loss falls, a run that was cut off goes on, and checkpoints of other data are not gone on from."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch (extra train)")

from collators import PaddingCollator, load_tokenizer
from collators.ragged import RaggedRows
from hf_builders.cli import main
from hf_builders.errors import ConfigError, SourceError
from hf_builders.prepare import prepare
from hf_builders.run_config import DatasetSection, OutputSection, RunConfig, TokenizeSection
from hf_builders.train import train
from hf_builders.train_sections import LoraSection, ModelSection, TrainSection

ROOT = Path(__file__).parents[2]
TOKENIZER = str(ROOT / "configs" / "demo_tokenizer")
TINY_GLM = {
    "model_type": "glm",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
}
ARGUMENTS = {
    "per_device_train_batch_size": 8,
    "learning_rate": 1e-2,
    "logging_steps": 2,
    "save_steps": 4,
    "max_steps": 8,
    "use_cpu": True,
    "disable_tqdm": True,
    "seed": 1,
}


@pytest.fixture(scope="module")
def prepared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "out"
    prepare(config_of(folder, folder.with_name("model")))
    return folder


def config_of(prepared_folder: Path, output: Path, *, max_length: int = 256, **changes: Any) -> RunConfig:
    section: dict[str, Any] = {"model": ModelSection(config=TINY_GLM), "arguments": ARGUMENTS, **changes}
    return RunConfig(
        dataset=DatasetSection(name="adgen", sample=True),
        tokenize=TokenizeSection(tokenizer=TOKENIZER, max_length=max_length),
        output=OutputSection(dir=str(prepared_folder)),
        train=TrainSection(output_dir=str(output), **section),
    )


def test_the_loss_falls_and_the_model_and_tokenizer_can_be_loaded(prepared_folder: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    trained = train(config_of(prepared_folder, tmp_path / "model"))
    assert (trained.num_steps, trained.resumed_from) == (8, None)
    assert len(trained.losses) == 4
    assert trained.losses[-1] < trained.losses[0]
    model = AutoModelForCausalLM.from_pretrained(trained.folder)
    assert model.config.vocab_size >= len(AutoTokenizer.from_pretrained(trained.folder))


def test_a_run_goes_on_from_its_last_checkpoint_to_the_same_loss(prepared_folder: Path, tmp_path: Path) -> None:
    whole = train(config_of(prepared_folder, tmp_path / "whole"))
    # The learning rate must not know that the first half is a half, so both runs plan for eight steps.
    (tmp_path / "halves").mkdir()
    (tmp_path / "whole" / "checkpoint-4").rename(tmp_path / "halves" / "checkpoint-4")
    resumed = train(config_of(prepared_folder, tmp_path / "halves"))
    assert resumed.resumed_from == tmp_path / "halves" / "checkpoint-4"
    assert resumed.num_steps == 8
    assert resumed.losses == pytest.approx(whole.losses, rel=1e-5)


BUDGET = {name: value for name, value in ARGUMENTS.items() if name != "per_device_train_batch_size"}


def test_batches_of_a_budget_are_trained_on_and_gone_on_with(
    prepared_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = []
    pad = PaddingCollator.__call__

    def padded(self: PaddingCollator, rows: Any) -> Any:
        assert isinstance(rows, RaggedRows), "rows are read flat"
        batch = pad(self, rows)
        shapes.append(batch["input_ids"].shape)
        return batch

    monkeypatch.setattr(PaddingCollator, "__call__", padded)
    budget = {"arguments": BUDGET, "max_tokens_per_batch": 900}
    whole = train(config_of(prepared_folder, tmp_path / "whole", **budget))
    assert len(shapes) >= whole.num_steps == 8
    assert all(num_rows * width <= 900 for num_rows, width in shapes)
    assert len({num_rows for num_rows, _ in shapes}) > 1
    (tmp_path / "halves").mkdir()
    (tmp_path / "whole" / "checkpoint-4").rename(tmp_path / "halves" / "checkpoint-4")
    assert train(config_of(prepared_folder, tmp_path / "halves", **budget)).losses == pytest.approx(whole.losses)
    with pytest.raises(SourceError, match=r"halves: is a run with other batches \(900, now 1000\); choose another"):
        train(config_of(prepared_folder, tmp_path / "halves", **{**budget, "max_tokens_per_batch": 1000}))


def test_checkpoints_of_other_token_rows_are_not_gone_on_from(prepared_folder: Path, tmp_path: Path) -> None:
    train(config_of(prepared_folder, tmp_path / "model"))
    other = config_of(tmp_path / "other", tmp_path / "model", max_length=120)
    prepare(other)
    with pytest.raises(SourceError, match=r"model: is a run with other token rows \(.*, now .*\); choose another"):
        train(other)


def test_half_a_checkpoint_is_passed_over(prepared_folder: Path, tmp_path: Path) -> None:
    train(config_of(prepared_folder, tmp_path / "model"))
    (tmp_path / "model" / "checkpoint-8" / "trainer_state.json").unlink()  # what a run killed while saving leaves
    resumed = train(config_of(prepared_folder, tmp_path / "model"))
    assert (resumed.resumed_from, resumed.num_steps) == (tmp_path / "model" / "checkpoint-4", 8)


def test_a_finished_run_is_left_as_it_is(prepared_folder: Path, tmp_path: Path) -> None:
    first = train(config_of(prepared_folder, tmp_path / "model"))
    weights = (first.folder / "model.safetensors").stat().st_mtime_ns
    again = train(config_of(prepared_folder, tmp_path / "model"))
    assert (again.num_steps, again.losses) == (8, first.losses)
    assert (first.folder / "model.safetensors").stat().st_mtime_ns == weights


def test_a_run_cut_off_before_its_model_was_saved_does_not_pass_for_finished(
    prepared_folder: Path, tmp_path: Path
) -> None:
    train(config_of(prepared_folder, tmp_path / "model"))
    (tmp_path / "model" / "trainer_state.json").unlink()
    with pytest.raises(
        SourceError, match=r"checkpoint-8: holds the last step, and the run was cut off before it saved"
    ):
        train(config_of(prepared_folder, tmp_path / "model"))


def test_checkpoints_of_another_model_are_not_gone_on_from(prepared_folder: Path, tmp_path: Path) -> None:
    train(config_of(prepared_folder, tmp_path / "model"))
    wider = ModelSection(config={**TINY_GLM, "intermediate_size": 128})
    with pytest.raises(SourceError, match=r"model: is a run with other model \(.*\); choose another train\.output_dir"):
        train(config_of(prepared_folder, tmp_path / "model", model=wider))


def test_a_tokenizer_changed_since_prepare_is_refused(prepared_folder: Path, tmp_path: Path) -> None:
    tokenizer = tmp_path / "tokenizer"
    load_tokenizer(TOKENIZER).save_pretrained(tokenizer)
    config = config_of(tmp_path / "out", tmp_path / "model")
    config = dataclasses.replace(config, tokenize=dataclasses.replace(config.tokenize, tokenizer=str(tokenizer)))
    prepare(config)
    template = tokenizer / "chat_template.jinja"
    template.write_text(template.read_text(encoding="utf-8").replace("</s>", ""), encoding="utf-8")
    with pytest.raises(SourceError, match="tokenizer has changed since it was prepared; run `hf-builders prepare`"):
        train(config)


# peft reads an attribute that transformers 5.23 has renamed.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_adapters_alone_are_trained(prepared_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="adapters need peft (extra train)")
    trained = train(config_of(prepared_folder, tmp_path / "model", lora=LoraSection(r=2)))
    assert trained.num_steps == 8
    files = {path.name for path in trained.folder.iterdir()}
    assert "adapter_model.safetensors" in files
    assert "model.safetensors" not in files


def test_nothing_prepared_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"out: holds no manifest\.json; make the folder with `hf-builders prepare`"):
        train(config_of(tmp_path / "out", tmp_path / "model"))


def test_options_changed_since_prepare_are_refused(prepared_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"tokenize\.max_length=256, the run config says 64; run `hf-builders prepare`"
    ):
        train(config_of(prepared_folder, tmp_path / "model", max_length=64))


def test_an_unknown_training_argument_is_refused_with_the_nearest(prepared_folder: Path, tmp_path: Path) -> None:
    config = config_of(prepared_folder, tmp_path / "model", arguments={"learning_rat": 1e-3})
    with pytest.raises(ConfigError, match=r"train\.arguments\.learning_rat: .*; did you mean 'learning_rate'\?"):
        train(config)


def test_a_model_too_small_for_the_tokenizer_is_refused(prepared_folder: Path, tmp_path: Path) -> None:
    config = config_of(prepared_folder, tmp_path / "model", model=ModelSection(config={**TINY_GLM, "vocab_size": 128}))
    with pytest.raises(ConfigError, match="has embeddings for 128 ids, the tokenizer gives ids up to 3,008"):
        train(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"arguments": {**ARGUMENTS, "resume_from_checkpoint": "x"}},
            "train.arguments.resume_from_checkpoint: transformers takes no such training argument here; a run goes on"
            " by itself",
        ),
        ({"model": ModelSection(config={**TINY_GLM, "hidden_sz": 8})}, "config.hidden_sz: no such setting of glm"),
        ({"model": ModelSection(pretrained="/no/such/model")}, "train.model: cannot be made"),
        ({"model": ModelSection(config={"model_type": "glmm"})}, "train.model: cannot be made"),
        ({"arguments": {**ARGUMENTS, "save_strategy": "sometimes"}}, "train.arguments: "),
        ({"lora": LoraSection(target_modules=["nope"])}, "train.lora: "),
    ],
)
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_what_cannot_be_trained_is_a_config_error(
    prepared_folder: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        train(config_of(prepared_folder, tmp_path / "model", **changes))
    assert message in str(caught.value)


def test_evaluation_without_a_validation_split_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text('{"content": "类型#裙", "summary": "一条好看的裙子"}\n', encoding="utf-8")
    config = config_of(tmp_path / "out", tmp_path / "model", arguments={**ARGUMENTS, "eval_strategy": "steps"})
    config = dataclasses.replace(config, dataset=DatasetSection(name="adgen", data_files=str(tmp_path / "train.json")))
    prepare(config)
    with pytest.raises(ConfigError, match=r"eval_strategy: there is no split to evaluate on \(validation\)"):
        train(config)


def test_a_config_without_a_train_section_says_so(prepared_folder: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(config_of(prepared_folder, tmp_path), train=None)
    with pytest.raises(ConfigError, match="train: the run config has no such section"):
        train(config)


def test_the_command_prints_first_and_last_loss_and_keeps_progress_off_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = (ROOT / "configs" / "demo.yaml").read_text(encoding="utf-8").replace("configs/demo_tokenizer", TOKENIZER)
    config = config.replace("num_train_epochs: 4", "max_steps: 20")
    (tmp_path / "demo.yaml").write_text(config, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["prepare", "demo.yaml"]) == 0
    capsys.readouterr()
    assert main(["train", "demo.yaml"]) == 0
    steps, loss, written = capsys.readouterr().out.splitlines()
    assert (steps, written) == ("steps   20", "written out/demo_model/")
    first, last = map(float, re.findall(r"\d+\.\d{3}", loss))
    assert last < first
