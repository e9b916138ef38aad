"""Words of TEXT: what is one word, what stands side by side, and what crosses no border."""

from __future__ import annotations

import pytest

from engines.frames.words import needle, padded, phrases, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("摩托车头盔", ["摩", "托", "车", "头", "盔"]),
        ("Red-XL, red_xl", ["red", "xl", "red", "xl"]),
        ("ＸＬ　头盔２", ["xl", "头", "盔", "2"]),
        ("A4纸abc", ["a4", "纸", "abc"]),
        ("ｶﾞラスー々", ["ガ", "ラ", "ス", "ー", "々"]),
        ("한국 1개", ["한", "국", "1", "개"]),
        ("STRASSE Straße ﬁn", ["strasse", "strasse", "fin"]),
        ("e\u0301t\u00e9 हिन्दी", ["été", "हिन्दी"]),
        ("葛\U000e0100城", ["葛", "城"]),
        ("\U00020000a", ["\U00020000", "a"]),
        ("1.5 a\x00b\tc\nd", ["1", "5", "a", "b", "c", "d"]),
        ("", []),
        ("、。!? ・ #", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("红色头盔 XL", [["红", "色", "头", "盔"], ["xl"]]),
        ("头,盔", [["头"], ["盔"]]),
        ("头\t盔\n红", [["头"], ["盔"], ["红"]]),
        ("a4头盔b红", [["a4"], ["头", "盔"], ["b"], ["红"]]),
        ("big red", [["big"], ["red"]]),
        ("a b", [["a"], ["b"]]),
        ("?", []),
    ],
)
def test_what_must_stand_side_by_side(text, expected):
    assert phrases(text, phrase=False) == expected
    assert phrases(text, phrase=True) == ([words(text)] if expected else [])


@pytest.mark.parametrize(
    ("sought", "text", "there"),
    [
        ("头盔", "摩托车头盔", True),
        ("头盔", "头的盔", False),
        ("头盔", "头 盔", True),
        ("RED", "a ｒｅｄ one", True),
        ("re", "red", False),
        ("头盔", ["头", "盔"], False),
        ("盔头", ["头盔", "头"], False),
        ("头", ["", "头"], True),
        ("头", [], False),
        ("x" * 300, ["x" * 300], True),
        ("x" * 300, ["x" * 301], False),
        ("x" * 40, ["x" * 300], False),
    ],
)
def test_a_phrase_is_inside_the_words_of_one_value(sought, text, there):
    (phrase,) = phrases(sought, phrase=True)
    assert (needle(phrase) in padded(text)) is there


def test_a_long_word_is_short_and_like_no_other():
    (folded,) = words("Ｘ" * 65)
    assert len(folded) <= 80
    assert folded.startswith("x" * 40)
    assert words(folded) != [folded]
    assert words("x" * 64) == ["x" * 64]
    assert phrases("x" * 65, phrase=False) == [[folded]]
