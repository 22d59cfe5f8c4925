"""Small tokenizers of every kind, trained here in a moment, and chat templates in the style of well-known models."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TEXT = [
    "hello world, how are you today?",
    "user assistant system: the quick brown fox jumps over the lazy dog",
    "患者高血压能吃党参吗？可以口服，注意休息。",
    "类型#上衣*材质#牛仔布*颜色#白色*风格#简约",
    "[INST] <<SYS>> ### Response: a b c d e f 1 2 3\n\n  tabs\tand  spaces",
] * 4

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
QWEN = "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}{% endif %}" + CHATML
TRIMMING = CHATML.replace("m['content']", "m['content'] | trim")
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set turns = messages[1:] %}"
    "{% set head = '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}"
    "{% else %}{% set turns = messages %}{% set head = '' %}{% endif %}"
    "{% for m in turns %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% set text = (head if loop.first else '') + m['content'] %}"
    "{% if m['role'] == 'user' %}{{ '<s>[INST] ' + text.strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + text.strip() + ' </s>' }}{% endif %}{% endfor %}"
)
LLAMA3 = (
    "{{ '<s>' }}{% for m in messages %}"
    "{{ '<|im_start|>' + m['role'] + '<think>\\n\\n' + m['content'] | trim + '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant<think>\\n\\n' }}{% endif %}"
)
GLM4 = (
    "{{ '<s>' }}{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
QWEN3 = (
    "{% for m in messages %}{% if m['role'] == 'assistant' and loop.last %}{% set text = m['content'] %}"
    "{% if '</think>' in text %}{% set text = text.split('</think>')[-1] %}{% endif %}"
    "{{ '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' + text.lstrip('\\n') + '<|im_end|>\\n' }}"
    "{% else %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
ALPACA = (
    "{% for m in messages %}{% if m['role'] == 'user' %}"
    "{{ '### Instruction:\\n' + m['content'] + '\\n\\n### Response:\\n' }}"
    "{% elif m['role'] == 'assistant' %}{{ m['content'] + '</s>' }}"
    "{% else %}{{ m['content'] + '\\n\\n' }}{% endif %}{% endfor %}"
)
FAMILIES = {
    "chatml": CHATML,
    "qwen": QWEN,
    "trimming": TRIMMING,
    "llama2": LLAMA2,
    "llama3": LLAMA3,
    "glm4": GLM4,
    "qwen3": QWEN3,
    "alpaca": ALPACA,
}
SPECIALS = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|system|>", "<|user|>", "<|assistant|>"]


def byte_level_backend() -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    # Trims offsets, as Llama-3's does: a trap for whoever finds borders by offsets.
    backend.post_processor = processors.ByteLevel(trim_offsets=True)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=alphabet, special_tokens=["<pad>"], show_progress=False
    )
    backend.train_from_iterator(TEXT, trainer)
    backend.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in SPECIALS])
    backend.add_tokens([AddedToken(text, normalized=False, special=False) for text in ("<think>", "</think>")])
    return backend


def metaspace_backend(scheme: str) -> Any:
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    # Control tokens in the model's own vocabulary, as in Llama-2.
    specials = ["<unk>", *SPECIALS]
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=specials, show_progress=False)
    backend.train_from_iterator(TEXT, trainer)
    backend.add_tokens([AddedToken(text, normalized=False, special=False) for text in ("<think>", "</think>")])
    return backend


def stripping_backend() -> Any:
    """As Phi-3: control tokens that swallow the white space behind them."""
    from tokenizers import AddedToken

    backend = metaspace_backend("always")
    swallowing = [
        AddedToken(text, normalized=False, special=True, rstrip=True) for text in ("<|im_start|>", "<|im_end|>")
    ]
    backend.add_special_tokens(swallowing)
    return backend


def word_backend() -> Any:
    """Words between spaces; here a typed control token is a word of the vocabulary."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    words = ["<unk>", *SPECIALS, "system", "user", "assistant", "hello", "world", "a", "b"]
    backend = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in ["<unk>", *SPECIALS]])
    backend.add_tokens([AddedToken(text, normalized=False, special=False) for text in ("<think>", "</think>")])
    return backend


BACKENDS: dict[str, Callable[[], Any]] = {
    "byte_level": byte_level_backend,
    "metaspace_first": lambda: metaspace_backend("first"),
    "metaspace_always": lambda: metaspace_backend("always"),
    "stripping": stripping_backend,
    "words": word_backend,
}


def make_tokenizer(backend: Any, template: str | None = CHATML, **options: Any) -> Any:
    from transformers import PreTrainedTokenizerFast

    names = {"bos_token": "<s>", "eos_token": "</s>", "clean_up_tokenization_spaces": False}
    return PreTrainedTokenizerFast(tokenizer_object=backend, chat_template=template, **{**names, **options})


@pytest.fixture(scope="session")
def backends() -> dict[str, str]:
    """Every kind of backend, as JSON: training once serves all tests."""
    pytest.importorskip("transformers", reason="collators need transformers")
    return {name: make().to_str() for name, make in BACKENDS.items()}


@pytest.fixture
def tokenizer_of(backends: dict[str, str]) -> Callable[..., Any]:
    """`tokenizer_of("byte_level", LLAMA2)` is a new tokenizer of that kind with that template."""
    from tokenizers import Tokenizer

    def make(kind: str = "byte_level", template: str | None = CHATML, **options: Any) -> Any:
        return make_tokenizer(Tokenizer.from_str(backends[kind]), template, **options)

    return make


@pytest.fixture(scope="session")
def chatglm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder like ChatGLM3's, with a SentencePiece model of a few hundred pieces."""
    spm = pytest.importorskip("sentencepiece", reason="makes the ChatGLM3 kind of model")
    folder = tmp_path_factory.mktemp("chatglm")
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in TEXT for line in text.split("\n")),
        model_writer=model,
        model_type="bpe",
        vocab_size=480,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        character_coverage=1.0,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "ChatGLMTokenizer"}))
    return folder


@pytest.fixture(scope="session")
def real_conversations(shared_realdata: Callable[[str], Path]) -> list[list[dict[str, str]]]:
    """Every real row of AdvertiseGen and the medical sample, read here with json and csv alone."""
    adgen = shared_realdata("AdvertiseGen")
    medical = next(shared_realdata("Chinese-medical-dialogue-data").rglob("*.csv"))
    pairs = []
    for name in ("train.json", "dev.json"):
        for line in (adgen / name).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            pairs.append((row["content"], row["summary"]))
    with medical.open(encoding="gb18030", newline="") as file:
        pairs += [(row["title"] + row["ask"], row["answer"]) for row in csv.DictReader(file)]
    assert len(pairs) == 400 + 170 + 4000
    return [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in pairs]
