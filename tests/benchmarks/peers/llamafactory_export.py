"""LLaMA-Factory on an export: its config parser reads the YAML of the folder, `get_dataset` its entry and its lines."""

import os

import yaml
from measured_run import MeasuredRun, parser
from stand_ins import stand_in


def main() -> None:
    arguments = parser()
    arguments.add_argument("--template", required=True)
    options = arguments.parse_args()
    # The peer asks for exact versions of libraries that have nothing to do with rows.
    os.environ["DISABLE_VERSION_CHECK"] = "1"
    stand_in("torchaudio")
    from datasets import concatenate_datasets
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    run = MeasuredRun(options, ["llamafactory", "transformers", "tokenizers", "datasets"])
    (path,) = options.raw.glob("llamafactory_*.yaml")
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    own = {
        "model_name_or_path": str(options.tokenizer),
        "template": options.template,
        "output_dir": str(options.out / "trainer"),
        "report_to": "none",
        "use_cpu": True,
    }
    model_args, data_args, training_args, _, _ = get_train_args(settings | own)
    loaded = load_tokenizer(model_args)
    template = get_template_and_fix_tokenizer(loaded["tokenizer"], data_args)
    run.start()
    module = get_dataset(template, model_args, data_args, training_args, stage=settings["stage"], **loaded)
    run.stop()
    rows = concatenate_datasets(list(module.values()))
    if "labels" not in rows.column_names:  # of plain texts the collator makes them, of all tokens
        rows = rows.map(lambda batch: {"labels": batch["input_ids"]}, batched=True)
    run.finish(rows)


if __name__ == "__main__":
    main()
