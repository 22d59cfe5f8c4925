"""Chat templates that can be asked for by name: formats of models whose tokenizers bring none that works."""

from __future__ import annotations

# `[gMASK] sop`, then for each message its role token, metadata and a newline, the text; `</s>` at the very end. The
# format encodes "metadata, newline" and text each on its own, so each begins with SentencePiece's dummy prefix; the
# tokenizer puts one behind the role token, and the space written here is the other. No piece spans a newline, so
# nothing merges across. An empty text has no pieces at all, so no prefix either. `%r` is how ast.unparse writes values.
# Of several calls in one message, each is followed by its own result.
CHATGLM3_TEMPLATE = (
    "{%- set tools = tools_as_given if tools_as_given is defined else tools -%}"
    "{%- set ns = namespace(answered=0) -%}"
    "{%- macro text_of(message) -%}{% if message['content'] %}{{ ' ' + message['content'] }}{% endif %}{%- endmacro -%}"
    "[gMASK]sop"
    "{%- if tools -%}"
    "{{ '<|system|>\\n Answer the following questions as best as you can. "
    "You have access to the following tools:\\n' }}"
    "{{ tools | tojson(indent=4) }}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{%- if message['role'] in ['tool', 'observation'] -%}"
    "{%- if ns.answered -%}{%- set ns.answered = ns.answered - 1 -%}"
    "{%- else -%}{{ '<|observation|>\\n' + text_of(message) }}{%- endif -%}"
    "{%- elif message['tool_calls'] -%}"
    "{%- if message['content'] -%}{{ '<|assistant|>\\n' + text_of(message) }}{%- endif -%}"
    "{%- set behind = loop.index -%}"
    "{%- for call in message['tool_calls'] -%}"
    "{%- set function = call['function'] or call -%}"
    "{%- set arguments = function['arguments'] -%}"
    "{{ '<|assistant|>' + function['name'] + '\\n ```python\\ntool_call(' }}"
    "{%- if arguments is mapping -%}"
    "{%- for name, value in arguments.items() -%}"
    "{{ ('' if loop.first else ', ') + name + '=' + '%r' | format(value) }}"
    "{%- endfor -%}"
    "{%- else -%}{{ '%r' | format(arguments) }}{%- endif -%}"
    "{{ ')\\n```' }}"
    "{%- set result = messages[behind + loop.index0] -%}"
    "{%- if message['tool_calls'] | length > 1 and result and result['role'] in ['tool', 'observation'] -%}"
    "{{ '<|observation|>\\n' + text_of(result) }}{%- set ns.answered = ns.answered + 1 -%}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- else -%}"
    "{{ '<|' + message['role'] + '|>' + (message['metadata'] or '') + '\\n' + text_of(message) }}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- else -%}</s>{%- endif -%}"
)

# Earlier rounds are part of one text, the prompt; the answer it leads to is encoded on its own, hence the space. Only
# that one ends with `</s>`, so only that one is trained (ptuning/main.py of ChatGLM2 trains the same).
CHATGLM2_TEMPLATE = (
    "{%- set ns = namespace(round=0) -%}"
    "[gMASK]sop"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'user' -%}"
    "{%- set ns.round = ns.round + 1 -%}"
    "{{ '[Round ' ~ ns.round ~ ']\\n\\n问：' + message['content'] + '\\n\\n答：' }}"
    "{%- elif message['role'] != 'assistant' -%}{{ raise_exception('ChatGLM2 knows no ' + message['role'] + ' role') }}"
    "{%- elif not loop.last -%}{{ message['content'] + '\\n\\n' }}"
    "{%- else -%}{{ (' ' + message['content'] if message['content'] else '') + '</s>' }}"
    "{%- endif -%}"
    "{%- endfor -%}"
)

# Stanford Alpaca's prompt; for several rounds repeated as LLaMA-Factory's template of this name does.
ALPACA_TEMPLATE = (
    "{{- bos_token -}}"
    "{%- if messages[0]['role'] == 'system' -%}"
    "{{ messages[0]['content'] + '\\n\\n' }}{%- set messages = messages[1:] -%}"
    "{%- else -%}"
    "{{ 'Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\\n\\n' }}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'user' -%}"
    "{{ '### Instruction:\\n' + message['content'] + '\\n\\n### Response:\\n' }}"
    "{%- elif message['role'] == 'assistant' and not message['tool_calls'] -%}"
    "{{ message['content'] + eos_token + ('' if loop.last else '\\n\\n') }}"
    "{%- else -%}{{ raise_exception('alpaca knows no tools and a system text only at the beginning') }}{%- endif -%}"
    "{%- endfor -%}"
)

TEMPLATES = {"chatglm3": CHATGLM3_TEMPLATE, "chatglm2": CHATGLM2_TEMPLATE, "alpaca": ALPACA_TEMPLATE}

TEMPLATE_CONTROLS = {
    "chatglm3": ("[gMASK]", "sop", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>", "</s>"),
    "chatglm2": ("[gMASK]", "sop", "</s>"),
    "alpaca": (),
}
"""The control tokens that each of them writes."""
