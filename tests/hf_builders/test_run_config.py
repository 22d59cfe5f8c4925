"""Run configs: every fault of a file in one error, with its key, its value and a way out."""

from pathlib import Path

import pytest

from hf_builders.errors import ConfigError
from hf_builders.run_config import SpansSection, parse_run_config, read_run_config
from hf_builders.train_sections import AnswersSection, ModelSection

CONFIGS = sorted(Path(__file__).parents[2].joinpath("configs").glob("*.yaml"))
GOOD = """
dataset: {name: adgen, sample: true}
tokenize: {tokenizer: models/x}
output: {dir: out/x}
"""


def faults_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_run_config(text, "run.yaml")
    return str(caught.value).splitlines()


def test_a_short_config_has_the_documented_defaults() -> None:
    config = parse_run_config(GOOD, "run.yaml")
    assert (config.dataset.view, config.dataset.on_bad_row) == ("messages", "raise")
    assert (config.tokenize.max_length, config.tokenize.overflow, config.tokenize.loss) == (2048, "drop", "assistant")
    assert config.train is None


def test_there_are_shipped_configs() -> None:
    assert [path.name for path in CONFIGS] == [
        "adgen_chatglm3.yaml",
        "cmrc2018_roberta.yaml",
        "demo.yaml",
        "demo_reading.yaml",
        "medical_qwen.yaml",
        "pubmed_pretraining.yaml",
    ]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_shipped_config_is_read_without_a_fault(path: Path) -> None:
    assert read_run_config(path).output.dir.startswith("out/")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            GOOD.replace("models/x", "models/x, max_lenght: 5"),
            "run.yaml: tokenize.max_lenght: unknown key; did you mean 'max_length'?",
        ),
        (GOOD.replace("name: adgen, ", ""), "run.yaml: dataset.name: is missing; it has no default"),
        (GOOD.replace("output: {dir: out/x}", ""), "run.yaml: output: is missing; it has no default"),
        (
            GOOD.replace("tokenize: {tokenizer: models/x}", ""),
            "run.yaml: tokenize, spans: neither is given; tokenize makes token rows of conversations, spans windows of"
            " the view mrc",
        ),
        (
            GOOD + "train: {output_dir: o, model: {pretrained: m}, pad_to_multiple_of: 0}",
            "run.yaml: train: pad_to_multiple_of is 0; it takes 1 (no rounding) or more",
        ),
        (
            GOOD + "train: {output_dir: o, model: {pretrained: m}, answers: {}}",
            "run.yaml: train.answers goes with spans; a model that writes has no answers to find",
        ),
        (GOOD + "outputs: {}", "run.yaml: outputs: unknown key; did you mean 'output'?"),
        (
            GOOD.replace("models/x", "models/x, max_length: long"),
            "run.yaml: tokenize.max_length: is 'long'; expected a whole number",
        ),
        (
            GOOD.replace("models/x", "models/x, max_length: true"),
            "run.yaml: tokenize.max_length: is True; expected a whole number",
        ),
        (
            GOOD.replace("models/x", "models/x, overflow: trunc"),
            "run.yaml: tokenize.overflow: is 'trunc'; expected drop, truncate, truncate_prompt, truncate_turns, error;"
            " did you mean 'truncate'?",
        ),
        (
            GOOD.replace("models/x", "models/x, max_length: 1"),
            "run.yaml: tokenize: max_length is 1; a row needs 2 tokens, one to be predicted from the other",
        ),
        (GOOD.replace("{dir: out/x}", ""), "run.yaml: output: is empty; expected keys and values"),
        (
            GOOD.replace(", sample: true", ""),
            "run.yaml: dataset: nothing is given; one of data_dir, data_files, download: true and sample: true says"
            " what is read",
        ),
        (
            GOOD.replace("sample: true", "sample: true, data_dir: x"),
            "run.yaml: dataset: data_dir and sample are given; one of data_dir, data_files, download: true and"
            " sample: true says what is read",
        ),
        (
            GOOD + "train: {output_dir: o, model: {}}",
            "run.yaml: train.model: give either pretrained (a folder or hub name) or config (a fresh model), one of"
            " the two",
        ),
        (
            GOOD + "train: {output_dir: o, model: {config: {hidden_size: 8}}}",
            "run.yaml: train.model: config.model_type is missing; it names the architecture, such as glm or qwen2",
        ),
        (
            GOOD + "train: {output_dir: o, model: {pretrained: m}, max_tokens_per_batch: 0}",
            "run.yaml: train: max_tokens_per_batch is 0; a batch needs the tokens of its longest row",
        ),
        (
            GOOD + "train: {output_dir: o, model: {pretrained: m}, max_tokens_per_batch: 4096,"
            " arguments: {per_device_train_batch_size: 8}}",
            "run.yaml: train: max_tokens_per_batch and arguments.per_device_train_batch_size both say what a batch is;"
            " leave one out",
        ),
        (GOOD + "train: [1]", "run.yaml: train: is [1]; expected a mapping"),
        (
            GOOD + "train: {output_dir: out/x/model, model: {pretrained: m}}",
            "run.yaml: train.output_dir: out/x/model and output.dir must not lie in each other",
        ),
        (
            GOOD.replace("sample: true", "sample: true, options: {on_bad_row: raise}"),
            "run.yaml: dataset: options.on_bad_row is no option of a dataset; a key of this section stands one level"
            " up",
        ),
        (
            GOOD.replace("models/x", "models/x, num_proc: 0"),
            "run.yaml: tokenize: num_proc is 0; it takes 1 or more processes",
        ),
    ],
)
def test_a_fault_has_this_message(text: str, fault: str) -> None:
    assert faults_of(text) == [fault]


READING = """
dataset: {name: cmrc2018, view: mrc, sample: true}
spans: {tokenizer: models/x, max_length: 64, doc_stride: 16}
output: {dir: out/x}
"""
TRAIN = "train: {output_dir: o, model: {pretrained: m}, "


def test_a_config_of_windows_needs_no_section_of_token_rows() -> None:
    config = parse_run_config(READING, "run.yaml")
    assert (config.tokenize, config.tokenizer) == (None, "models/x")
    text = READING + TRAIN + "answers: {null_threshold: 0}}"
    train = parse_run_config(text, "run.yaml").train
    assert train is not None
    assert train.answers == AnswersSection(n_best=20, max_answer_length=512, null_threshold=0.0)
    short = parse_run_config(READING.replace(", max_length: 64, doc_stride: 16", ""), "run.yaml").spans
    assert short == SpansSection(tokenizer="models/x", max_length=512, doc_stride=256, max_question_length=None)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            READING + "tokenize: {tokenizer: models/x}",
            [
                "tokenize, spans: both are given; tokenize makes token rows of conversations, spans windows of the view"
                " mrc"
            ],
        ),
        (
            READING.replace("view: mrc, ", ""),
            ["dataset.view is messages, with spans; mrc goes with spans, all others with tokenize"],
        ),
        (
            GOOD.replace("sample", "view: mrc, sample"),
            ["dataset.view is mrc, with tokenize; mrc goes with spans, all others with tokenize"],
        ),
        (READING + "pack: {}", ["pack does not go with spans; windows are full as they are"]),
        (READING + TRAIN + "lora: {}}", ["train.lora does not go with spans; leave it out"]),
        (READING + TRAIN + "padding_side: left}", ["train.padding_side does not go with spans; leave it out"]),
        (
            READING + TRAIN + "max_tokens_per_batch: 4096}",
            ["train.max_tokens_per_batch does not go with spans; leave it out"],
        ),
        (
            READING + "pack: {}\n" + TRAIN + "lora: {}, padding_side: left}",
            [
                "pack does not go with spans; windows are full as they are",
                "train.lora does not go with spans; leave it out",
                "train.padding_side does not go with spans; leave it out",
            ],
        ),
        (
            READING.replace("doc_stride: 16", "doc_stride: 64, max_question_length: 0"),
            [
                "spans: doc_stride is 64; it takes 0 or more tokens, less than max_length",
                "spans: max_question_length is 0; it takes 1 token or more",
            ],
        ),
        (
            READING.replace("doc_stride: 16", "doc_stride: -1"),
            ["spans: doc_stride is -1; it takes 0 or more tokens, less than max_length"],
        ),
        (
            READING + TRAIN + "answers: {n_best: 0, max_answer_length: -3}}",
            [
                "train.answers: n_best is 0; it takes 1 or more",
                "train.answers: max_answer_length is -3; it takes 1 or more",
            ],
        ),
        (
            READING.replace("max_length: 64", "max_lenght: 64"),
            ["spans.max_lenght: unknown key; did you mean 'max_length'?"],
        ),
    ],
)
def test_what_does_not_go_together_with_windows_is_told(text: str, faults: list[str]) -> None:
    assert faults_of(text) == [f"run.yaml: {fault}" for fault in faults]


def test_what_is_prepared_and_what_is_trained_lie_apart_with_windows_too() -> None:
    (fault,) = faults_of(READING + "train: {output_dir: out/x/model, model: {pretrained: m}}")
    assert fault == "run.yaml: train.output_dir: out/x/model and output.dir must not lie in each other"


def test_all_faults_are_reported_at_once() -> None:
    faults = faults_of("dataset: {nam: adgen}\ntokenize: {tokenizer: t, loss: some, max_length: 0.5}\nout: {}")
    assert [fault.split(": ")[1] for fault in faults] == [
        "dataset.nam",
        "dataset.name",
        "tokenize.loss",
        "tokenize.max_length",
        "out",
        "output",
    ]


def test_a_key_given_twice_is_a_fault_because_yaml_would_take_the_last() -> None:
    (fault,) = faults_of(GOOD + "output: {dir: out/y}")
    assert "the key 'output' is given twice" in fault


def test_what_is_no_yaml_says_where() -> None:
    (fault,) = faults_of("dataset: {name: [")
    assert fault.startswith("run.yaml: is no YAML (")


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nope\.yaml: cannot be read \(No such file or directory\)"):
        read_run_config(tmp_path / "nope.yaml")


def test_a_file_that_is_not_utf8_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_bytes("# 配置".encode("gbk"))
    with pytest.raises(ConfigError, match=r"run\.yaml: cannot be read \(it is not UTF-8\)"):
        read_run_config(tmp_path / "run.yaml")


def test_numbers_with_an_exponent_are_numbers() -> None:
    text = (
        GOOD + "train: {output_dir: o, model: {pretrained: m}, arguments: {learning_rate: 3e-4, weight_decay: 1.5E2}}"
    )
    train = parse_run_config(text, "run.yaml").train
    assert train is not None
    assert train.arguments == {"learning_rate": 3e-4, "weight_decay": 150.0}
    assert train.model == ModelSection(pretrained="m")
