"""Bodies: what they may be packed in, how large they may be, and which JSON is JSON."""

import gzip
import json
import zlib

import pytest
from flask import Request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.test import EnvironBuilder

from gateway.bodies import decode_json, inflate, json_object, read_body
from havengate.errors import RequestError

LIMIT = 1000
BODY = b'{"a": 1}'


def post(data, **headers):
    return Request(EnvironBuilder(method="POST", data=data, headers=headers).get_environ())


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("identity", bytes), ("", bytes), ("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress)],
)
def test_a_packed_body_is_unpacked(encoding, pack):
    assert read_body(post(pack(BODY), **{"Content-Encoding": encoding}), LIMIT) == BODY


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_the_limit_holds_for_what_comes_out(encoding, pack):
    assert inflate(pack(bytes(LIMIT)), encoding, LIMIT) == bytes(LIMIT)
    with pytest.raises(RequestEntityTooLarge):
        inflate(pack(bytes(LIMIT + 1)), encoding, LIMIT)


def test_the_limit_holds_for_a_body_as_it_comes():
    assert len(read_body(post(bytes(LIMIT)), LIMIT)) == LIMIT
    with pytest.raises(RequestEntityTooLarge):
        read_body(post(bytes(LIMIT + 1)), LIMIT)


def test_the_limit_holds_where_no_length_was_announced():
    environ = EnvironBuilder(method="POST", data=bytes(LIMIT + 1)).get_environ()
    del environ["CONTENT_LENGTH"]
    environ["wsgi.input_terminated"] = True
    with pytest.raises(RequestEntityTooLarge):
        read_body(Request(environ), LIMIT)


def test_a_body_shorter_than_announced_is_refused():
    environ = EnvironBuilder(method="POST", data=BODY).get_environ()
    environ |= {"CONTENT_LENGTH": str(len(BODY) + 1), "wsgi.input_terminated": True}
    with pytest.raises(BadRequest, match="ended after 8 of 9 bytes"):
        read_body(Request(environ), LIMIT)


def test_an_unknown_encoding_is_refused():
    with pytest.raises(UnsupportedMediaType, match="'br'"):
        read_body(post(BODY, **{"Content-Encoding": "br"}), LIMIT)


@pytest.mark.parametrize(
    ("packed", "encoding", "says"),
    [
        (BODY, "gzip", "not gzip"),
        (BODY, "deflate", "not deflate"),
        (gzip.compress(BODY), "deflate", "not deflate"),
        (gzip.compress(BODY)[:-9], "gzip", "ends early"),
        (zlib.compress(BODY) + b"..", "deflate", "2 bytes after"),
    ],
)
def test_a_stream_that_does_not_inflate_is_refused(packed, encoding, says):
    with pytest.raises(RequestError, match=says):
        inflate(packed, encoding, LIMIT)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "line 1 column 0"),
        (b"{", "line 1 column 1"),
        (b"{} x", "trailing characters"),
        (b'{"a": NaN}', "line 1 column 7"),
        (b'{"a": -Infinity}', "invalid number"),
        (b'{"a": "\xff"}', "unicode"),
        ('{"a": 1}'.encode("utf-16"), "line 1 column 1"),
        (b'{"a": "\\ud800"}', "hex escape"),
        (b'{"a": "\\uDfff"}', "surrogate"),
        (b"[" * 200_000, "recursion limit"),
        (b"1" * 5000, "out of range"),
    ],
)
def test_what_is_not_json_is_refused(raw, says):
    with pytest.raises(RequestError, match=says):
        decode_json(raw)


def test_the_largest_push_of_vectors_is_read():
    vector = b"[" + b"0," * 511 + b"0]"
    document = b'{"cmd":"add","fields":{"v":' + vector + b"}},"
    assert len(decode_json(b"[" + document * 9_999 + document[:-1] + b"]")) == 10_000


@pytest.mark.parametrize("part", [b"[],", b"{},", b"1," * 20])
def test_a_small_body_may_not_become_gigabytes_of_values(part):
    with pytest.raises(RequestEntityTooLarge, match="lists and objects"):
        decode_json(b"[" + part * 1_000_001 + b"1]")


def test_a_surrogate_pair_is_one_character():
    assert decode_json(json.dumps("😀").encode()) == "😀"


def test_an_object_is_asked_for():
    with pytest.raises(RequestError, match="not an object"):
        json_object(post(b"[]"), LIMIT)
