"""Whatever comes in, the answer is a plan or a RequestError that points into the text."""

from base64 import b64encode

from demo_table import plan
from hypothesis import given, settings
from hypothesis import strategies as st

from havengate.errors import RequestError
from havengate.types import Span
from query_parser.parse import parse_request
from query_parser.query import parse_query
from query_parser.show import show_request
from query_parser.show_query import query_text
from query_parser.term_text import term_text

PIECES = st.sampled_from(
    [
        *("query=", "filter=", "sort=", "config=", "cluster=", "kvpairs=", "attribute=", "&&", "=", ",", ";", ":"),
        *("vector:'", "'", '"', "\\", "(", ")", "[", "]", "^", "#", "@", "|", "||", "&", "<", ">=", "!=", "!", "."),
        *(" AND ", " OR ", " ANDNOT ", " RANK ", "RANK", "in(", "proxima_score(", "formula:", "start:", "hit:"),
        *("&n=", "&sf=", "&modal=text", "&search_params=", "{}", "1", "-2", "0x1f", "1.5", "id", "title", "猫", "\n"),
    ]
)
TEXT = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=30).map("".join))


def failure(text):
    try:
        show_request(parse_request(text))
        plan(text)
    except RequestError as error:
        return error
    return None


@given(TEXT, st.sampled_from(["", "query=", "query=vector:'1,2,3'&&filter=", "query=vector:'", "query=a&&sort="]))
@settings(max_examples=400, deadline=None)
def test_nothing_but_request_errors(text, head):
    whole = head + text
    found = failure(whole)
    if found is not None:
        assert found.message
        assert found.pointed(whole)
        assert found.span is None or 0 <= found.span.start <= found.span.end <= len(whole)


OPERATORS = {"RANK": 0, "OR": 1, "AND": 2, "ANDNOT": 3}


def expected(words, operators):
    """The tree by the rule: split at the last of the loosest operators."""
    if not operators:
        return f"{{default:'{words[0]}'}}"
    loosest = min(operators, key=OPERATORS.__getitem__)
    at = len(operators) - 1 - operators[::-1].index(loosest)
    left, right = expected(words[: at + 1], operators[:at]), expected(words[at + 1 :], operators[at + 1 :])
    return f"({loosest} {left} {right})"


@given(st.lists(st.sampled_from(sorted(OPERATORS)), max_size=12))
@settings(deadline=None)
def test_precedence_and_left_association(operators):
    words = [f"w{i}" for i in range(len(operators) + 1)]
    text = words[0] + "".join(f" {op} {word}" for op, word in zip(operators, words[1:], strict=True))
    (found,) = parse_query(text, Span(0, len(text)), [])
    assert query_text(found) == expected(words, operators)


SPAN = Span(0, 0)


@given(st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=20))
@settings(deadline=None)
def test_chinese_in_base64_is_always_read(text):
    assert term_text(b64encode(text.encode()).decode(), "auto", SPAN) == text


@given(st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True), min_size=1, max_size=2))
@settings(deadline=None)
def test_short_latin_words_are_never_decoded(words):
    text = " ".join(words)
    assert term_text(text, "auto", SPAN) == text


@given(st.text(max_size=40))
@settings(deadline=None)
def test_plain_is_plain_and_base64_is_base64(text):
    assert term_text(text, "plain", SPAN) == text
    assert term_text(b64encode(text.encode()).decode(), "base64", SPAN) == text
