"""Where the carets of an error stand."""

import pytest

from havengate.errors import point_at
from havengate.types import Span


@pytest.mark.parametrize(
    ("source", "marked", "carets"),
    [
        ("filter=price", "price", "       ^^^^^"),
        ("filter=价格>3", ">", "           ^"),
        ("query=头盔 a", "头盔", "      ^^^^"),
        ("query=ＡＢ a", "a", "           ^"),
        ("query=cafe\N{COMBINING ACUTE ACCENT} b", "b", "           ^"),
        ("query=a\n b", "b", "         ^"),
    ],
)
def test_carets_stand_under_what_is_marked_in_a_terminal(source, marked, carets):
    start = source.rindex(marked)
    _, line = point_at(source, Span(start, start + len(marked))).split("\n")
    assert line == f"  {carets}"


def test_the_end_of_a_text_is_marked():
    assert point_at("query=头", Span(7, 7)).endswith("\n          ^")
