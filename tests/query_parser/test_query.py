"""The query clause beyond the conformance cases: spans, what is dropped, size and depth."""

import pytest

from havengate.errors import RequestError
from query_parser.engine_terms import as_engine_reads
from query_parser.nodes import MAX_DEPTH, Chain, IndexTerm
from query_parser.parse import parse_request
from query_parser.scan import MAX_TOKENS
from query_parser.write_query import write_query


def layer(query):
    return parse_request(f"query={query}").layers[0]


def failure(query):
    with pytest.raises(RequestError) as caught:
        parse_request(f"query={query}")
    return caught.value


def test_chains_of_one_operator_are_flat():
    chain = layer("a OR b OR c OR (d AND e)")
    assert isinstance(chain, Chain)
    assert chain.op == "OR"
    assert len(chain.items) == 4


def test_spans_are_offsets_into_the_whole_request():
    text = "config=hit:1&& query = vector : 'a b' AND (x:y) "
    chain = parse_request(text).layers[0]
    first, second = chain.items
    assert text[first.span.start : first.span.end] == "vector : 'a b'"
    assert text[first.index_span.start : first.index_span.end] == "vector"
    assert text[first.terms.content.start : first.terms.content.end] == "a b"
    assert text[second.span.start : second.span.end] == "x:y"
    assert text[chain.span.start : chain.span.end] == "vector : 'a b' AND (x:y"


@pytest.mark.parametrize(
    ("query", "warning"),
    [
        ("a{}:'x'", "'{}' outside quotes was dropped"),
        ("a:'x' 'y", "a quote is not closed: everything from it on was dropped"),
        (r"a:'x\y'", "a backslash before 'y' was dropped"),
        ("a:'x'\nb:'y'", "'\\n' outside quotes was dropped"),
    ],
)
def test_what_the_engine_drops_is_named(query, warning):
    assert parse_request(f"query={query}").warnings == (warning,)


def test_nothing_is_said_where_nothing_is_dropped():
    assert parse_request(r"""query=a:'한국 \' \\ {}' AND b:"x\"y" | z""").warnings == ()


def test_bare_parentheses_collapse():
    query = layer("(" * 10_000 + "a" + ")" * 10_000)
    assert isinstance(query, IndexTerm)


def test_deep_nesting_ends_in_an_error():
    depth = MAX_DEPTH + 1
    error = failure("(a OR b AND " * depth + "c" + ")" * depth)
    assert error.code.name == "QUERY_CLAUSE"
    assert "nested deeper" in error.message


def test_more_tokens_than_the_limit_end_in_an_error():
    assert failure("a " * (MAX_TOKENS + 1)).message == f"more than {MAX_TOKENS} words and signs"


def test_a_hundred_thousand_terms_are_one_flat_chain():
    assert len(layer(" OR ".join(["a:b"] * 100_000)).items) == 100_000


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("a:[1,9223372036854775808]", "a:[1,9223372036854775807]"),
        ("a:[1," + "9" * 5000 + "]", "a:[1,9223372036854775807]"),
        ("b OR (c AND a:>-" + "9" * 20 + "^" + "9" * 20 + ")", "'b' OR 'c' AND a:(-9223372036854775808,)^-1"),
        ("a:(,-" + "9" * 20 + "]", "a:(,-9223372036854775808]"),
    ],
)
def test_ends_of_ranges_are_cut_to_64_bits_and_named(query, read):
    request = parse_request(f"query={query}")
    assert write_query(request.layers) == read
    (warning,) = request.warnings
    assert "has more than 64 bits: read as" in warning


def test_leading_zeros_make_a_number_no_longer():
    request = parse_request("query=a:[-" + "0" * 5000 + "5," + "0" * 30 + "7]")
    assert write_query(request.layers) == "a:[-5,7]"
    assert request.warnings == ()


@pytest.mark.parametrize(
    "query", ["a:>" + "9" * 20, "a:[" + "9" * 20 + "," + "9" * 21 + ")", "a:>" + "9" * 20 + " AND"]
)
def test_a_range_that_is_cut_to_nothing_is_refused(query):
    error = failure(query)
    assert error.code.name == "QUERY_CLAUSE"
    assert error.message.startswith("Invalid Range: ")


@pytest.mark.parametrize(
    ("boost", "number"),
    [("+7", 7), ("-7", -7), ("4294967297", 1), ("2147483648", -(2**31)), ("9" * 30, -1), ("-" + "9" * 30, 0)],
)
def test_boosts_are_read_as_atoi_does(boost, number):
    assert layer(f"a^{boost}").terms.boost == number


def test_a_picture_of_three_megabytes_is_intact():
    payload = "ABCD+/ab" * (3 * 2**17)
    request = parse_request(f"query=vector:'{payload}&modal=image&n=10'&&config=hit:5")
    assert request.layers[0].terms.text == f"{payload}&modal=image&n=10"
    assert request.warnings == ()


@pytest.mark.parametrize(
    ("terms", "read"),
    [
        ("a", "a"),
        ("a||b", "(a||b)^1"),
        ("(a||b)^3", "(a||b)^3"),
        ("(a||b)^2||c", "(a||b||c)^2"),
        ("((a||b)^2||c)^3", "(a||b||c)^3"),
        ("(a||(b||c))^2", "(b||c||a)^2"),
        ("((a||b)||(c||d))^2", "(a||b)^1|(c||d)^1"),
        ("(a||b|c)^3", "(a||b)^1|c"),
        ("(a||(b|c))^3", "a|(b|c)"),
        ("(a|b)^2", "a|b"),
        ("(a&b)^1&c", "a&b&c"),
        ("a&(b&c)", "b&c&a"),
        ("a&(b|c)&d", "a&(b|c)&d"),
    ],
)
def test_terms_are_joined_as_the_engine_does(terms, read):
    found = as_engine_reads(layer(f"i:{terms}").terms)
    assert write_query([IndexTerm("i", found, found.span)]) == f"i:{read}"
