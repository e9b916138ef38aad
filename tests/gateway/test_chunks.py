"""Chunked bodies, however they arrive."""

from itertools import pairwise

import pytest
from gunicorn.http.body import Body
from gunicorn.http.errors import (
    ChunkMissingTerminator,
    InvalidChunkExtension,
    InvalidChunkSize,
    LimitRequestHeaders,
    NoMoreData,
)
from gunicorn.http.unreader import IterUnreader
from hypothesis import given
from hypothesis import strategies as st

from gateway.chunks import LinearChunks


class Head:
    """What a reader asks of its request."""

    limit_request_field_size = 8190
    max_buffer_headers = 2000

    def parse_headers(self, _data, *, from_trailer):
        assert from_trailer
        return []


def body_of(*parts):
    """(the body, what stands behind it)."""
    source = IterUnreader(parts)
    body = Body(LinearChunks(Head(), source)).read()
    return body, b"".join(iter(source.read, b""))


def packed(chunks, extension=b""):
    return b"".join(b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in [*chunks, b""])


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=20),
    extension=st.sampled_from([b"", b";a", b' ; a="b;\xff"', b"\t;a=b;c"]),
    cuts=st.lists(st.integers(0, 400), max_size=20),
)
def test_the_same_bytes_come_out_wherever_the_stream_is_cut(chunks, extension, cuts):
    sent = packed(chunks, extension) + b"GET /next"
    places = sorted({min(cut, len(sent)) for cut in cuts} | {0, len(sent)})
    parts = [sent[start:end] for start, end in pairwise(places)]
    assert body_of(*parts) == (b"".join(chunks), b"GET /next")


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"2\r\nab", NoMoreData),
        (b"2\r\nabc\r\n0\r\n\r\n", ChunkMissingTerminator),
        (b"0\r\nX: y", ChunkMissingTerminator),
        (b"0\r\n" + b"X: y\r\n" * 400, LimitRequestHeaders),
        (b"-2\r\nab\r\n", InvalidChunkSize),
        (b"0x2\r\nab\r\n", InvalidChunkSize),
        (b"\r\n\r\n", InvalidChunkSize),
        (b"2 \r\nab\r\n", InvalidChunkSize),
        (b" 2\r\nab\r\n", InvalidChunkSize),
        (b"f" * 17 + b"\r\n", InvalidChunkSize),
        (b"0" * 9000, InvalidChunkSize),
        (b"2;a\rb\r\nab\r\n", InvalidChunkExtension),
        (b"2;\xff\r\nab\r\n", InvalidChunkExtension),
    ],
)
def test_what_is_no_chunk_is_refused(sent, error):
    with pytest.raises(error):
        body_of(sent)


def test_trailers_are_read_and_what_follows_is_kept():
    assert body_of(b"1\r\na\r\n0\r\nX: y\r\n\r\nGET") == (b"a", b"GET")


def test_chunks_are_counted():
    most = packed([b"a"] * 999_999)
    assert len(body_of(most)[0]) == 999_999
    with pytest.raises(InvalidChunkSize, match="too many"):
        body_of(most[:-5] + packed([b"a"]))
