"""One parameter of a long query string: the same as the standard library reads it, only faster."""

from urllib.parse import parse_qs, quote_plus, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.query_string import parameter
from havengate.errors import RequestError

ODD_BYTES = st.lists(st.sampled_from([b"%", b"4", b"1", b"g", b"+", b"=", b"%2B", b"%25", b"x", b"\n", b"_", b" "]))


@given(st.text())
def test_any_text_comes_back_as_it_was_sent(text):
    assert parameter(f"a=1&query={quote_plus(text)}&z=2".encode(), "query") == text


@given(ODD_BYTES)
def test_malformed_escapes_are_read_as_the_standard_library_reads_them(parts):
    raw = b"".join(parts)
    expected = unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    assert parameter(b"query=" + raw, "query") == expected


def test_what_the_async_sdk_leaves_unescaped_is_kept():
    raw = "query=query%3Dvector:'1,2'%26%26config%3Dstart:0,hit:4"
    assert parameter(raw.encode(), "query") == parse_qs(raw)["query"][0] == "query=vector:'1,2'&&config=start:0,hit:4"


@pytest.mark.parametrize("raw", [b"", b"a=1", b"xquery=1", b"a=query=1"])
def test_a_parameter_that_is_not_there_is_none(raw):
    assert parameter(raw, "query") is None


def test_an_empty_value_is_there():
    assert parameter(b"query=", "query") == ""


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"query=a%FFb", "not UTF-8 at byte 1"),
        (b"query=1&query=2", "given twice"),
        (b"query=1&a&query=1", "given twice"),
    ],
)
def test_what_cannot_be_read_is_refused(raw, says):
    with pytest.raises(RequestError, match=says):
        parameter(raw, "query")
