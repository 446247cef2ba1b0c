"""Hashes of sections and overlaps of words."""

import hashlib

import bm25s
import pytest
import Stemmer

from fieldtune.corpus.passages import section_hash
from fieldtune.retrieval.words import bm25_words, joined, overlap, paired, stem, words_of


def test_a_section_hash_is_that_of_its_words_whatever_the_white_space() -> None:
    expected = hashlib.sha256("Copies an image.\nTwice".replace("\n", " ").encode()).hexdigest()[:16]
    assert section_hash("  Copies  an image.\n\n\tTwice\r\n") == expected
    assert section_hash("Copies an image. twice") != expected


@pytest.mark.parametrize(
    ("query", "heading", "share"),
    [
        ("to copy an image", "Copy Image", 1.0),
        ("Copying of images!", "Copy Image", 1.0),  # copying → copy, images → imag = image → imag
        ("move the picture", "Copy Image", 0.0),
        ("make a copy", "Copy Image", 0.5),
        ("delete the stacks of a set", "Delete Stack Set", 1.0),
        ("what are the limits", "The Limits of `copy-image` (v2)", 0.25),  # limit of limit, copy, image, v2
        ("snake_case names", "snake_case", 1.0),
        ("über die Straße", "Straße", 1.0),
        ("हिन्दी में", "हिन्दी", 1.0),
        ("हैं", "है", 0.0),  # differ in a vowel sign alone
        ("密码忘了", "重置密码", 1 / 3),  # 密码 of 重置, 置密 and 密码
        ("重置密码", "重置密码", 1.0),
        ("猫", "猫", 1.0),
        ("ลืมรหัสผ่าน", "รหัสผ่าน", 1.0),
        ("비밀번호를 잊음", "비밀번호", 1.0),  # a particle stands at the word
        ("anything", "The Of", 0.0),  # nothing but stop words
        ("anything", "", 0.0),
    ],
)
def test_overlap_is_the_share_of_the_headings_stems_that_the_query_repeats(
    query: str, heading: str, share: float
) -> None:
    assert overlap(query, heading) == pytest.approx(share)


def test_short_words_keep_their_endings() -> None:
    assert [stem(word) for word in ("is", "Ring", "sing", "es", "caching", "policies")] == [
        "is",
        "ring",
        "sing",
        "es",
        "cach",
        "polic",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Copy_it, ÜBER Straße!", ["copy_it", "über", "strasse"]),
        ("पासवर्ड कैसे", ["पासवर्ड", "कैसे"]),
        ("使用AWS Lambda函数。", ["使", "用", "aws", "lambda", "函", "数"]),
        ("パス・ワード", ["パ", "ス", "ワ", "ー", "ド"]),  # a point between words is none
        ("비밀번호를 재설정", ["비밀번호를", "재설정"]),
        ("→ *", []),
    ],
)
def test_words_and_the_characters_of_scripts_without_blanks(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("text", "pairs", "words"),
    [
        ("重置密码", "重置 置密 密码", "重 置 密 码 重置 置密 密码"),
        ("猫，狗。", "猫 ， 狗 。", "猫 狗"),
        ("iPhone手机的v2", "iPhone 手机 机的 v2", "iphon 手 机 的 手机 机的 v2"),
        ("ที่ลืม", "ที่ลื ลืม", "ที่ ลื ม ที่ลื ลืม"),  # marks belong to their consonant
        ("값을", "값을", "값 을 값을"),
        ("पासवर्ड में", "पासवर्ड में", "पासवर्ड में"),
    ],
)
def test_pairs_of_characters_where_there_are_no_blanks_and_what_bm25_has(text: str, pairs: str, words: str) -> None:
    assert paired(text).split() == pairs.split()
    assert bm25_words([text], return_ids=False, stopwords="en", stemmer=Stemmer.Stemmer("english")) == [words.split()]


@pytest.mark.parametrize(
    "text",
    [
        "The policies of a caching x v2 snake_case don't re-use 12 3 U.S. naïve",
        "Die Größe der Straße: über 30 °C — „schnell“",
        "Как сбросить пароль? Ёлка 5",
        "Πώς αλλάζω κωδικό; إعادة تعيين",
        "",
    ],
)
def test_bm25s_own_words_where_blanks_stand_between_words(text: str) -> None:
    options = {"return_ids": False, "stopwords": "en", "stemmer": Stemmer.Stemmer("english")}
    assert bm25_words([text], **options) == bm25s.tokenize([text], show_progress=False, **options)


def test_pairs_that_overlap_in_the_text_are_joined() -> None:
    text = "检索模型的方法。模型法 copy yes"
    assert joined(["模型", "检索", "copy", "索模", "方法", "yes"], text) == ["检索模型", "copy", "方法", "yes"]
    assert joined(["模型", "型号"], text) == ["模型", "型号"]
    assert joined(["หัส", "รหั"], "รหัสผ่าน") == ["รหัส"]
