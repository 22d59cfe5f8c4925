"""TRL on an export: its parser reads the YAML of the folder, `load_dataset` the folder, `SFTTrainer` the rows."""

from measured_run import MeasuredRun, parser


def main() -> None:
    options = parser().parse_args()
    from datasets import concatenate_datasets, load_dataset
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM
    from trl import DatasetMixtureConfig, ModelConfig, ScriptArguments, SFTConfig, SFTTrainer, TrlParser

    run = MeasuredRun(options, ["trl", "transformers", "tokenizers", "datasets"])
    own = ["--output_dir", str(options.out / "trainer"), "--report_to", "none", "--use_cpu", "true", "--bf16", "false"]
    reader = TrlParser((ScriptArguments, SFTConfig, ModelConfig, DatasetMixtureConfig))
    script, config, *_ = reader.parse_args_and_config(["--config", str(options.raw / "trl_sft.yaml"), *own])
    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer)
    shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=1, **shape))
    run.start()
    loaded = load_dataset(script.dataset_name, name=script.dataset_config)  # as `trl sft` loads it
    splits = [script.dataset_train_split, *(name for name in loaded if name != script.dataset_train_split)]
    trainer = SFTTrainer(
        model,
        config,
        train_dataset=loaded[splits[0]],
        eval_dataset={name: loaded[name] for name in splits[1:]} or None,
        processing_class=tokenizer,
    )
    run.stop()
    prepared = [trainer.train_dataset, *(trainer.eval_dataset or {}).values()]
    run.finish(concatenate_datasets([rows.select_columns(["input_ids", "labels"]) for rows in prepared]))


if __name__ == "__main__":
    main()
