"""XTuner: `process_hf_dataset` with a map function as its configs have one, without packing."""

from measured_run import MAX_LENGTH, QWEN_SYSTEM, MeasuredRun, parser
from stand_ins import stand_in


def conversation(row):
    """What a `dataset_map_fn` of an XTuner config gives."""
    turn = {"system": QWEN_SYSTEM, "input": row["prompt"], "output": row["completion"]}
    return {"conversation": [turn]}


def main() -> None:
    options = parser().parse_args()
    stand_in("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    from datasets import load_dataset
    from transformers import AutoTokenizer
    from xtuner.dataset import process_hf_dataset
    from xtuner.dataset.map_fns import template_map_fn_factory
    from xtuner.utils import PROMPT_TEMPLATE

    run = MeasuredRun(options, ["xtuner", "transformers", "tokenizers", "datasets"])
    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer, padding_side="right")
    run.start()
    rows = process_hf_dataset(
        dataset=load_dataset("json", data_files=str(options.raw)),
        tokenizer=tokenizer,
        max_length=MAX_LENGTH,
        dataset_map_fn=conversation,
        template_map_fn=template_map_fn_factory(template=PROMPT_TEMPLATE.qwen_chat),
        remove_unused_columns=True,
        pack_to_max_length=False,
        map_num_proc=1,
    )
    run.finish(rows)


if __name__ == "__main__":
    main()
