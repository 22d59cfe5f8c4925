"""LLaMA-Factory: `get_dataset`, its loader, converter and SupervisedDatasetProcessor.

RAW is a file of prompts and responses, named in a dataset_info.json as its users do.
"""

import json
import os

from measured_run import MAX_LENGTH, MeasuredRun, parser
from stand_ins import stand_in


def main() -> None:
    arguments = parser()
    arguments.add_argument("--template", required=True)
    arguments.add_argument("--columns", nargs=2, metavar=("PROMPT", "RESPONSE"), required=True)
    options = arguments.parse_args()
    # The peer asks for exact versions of libraries that have nothing to do with rows.
    os.environ["DISABLE_VERSION_CHECK"] = "1"
    stand_in("torchaudio")
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    run = MeasuredRun(options, ["llamafactory", "transformers", "tokenizers", "datasets"])
    info = {
        "rows": {
            "file_name": str(options.raw),
            "columns": {"prompt": options.columns[0], "response": options.columns[1]},
        }
    }
    (options.out / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")
    model_args, data_args, training_args, _, _ = get_train_args(
        {
            "stage": "sft",
            "do_train": True,
            "model_name_or_path": str(options.tokenizer),
            "dataset": "rows",
            "dataset_dir": str(options.out),
            "template": options.template,
            "cutoff_len": MAX_LENGTH,
            "output_dir": str(options.out / "trainer"),
            "report_to": "none",
            "use_cpu": True,
        }
    )
    loaded = load_tokenizer(model_args)
    template = get_template_and_fix_tokenizer(loaded["tokenizer"], data_args)
    run.start()
    module = get_dataset(template, model_args, data_args, training_args, stage="sft", **loaded)
    run.finish(module["train_dataset"])


if __name__ == "__main__":
    main()
