"""The main object of a picture, by detectors that the tests make: they find the reddest block of their input."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op
from PIL import Image

from embedding.crop.cropper import Cropper
from embedding.crop.square import Box, around
from embedding.service import EmbeddingService
from havengate.errors import ModelError, PictureError
from havengate.setting_groups import EmbeddingSettings

SIDE = 64
BLOCK = 16
PER_ROW = SIDE // BLOCK


def detector(columns=6, *, layout="nchw", kind=ov.Type.f32, least_red=0.0):
    """A graph that answers with all blocks of its input; the score is the share of pure red in one."""
    shape = [1, 3, SIDE, SIDE] if layout == "nchw" else [1, SIDE, SIDE, 3]
    picture = op.parameter(shape, kind, name="picture")
    pixels = op.convert(picture, "f32")
    if kind != ov.Type.f32:
        pixels = op.divide(pixels, np.float32(255))
    if layout != "nchw":
        pixels = op.transpose(pixels, np.array([0, 3, 1, 2]))
    blocks = op.avg_pool(pixels, [BLOCK, BLOCK], [0, 0], [0, 0], [BLOCK, BLOCK], exclude_pad=False)
    red, green, blue = op.split(blocks, 1, 3).outputs()
    score = op.subtract(red, op.add(op.add(green, blue), np.float32(least_red)))
    rows = [op.reshape(score, np.array([PER_ROW**2, 1]), False)]
    places = np.array([(x, y, x + BLOCK, y + BLOCK) for y in range(0, SIDE, BLOCK) for x in range(0, SIDE, BLOCK)])
    sides = op.constant((places / (SIDE if columns == 7 else 1)).astype(np.float32))
    zeros = op.constant(np.zeros((PER_ROW**2, 1), np.float32))
    parts = {5: [sides, *rows], 6: [sides, *rows, zeros], 7: [zeros, zeros, *rows, sides]}[columns]
    found = op.reshape(op.concat(parts, 1), np.array([1, PER_ROW**2, columns]), False)
    return ov.Model([found], [picture], "blocks")


@pytest.fixture
def saved(tmp_path):
    def save(model):
        ov.save_model(model, tmp_path / "detector.xml", compress_to_fp16=False)
        return tmp_path / "detector.xml"

    return save


def scene(size, box, colour="red"):
    picture = Image.new("RGB", size, "white")
    picture.paste(colour, box)
    return picture


@pytest.mark.parametrize(
    ("columns", "layout", "kind"),
    [(5, "nchw", ov.Type.f32), (6, "nhwc", ov.Type.u8), (7, "nchw", ov.Type.u8)],
)
def test_the_object_is_cut_out_by_any_detector_of_a_known_kind(saved, columns, layout, kind):
    file = saved(detector(columns, layout=layout, kind=kind))
    picture = scene((640, 320), (480, 80, 640, 160))
    found = Cropper(file, 1).crop_main_object(picture)
    assert found.size == (160, 160)
    # The block of 160 x 80 pixels, and above and below it what makes a square.
    assert found.getpixel((80, 80)) == (255, 0, 0)
    red = (np.asarray(found) == (255, 0, 0)).all(axis=2)
    assert red.sum() == 160 * 80


def test_nothing_sure_enough_leaves_the_middle(saved):
    file = saved(detector(least_red=0.9))
    assert Cropper(file, 1).crop_main_object(scene((100, 60), (0, 0, 15, 15))).getcolors() == [(3600, (255, 255, 255))]


def test_without_a_detector_it_is_the_middle_square():
    picture = scene((100, 60), (0, 0, 20, 60))
    found = Cropper(None, 1).crop_main_object(picture)
    assert (found.size, found.getcolors()) == ((60, 60), [(3600, (255, 255, 255))])


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (Box(40, 40, 60, 60), (40, 40, 60, 60)),
        (Box(40, 45, 60, 55), (40, 40, 60, 60)),
        (Box(0, 45, 10, 75), (0, 45, 30, 75)),
        (Box(190, 0, 200, 30), (170, 0, 200, 30)),
        (Box(0, 0, 200, 50), (50, 0, 150, 100)),
        (Box(7.2, 7.2, 7.4, 7.3), (7, 7, 8, 8)),
    ],
)
def test_squares_stay_inside_the_picture(box, expected):
    x, y = np.meshgrid(np.arange(200, dtype=np.uint8), np.arange(100, dtype=np.uint8))
    picture = Image.fromarray(np.stack([x, y, x], axis=2))
    found = np.asarray(around(picture, box))
    left, top, right, bottom = expected
    assert found.shape == (bottom - top, right - left, 3)
    assert tuple(found[0, 0][:2]) == (left, top)


def test_many_threads_share_one_detector(saved):
    cropper = Cropper(saved(detector()), 1)
    pictures = [scene((640, 640), (160 * n, 160 * n, 160 * n + 160, 160 * n + 160)) for n in range(4)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(cropper.crop_main_object, pictures * 5))
    assert all(each.getcolors() == [(160 * 160, (255, 0, 0))] for each in found)


def test_the_service_crops_by_the_detector_of_its_settings(saved):
    service = EmbeddingService(EmbeddingSettings(detector=saved(detector())))
    assert service.crop_main_object(scene((64, 64), (48, 48, 64, 64))).getcolors() == [(256, (255, 0, 0))]
    service.close()


def without_rows():
    picture = op.parameter([1, 3, SIDE, SIDE], ov.Type.f32)
    return ov.Model([op.reduce_mean(picture, np.array([1]), False)], [picture])


def of_any_size():
    picture = op.parameter([-1, 3, -1, -1], ov.Type.f32)
    return ov.Model([op.relu(picture)], [picture])


def of_two_pictures():
    pictures = [op.parameter([1, 3, SIDE, SIDE], ov.Type.f32) for _ in range(2)]
    return ov.Model([op.add(*pictures)], pictures)


@pytest.mark.parametrize(
    ("make", "says"),
    [(without_rows, "rows of 5, 6 or 7"), (of_any_size, "fixed size"), (of_two_pictures, "single picture")],
)
def test_a_model_that_is_no_detector_is_refused_by_the_settings_name(saved, make, says):
    with pytest.raises(ModelError, match=f"HAVENGATE_EMBEDDING__DETECTOR.*{says}"):
        Cropper(saved(make()), 1).crop_main_object(scene((9, 9), (0, 0, 3, 3)))


@pytest.mark.parametrize("content", [None, b"", b"not a model"])
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    file = tmp_path / "detector.onnx"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelError, match="HAVENGATE_EMBEDDING__DETECTOR"):
        Cropper(file, 1).crop_main_object(scene((9, 9), (0, 0, 3, 3)))


def test_a_picture_that_is_not_rgb_is_refused():
    with pytest.raises(PictureError, match="RGBA"):
        Cropper(None, 1).crop_main_object(Image.new("RGBA", (4, 4)))


def field(number, value):
    """One field of a protobuf message, which is what an ONNX file is."""
    if isinstance(value, int):
        return bytes([number << 3]) + varint(value)
    body = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2]) + varint(len(body)) + body


def varint(value):
    low = value & 0x7F
    return bytes([low]) if value == low else bytes([low | 0x80]) + varint(value >> 7)


def onnx_value(name, shape):
    sides = b"".join(field(1, field(1, side)) for side in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, sides)))


def onnx_node(kind, inputs, output):
    return field(1, b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind))


def onnx_detector(row):
    """Answers with one row, whatever it sees."""
    numbers = np.array(row, np.float32)
    tensors = {"zero": np.zeros_like(numbers), "row": numbers}
    graph = onnx_node("GlobalMaxPool", ["picture"], "most") + onnx_node("ReduceMax", ["most"], "one")
    graph += onnx_node("Mul", ["one", "zero"], "none") + onnx_node("Add", ["none", "row"], "objects")
    graph += field(2, "one-object")
    for name, values in tensors.items():
        sides = b"".join(field(1, side) for side in values.shape)
        graph += field(5, sides + field(2, 1) + field(8, name) + field(9, values.tobytes()))
    graph += field(11, onnx_value("picture", (1, 3, SIDE, SIDE))) + field(12, onnx_value("objects", numbers.shape))
    return field(1, 8) + field(7, graph) + field(8, field(2, 13))


def test_an_onnx_file_is_a_detector_too(tmp_path):
    file = tmp_path / "detector.onnx"
    file.write_bytes(onnx_detector([[[[16, 16, 32, 32, 0.9, 0]]]]))
    found = Cropper(file, 1).crop_main_object(scene((640, 640), (160, 160, 320, 320)))
    assert found.getcolors() == [(160 * 160, (255, 0, 0))]
