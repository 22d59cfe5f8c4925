"""What ChatGLM3's own fine-tuning code does to a row, written anew from its description, in `Dataset.map` by batches.

`[gMASK] sop`, then for every message its role token, the pieces of a newline and the pieces of the text, one call of
SentencePiece each; `</s>` at the end. A token takes loss if the message that holds the token before it is trained.
"""

from measured_run import MAX_LENGTH, MeasuredRun, parser

GMASK, SOP, END = 64790, 64792, 2
ROLES = {"system": 64794, "user": 64795, "assistant": 64796, "observation": 64797}
NOT_TRAINED = -100


def main() -> None:
    options = parser().parse_args()
    from datasets import load_dataset
    from sentencepiece import SentencePieceProcessor

    run = MeasuredRun(options, ["sentencepiece", "datasets"])
    model = SentencePieceProcessor(model_file=str(options.tokenizer / "tokenizer.model"))

    def process_batch(batch):
        rows = [token_row(model, messages) for messages in batch["messages"]]
        return {"input_ids": [ids for ids, _ in rows], "labels": [labels for _, labels in rows]}

    run.start()
    rows = load_dataset("json", data_files=str(options.raw), split="train")
    run.finish(rows.map(process_batch, batched=True, remove_columns=rows.column_names))


def token_row(model, messages):
    ids, trained = [GMASK, SOP], [False, False]
    for message in messages:
        # The metadata of a message, empty here, stands on the line of its role.
        said = [ROLES[message["role"]], *model.encode("\n"), *model.encode(message["content"])]
        ids += said
        trained += [message["role"] not in ("system", "user")] * len(said)
    ids.append(END)
    trained.append(False)
    labels = [NOT_TRAINED]
    for token, is_trained in zip(ids[1:], trained[:-1], strict=True):
        labels.append(token if is_trained else NOT_TRAINED)
    return ids[:MAX_LENGTH], labels[:MAX_LENGTH]


if __name__ == "__main__":
    main()
