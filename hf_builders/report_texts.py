"""The words of the report, by their key in `report.html.jinja`, in English and Chinese."""

from __future__ import annotations

from hf_builders.report_words import Text

_HEADINGS = {
    "report": Text("Data report", "数据报告"),
    "contents": Text("Contents", "目录"),
    "overview": Text("At a glance", "概览"),
    "findings": Text("What to know, what to do", "要点与建议"),
    "account": Text("Where every row went", "每一行的去向"),
    "lengths": Text("Lengths", "长度分布"),
    "other_table": Text("The same for {split}", "{split} 的同一表格"),
    "window": Text("Which max_length", "max_length 取多大"),
    "padding": Text("Padding and packing", "填充与打包"),
    "cuts": Text("What tokens were lost or stay untrained", "丢失或不训练的 token"),
    "cleaning": Text("Cleaning", "清洗"),
    "repeated": Text("Repeats", "重复"),
    "rows": Text("The rows themselves", "数据行原貌"),
    "aside": Text("Rows not kept", "未保留的行"),
    "origin": Text("Where it comes from", "来源与复现"),
    "reasons": Text("Reasons", "原因"),
    "sources": Text("Raw files", "原始文件"),
    "options": Text("Options", "选项"),
    "versions": Text("Versions and digests", "版本与校验值"),
    "percentiles": Text("Percentiles", "百分位"),
    "other_split": Text("The same for {split}", "{split} 的同一图表"),
}

_CARDS = {
    "rows_kept": Text("Rows kept", "保留的行"),
    "of_read": Text("of {read} read ({share})", "共读入 {read}（{share}）"),
    "not_used": Text("Rows not kept", "未保留的行"),
    "not_used_parts": Text(
        "{bad} bad, {set_aside} set aside, {left_out} left out", "坏行 {bad}，搁置 {set_aside}，排除 {left_out}"
    ),
    "tokens": Text("Tokens", "token 数"),
    "tokens_trained": Text("{share} of them trained", "其中 {share} 参与训练"),
    "windows": Text("Windows", "窗口"),
    "windows_answered": Text("{share} hold an answer", "{share} 含有答案"),
    "median": Text("Median length", "长度中位数"),
    "longest_of": Text(
        "longest {longest}, max_length {limit} tokens", "最长 {longest}，max_length 为 {limit} 个 token"
    ),
    "padding_of_8": Text("Padding, 8 rows a batch", "填充（每批 8 行）"),
    "packed_instead": Text("packed rows: {share} empty", "打包后：{share} 为空"),
    "of_32": Text("{share} with 32 rows a batch", "每批 32 行时为 {share}"),
    "fill": Text("Packed rows full", "打包行填满"),
    "fill_of": Text("{rows:row} of {length} tokens", "{rows} 行，每行 {length} 个 token"),
    "repeats_of": Text("Repeated rows", "重复的行"),
    "repeated_windows": Text("Repeated windows", "重复的窗口"),
    "in_train_too": Text("{n} of other splits stand in train too", "其他划分中有 {n} 个也出现在 train"),
    "of_all": Text("{share} of all", "占 {share}"),
}

_WORDS = {
    "warning": Text("Warning", "警告"),
    "advice": Text("Advice", "建议"),
    "good": Text("Good", "良好"),
    "split": Text("Split", "划分"),
    "all_splits": Text("All", "合计"),
    "read": Text("Read", "读入"),
    "kept": Text("Kept", "保留"),
    "left_out": Text("Left out", "排除"),
    "quarantined": Text("Bad", "坏行"),
    "set_aside": Text("Set aside", "搁置"),
    "noted": Text("Kept, noted", "保留并注明"),
    "unlocated": Text("Kept, no answer", "保留，无答案"),
    "trained": Text("Trained", "参与训练"),
    "untrained": Text("Not trained", "不训练"),
    "trained_tokens": Text("Trained tokens", "训练 token"),
    "trained_share": Text("Trained share", "训练占比"),
    "answered": Text("With an answer", "含答案"),
    "unanswered": Text("Without an answer", "不含答案"),
    "packed_rows": Text("Packed rows", "打包行"),
    "packed_fill": Text("Full", "填满率"),
    "outcome": Text("Outcome", "去向"),
    "reason": Text("Reason", "原因"),
    "mark.max_length": Text("max_length", "max_length"),
    "mark.recommended": Text("recommended", "推荐"),
    "num_tokens": Text("{n:token}", "{n} 个 token"),
    "stop": Text(".", "。"),
    "not_ours": Text("as the data has it", "数据自带的原因"),
    "what": Text("Of what", "对象"),
    "mean": Text("Mean", "均值"),
    "median_short": Text("Median", "中位数"),
    "total": Text("Whole row", "整行"),
    "uncut": Text("Before max_length", "应用 max_length 前"),
    "prompt": Text("Prompt", "提示"),
    "answer": Text("Answer", "回答"),
    "row": Text("Whole row", "整行"),
    "window_word": Text("Window", "窗口"),
    "step": Text("Step", "步骤"),
    "texts_changed": Text("Texts changed", "修改的文本"),
    "rows_dropped": Text("Rows dropped", "删去的行"),
    "count": Text("Rows", "行数"),
    "text": Text("Text, and the first ids", "文本与最先的 id"),
    "file": Text("File", "文件"),
    "size": Text("Size", "大小"),
    "option": Text("Option", "选项"),
    "value": Text("Value", "值"),
    "name": Text("Name", "名称"),
    "measure": Text("Measure", "项目"),
    "created": Text("Prepared", "生成时间"),
    "dataset": Text("Dataset", "数据集"),
    "licence": Text("Licence", "许可"),
    "view": Text("View", "视图"),
    "tokenizer": Text("Tokenizer", "分词器"),
    "engine": Text("Encoded by", "编码引擎"),
    "digest": Text("Digest of all ids and labels", "全部 id 与 label 的校验值"),
    "tokenizer_digest": Text("Digest of the tokenizer", "分词器的校验值"),
    "records_hash": Text("Hash of files, options and code of the records", "样本的文件、选项与代码的校验值"),
    "code_digest": Text("Digest of the code that tokenizes", "分词代码的校验值"),
    "rows_whole": Text("Records whole", "完整样本"),
    "tokens_kept": Text("Tokens kept if cut", "截断后保留的 token"),
    "chosen": Text("chosen", "当前"),
    "recommended": Text("recommended", "推荐"),
    "packed": Text("packed", "打包"),
    "batch_size": Text("Rows a batch", "每批行数"),
    "packed_empty": Text("Packed, empty", "打包，空位"),
    "more_ids": Text("and {n} more", "等，另有 {n} 个"),
}

_PROSE = {
    "account.intro": Text(
        "Read = kept + left out + bad + set aside. Left out: the options, or cleaning, keep it out. Bad: it could not "
        "be read. Set aside: a record that gave no row to train on.",
        "读入 = 保留 + 排除 + 坏行 + 搁置。排除：选项或清洗不要的行；坏行：无法读取的行；"
        "搁置：没有产生可训练数据的样本。",
    ),
    "account.trained": Text("Tokens of {split}", "{split} 的 token"),
    "account.windows": Text("Windows of {split}", "{split} 的窗口"),
    "account.rows": Text("Rows of {split}", "{split} 的行"),
    "lengths.intro": Text(
        "Each bar counts records by their tokens, before <code>max_length</code> cuts any or sets it aside; those that "
        "train nothing at any length are not among them.",
        "每个柱表示该长度（token 数）的样本数，尚未因 <code>max_length</code> 截断或搁置；"
        "无论多长都没有可训练内容的样本不计在内。",
    ),
    "lengths.parts": Text(
        " Prompt and answer are the tokens of kept rows that are not trained and that are, over all turns.",
        "提示与回答分别指保留的行中不训练与参与训练的 token，合计所有轮次。",
    ),
    "lengths.windows": Text("Each bar counts windows by their tokens.", "每个柱表示该长度（token 数）的窗口数。"),
    "lengths.uncut": Text("Records of {split}, before anything was cut", "{split} 的样本（截断之前）"),
    "lengths.total": Text("Windows of {split}", "{split} 的窗口"),
    "lengths.prompt": Text("Prompts of {split}", "{split} 的提示"),
    "lengths.answer": Text("Answers of {split}", "{split} 的回答"),
    "lengths.axis": Text("tokens", "token 数"),
    "lengths.over": Text("longer than max_length", "超过 max_length"),
    "window.intro": Text(
        "What each <code>max_length</code> would keep of {split}. Recommended is the smallest multiple of 64 that "
        "holds 99.5% of the records whole.",
        "各 <code>max_length</code> 对 {split} 的保留情况。推荐值是能完整容纳 99.5% 样本的最小 64 的倍数。",
    ),
    "window.longer": Text(
        "At {recommended} instead of {limit}, {then} of the records would be whole, not {now}.",
        "若由 {limit} 改为 {recommended}，完整样本的比例将由 {now} 变为 {then}。",
    ),
    "window.beyond": Text(
        " But {recommended} is more than the {longest:token} that the tokenizer says its model takes.",
        "但 {recommended} 超过分词器所说的模型上限（{longest} 个 token）。",
    ),
    "window.enough": Text(
        "The longest record has {longest:token}: {recommended} would hold every one whole, too.",
        "最长的样本有 {longest} 个 token，{recommended} 也能完整容纳全部样本。",
    ),
    "window.shorter": Text(
        "{recommended} would still hold {then} of the records whole, and bound the memory that the longest rows take.",
        "{recommended} 仍可完整容纳 {then} 的样本，并能限制最长行占用的显存。",
    ),
    "window.same": Text(
        "The chosen <code>max_length</code> is the recommended one.", "当前的 <code>max_length</code> 即为推荐值。"
    ),
    "padding.intro": Text(
        "A batch is as wide as its longest row, rounded up to a multiple of 8; the rest is padding. Averages over "
        "batches of rows of {split} that meet by chance.",
        "一批的宽度等于其中最长的行（向上取 8 的倍数），其余为填充。此处为 {split} 随机组批的平均值。",
    ),
    "padding.figure": Text("Share of a batch that is padding, by rows a batch", "填充在一批中的占比，按每批行数"),
    "padding.packed_now": Text(
        " The rows are packed to {length} tokens; the right bar is what they leave empty.",
        "数据已打包为每行 {length} 个 token；最右的柱是打包行的空位。",
    ),
    "padding.packed_then": Text(
        " The right bar is what packed rows of {length} tokens would leave empty.",
        "最右的柱是打包为每行 {length} 个 token 时的空位。",
    ),
    "cuts.rows_cut": Text("Kept rows that lost tokens to max_length", "因 max_length 丢失 token 的保留行"),
    "cuts.tokens_cut": Text("Tokens they lost", "丢失的 token"),
    "cuts.trained_tokens_cut": Text("Of these, tokens that would have been trained", "其中本应参与训练的 token"),
    "cuts.turns_cut": Text("Messages of them that lost tokens", "被截断的消息"),
    "cuts.texts_left_out": Text(
        "Texts the chat template does not write (earlier reasoning, words beside a call)",
        "chat template 不写出的文本（先前的思考、调用旁的话）",
    ),
    "cuts.control_texts": Text(
        "Control tokens typed in texts; they stay plain text", "文本中出现的控制 token；仍按普通文本处理"
    ),
    "cuts.tokens_straddling": Text(
        "Tokens across the border of prompt and answer; not trained", "跨越提示与回答边界的 token；不训练"
    ),
    "repeated.intro": Text(
        "What stands there more than once, token for token: the most frequent contents, each with its first ids.",
        "逐 token 相同、出现不止一次的内容：列出最常见的，以及最先出现的 id。",
    ),
    "repeated.none": Text("Nothing stands there more than once.", "没有任何内容重复。"),
    "repeated.counts": Text(
        "{contents:content stands|contents stand} there more than once; {rows} would go if each stood there once.",
        "有 {contents} 种内容出现不止一次；若各留一次，可去掉 {rows} 个。",
    ),
    "repeated.top": Text("The {shown} most frequent of {contents}:", "共 {contents} 种，最常见的 {shown} 种："),
    "repeated.in_train": Text("How many of other splits stand in train too", "其他划分中有多少也出现在 train"),
    "rows.intro": Text(
        "{shown:row} of {total}, evenly spaced over each split. What is trained is coloured and underlined; the rest "
        "is context. The number beside a speaker counts tokens; ⏎ is a newline.",
        "共 {total} 行，每个划分均匀抽取，显示 {shown} 行。参与训练的部分有底色和下划线，其余为上下文。"
        "角色旁的数字是 token 数；⏎ 表示换行。",
    ),
    "rows.windows": Text(
        "{shown:window} of {total}, evenly spaced over each split. The answer is coloured and underlined. The number "
        "on the left counts tokens.",
        "共 {total} 个窗口，每个划分均匀抽取，显示 {shown} 个。答案有底色和下划线。左侧的数字是 token 数。",
    ),
    "rows.of": Text("{shown} of {total}", "{shown} / {total}"),
    "rows.summary": Text("{tokens:token}, {trained} trained", "{tokens} 个 token，{trained} 个参与训练"),
    "rows.summary_window": Text("{tokens:token}, {trained} of the answer", "{tokens} 个 token，答案占 {trained} 个"),
    "rows.hidden": Text(
        "{n:token} not shown, {trained} of them trained", "略去 {n} 个 token，其中 {trained} 个参与训练"
    ),
    "rows.record": Text("next record", "下一个样本"),
    "aside.intro": Text("At most {each} rows of each reason are shown here.", "每种原因最多显示 {each} 行。"),
    "aside.shown": Text("{shown} of {total} shown", "显示 {shown} 行，共 {total} 行"),
    "aside.all": Text("All are in {files}.", "全部在 {files}。"),
    "aside.none": Text("Every row that was read was kept.", "读入的每一行都已保留。"),
    "aside.counted_only": Text(
        "Rows that the dataset's own options leave out are counted above and not listed.",
        "被数据集选项排除的行只计数，不列出。",
    ),
    "origin.more_sources": Text("and {n} more in manifest.json", "另有 {n} 个，见 manifest.json"),
    "origin.intro": Text(
        "The same files, options and versions give the same digest again; <code>manifest.json</code> has all of this "
        "for machines.",
        "相同的文件、选项与版本会得到相同的校验值；<code>manifest.json</code> 中有供机器读取的全部信息。",
    ),
}

TEXTS = {**_HEADINGS, **_CARDS, **_WORDS, **_PROSE}
