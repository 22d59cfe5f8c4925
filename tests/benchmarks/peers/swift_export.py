"""ms-swift on an export: the YAML of the folder names entries, `load_dataset` reads, `EncodePreprocessor` encodes."""

import yaml
from measured_run import MeasuredRun, parser


def main() -> None:
    options = parser().parse_args()
    from datasets import concatenate_datasets
    from swift import EncodePreprocessor, get_template, load_dataset
    from swift.dataset import register_dataset_info
    from swift.model import get_processor

    run = MeasuredRun(options, ["ms-swift", "transformers", "tokenizers", "datasets"])
    (path,) = options.raw.glob("swift_*.yaml")
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    for info in settings["custom_dataset_info"]:
        register_dataset_info(info)
    tokenizer = get_processor(str(options.tokenizer), model_type="qwen2")
    template = get_template(
        tokenizer,
        template_type="qwen2_5",
        max_length=settings["max_length"],
        loss_scale=settings.get("loss_scale", "default"),
        use_chat_template=path.name != "swift_pt.yaml",  # `swift pt` turns it off
    )
    template.set_mode("train")
    run.start()
    splits = [settings["dataset"], settings.get("val_dataset", [])]
    loaded = [load_dataset(names, num_proc=1, shuffle=False)[0] for names in splits if names]
    encoded = [EncodePreprocessor(template=template)(rows, num_proc=1) for rows in loaded]
    run.stop()
    run.finish(concatenate_datasets([rows.select_columns(["input_ids", "labels"]) for rows in encoded]))


if __name__ == "__main__":
    main()
