"""Chat templates that know tools and reasoning, in the manner of well-known families.

Each is written here from the public description of the format, with the traps that the real ones lay.
"""

_CHATML_TOOLS = """\
{%- if tools %}
    {{- '<|im_start|>system\\n' + (messages[0].content + '\\n' if messages[0].role == 'system' else '') }}
    {{- 'Functions, one a line; call them as <tool_call>{...}</tool_call>:' }}
    {%- for tool in tools %}{{- '\\n' + (tool | tojson) }}{%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- elif messages and messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}"""

_CHATML_RESULT = """\
        {%- if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<tool_response>\\n' + m.content + '\\n</tool_response>' }}
        {%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{- '<|im_end|>\\n' }}{%- endif %}"""

_CHATML_CALLS = """\
        {%- for call in m.tool_calls or [] %}
            {%- if call.function %}{%- set call = call.function %}{%- endif %}
            {%- if m.content or not loop.first %}{{- '\\n' }}{%- endif %}
            {{- '<tool_call>\\n{"name": "' + call.name + '", "arguments": ' + (call.arguments | tojson) }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}"""

_CHATML_PROMPT = "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"

HERMES = f"""\
{_CHATML_TOOLS}
{{%- for m in messages %}}
    {{%- if m.role == 'user' %}}{{{{- '<|im_start|>user\\n' + m.content + '<|im_end|>\\n' }}}}
    {{%- elif m.role == 'assistant' %}}
        {{{{- '<|im_start|>assistant\\n' + (m.content or '') }}}}
{_CHATML_CALLS}
        {{{{- '<|im_end|>\\n' }}}}
    {{%- elif m.role == 'tool' %}}
{_CHATML_RESULT}
    {{%- endif %}}
{{%- endfor %}}
{_CHATML_PROMPT}"""

# Reasoning comes apart or inline; only what follows the last question keeps it, and the last answer always has a block.
QWEN3_TOOLS = f"""\
{_CHATML_TOOLS}
{{%- set ns = namespace(question=0) %}}
{{%- for m in messages %}}
    {{%- if m.role == 'user' %}}{{%- set ns.question = loop.index0 %}}{{%- endif %}}
{{%- endfor %}}
{{%- for m in messages %}}
    {{%- if m.role == 'user' %}}{{{{- '<|im_start|>user\\n' + m.content + '<|im_end|>\\n' }}}}
    {{%- elif m.role == 'assistant' %}}
        {{%- set content = m.content or '' %}}
        {{%- set reasoning = '' %}}
        {{%- if m.reasoning_content is string %}}
            {{%- set reasoning = m.reasoning_content %}}
        {{%- elif '</think>' in content %}}
            {{%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}}
            {{%- set content = content.split('</think>')[-1].lstrip('\\n') %}}
        {{%- endif %}}
        {{{{- '<|im_start|>assistant\\n' }}}}
        {{%- if loop.index0 > ns.question and (loop.last or reasoning) %}}
            {{{{- '<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}}}
        {{%- else %}}
            {{{{- content }}}}
        {{%- endif %}}
{_CHATML_CALLS}
        {{{{- '<|im_end|>\\n' }}}}
    {{%- elif m.role == 'tool' %}}
{_CHATML_RESULT}
    {{%- endif %}}
{{%- endfor %}}
{_CHATML_PROMPT}
{{%- if add_generation_prompt and enable_thinking is defined and enable_thinking is false %}}
    {{{{- '<think>\\n\\n</think>\\n\\n' }}}}
{{%- endif %}}"""

# The turn ends where the next speaker's begins; a call is a turn whose first line is the tool's name.
GLM4_TOOLS = """\
[gMASK]<sop>
{%- if tools %}
    {{- '<|system|>\\n# 可用工具' }}
    {%- for tool in tools %}{{- '\\n\\n' + (tool | tojson(indent=4, ensure_ascii=False)) }}{%- endfor %}
{%- endif %}
{%- for m in messages %}
    {%- if m.role == 'tool' %}
        {{- '<|observation|>\\n' + m.content }}
    {%- elif m.role == 'assistant' and m.tool_calls %}
        {%- if m.content %}{{- '<|assistant|>\\n' + m.content }}{%- endif %}
        {%- for call in m.tool_calls %}
            {{- '<|assistant|>' + call.function.name + '\\n' + (call.function.arguments | tojson) }}
        {%- endfor %}
    {%- else %}
        {{- '<|' + m.role + '|>\\n' + m.content }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}"""

GLM45 = """\
[gMASK]<sop>
{%- if tools %}
    {{- '<|system|>\\n# Tools\\n<tools>' }}
    {%- for tool in tools %}{{- '\\n' + (tool | tojson(ensure_ascii=False)) }}{%- endfor %}
    {{- '\\n</tools>' }}
{%- endif %}
{%- set ns = namespace(question=-1) %}
{%- for m in messages %}{%- if m.role == 'user' %}{%- set ns.question = loop.index0 %}{%- endif %}{%- endfor %}
{%- for m in messages %}
    {%- if m.role == 'user' %}
        {{- '<|user|>\\n' + m.content }}
        {%- if enable_thinking is defined and not enable_thinking and not m.content.endswith('/nothink') %}
            {{- '/nothink' }}
        {%- endif %}
    {%- elif m.role == 'assistant' %}
        {%- set content = m.content or '' %}
        {%- set reasoning = m.reasoning_content or '' %}
        {%- if not reasoning and '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].split('<think>')[-1] %}
            {%- set content = content.split('</think>')[-1] %}
        {%- endif %}
        {{- '<|assistant|>\\n<think>' + (reasoning.strip() if loop.index0 > ns.question else '') + '</think>' }}
        {%- if content.strip() %}{{- '\\n' + content.strip() }}{%- endif %}
        {%- for call in m.tool_calls or [] %}
            {{- '\\n<tool_call>' + call.function.name + '\\n' }}
            {%- for key, value in call.function.arguments.items() %}
                {{- '<arg_key>' + key + '</arg_key>\\n<arg_value>' }}
                {{- (value if value is string else value | tojson(ensure_ascii=False)) + '</arg_value>\\n' }}
            {%- endfor %}
            {{- '</tool_call>' }}
        {%- endfor %}
    {%- elif m.role == 'tool' %}
        {%- if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{- '<|observation|>' }}{%- endif %}
        {{- '\\n<tool_response>\\n' + m.content + '\\n</tool_response>' }}
    {%- else %}
        {{- '<|system|>\\n' + m.content }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>' }}
    {%- if enable_thinking is defined and not enable_thinking %}{{- '\\n<think></think>' }}{%- endif %}
{%- endif %}"""

# Trims what it writes, takes one call a turn, and writes results through JSON, strings too.
LLAMA31 = """\
{{- '<s><|start_header_id|>system<|end_header_id|>\\n\\nKnowledge until 2023.\\n\\n' }}
{%- if messages[0].role == 'system' %}
    {{- messages[0].content | trim }}
    {%- set messages = messages[1:] %}
{%- endif %}
{{- '<|eot_id|>' }}
{%- if tools %}
    {%- set question = messages[0].content | trim %}
    {%- set messages = messages[1:] %}
    {{- '<|start_header_id|>user<|end_header_id|>\\n\\nAnswer with a call of one of these functions:\\n\\n' }}
    {%- for tool in tools %}{{- (tool | tojson(indent=4)) + '\\n\\n' }}{%- endfor %}
    {{- question + '<|eot_id|>' }}
{%- endif %}
{%- for m in messages %}
    {%- if m.tool_calls %}
        {%- if m.tool_calls | length != 1 %}{{- raise_exception('one call at once') }}{%- endif %}
        {%- set call = m.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n{"name": "' + call.name + '", ' }}
        {{- '"parameters": ' + (call.arguments | tojson) + '}<|eot_id|>' }}
    {%- elif m.role == 'tool' %}
        {{- '<|start_header_id|>ipython<|end_header_id|>\\n\\n' }}
        {%- if m.content is mapping or m.content is iterable %}{{- m.content | tojson }}
        {%- else %}{{- m.content }}{%- endif %}
        {{- '<|eot_id|>' }}
    {%- else %}
        {{- '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + (m.content | trim) + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}"""

# The tools stand before the last question: before every one that reads the same, since messages are compared by value.
MISTRAL = """\
{%- set system = messages[0].content + '\\n\\n' if messages[0].role == 'system' else '' %}
{%- set turns = messages[1:] if messages[0].role == 'system' else messages %}
{%- set questions = turns | selectattr('role', 'equalto', 'user') | list %}
{{- '<s>' }}
{%- for m in turns %}
    {%- if m.role == 'user' %}
        {%- if tools and m == questions[-1] %}
            {{- '[AVAILABLE_TOOLS] ' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}
        {%- endif %}
        {{- '[INST] ' + (system if loop.last or m == questions[-1] else '') + m.content + '[/INST]' }}
    {%- elif m.tool_calls %}
        {{- '[TOOL_CALLS] [' }}
        {%- for call in m.tool_calls %}
            {{- '{"name": "' + call.function.name + '", "arguments": ' + (call.function.arguments | tojson) + '}' }}
            {{- '' if loop.last else ', ' }}
        {%- endfor %}
        {{- ']</s>' }}
    {%- elif m.role == 'tool' %}
        {{- '[TOOL_RESULTS] {"content": ' + (m.content | string) + '}[/TOOL_RESULTS]' }}
    {%- elif m.role == 'assistant' %}
        {{- ' ' + (m.content | trim) + '</s>' }}
    {%- else %}{{- raise_exception('after the first, only user, assistant and tool') }}
    {%- endif %}
{%- endfor %}"""

# Behind a result the model goes on without being introduced, and what was reasoned before is forgotten.
DEEPSEEK = """\
{%- set ns = namespace(behind_result=false) %}
{{- '<s>' }}
{%- for m in messages %}{%- if m.role == 'system' %}{{- m.content }}{%- endif %}{%- endfor %}
{%- if tools %}{{- '\\n\\n## Tools\\n' + (tools | tojson) }}{%- endif %}
{%- for m in messages %}
    {%- if ns.behind_result and m.role != 'tool' %}{{- '<｜tool▁outputs▁end｜>' }}{%- endif %}
    {%- if m.role == 'user' %}
        {{- '<｜User｜>' + m.content }}
    {%- elif m.role == 'assistant' %}
        {%- set content = m.content or '' %}
        {%- if '</think>' in content %}{%- set content = content.split('</think>')[-1] %}{%- endif %}
        {{- ('' if ns.behind_result else '<｜Assistant｜>') + content }}
        {%- for call in m.tool_calls or [] %}
            {{- '<｜tool▁calls▁begin｜>' if loop.first else '\\n' }}
            {{- '<｜tool▁call▁begin｜>function<｜tool▁sep｜>' + call.function.name + '\\n```json\\n' }}
            {{- (call.function.arguments | tojson) + '\\n```<｜tool▁call▁end｜>' }}
            {{- '<｜tool▁calls▁end｜>' if loop.last }}
        {%- endfor %}
        {{- '<｜end▁of▁sentence｜>' }}
    {%- elif m.role == 'tool' %}
        {{- '' if ns.behind_result else '<｜tool▁outputs▁begin｜>' }}
        {{- '<｜tool▁output▁begin｜>' + m.content + '<｜tool▁output▁end｜>' }}
    {%- endif %}
    {%- set ns.behind_result = m.role == 'tool' %}
{%- endfor %}
{%- if ns.behind_result %}{{- '<｜tool▁outputs▁end｜>' }}
{%- elif add_generation_prompt %}{{- '<｜Assistant｜>' }}{%- endif %}"""
