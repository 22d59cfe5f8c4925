"""Every other step and option, on literal texts: what it changes, and what it leaves as it is."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

import pyarrow as pa
import pytest

from hf_builders.cleaning_characters import Case, Control, Mojibake, Simplified, UnicodeForm, Whitespace
from hf_builders.cleaning_filters import CharacterRatio, Length
from hf_builders.cleaning_markup import Html, Urls
from hf_builders.cleaning_step import FilterStep, TextStep
from hf_builders.cleaning_words import Lemmatisation, Stemming, StopWords


def cleaned(step: TextStep, text: str) -> str:
    for library in step.libraries():
        pytest.importorskip(library)
    # Beside texts that need no change, as in a batch.
    before, result, behind = step.clean(pa.array(["", text, None])).to_pylist()
    assert (before, behind) == ("", None)
    return str(result)


def kept(step: FilterStep, *texts: str) -> list[Any]:
    return list(step.keeps(pa.array(texts)).to_pylist())


def unchanged(step: TextStep, *texts: str) -> None:
    for text in texts:
        assert cleaned(step, text) == text


def every_character() -> list[str]:
    return [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]


def test_full_width_letters_digits_and_blanks_become_ascii() -> None:
    assert cleaned(UnicodeForm(), "ＣＴ检查　１２０ｍｇ") == "CT检查 120mg"
    assert cleaned(UnicodeForm(), "ｆｕｌｌ　ｗｉｄｔｈ") == "full width"
    unchanged(UnicodeForm(), "你好，世界。（真的？！）：；【】“”……", "x² ① ㎎ é ﬁ", "！＂＃～％")


def test_full_width_signs_become_ascii_on_demand() -> None:
    assert cleaned(UnicodeForm(signs=True), "好，（真的？！）１００％：Ａ＋Ｂ～") == "好,(真的?!)100%:A+B~"
    unchanged(UnicodeForm(signs=True), "。、【】《》“”……——", "①²")


def test_nfc_puts_accents_on_letters_and_nfkc_makes_look_alikes_plain() -> None:
    assert cleaned(UnicodeForm(form="NFC"), "cafe\u0301，ＡＢ①") == "café，ＡＢ①"
    assert cleaned(UnicodeForm(form="NFKC"), "Ａ，①㎎ x² ﬁne cafe\u0301") == "A,1mg x2 fine café"


def test_text_read_in_a_wrong_encoding_is_read_again() -> None:
    assert cleaned(Mojibake(), "ä½\xa0å¥½ï¼Œä¸–ç•Œ") == "你好，世界"
    assert cleaned(Mojibake(), "头痛 cafÃ©") == "头痛 café"
    assert cleaned(Mojibake(), "ÃƒÂ©, it doesnâ€™t hurt") == "é, it doesn’t hurt"


def test_nothing_but_the_encoding_is_repaired() -> None:
    unchanged(
        Mojibake(),
        "“它”——ＡＢＣ，‘好’…",
        "&lt;b&gt; &amp;",
        "naïve café, Ångström, ±5°C, 20µg, 头痛3×2",
        "ﬁne ﬀ",
        "a\r\nb\x1b[31m\x07",
        "cafe\u0301",
        "锟斤拷，浣犲ソ",
        "日本語ｶﾞ 한국어",
    )


def test_options_of_mojibake_each_do_their_own() -> None:
    assert cleaned(Mojibake(quotes=True), "“它”是‘好’的") == "\"它\"是'好'的"
    assert cleaned(Mojibake(html=True), "a &lt; b &amp; 好") == "a < b & 好"
    assert cleaned(Mojibake(width=True), "ＡＢＣ，ｶ") == "ABC,カ"
    # The last byte of ” was lost.
    assert cleaned(Mojibake(lossy=True), "cafÃ© â€�") == "café �"
    assert cleaned(Mojibake(), "cafÃ© â€�") == "café â€�"


@pytest.mark.realdata
def test_mojibake_changes_what_ftfy_changes_and_no_real_text(shared_realdata: Any) -> None:
    ftfy = pytest.importorskip("ftfy")
    step = Mojibake()
    texts = [
        *(shared_realdata("AdvertiseGen") / "train.json").read_text(encoding="utf-8").splitlines(),
        *(shared_realdata("clinicaltrials") / "api_v2" / "ctg-studies.json")
        .read_text(encoding="utf-8")[:200_000]
        .split("."),
    ]
    found = step.clean(pa.array(texts)).to_pylist()
    assert found == [ftfy.fix_text(text, step._config()) for text in texts] == texts


def test_traditional_chinese_becomes_simplified_by_phrases() -> None:
    assert cleaned(Simplified(), "後來頭髮乾燥，皇后說：「乾坤」") == "后来头发干燥，皇后说：「乾坤」"
    unchanged(Simplified(), "后来头发干燥", "plain English 123", "", "ＡＢＣ，。é")


def test_texts_named_stay_as_they_are_in_simplifying() -> None:
    harmed = "磺胺甲噁唑，李兴乾，新昇，湊湊，後來"
    assert cleaned(Simplified(), harmed) == "磺胺甲恶唑，李兴干，新升，凑凑，后来"
    assert (
        cleaned(Simplified(keep=["噁唑", "李兴乾", "新昇", "湊湊"]), harmed) == "磺胺甲噁唑，李兴乾，新昇，湊湊，后来"
    )
    assert cleaned(Simplified(keep=["噁", "噁唑後"]), "噁唑後來") == "噁唑後来"
    assert cleaned(Simplified(keep=["(.)"]), "後(.)") == "后(.)"


def test_words_of_taiwan_become_those_of_the_mainland_only_on_demand() -> None:
    assert cleaned(Simplified(config="t2s"), "滑鼠和軟體程式") == "滑鼠和软体程式"
    assert cleaned(Simplified(config="tw2s"), "裡面的軟體") == "里面的软体"
    assert cleaned(Simplified(config="tw2sp"), "滑鼠和軟體程式") == "鼠标和软件程序"
    assert cleaned(Simplified(config="hk2s"), "衞生署") == "卫生署"


def test_capitals_become_small() -> None:
    assert cleaned(Case(), "做CT，ＭＲＩ和Straße ÉTÉ") == "做ct，ｍｒｉ和straße été"
    assert cleaned(Case(fold="casefold"), "做CT，Straße ÉTÉ") == "做ct，strasse été"
    unchanged(Case(), "头痛 3.5mg")


def test_casefold_misses_no_character() -> None:
    characters = every_character()
    folded = Case(fold="casefold").clean(pa.array(characters)).to_pylist()
    assert folded == [each.casefold() for each in characters]


def test_what_nobody_sees_is_removed_and_line_ends_become_one_kind() -> None:
    assert cleaned(Control(), "\ufeff头\u200b痛\u00ad三\x00天\x1b\u202e\u2066\x9f") == "头痛三天"
    assert cleaned(Control(), "a\r\nb\rc\x0bd\x0ce\u2028f\u2029g\x85h") == "a\nb\nc\nd\ne\nf\ng\nh"
    unchanged(
        Control(),
        "头痛\t三天\n恶心",
        "👨\u200d👩\u200d👧 ❤\ufe0f",
        "lost: �",
        "a\u00a0b\u3000c",
        "\ue000",
        "葛\U000e0100",
    )


def test_joiners_and_replacement_characters_go_on_demand() -> None:
    assert cleaned(Control(joiners=True), "👨\u200d👩می\u200cخواهم") == "👨👩میخواهم"
    assert cleaned(Control(replacement_character=True), "头�痛") == "头痛"


def test_every_control_character_is_removed_or_a_line_end_or_a_tab() -> None:
    found = Control(joiners=True, replacement_character=True).clean(pa.array(every_character())).to_pylist()
    left = {each for each in found if each and unicodedata.category(each) == "Cc"}
    assert left == {"\n", "\t"}


def test_runs_of_blanks_become_one_and_ends_lose_theirs() -> None:
    assert cleaned(Whitespace(), "  头痛　　三天\t\xa0了  \n\n\n\n恶心 \r\n") == "头痛 三天 了\n\n恶心"
    assert cleaned(Whitespace(), "two   words \n\tnext  line") == "two words\n\tnext line"
    unchanged(Whitespace(), "头痛 三天", "list:\n  - code\n    more", "a\n\nb", "a\u200bb")


def test_options_of_whitespace() -> None:
    assert cleaned(Whitespace(blank_lines=0), "a\n\n\nb\nc") == "a\nb\nc"
    assert cleaned(Whitespace(blank_lines=2), "a\n\n\n\n\nb") == "a\n\n\nb"
    assert cleaned(Whitespace(indents="remove"), "段\n　　第二段\n  three") == "段\n第二段\nthree"
    assert cleaned(Whitespace(between_chinese="remove"), "头 痛 三  天 ， CT 检查 a b") == "头痛三天， CT 检查 a b"


def test_addresses_go_up_to_chinese_and_closing_punctuation() -> None:
    assert cleaned(Urls(), "详见https://a.cn/b?c=1&d=%E5#e。谢谢") == "详见。谢谢"
    assert cleaned(Urls(), "见http://a.cn好，www.baidu.com，FTP://a.cn/x") == "见好，，"
    assert cleaned(Urls(), "See https://en.wikipedia.org/wiki/A_(b), or http://x.org/a.") == "See , or ."
    assert cleaned(Urls(), "见https://a.cn/x[1]好，https://[::1]:80/a好") == "见好，好"
    unchanged(Urls(), "以https://开头", "http:// ftp://，https:///x", "http://例子.cn")
    unchanged(Urls(), "baidu.com", "www.", "http:", "a@b.cn", "1.2.3", "v1.0/x", "awww.a.cn.b")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("见[链接](https://a.cn)。", "见链接。"),
        ('![图](https://a.cn/x.png "题")好', "图好"),
        ("[![图](https://a.cn/i.png)](https://b.cn)", "图"),
        ("[a](<https://a.cn>)", "a"),
        ("[https://a.cn](https://a.cn)", ""),
        ("<https://a.cn>", ""),
        ("证券时报（www.stcn.com）讯", "证券时报讯"),
        ("(http://a.cn) [http://a.cn] 【 http://a.cn 】", "  "),
        ("[链接]() (https://a.cn]", "[链接]() (]"),
        ("[链接](/a) http://a.cn", "[链接](/a) "),
        ("（网址：www.stcn.com）", "（网址：）"),
    ],
)
def test_brackets_around_an_address_go_with_it(text: str, expected: str) -> None:
    assert cleaned(Urls(), text) == expected


def test_brackets_stay_around_what_replaces_an_address() -> None:
    step = Urls(replacement="<网址>", emails=True)
    assert cleaned(step, "[链接](https://a.cn)（www.stcn.com）") == "[链接](<网址>)（<网址>）"
    assert cleaned(step, "[https://a.cn](https://a.cn) mailto:a@b.cn") == "[<网址>](<网址>) <网址>"


def test_mail_goes_with_its_scheme_and_brackets() -> None:
    step = Urls(emails=True)
    assert cleaned(step, "mailto:a@b.cn") == cleaned(step, "[a@b.cn](mailto:a@b.cn)") == ""
    assert cleaned(step, "张三<a@b.cn>，[写信](mailto:a@b.cn?subject=x)。MAILTO:a@b.cn?") == "张三，写信。?"
    unchanged(step, "mailto:", "mailto:张三")
    unchanged(Urls(), "[写信](mailto:a@b.cn)", "<a@b.cn>")


def test_addresses_and_mail_are_replaced_on_demand() -> None:
    assert cleaned(Urls(replacement=r"<网址\1>"), "见http://a.cn。") == r"见<网址\1>。"
    assert cleaned(Urls(emails=True), "写信至a.b-c@d.com.cn，or x_1@y.org.") == "写信至，or ."
    unchanged(Urls(emails=True), "@张三", "a@b", "3@4.5")


def test_tags_go_and_their_text_stays() -> None:
    assert cleaned(Html(), "<p>头痛</p>\n<p class='x'>恶心 <b>3</b> 天</p>") == "头痛\n恶心 3 天"
    assert cleaned(Html(), 'See <a href="http://a.cn/?x=1>2" target=_blank>the page</a>.') == "See the page."
    assert cleaned(Html(), "一<br>\n二<BR/>三") == "一\n二\n三"
    assert cleaned(Html(), "<ul><li>甲</li><li>乙</li></ul>丙") == "甲\n乙\n丙"
    assert cleaned(Html(), "<table><tr><td>甲</td>\n<td>乙</td></tr><tr><td>丙</td></tr></table>") == "甲 乙\n丙"
    assert cleaned(Html(), "a<!-- 不\n见 -->b<script>if (a<b) {}</script>c<style>p{}</style>d") == "abcd"
    assert cleaned(Html(), "<!DOCTYPE html><html><title>题</title><body>文</body></html>") == "题\n文"
    assert cleaned(Html(), "<input disabled>x<hr />y") == "x\ny"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>头<o:p></o:p>痛<o:p>&nbsp;</o:p></p>", "头痛\xa0"),
        ('<st1:place w:st="on">北京</st1:place><v:shape id="x"/>', "北京"),
        ('<?xml version="1.0"?>a<?xml:namespace prefix = o ns = "urn:x" />b', "ab"),
        ("x<![CDATA[1 < 2 <b>粗</b>]]>y", "x1 < 2 粗y"),
        ("<![if !supportLists]>·<![endif]>", "·"),
        ('头<svg width="1"><path d="M0 0"/><text>图</text></svg>痛', "头图痛"),
        ("甲<SVG>\n <g><path d='M0'/></g>\n</SVG>乙<svg><path/></svg>丙", "甲乙丙"),
        ("正文<script>var a = 1; if (a<b) {}", "正文"),
        ("正文<script>\n$(function(){ x", "正文"),
        ("正文<script async src='x.js'>window.dataLayer = 1", "正文"),
        ("正文<script src=x.js>", "正文"),
        ("正文<style type='text/css'>.a, p { color: red", "正文"),
        ("<script>a()</script>正文<script>(function(){", "正文"),
        ('<a href="x"class="y">链</a>', "链"),
        ("<a href='x'class=y>链</a><input type='a'disabled>", "链"),
    ],
)
def test_markup_of_office_xml_pictures_and_what_is_cut_off_goes(text: str, expected: str) -> None:
    assert cleaned(Html(), text) == expected


def test_what_is_like_it_stays() -> None:
    unchanged(Html(), "<script> 是一个标签", "use the <script> tag", "<style>：样式", "<path> <image> <text>", "<m:n>")
    unchanged(Html(), "<?php echo 1 ?>", "<![CDATA[ cut off", "a[0]]>b")
    unchanged(Html(keep=["svg", "script"]), "<svg><path/></svg><script>var a = 1;")


def test_text_with_angle_brackets_stays() -> None:
    unchanged(
        Html(),
        "a < b and c > d",
        "x <b and y> z",
        "p<0.05，n>3",
        "<UNK> <think>好</think> <|user|> <名字>",
        "List<String>",
        "< p >",
        "<",
        "<p",
        "a<-b->c",
    )


def test_entities_become_characters_once() -> None:
    assert cleaned(Html(), "&lt;b&gt; &amp;amp; &#20320;&#x597D; &quot;&nbsp;") == '<b> &amp; 你好 "\xa0'
    unchanged(Html(), "AT&T", "?a=1&copy=2", "&unknown;", "头痛 & 恶心", "&;")


def test_tags_that_are_text_in_the_data_can_be_kept() -> None:
    assert cleaned(Html(), "at <TIME> <b>x</b>") == "at  x"
    assert cleaned(Html(keep=["time", "S"]), "at <TIME> <b>x</b></s>") == "at <TIME> x</s>"


def test_stop_words_go_from_chinese() -> None:
    assert cleaned(StopWords(language="zh"), "我的头很痛，怎么办？") == "头痛"
    step = StopWords(language="zh", words=["的", "很", "ct"], separator=" ")
    assert cleaned(step, "我的头很痛CT") == "我 头 痛"
    unchanged(StopWords(language="zh", words=["的"]), "头痛三天\nno stop  words")


def test_stop_words_go_from_english_with_the_blank_behind_them() -> None:
    assert cleaned(StopWords(language="en"), "The patient is in the ward.") == "patient ward."
    step = StopWords(language="en", words=["The", "don't"])
    assert cleaned(step, "the theory, don't THE end") == "theory, end"
    unchanged(StopWords(language="en"), "头痛三天", "123", "10")


def test_a_stop_word_is_a_whole_word_with_its_hyphens_apostrophes_and_digits() -> None:
    step = StopWords(language="en", words=["x", "b", "the", "don't", "no-one"])
    assert cleaned(step, "the x-ray, B12 and 3b, don’t x DON'T no-one") == "x-ray, B12 and 3b, "
    assert cleaned(StopWords(language="en", words=["don’t"]), "don't go") == "go"
    assert cleaned(StopWords(language="en"), "an x-ray of the chest") == "x-ray chest"
    assert cleaned(StopWords(language="en"), "No fever, not sick") == "fever, sick"
    unchanged(step, "the_end", "o’the", "x‑ray")


def test_words_become_stems() -> None:
    assert cleaned(Stemming(), "Relational databases 头痛 running, 3 runs") == "relat databas 头痛 run, 3 run"
    assert cleaned(Stemming(language="german"), "Häuser") == "haus"
    unchanged(Stemming(), "头痛三天，3.5")


def test_words_become_those_of_the_dictionary() -> None:
    assert cleaned(Lemmatisation(), "The mice were running 头痛, BERT") == "the mouse be run 头痛, BERT"
    assert cleaned(Lemmatisation(language="de"), "Häuser") == "Haus"
    unchanged(Lemmatisation(), "头痛三天，3.5", "xyzzyq")


def test_length_counts_characters_not_bytes() -> None:
    assert kept(Length(min_chars=2, max_chars=4), "头", "头痛", "头痛三天", "头痛三天了", "abcd", "👍") == [
        False, True, True, False, True, False,
    ]  # fmt: skip
    assert kept(Length(min_chars=0), "") == [True]
    assert kept(Length(max_chars=2), "", "ab", "abc") == [True, True, False]


@pytest.mark.parametrize(
    ("of", "share"),
    [("han", 0.2), ("latin", 0.2), ("letters", 0.4), ("digits", 0.2), ("punctuation", 0.2), ("symbols", 0.2)],
)
def test_a_share_is_of_the_characters_that_are_no_space(of: Any, share: float) -> None:
    text = "头 痛\ta1，+\u3000\xa0b2。￥\n"
    assert kept(CharacterRatio(of=of, min=share), text) == kept(CharacterRatio(of=of, max=share), text) == [True]
    assert kept(CharacterRatio(of=of, min=share + 0.01), text) == [False]
    assert kept(CharacterRatio(of=of, max=share - 0.01), text) == [False]


def test_a_text_without_characters_has_a_share_of_nothing() -> None:
    assert kept(CharacterRatio(of="han", min=0.1), "", " \n") == [False, False]
    assert kept(CharacterRatio(of="han", max=0.1), "", "English", "〇三") == [True, True, False]
