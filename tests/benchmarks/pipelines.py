"""Which pipelines are compared, and how each is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Form = Literal["raw", "messages", "pairs", "turns"]


@dataclass(frozen=True)
class Pipeline:
    name: str
    """As `--only` takes it."""
    title: str
    role: Literal["ours", "peer", "floor"]
    script: str
    """In this folder."""
    reads: Form
    """Which form of the same rows it reads (`distinct_rows.RawFiles`)."""
    arguments: tuple[str, ...] = ()
    """For the script, behind RAW, OUT and TOKENIZER."""
    venv: str | None = None
    """Folder of its venv among the peers'; None is the venv that runs the benchmark."""
    tokenizer_form: str = ""
    """`_fast`: the tokenizer as our converter saved it, for a peer that cannot load the model's own folder."""
    on_few_rows: bool = False
    """Runs on `--peer-rows` instead of `--rows`."""
    has_labels: bool = True
    """Whether it writes rows that can be compared with ours."""


def _ours(name: str, title: str, *arguments: str, **more: bool) -> Pipeline:
    return Pipeline(name, title, "ours", "ours.py", "raw", arguments, **more)


def _peer(name: str, title: str, venv: str, reads: Form, *arguments: str, tokenizer_form: str = "") -> Pipeline:
    script = f"peers/{venv.replace('ms-', '')}_rows.py"
    return Pipeline(name, title, "peer", script, reads, arguments, venv, tokenizer_form, on_few_rows=True)


def _floor(encoder: str) -> Pipeline:
    title = f"floor: {encoder} alone"
    return Pipeline(encoder, title, "floor", "floors.py", "messages", ("--encoder", encoder), has_labels=False)


_PAIRS = ("--columns", "prompt", "completion")
_DEMO = Pipeline("chatglm3-demo", "ChatGLM3's demo", "peer", "peers/chatglm3_demo.py", "messages")
_OURS = (
    _ours("ours", "**hf-builders**"),
    _ours("ours-few", "hf-builders, few rows", on_few_rows=True),
    _ours("ours-tokenizers", "hf-builders without the extra `fast`", "--engine", "tokenizers"),
    _ours("ours-prepare", "`hf-builders prepare`, whole", "--through", "prepare"),
)

BY_TOKENIZER: dict[str, tuple[Pipeline, ...]] = {
    "qwen2_5": (
        *_OURS,
        _peer("llamafactory", "LLaMA-Factory", "llamafactory", "pairs", "--template", "qwen", *_PAIRS),
        _peer("trl", "TRL, messages", "trl", "messages", "--form", "messages"),
        _peer("trl-completion", "TRL, prompt-completion", "trl", "turns", "--form", "prompt-completion"),
        _peer("ms-swift", "ms-swift", "ms-swift", "messages"),
        _peer("axolotl", "axolotl", "axolotl", "messages"),
        _peer("xtuner", "XTuner", "xtuner", "pairs"),
        _floor("tokenizers"),
        _floor("gigatoken"),
    ),
    "chatglm3": (
        *_OURS,
        _ours("ours-sentencepiece", "hf-builders on SentencePiece", "--engine", "sentencepiece"),
        _DEMO,
        _peer(
            "llamafactory",
            "LLaMA-Factory",
            "llamafactory",
            "pairs",
            *("--template", "chatglm3", *_PAIRS),
            tokenizer_form="_fast",
        ),
        _floor("tokenizers"),
        _floor("gigatoken"),
        _floor("sentencepiece"),
    ),
}
TOKENIZER_TITLES = {"qwen2_5": "Qwen2.5", "chatglm3": "ChatGLM3"}
PEER_VENVS = ("llamafactory", "trl", "ms-swift", "axolotl", "xtuner")
