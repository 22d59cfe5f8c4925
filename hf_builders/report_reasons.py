"""Why a row is not trained on, in English and Chinese; a dataset has words of its own in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml
from markupsafe import escape

from hf_builders.report_words import Text

SET_ASIDE = {
    "too_long": Text("longer than max_length; the policy is to drop such records", "超过 max_length，按策略丢弃"),
    "answer_too_long": Text(
        "its answer alone is longer than max_length, however short the prompt is cut",
        "即使把提示截到最短，仅回答就超过 max_length",
    ),
    "answer_cut_off": Text(
        "its first trained token comes after max_length, so nothing would be left to train on",
        "第一个参与训练的 token 已在 max_length 之后，截断后无可训练",
    ),
    "nothing_to_train": Text(
        "whole as it is, it has no trained token; a longer max_length would not help",
        "完整的样本里没有任何参与训练的 token，加大 max_length 也无济于事",
    ),
    "template_refuses": Text("the chat template refuses this conversation", "chat template 不接受这段对话"),
    "answer_not_in_context": Text("its answer does not stand in its text", "答案不在原文中"),
    "template_rewrites": Text(
        "the chat template changes its texts, or leaves one out", "chat template 改写或略去了文本"
    ),
    "not_text": Text("it holds half of a surrogate pair, which is no text", "含有半个代理对，不是文本"),
    "answer_without_tokens": Text("its answer has no token of its own", "答案没有自己的 token"),
    "answer_inside_token": Text("its answer begins or ends inside a token", "答案的边界落在 token 内部"),
    "answer_in_no_window": Text("no window holds its answer whole", "没有一个窗口完整包含答案"),
}
"""Records that gave no token row."""

LEFT_OUT = {
    "blank_question": Text("its question is blank", "问题为空"),
    "no_answer": Text(
        "its text does not answer the question, and the options leave such rows out", "原文不含答案，按选项排除"
    ),
    "no_text": Text("it has no text", "没有文本"),
    "clean.template": Text("the template could not make a text of it", "模板无法由它生成文本"),
    "clean.no_text": Text("the template made no text of it", "模板没有生成文本"),
    "clean.cleaned_to_nothing": Text("cleaning left nothing of a text it needs", "清洗后必需的文本已空"),
    "clean.length": Text("a text is shorter or longer than clean.length allows", "文本长度不在 clean.length 的范围内"),
    "clean.character_ratio": Text(
        "the share of certain characters is not what clean.character_ratio allows",
        "字符比例不符合 clean.character_ratio",
    ),
}
"""Good rows that the options of the dataset, or cleaning, keep out."""

BAD = {
    "invalid_json": Text("it is no valid JSON", "不是合法的 JSON"),
    "undecodable": Text("it holds bytes that are no text", "含有无法解码为文本的字节"),
    "no_json_number": Text(
        "it holds NaN, Infinity or another number that JSON has not", "含有 NaN、Infinity 等非 JSON 数字"
    ),
    "wrong_column_count": Text("it has more or fewer cells than the header", "列数与表头不一致"),
    "unclosed_quote": Text("a quote is left open", "引号没有闭合"),
    "not_an_object": Text("it is no JSON object", "不是 JSON 对象"),
    "missing_field": Text("a field it needs is missing", "缺少必需的字段"),
    "wrong_type": Text("a value has another type than expected", "值的类型不符"),
    "null_value": Text("a value it needs is null", "必需的值为 null"),
    "duplicate_id": Text("its id stands there before", "id 重复"),
    "blank_user": Text("its question is blank", "问题为空"),
    "blank_assistant": Text("its answer is blank", "回答为空"),
    "blank_system": Text("its system text is blank", "系统提示为空"),
    "no_answers": Text("there are no answers", "没有答案"),
}
"""Raw rows that could not be read."""

NOTED = {
    "answer_start_filled": Text("a missing offset of the answer was found", "已补上缺失的答案位置"),
    "answer_start_corrected": Text("a wrong offset of the answer was corrected", "已更正错误的答案位置"),
    "answer_not_in_context": Text("the answer does not stand in the text", "答案不在原文中"),
    "answer_was_number": Text("an answer that was a number became its text", "数字答案已转为文本"),
    "blank_question": Text("the question is blank", "问题为空"),
    "blank_answer": Text("an answer is blank", "有空的答案"),
    "no_answer": Text("the text does not answer the question", "原文不含答案"),
}
"""Of records that are kept."""

_WORDS = {"left_out": LEFT_OUT, "quarantined": BAD, "set_aside": SET_ASIDE, "noted": NOTED, "unlocated": SET_ASIDE}
_BEGINNINGS = {
    "blank_": Text("a text it needs is blank: {rest}", "必需的文本为空：{rest}"),
    "bad_": Text("not what is expected there: {rest}", "内容不符合预期：{rest}"),
    "no_": Text("it has nothing for this: {rest}", "缺少这一内容：{rest}"),
}


Words = Mapping[str, Mapping[str, Text]]
"""By what rows are counted under, and the reason."""


def words_of(dataset: str) -> Words:
    """What a dataset's own `reasons.yaml` says; nothing where it has none.

    >>> words_of("pubmed")["left_out"]["deleted"].en, words_of("adgen")
    ('its publisher has deleted it', {})
    """
    path = Path(__file__).parent / dataset / "reasons.yaml"
    if not path.is_file():
        return {}
    content: dict[str, dict[str, dict[str, str]]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {kind: {reason: Text(**text) for reason, text in reasons.items()} for kind, reasons in content.items()}


def explain(kind: str, reason: str, own: Words | None = None) -> Text | None:
    """A reason in words; None where nobody has any.

    Args:
        kind: `left_out`, `quarantined`, `set_aside`, `noted` or `unlocated`, as the manifest has it.
        own: of the dataset, before those that all share.

    >>> explain("set_aside", "too_long").en
    'longer than max_length; the policy is to drop such records'
    >>> explain("left_out", "no_what_is").zh, explain("noted", "of_your_own")
    ('缺少这一内容：what is', None)
    """
    known = (own or {}).get(kind, {}).get(reason) or _WORDS[kind].get(reason) or BAD.get(reason)
    if known is not None:
        return known
    for beginning, text in _BEGINNINGS.items():
        if reason.startswith(beginning):
            # Words that may come from data become part of a text that is HTML and has places for values.
            rest = str(escape(reason.removeprefix(beginning).replace("_", " "))).replace("{", "{{").replace("}", "}}")
            return Text(text.en.format(rest=rest), text.zh.format(rest=rest))
    return None
