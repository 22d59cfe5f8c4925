"""Tokenizer folders as every pipeline can load them: copies, with the model config that some peers ask for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

_CONFIGS = {
    "qwen2_5": {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 151936},
    "chatglm3_fast": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 65024},
}
# A model nobody builds: peers read the config and nothing else of it.
_SHAPE = {
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "max_position_embeddings": 32768,
    "dtype": "float32",
}


def copy_tokenizers(source: Path, target: Path) -> list[str]:
    """Copy what there is of `qwen2_5` and `chatglm3`, and say which; ChatGLM3 also as a fast tokenizer, for peers."""
    found = [name for name in ("qwen2_5", "chatglm3") if (source / name).is_dir()]
    for name in found:
        _copy(source / name, target / name)
    if "chatglm3" in found:
        import collators

        collators.load_tokenizer(str(target / "chatglm3")).save_pretrained(target / "chatglm3_fast")
    for name, config in _CONFIGS.items():
        if (target / name).is_dir():
            (target / name / "config.json").write_text(json.dumps(config | _SHAPE), encoding="utf-8")
    return found


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        # Without the source's permissions: the original may be read-only.
        shutil.copyfile(file, target / file.name)
