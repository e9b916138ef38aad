import io
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from picture_samples import png, saved, scene
from PIL import Image, ImageChops, ImageStat

from havengate.images import content_hash, decode_picture, thumbnail
from havengate.setting_groups import LimitSettings

LIMITS = LimitSettings()
WHITE, BLACK, RED = (255, 255, 255), (0, 0, 0), (255, 0, 0)


def apart(left, right):
    """Mean and largest difference in grey levels."""
    statistics = ImageStat.Stat(ImageChops.difference(left, right))
    return max(statistics.mean), max(high for _, high in statistics.extrema)


@pytest.mark.parametrize(
    ("format_", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 95}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"big_tiff": True}),
    ],
)
def test_formats(format_, options):
    picture = decode_picture(saved(scene(), format_, **options), LIMITS)
    mean, _ = apart(picture, scene())
    assert (picture.mode, picture.size) == ("RGB", (96, 64))
    assert mean < 2


def test_gif():
    mean, _ = apart(decode_picture(saved(scene().quantize(256), "GIF"), LIMITS), scene())
    assert mean < 8


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "TIFF", "PNG"])
def test_only_the_first_frame_is_read(format_):
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if format_ == "WEBP" else {}
    data = saved(frames[0], format_, save_all=True, append_images=frames[1:], **options)
    assert decode_picture(data, LIMITS).getpixel((5, 5)) == RED


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_rotation(format_, orientation):
    unturn = [
        None,
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.ROTATE_180,
        Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_90,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_270,
    ][orientation - 1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    held = scene() if unturn is None else scene().transpose(unturn)
    options = {"lossless": True} if format_ == "WEBP" else {"quality": 95} if format_ == "JPEG" else {}
    picture = decode_picture(saved(held, format_, exif=exif, **options), LIMITS)
    assert picture.size == (96, 64)
    assert apart(picture, scene())[0] < 3


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(40)]
)
def test_broken_exif_does_not_cost_the_picture(exif):
    assert decode_picture(saved(scene(), "JPEG", exif=exif), LIMITS).size == (96, 64)


def test_an_orientation_outside_1_to_8_is_ignored():
    exif = Image.Exif()
    exif[0x0112] = 77
    assert decode_picture(saved(scene(), "JPEG", exif=exif), LIMITS).size == (96, 64)


def test_a_turned_jpeg_that_is_decoded_small_is_still_turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(scene(1600, 1200).transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)
    picture = decode_picture(data, LIMITS)
    assert picture.width > picture.height
    assert apart(picture.resize((96, 64)), scene(1600, 1200).resize((96, 64)))[0] < 3


@pytest.mark.parametrize("size", [(2400, 1600), (1031, 1543), (513, 4000)])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_decoding_a_large_jpeg_small_shifts_nothing(size, mode):
    data = saved(scene(*size).convert(mode), "JPEG", quality=90)
    picture = decode_picture(data, LIMITS, target=256)
    whole = Image.open(io.BytesIO(data)).convert("RGB")
    assert min(picture.size) >= 512
    mean, largest = apart(picture.resize((256, 256), Image.BICUBIC), whole.resize((256, 256), Image.BICUBIC))
    assert mean < 1
    assert largest <= 2


@pytest.mark.parametrize(
    ("picture", "format_", "want"),
    [
        (Image.new("1", (4, 4), 1), "PNG", WHITE),
        (Image.new("1", (4, 4), 0), "TIFF", BLACK),
        (Image.new("L", (4, 4), 100), "PNG", (100, 100, 100)),
        (Image.new("LA", (4, 4), (0, 0)), "PNG", WHITE),
        (Image.new("LA", (4, 4), (100, 255)), "PNG", (100, 100, 100)),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 0)), "PNG", WHITE),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 255)), "TIFF", RED),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 51)), "PNG", (255, 204, 204)),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "WEBP", WHITE),
        (Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF", RED),
        (Image.new("I;16", (4, 4), 65535), "PNG", WHITE),
        (Image.new("I;16", (4, 4), 0), "PNG", BLACK),
        (Image.new("I;16", (4, 4), 257 * 100), "PNG", (100, 100, 100)),
        (Image.new("I;16", (4, 4), 257 * 100), "TIFF", (100, 100, 100)),
        (Image.new("I;16B", (4, 4), 257 * 100), "TIFF", (100, 100, 100)),
    ],
    ids=lambda value: getattr(value, "mode", None),
)
def test_modes(picture, format_, want):
    options = {"lossless": True} if format_ == "WEBP" else {}
    got = decode_picture(saved(picture, format_, **options), LIMITS)
    assert (got.mode, got.getpixel((1, 1))) == ("RGB", want)


@pytest.mark.parametrize(("ink", "want"), [((0, 255, 255, 0), RED), ((0, 0, 0, 255), BLACK), ((0, 0, 0, 0), WHITE)])
def test_cmyk_jpeg(ink, want):
    got = decode_picture(saved(Image.new("CMYK", (16, 16), ink), "JPEG", quality=95), LIMITS).getpixel((8, 8))
    assert max(abs(a - b) for a, b in zip(got, want, strict=True)) <= 3


@pytest.mark.parametrize("transparency", [1, bytes([255, 0, 255])])
@pytest.mark.parametrize("format_", ["PNG", "GIF"])
def test_palette_with_transparency(format_, transparency):
    picture = Image.new("P", (4, 1))
    picture.putpalette([255, 0, 0, 0, 0, 0, 0, 0, 255])
    picture.putdata([0, 1, 2, 1])
    if format_ == "GIF":
        transparency = 1
    got = decode_picture(saved(picture, format_, transparency=transparency), LIMITS)
    assert [got.getpixel((x, 0)) for x in range(4)] == [RED, WHITE, (0, 0, 255), WHITE]


@pytest.mark.parametrize(("mode", "colour"), [("L", 0), ("RGB", (0, 0, 0))])
def test_a_transparent_colour_of_a_png(mode, colour):
    data = saved(Image.new(mode, (4, 4), colour), "PNG", transparency=colour)
    assert decode_picture(data, LIMITS).getpixel((1, 1)) == WHITE


def test_16_bit_rgb_is_scaled_not_clipped():
    row = b"\0" + struct.pack(">6H", 65535, 257 * 100, 0, 0, 257 * 200, 65535)
    got = decode_picture(png(2, 1, depth=16, colour=2, pixels=row), LIMITS)
    assert [got.getpixel((x, 0)) for x in range(2)] == [(255, 100, 0), (0, 200, 255)]


def test_16_bit_greys_keep_their_steps():
    row = b"\0" + b"".join(struct.pack(">H", grey * 257) for grey in range(256))
    got = decode_picture(png(256, 1, depth=16, pixels=row), LIMITS)
    assert [got.getpixel((x, 0))[0] for x in range(256)] == list(range(256))


def test_the_first_bytes_decide_what_a_polyglot_is():
    data = saved(Image.new("RGB", (8, 8), "red"), "PNG") + b"PK\x03\x04<html>" + saved(scene(), "JPEG")
    assert decode_picture(data, LIMITS).size == (8, 8)


def test_threads_do_not_disturb_each_other():
    files = [saved(Image.new("RGB", (40, 30), (shade, 0, 0)), "PNG") for shade in range(0, 250, 10)] * 4
    with ThreadPoolExecutor(8) as pool:
        shades = list(pool.map(lambda data: decode_picture(data, LIMITS).getpixel((3, 3))[0], files))
    assert shades == list(range(0, 250, 10)) * 4


def test_pillows_globals_stay_as_they_are():
    before = Image.MAX_IMAGE_PIXELS
    decode_picture(saved(scene(), "PNG"), LIMITS)
    assert before == Image.MAX_IMAGE_PIXELS


def test_the_hash_is_of_the_bytes():
    assert content_hash(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_thumbnail_keeps_the_shape():
    small = Image.open(io.BytesIO(thumbnail(saved(scene(960, 640), "PNG"), 240)))
    assert (small.format, small.size) == ("JPEG", (240, 160))


def test_importing_the_module_loads_no_pillow():
    code = "import sys, havengate.images; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
