import base64
import urllib.parse

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from havengate.errors import PictureError
from havengate.images import decode_base64

PICTURES = st.binary(min_size=1, max_size=400)


@given(PICTURES)
def test_standard_alphabet(data):
    assert decode_base64(base64.b64encode(data).decode()) == data


@given(PICTURES)
def test_url_safe_alphabet_without_padding(data):
    assert decode_base64(base64.urlsafe_b64encode(data).decode().rstrip("=")) == data


@given(PICTURES, st.sampled_from(["data:image/jpeg;base64,", "DATA:;BASE64,", " data:image/png;name=a;base64, "]))
def test_data_uri(data, head):
    assert decode_base64(head + base64.b64encode(data).decode()) == data


@given(PICTURES, st.sampled_from([64, 76]), st.sampled_from(["\n", "\r\n", " "]))
def test_lines(data, width, end):
    text = base64.b64encode(data).decode()
    assert decode_base64(end.join(text[i : i + width] for i in range(0, len(text), width))) == data


@given(PICTURES)
def test_blanks_that_form_decoding_made_of_plus(data):
    text = base64.b64encode(b"\x89PNG" + data).decode()
    # Four lost signs at the very end cannot be told from four blanks.
    assume(not text.endswith("++++"))
    sent = urllib.parse.unquote_plus(text)
    assert decode_base64(sent) == b"\x89PNG" + data


def test_blanks_at_both_ends_are_no_signs():
    assert decode_base64("  /9j/4A==\n") == b"\xff\xd8\xff\xe0"


def test_every_place_of_a_lost_sign():
    data = bytes.fromhex("fbefbe") * 40
    text = base64.b64encode(b"abc" + data + b"xyz").decode()
    assert decode_base64(text.replace("+", " ")) == b"abc" + data + b"xyz"


def test_megabytes():
    data = bytes(range(256)) * 20_000
    assert decode_base64(base64.b64encode(data).decode().replace("+", " ")) == data


@pytest.mark.parametrize("text", ["", "  \n", "====", "data:image/png;base64,", "data:image/png;base64, \n"])
def test_nothing_in_it(text):
    with pytest.raises(PictureError, match="picture is empty"):
        decode_base64(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("iVBOR!0KGgo=", "'!' at 5"),
        ("iVBOR%2BKGgo", "'%' at 5"),
        ("iVBO摩托车", "'摩' at 4"),
        ("iV=BORw0KGgo", "'=' at 2"),
        ("iVBORw0KGgo\0", r"'\\x00' at 11"),
        ("iVBOR", "5 characters cannot be whole bytes"),
    ],
)
def test_what_is_not_base64_is_pointed_at(text, fault):
    with pytest.raises(PictureError, match=f"not Base64 text: .*{fault}"):
        decode_base64(text)


@pytest.mark.parametrize(
    "text", ["data:image/svg+xml,<svg/>", "data:text/plain;charset=utf-8,abcd", "data:iVBORw0KGgo="]
)
def test_a_data_uri_of_another_encoding(text):
    with pytest.raises(PictureError, match="data URI without ';base64,'"):
        decode_base64(text)
