"""ms-swift: `load_dataset` (its own converter to messages), then `EncodePreprocessor` with the template of Qwen2.5.

Its trainer encodes a row when it is drawn and keeps only lengths; this is the step it has for rows with ids.
"""

from measured_run import MAX_LENGTH, MeasuredRun, parser


def main() -> None:
    options = parser().parse_args()
    from swift import EncodePreprocessor, get_template, load_dataset
    from swift.model import get_processor

    run = MeasuredRun(options, ["ms-swift", "transformers", "tokenizers", "datasets"])
    tokenizer = get_processor(str(options.tokenizer), model_type="qwen2")
    template = get_template(tokenizer, template_type="qwen2_5", max_length=MAX_LENGTH)
    template.set_mode("train")
    run.start()
    rows, _ = load_dataset([str(options.raw)], num_proc=1, shuffle=False)
    run.finish(EncodePreprocessor(template=template)(rows, num_proc=1))


if __name__ == "__main__":
    main()
