"""Why a row is not trained on, in words: every reason that this package counts under, in English and Chinese."""

from __future__ import annotations

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
    "question_too_long": Text(
        "its question has more characters than the dataset's option allows", "问题字数超过数据集选项的上限"
    ),
    "answer_too_long": Text(
        "its answer has more characters than the dataset's option allows", "回答字数超过数据集选项的上限"
    ),
    "blank_question": Text("its question is blank", "问题为空"),
    "no_answer": Text(
        "its text does not answer the question, and the options leave such rows out", "原文不含答案，按选项排除"
    ),
    "no_text": Text("it has no text", "没有文本"),
    "superseded": Text("a later version of the same record takes its place", "同一记录有更新的版本"),
    "deleted": Text("its publisher has deleted it", "发布者已删除"),
    "repeated": Text("the same version was read before", "同一版本已读过"),
    "inactive_concept": Text("the concept is inactive", "该概念已停用"),
    "after_as_of": Text("it is younger than the date the options name", "晚于选项指定的日期"),
    "iserror": Text("its writer marked it as an error", "作者已标为错误"),
    "placeholder_output": Text("its answer is a placeholder", "回答只是占位符"),
    "ends_with_client": Text("the dialogue ends with the client", "对话以来访者结束"),
    "trailing_dots": Text("the line holds dots only, a known defect of its source", "该行只有句点，来源的已知缺陷"),
    "other_category": Text("its category is not among those asked for", "不属于所选类别"),
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
    "unreadable_value": Text("it holds a value that cannot be kept as it is", "含有无法原样保存的值"),
    "no_json_number": Text(
        "it holds NaN, Infinity or another number that JSON has not", "含有 NaN、Infinity 等非 JSON 数字"
    ),
    "wrong_column_count": Text("it has more or fewer cells than the header", "列数与表头不一致"),
    "unclosed_quote": Text("a quote is left open", "引号没有闭合"),
    "carriage_return": Text("a carriage return stands inside the row", "行内有回车符"),
    "not_an_object": Text("it is no JSON object", "不是 JSON 对象"),
    "missing_field": Text("a field it needs is missing", "缺少必需的字段"),
    "unknown_field": Text("it has a field that is not known", "有未知字段"),
    "wrong_type": Text("a value has another type than expected", "值的类型不符"),
    "null_value": Text("a value it needs is null", "必需的值为 null"),
    "duplicate_id": Text("its id stands there before", "id 重复"),
    "duplicate_code": Text("its code stands there before", "编码重复"),
    "not_a_code": Text("it is no code of this system", "不是该体系的编码"),
    "no_names": Text("an array without names for its values", "数组的值没有名称"),
    "unknown_label": Text("a label that the task has not", "任务没有这个标签"),
    "blank_user": Text("its question is blank", "问题为空"),
    "blank_assistant": Text("its answer is blank", "回答为空"),
    "blank_system": Text("its system text is blank", "系统提示为空"),
    "no_dialogue": Text("its text is no dialogue of the expected form", "文本不是预期格式的对话"),
    "flattened_dialogue": Text("a whole dialogue stands in one text", "整段对话挤在一个文本里"),
    "no_conversation": Text("it holds no conversation", "没有对话"),
    "empty_conversation": Text("its conversation has no message", "对话没有消息"),
    "message_not_an_object": Text("a message is no JSON object", "消息不是 JSON 对象"),
    "content_not_text": Text("the content of a message is no text", "消息内容不是文本"),
    "unknown_role": Text("a role that is not known", "未知的角色"),
    "loss_not_boolean": Text("a loss that is neither true nor false", "loss 不是 true 或 false"),
    "loss_twice": Text("two loss fields contradict each other", "两个 loss 字段互相矛盾"),
    "trained_result": Text("what a tool says is marked to be trained", "工具的返回被标为参与训练"),
    "tools_twice": Text("both tools and functions are there", "同时有 tools 和 functions"),
    "second_system": Text("there is more than one system message", "系统消息不止一条"),
    "late_system": Text("a system message stands behind a turn", "系统消息出现在对话之后"),
    "first_turn_not_user": Text("the first turn is not the user's", "第一轮不是用户"),
    "two_assistant_turns": Text("two answers follow each other", "两个回答相连"),
    "no_assistant": Text("there is no answer to train on", "没有可训练的回答"),
    "call_not_json": Text("the arguments of a tool call are no JSON", "工具调用的参数不是 JSON"),
    "call_without_result": Text("a tool call has no result", "工具调用没有结果"),
    "tool_without_name": Text("a tool has no name", "工具没有名称"),
    "observation_without_call": Text("a tool's result has no call before it", "工具结果之前没有调用"),
    "observation_twice": Text("a call has two results", "一次调用有两个结果"),
    "result_of_another_call": Text("a result belongs to another call", "结果属于另一次调用"),
    "no_questions": Text("there are no questions", "没有问题"),
    "no_answers": Text("there are no answers", "没有答案"),
    "no_evidences": Text("there is no evidence", "没有证据文本"),
    "no_documents": Text("there are no documents", "没有文档"),
    "broken_marks": Text("its marks of evidence are broken beyond repair", "证据标记损坏且无法修复"),
    "damaged_study": Text("the study's file is damaged", "研究文件损坏"),
    "damaged_parse": Text("the parse's file is damaged", "解析文件损坏"),
    "wrong_parse": Text("the parse has another shape than expected", "解析文件的结构不符"),
}
"""Raw rows that could not be read."""

NOTED = {
    "answer_start_filled": Text("a missing offset of the answer was found", "已补上缺失的答案位置"),
    "answer_start_corrected": Text("a wrong offset of the answer was corrected", "已更正错误的答案位置"),
    "answer_not_in_context": Text("the answer does not stand in the text", "答案不在原文中"),
    "answer_was_number": Text("an answer that was a number became its text", "数字答案已转为文本"),
    "answer_in_another_document": Text("the answer stands in another document of the row", "答案在同一行的另一文档中"),
    "blank_question": Text("the question is blank", "问题为空"),
    "blank_answer": Text("an answer is blank", "有空的答案"),
    "no_answer": Text("the text does not answer the question", "原文不含答案"),
    "marks_repaired": Text("broken marks of evidence were repaired", "已修复损坏的证据标记"),
    "no_title": Text("there is no title", "没有标题"),
    "translated_title": Text("the title is a translation", "标题为译文"),
    "no_abstract": Text("there is no abstract", "没有摘要"),
    "abstract_truncated": Text("the source itself cut the abstract", "摘要在来源处已被截断"),
    "eligibility_not_split": Text("its criteria could not be split in two lists", "入选标准无法分成两份"),
    "parse_missing": Text("a parse that the metadata names is not there", "元数据提到的解析文件不存在"),
    "several_parses": Text("there are several parses; one is shown", "有多份解析，只取其一"),
    "empty_parse": Text("the first parse is empty; another is shown", "首份解析为空，改用另一份"),
    "parse_of_another_id": Text("the parse names another id than its file", "解析文件的 id 与文件名不符"),
    "reference_year_is_no_number": Text("the year of a reference is no number", "参考文献的年份不是数字"),
}
"""Of records that are kept."""

_WORDS = {"left_out": LEFT_OUT, "quarantined": BAD, "set_aside": SET_ASIDE, "noted": NOTED, "unlocated": SET_ASIDE}
_BEGINNINGS = {
    "blank_": Text("a text it needs is blank: {rest}", "必需的文本为空：{rest}"),
    "bad_": Text("not what is expected there: {rest}", "内容不符合预期：{rest}"),
    "no_": Text("it has nothing for this: {rest}", "缺少这一内容：{rest}"),
    "given_by_": Text("another source gives it: {rest}", "已由另一来源给出：{rest}"),
}


def explain(kind: str, reason: str) -> Text | None:
    """A reason in words; None where it is none of ours.

    Args:
        kind: `left_out`, `quarantined`, `set_aside`, `noted` or `unlocated`, as the manifest has it.

    >>> explain("set_aside", "too_long").en
    'longer than max_length; the policy is to drop such records'
    >>> explain("left_out", "no_what_is").zh, explain("noted", "of_your_own")
    ('缺少这一内容：what is', None)
    """
    known = _WORDS[kind].get(reason) or BAD.get(reason)
    if known is not None:
        return known
    for beginning, text in _BEGINNINGS.items():
        if reason.startswith(beginning):
            # Words that may come from data become part of a text that is HTML and has places for values.
            rest = str(escape(reason.removeprefix(beginning).replace("_", " "))).replace("{", "{{").replace("}", "}}")
            return Text(text.en.format(rest=rest), text.zh.format(rest=rest))
    return None
