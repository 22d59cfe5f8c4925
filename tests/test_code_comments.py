"""What is a comment in code of a README, and what only looks like one."""

from __future__ import annotations

import pytest

from tests.code_comments import Comment, split_comments


@pytest.mark.parametrize(
    ("language", "code", "lines", "comments"),
    [
        ("python", "x = '类型#裙'  # 裙", ["x = '类型#裙'"], [(0, 12, "# 裙")]),
        ("python", 'x = """\n# text\n"""\n# end', ['x = """', "# text", '"""', ""], [(3, 0, "# end")]),
        ("bash", "echo a#b $# ${#x} # c # d", ["echo a#b $# ${#x}"], [(0, 18, "# c # d")]),
        ("bash", "echo '# a' \"# b\" \\# c;# d", ["echo '# a' \"# b\" \\# c;"], [(0, 22, "# d")]),
        ("bash", '# 1\necho \'a\n# b\' "\\"# c"', ["", "echo 'a", '# b\' "\\"# c"'], [(0, 0, "# 1")]),
        ("yaml", "a: 类型#裙 # c", ["a: 类型#裙"], [(0, 8, "# c")]),
        ("yaml", "a: {b: 'x # y', c: \"# z\"}   # d # e", ["a: {b: 'x # y', c: \"# z\"}"], [(0, 28, "# d # e")]),
        ("yaml", "a: it's # c\nb: 'it''s # d'", ["a: it's", "b: 'it''s # d'"], [(0, 8, "# c")]),
        ("yaml", "a: |- # c\n  # text\n# d\nb: 1", ["a: |-", "  # text", "", "b: 1"], [(0, 6, "# c"), (2, 0, "# d")]),
        ("diff", "# ChatGLM3\n- a # b", ["# ChatGLM3", "- a # b"], []),
    ],
)
def test_a_comment_is_told_from_a_hash_in_code(
    language: str, code: str, lines: list[str], comments: list[tuple[int, int, str]]
) -> None:
    assert split_comments(language, code) == (lines, [Comment(*each) for each in comments])


@pytest.mark.parametrize(
    ("language", "code"), [("bash", "cat <<EOF\n# text\nEOF"), ("python", "x = '"), ("yaml", "a: 'b")]
)
def test_code_whose_comments_cannot_be_told_is_refused(language: str, code: str) -> None:
    with pytest.raises(ValueError, match=r"here-document|not python|not yaml"):
        split_comments(language, code)
