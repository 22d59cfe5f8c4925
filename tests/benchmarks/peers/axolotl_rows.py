"""axolotl: `load_datasets` under a config of `type: chat_template`, as `axolotl preprocess` calls it."""

import os

import yaml
from measured_run import MAX_LENGTH, MeasuredRun, parser


def main() -> None:
    options = parser().parse_args()
    os.environ |= {"AXOLOTL_IS_PREPROCESS": "1", "AXOLOTL_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "1"}
    from axolotl.cli.config import load_cfg
    from axolotl.loaders.tokenizer import load_tokenizer
    from axolotl.utils.data.sft import prepare_datasets

    run = MeasuredRun(options, ["axolotl", "transformers", "tokenizers", "datasets"])
    path = options.out / "config.yaml"
    path.write_text(yaml.safe_dump(written_config(options)), encoding="utf-8")
    config = load_cfg(str(path), is_preprocess=True)
    config.is_preprocess = True
    tokenizer = load_tokenizer(config)
    run.start()
    rows, *_ = prepare_datasets(config, tokenizer)
    run.finish(rows)


def written_config(options) -> dict:
    """What its users write; everything else is the peer's default."""
    return {
        "base_model": str(options.tokenizer),
        "datasets": [{"path": str(options.raw), "ds_type": "json", "type": "chat_template"}],
        "chat_template": "tokenizer_default",
        "sequence_len": MAX_LENGTH,
        "dataset_prepared_path": str(options.out / "prepared"),
        "dataset_num_proc": 1,
        "shuffle_merged_datasets": False,  # rows in their order, so that they can be compared
        "output_dir": str(options.out / "trainer"),
        "micro_batch_size": 1,
        "gradient_accumulation_steps": 1,
        "num_epochs": 1,
        "learning_rate": 1e-5,
    }


if __name__ == "__main__":
    main()
