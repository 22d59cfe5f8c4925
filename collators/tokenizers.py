"""A model folder or hub name in, a fast tokenizer out; and what of a tokenizer decides which ids it gives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from collators.bert_vocabulary import is_bare_vocabulary, load_bert
from collators.errors import TokenizationError
from collators.named_templates import CHATGLM2_TEMPLATE, CHATGLM3_TEMPLATE

CHATGLM3_SPECIALS = (
    "[MASK]",
    "[gMASK]",
    "[sMASK]",
    "sop",
    "eop",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|observation|>",
)
"""In the order of their ids, which follow those of tokenizer.model (64789 to 64797 for ChatGLM3-6B)."""


def load_tokenizer(path: str | Path) -> Any:
    """Load the fast tokenizer of a model folder or hub name, never running code from it.

    ChatGLM3 folders (`tokenizer.model` and a `tokenizer_config.json` naming `ChatGLMTokenizer`) are converted: the
    result gives SentencePiece's ids, needs no remote code, and carries a chat template of the exact format, also
    after `save_pretrained`. A folder with no more than a BERT model's `vocab.txt` (the original releases, such as
    chinese_roberta_L-12_H-768) gives its fast tokenizer. Everything else goes to `AutoTokenizer`.

    Raises:
        TokenizationError: no such folder, no tokenizer in it, or only one that works text by text in Python.
    """
    if not isinstance(path, str | Path):
        raise TokenizationError(f"path {path!r}: expected a model folder or the name of one on the hub")
    folder = Path(path)
    if folder.is_file():
        raise TokenizationError(f"{path}: is a file; name its folder")
    if folder.is_dir():
        if _names_chatglm(folder):
            return _load_chatglm(folder)
        if is_bare_vocabulary(folder):
            return load_bert(folder)
    elif isinstance(path, Path) or path.startswith((".", "/", "~")) or path.count("/") > 1:
        raise TokenizationError(f"{path}: no such folder; expected a model folder or the name of one on the hub")
    return _load_auto(path)


def _names_chatglm(folder: Path) -> bool:
    config_path = folder / "tokenizer_config.json"
    if not config_path.is_file():
        return False
    try:
        config = json.loads(config_path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TokenizationError(f"{config_path}: not JSON ({error}); fetch the file again") from None
    if not isinstance(config, dict):
        raise TokenizationError(f"{config_path}: {config!r} is no JSON object; fetch the file again")
    names = json.dumps([config.get("tokenizer_class"), config.get("auto_map")])
    # GLM-4's class is ChatGLM4Tokenizer, and its tokenizer.model is no SentencePiece model.
    if "ChatGLM4Tokenizer" in names and not (folder / "tokenizer.json").is_file():
        raise TokenizationError(
            f"{folder}: ChatGLM4Tokenizer keeps tiktoken ranks in tokenizer.model and works only through its own code; "
            "use the -hf release of the model, which has a tokenizer.json"
        )
    return "ChatGLMTokenizer" in names


def _is_chatglm2(folder: Path) -> bool:
    """ChatGLM2 shares class and model file with ChatGLM3, but knows no role tokens and has another format."""
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    return "chatglm2" in json.dumps([config.get("name_or_path"), config.get("auto_map")]).lower()


def _load_chatglm(folder: Path) -> Any:
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    from collators import sentencepiece_bpe

    model_path = folder / "tokenizer.model"
    if not model_path.is_file():
        raise TokenizationError(f"{model_path}: no such file; a ChatGLM3 folder needs it beside tokenizer_config.json")
    is_chatglm2 = _is_chatglm2(folder)
    backend = sentencepiece_bpe.convert(model_path, CHATGLM3_SPECIALS[:5] if is_chatglm2 else CHATGLM3_SPECIALS)
    prefix = ["[gMASK]", "sop"]
    # What the original's build_inputs_with_special_tokens writes around one text and around two.
    backend.post_processor = TemplateProcessing(
        single=[*prefix, "$A"],
        pair=[*prefix, "$A", "$B:0", "</s>:0"],
        special_tokens=[(token, backend.token_to_id(token)) for token in [*prefix, "</s>"]],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<unk>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
        chat_template=CHATGLM2_TEMPLATE if is_chatglm2 else CHATGLM3_TEMPLATE,
    )


def _load_auto(path: str | Path) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError, ImportError, KeyError, TypeError, AttributeError) as error:
        fact = str(error).strip().split("\n")[0]
        raise TokenizationError(
            f"{path}: AutoTokenizer cannot load it ({type(error).__name__}: {fact}); expected a folder with a "
            "tokenizer.json, or the files of a tokenizer that transformers knows"
        ) from error
    if not tokenizer.is_fast:
        raise TokenizationError(
            f"{path}: {type(tokenizer).__name__} has no fast version; convert it to a tokenizer.json and load that"
        )
    return tokenizer


def backend_json(tokenizer: Any) -> str:
    """The backend as JSON, without the truncation and padding that calls leave behind.

    >>> from tokenizers import Tokenizer, models
    >>> from transformers import PreTrainedTokenizerFast
    >>> backend = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[UNK]")
    >>> before = backend_json(tokenizer)
    >>> _ = tokenizer(["a", "a"], padding="max_length", max_length=4, truncation=True)
    >>> backend_json(tokenizer) == before
    True

    Raises:
        TokenizationError: not a fast tokenizer.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not hasattr(backend, "to_str"):
        raise TokenizationError(
            f"{type(tokenizer).__name__} is not a fast tokenizer; load one with collators.load_tokenizer"
        )
    if backend.truncation is not None or backend.padding is not None:
        backend = type(backend).from_str(backend.to_str())
        backend.no_truncation()
        backend.no_padding()
    return str(backend.to_str())


def tokenizer_digest(tokenizer: Any) -> str:
    """One name for all of a tokenizer that decides which ids a conversation gets.

    Raises:
        TokenizationError: not a fast tokenizer.
    """
    special_tokens = json.dumps(dict(tokenizer.special_tokens_map), sort_keys=True, default=str)
    return digest(backend_json(tokenizer), str(tokenizer.chat_template), special_tokens)


def digest(*parts: str) -> str:
    """One name for some texts: equal texts, equal name."""
    name = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        name.update(len(encoded).to_bytes(8, "big") + encoded)
    return name.hexdigest()[:32]
