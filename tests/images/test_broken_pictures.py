"""Each broken file gets an error that says what it is."""

import contextlib
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_samples import huge_headers, png, png_chunk, saved, scene
from PIL import Image

from havengate.errors import PictureError
from havengate.images import decode_picture, thumbnail
from havengate.setting_groups import LimitSettings

LIMITS = LimitSettings()
NOISE = Image.effect_noise((120, 90), 80).convert("RGB")
WHOLE = {
    "JPEG": saved(NOISE, "JPEG"),
    "PNG": saved(NOISE, "PNG"),
    "WEBP": saved(NOISE, "WEBP"),
    "GIF": saved(NOISE, "GIF"),
    "BMP": saved(NOISE, "BMP"),
    "TIFF": saved(NOISE, "TIFF"),
    "TIFF-LZW": saved(NOISE, "TIFF", compression="tiff_lzw"),
}


def fault(data, limits=LIMITS):
    with pytest.raises(PictureError) as caught:
        decode_picture(data, limits)
    return caught.value.message


def test_nothing():
    assert fault(b"") == "the picture is empty (0 bytes)"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"hello, this is no picture\n", "a text file"),
        ("摩托车&头盔".encode(), "a text file"),
        (b"BMW makes motorcycles, and this is a text about them", "a text file"),
        (b"<!doctype html><title>404</title>", "a text file"),
        (b'<?xml version="1.0"?><svg xmlns="x"/>', "an SVG drawing"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF file"),
        (b"PK\x03\x04" + bytes(30), "a ZIP archive"),
        (b"\0\0\0\x20ftypheic" + bytes(30), "a HEIC, AVIF or video file"),
        (b"\x7fELF" + bytes(60), "bytes of another kind"),
    ],
)
def test_files_of_another_kind(data, kind):
    assert fault(data).startswith("not a picture")
    assert fault(data).endswith(f"but {kind}")


@pytest.mark.parametrize("format_", ["PPM", "ICO", "TGA", "PCX", "JPEG2000"])
def test_formats_that_pillow_has_and_this_version_has_not(format_):
    assert "not a picture of a known format (JPEG, PNG, WebP, GIF, BMP, TIFF)" in fault(saved(scene(32, 32), format_))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("name", WHOLE)
def test_truncated(name, share):
    whole = WHOLE[name]
    message = fault(whole[: int(len(whole) * share)])
    assert message.startswith(f"the {name.partition('-')[0]} picture is truncated")


@pytest.mark.parametrize("length", [4, 12, 20, 30])
@pytest.mark.parametrize("name", WHOLE)
def test_cut_inside_the_header(name, length):
    assert fault(WHOLE[name][:length])


def test_damaged():
    body = bytearray(WHOLE["PNG"])
    body[60:400] = bytes(340)
    assert fault(bytes(body)).startswith("the PNG picture is damaged: ")


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_header_that_claims_too_many_pixels_is_refused_before_decoding(name):
    message = fault(huge_headers()[name])
    assert message.startswith(f"the {name} picture claims ")
    assert "pixels" in message


def test_the_pixel_limit_is_the_settings():
    data = saved(Image.new("L", (100, 100)), "PNG")
    assert decode_picture(data, LimitSettings(picture_pixels=10_000)).size == (100, 100)
    assert fault(data, LimitSettings(picture_pixels=9_999)).endswith("100 x 100 pixels, more than the limit of 9999")


def test_the_byte_limit_comes_first():
    data = bytes(2000)
    assert fault(data, LimitSettings(picture_bytes=1999)).startswith("the picture has 2000 bytes")


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(8 << 20))),
        png_chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(8 << 20))),
        png_chunk(b"iTXt", b"note\0\1\0\0\0" + zlib.compress(bytes(8 << 20))),
    ],
    ids=["zTXt", "iCCP", "iTXt"],
)
def test_compressed_notes_that_would_swell(chunk):
    assert "too large" in fault(png(2, 1, chunk, pixels=b"\0\0\0"))


def test_a_tiff_whose_tags_overlap_is_not_multiplied():
    entries = b"".join(struct.pack("<HHII", tag, 7, 60_000, 8) for tag in range(40_000, 40_500))
    data = b"II*\0" + struct.pack("<I", 60_100) + bytes(60_092) + struct.pack("<H", 500) + entries + bytes(4)
    assert fault(data).startswith("the TIFF picture is ")


def test_a_picture_without_pixels():
    gif = bytearray(saved(Image.new("P", (8, 8)), "GIF"))
    gif[6:10] = bytes(4)
    at = gif.index(b",", 13)
    gif[at + 5 : at + 9] = bytes(4)
    assert fault(bytes(gif)).startswith("the GIF picture is damaged")


@pytest.mark.parametrize("mode", ["F", "I"])
def test_greys_without_a_white(mode):
    assert "32-bit greys" in fault(saved(Image.new(mode, (4, 4)), "TIFF"))


def test_a_thumbnail_of_no_picture():
    with pytest.raises(PictureError, match="a text file"):
        thumbnail(b"no picture", 100)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(WHOLE)), st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=8))))
def test_whatever_is_scribbled_over_a_picture_no_other_error_gets_out(name, scribbles):
    data = bytearray(WHOLE[name])
    for at, ink in scribbles:
        place = at % len(data)
        data[place : place + len(ink)] = ink
    with contextlib.suppress(PictureError):
        assert decode_picture(bytes(data), LIMITS).mode == "RGB"


def _with_scans(count):
    """A progressive JPEG whose last scan comes ``count`` times more."""
    whole = saved(scene(), "JPEG", progressive=True)
    return whole[:-2] + whole[whole.rindex(b"\xff\xda") : -2] * count + whole[-2:]


def test_a_jpeg_of_few_bytes_may_not_be_decoded_a_thousand_times():
    assert fault(_with_scans(1000)) == "the JPEG picture has more than 100 scans"
    assert decode_picture(_with_scans(20), LIMITS).size == (96, 64)


def test_what_looks_like_scans_in_notes_and_behind_the_picture_is_none():
    whole = saved(scene(), "JPEG", progressive=True, comment=b"\xff\xda" * 500)
    assert decode_picture(whole + b"\xff\xda\x00\x02" * 500, LIMITS).size == (96, 64)
