"""TRL's SFTTrainer: what its constructor does to a dataset of conversations.

`--form messages` trains by `assistant_only_loss`, `--form prompt-completion` by the completion mask.
"""

from measured_run import MAX_LENGTH, MeasuredRun, parser


def main() -> None:
    arguments = parser()
    arguments.add_argument("--form", choices=("messages", "prompt-completion"), required=True)
    options = arguments.parse_args()
    from datasets import load_dataset
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM
    from trl import SFTConfig, SFTTrainer

    run = MeasuredRun(options, ["trl", "transformers", "tokenizers", "datasets"])

    class TimedTrainer(SFTTrainer):
        """The constructor does more than prepare the rows; only that is timed."""

        def _prepare_dataset(self, *args, **kwargs):
            run.start()
            prepared = super()._prepare_dataset(*args, **kwargs)
            run.stop()
            return prepared

    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer)
    shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=1, **shape))
    config = SFTConfig(
        output_dir=str(options.out / "trainer"),
        max_length=MAX_LENGTH,
        assistant_only_loss=options.form == "messages",
        report_to="none",
        use_cpu=True,
        bf16=False,
    )
    run.start()
    rows = load_dataset("json", data_files=str(options.raw), split="train")
    run.stop()
    trainer = TimedTrainer(model, config, train_dataset=rows, processing_class=tokenizer)
    run.finish(trainer.train_dataset)


if __name__ == "__main__":
    main()
