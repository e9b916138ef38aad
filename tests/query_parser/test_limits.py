"""What is very long or very deep is answered or refused: no stack overflow, no endless work."""

import pytest

from havengate.errors import RequestError
from query_parser.judge import judge
from query_parser.parse import parse_request
from query_parser.scan import MAX_TOKENS
from query_parser.write_query import write_query

MANY = 100_000
DEEP = 10_000
LONG = 64 * 2**20


def verdict(text):
    """The one layer's number of operands, or the name of the error's code and its message."""
    try:
        layers = parse_request(text).layers
    except RequestError as error:
        return error.code.name, error.message[:40] if error.span else "an error without a span"
    return [len(getattr(layer, "items", ())) for layer in layers]


TOO_MANY = ("QUERY_CLAUSE", f"more than {MAX_TOKENS} words and signs")
TOO_DEEP = ("QUERY_CLAUSE", "the query is nested deeper than 100")
NO_END = ("QUERY_CLAUSE", "syntax error, unexpected end of file")
NO_OPENER = ("QUERY_CLAUSE", "syntax error, unexpected ')', expecting ")
NO_RANGE = ("QUERY_CLAUSE", "Invalid Range: (9223372036854775807, 9223372036854775807]."[:40])
TOO_MANY_PARTS = ("KEY_VALUE_PAIR", "more than 65536 parts between '&&'")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("(" * DEEP + "a" + ")" * DEEP, [0], id="parentheses"),
        pytest.param("(" * DEEP + "a" + ")@l" * DEEP, [0], id="labels"),
        pytest.param("i:" + "(" * DEEP + "a||b" + ")^2" * DEEP, [0], id="parentheses of terms"),
        pytest.param("(" * DEEP, NO_END, id="open parentheses"),
        pytest.param("(a OR b AND " * DEEP + "c" + ")" * DEEP, TOO_DEEP, id="operators, nested"),
        pytest.param("i:" + "(a|b&" * DEEP + "c" + ")" * DEEP, TOO_DEEP, id="terms, nested"),
        pytest.param("('a' ('b' " * DEEP + "c" + "))@l" * DEEP, TOO_DEEP, id="juxtaposed, nested"),
    ],
)
def test_deep_nesting(query, expected):
    assert verdict(f"query={query}") == expected


@pytest.mark.parametrize("joint", [" OR ", " ", " AND ", " ANDNOT ", " RANK "])
def test_many_operands_are_one_flat_chain(joint):
    assert verdict("query=" + joint.join(["a:b"] * MANY)) == [MANY]


@pytest.mark.parametrize("joint", ["|", "&", "||"])
def test_many_terms_are_one_flat_set(joint):
    (layer,) = parse_request("query=a:" + joint.join(["b"] * MANY)).layers
    assert len(layer.terms.items) == MANY


def test_many_layers():
    assert len(parse_request("query=" + ";".join(["a"] * MANY)).layers) == MANY


def test_many_operands_are_printed():
    text = " OR ".join(["a:b"] * MANY)
    tree = judge("query", text).tree
    assert tree.startswith("(OR " * (MANY - 1) + "{a:'b'} {a:'b'})")
    assert write_query(parse_request(f"query={text}").layers) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("query=a:'" + "x" * LONG + "'", [0], id="a text"),
        pytest.param("query=a:'" + r"\\" * (LONG // 2) + "'", [0], id="escaped backslashes"),
        pytest.param("query=a:'" + r"\x" * (LONG // 2) + "'", [0], id="dropped backslashes"),
        pytest.param("query=a:'" + r"\'" * (LONG // 2), NO_END, id="a text without an end"),
        pytest.param("query=" + "a" * LONG, [0], id="a word"),
        pytest.param("query=" + "\\" * LONG, [0], id="backslashes"),
        pytest.param("query=a" + " " * LONG + "b", [2], id="blanks"),
        pytest.param("query=a" + "\n " * (LONG // 2) + "b", [2], id="lines"),
        pytest.param("query=" + "'" * LONG, TOO_MANY, id="quotes"),
        pytest.param("query=" + "ab:c OR " * (LONG // 8), TOO_MANY, id="terms"),
        pytest.param("query=" + "(" * LONG, TOO_MANY, id="parentheses"),
        pytest.param("query=" + "{" * LONG, NO_END, id="what is no token"),
        pytest.param("query=a)" + " " * LONG, NO_OPENER, id="blanks after )"),
        pytest.param("query=a:>" + "1" * LONG, NO_RANGE, id="a number"),
        pytest.param("query=a:<" + "1" * LONG, [0], id="digits"),
        pytest.param("a=b&&" * (LONG // 5), ("UNKNOWN_CLAUSE", "unknown clause 'a'"), id="unknown clauses"),
        pytest.param("query=a&&" * (LONG // 9), TOO_MANY_PARTS, id="clauses"),
        pytest.param("&" * LONG, TOO_MANY_PARTS, id="signs between clauses"),
    ],
)
def test_64_megabytes(text, expected):
    assert verdict(text) == expected


def test_no_more_is_told_than_anybody_reads():
    assert len(parse_request("query=" + "a{" * 1000).warnings) == 50
