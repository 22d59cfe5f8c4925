"""An encoder alone, on rendered texts that lie in memory: no reading, no labels, no Arrow.

The floor under any pipeline. For Qwen2.5 a text is the whole conversation as its chat template renders it. ChatGLM3's
control tokens are not text, so there the texts are what the messages say, two a row.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "peers"), str(Path(__file__).resolve().parents[2])]

from measured_run import QWEN_SYSTEM, MeasuredRun, parser  # noqa: E402  (lies in the folder of the peers' scripts)

_BATCH = 10_000
_THREADS = 2

Encoder = Callable[[Sequence[str]], int]
"""Texts in, the number of their tokens out."""


def main() -> None:
    arguments = parser()
    arguments.add_argument("--encoder", choices=ENCODERS, required=True)
    options = arguments.parse_args()
    is_chatglm = (options.tokenizer / "tokenizer.model").exists()
    texts, num_rows = _texts(options.raw, rendered=not is_chatglm)
    make, library = ENCODERS[options.encoder]
    encode = make(options.tokenizer)
    run = MeasuredRun(options, [library])
    run.start()
    tokens = sum(encode(texts[first : first + _BATCH]) for first in range(0, len(texts), _BATCH))
    run.stop()
    run.report(num_rows, tokens)


def _texts(messages: Path, *, rendered: bool) -> tuple[list[str], int]:
    with messages.open(encoding="utf-8") as file:
        rows = [[message["content"] for message in json.loads(line)["messages"]] for line in file]
    if rendered:
        return [render_qwen(question, answer) for question, answer in rows], len(rows)
    return [text for row in rows for text in row], len(rows)


def render_qwen(question: str, answer: str) -> str:
    return (
        f"<|im_start|>system\n{QWEN_SYSTEM}<|im_end|>\n<|im_start|>user\n{question}<|im_end|>\n"
        f"<|im_start|>assistant\n{answer}<|im_end|>\n"
    )


def _tokenizers(folder: Path) -> Encoder:
    import collators

    encode = collators.load_tokenizer(str(folder)).backend_tokenizer.encode_batch_fast
    return lambda texts: sum(map(len, encode(texts, add_special_tokens=False)))


def _gigatoken(folder: Path) -> Encoder:
    import awkward
    import gigatoken

    import collators

    encode = gigatoken.Tokenizer(collators.load_tokenizer(str(folder))).encode_batch
    return lambda texts: int(awkward.sum(awkward.num(encode(texts))))


def _sentencepiece(folder: Path) -> Encoder:
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    return lambda texts: sum(map(len, model.encode(texts, num_threads=_THREADS)))


ENCODERS: dict[str, tuple[Callable[[Path], Encoder], str]] = {
    "tokenizers": (_tokenizers, "tokenizers"),
    "gigatoken": (_gigatoken, "gigatoken"),
    "sentencepiece": (_sentencepiece, "sentencepiece"),
}


if __name__ == "__main__":
    main()
