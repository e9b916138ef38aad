import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers import CLIPImageProcessorPil

import examples
from embedding.clip.preprocess import prepare, read_recipe
from embedding.entry import Preprocessing
from havengate.errors import ModelError, PictureError
from havengate.images import decode_picture
from havengate.setting_groups import LimitSettings

PHOTO = Path(examples.__file__).parent / "general" / "kodak23.jpg"
OPENAI = {
    "crop_size": 224,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "size": 224,
}


def folder_with(folder, config, name="preprocessor_config.json"):
    (folder / name).write_text(json.dumps(config))
    return folder


def grey_levels(folder, picture):
    """transformers' pixels of a picture, before scale, mean and deviation, [height, width, 3]."""
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    (pixels,) = processor(picture, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"]
    return np.transpose(pixels, (1, 2, 0)).astype(int)


def photo(size):
    with Image.open(PHOTO) as picture:
        return picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)


def grainy(picture):
    """As a camera's sensor makes it; a photo that was only enlarged has nothing to lose."""
    grain = np.random.default_rng(2).integers(-8, 9, (picture.height, picture.width, 3), dtype=np.int16)
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))


def noise(size):
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


SIZES = [
    (480, 320),
    (320, 480),
    (224, 224),
    (225, 224),
    (100, 150),
    (301, 299),
    (1100, 800),
    (801, 1500),
    (3000, 70),
    (70, 3000),
]


@pytest.mark.parametrize("make", [photo, noise])
@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_those_of_transformers_within_two_grey_levels(tmp_path, make, size):
    folder = folder_with(tmp_path, OPENAI)
    pixels = prepare(read_recipe(folder), make(size))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (224, 224, 3)
    assert np.abs(pixels - grey_levels(folder, make(size))).max() <= 2


@pytest.mark.parametrize(
    "config",
    [
        {"size": {"shortest_edge": 64}, "crop_size": {"height": 48, "width": 56}},
        {"size": {"height": 60, "width": 40}, "do_center_crop": False},
        {"size": {"height": 60, "width": 40}, "crop_size": {"height": 32, "width": 32}, "resample": 2},
        {"size": {"shortest_edge": 65}, "crop_size": {"height": 32, "width": 33}, "resample": 1},
        {},
    ],
)
def test_every_step_of_the_file_is_taken(tmp_path, config):
    folder = folder_with(tmp_path, {"image_processor_type": "CLIPImageProcessor", **config})
    for size in ((200, 131), (90, 170)):
        pixels = prepare(read_recipe(folder), photo(size))
        wanted = grey_levels(folder, photo(size))
        assert pixels.shape == wanted.shape
        assert np.abs(pixels - wanted).max() <= 2


@pytest.mark.parametrize("size", [(4000, 3000), (3000, 4000), (2400, 2100)])
def test_a_large_jpeg_decoded_small_is_within_two_grey_levels(tmp_path, size):
    folder, out = folder_with(tmp_path, OPENAI), io.BytesIO()
    grainy(photo(size)).save(out, "JPEG", quality=92)
    small = decode_picture(out.getvalue(), LimitSettings())
    assert min(small.size) < min(size)
    with Image.open(out) as whole:
        difference = np.abs(prepare(read_recipe(folder), small) - grey_levels(folder, whole.convert("RGB")))
    assert difference.max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (3, 200_000), (200_000, 3), (255, 257)])
def test_pictures_of_any_shape_are_prepared(tmp_path, size):
    pixels = prepare(read_recipe(folder_with(tmp_path, OPENAI)), Image.new("RGB", size, (10, 20, 30)))
    assert pixels.shape == (224, 224, 3)
    assert (pixels == (10, 20, 30)).all()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_a_picture_that_is_not_rgb_is_refused(tmp_path, mode):
    with pytest.raises(PictureError, match=mode):
        prepare(read_recipe(folder_with(tmp_path, OPENAI)), Image.new(mode, (4, 4)))


def test_mean_deviation_and_scale_are_those_of_transformers(tmp_path):
    given = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.1, 0.2, 0.3], "rescale_factor": 0.01}
    folder = folder_with(tmp_path, OPENAI | given)
    recipe, picture = read_recipe(folder), photo((224, 224))
    (wanted,) = CLIPImageProcessorPil.from_pretrained(folder)(picture, return_tensors="np")["pixel_values"]
    made = (prepare(recipe, picture) * recipe.scale - np.array(recipe.mean)) / np.array(recipe.std)
    assert np.abs(made - np.transpose(wanted, (1, 2, 0))).max() < 1e-4


def test_the_processors_file_of_transformers_5_is_read(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    nested = folder_with(tmp_path / "a", {"image_processor": OPENAI}, "processor_config.json")
    assert read_recipe(nested) == read_recipe(folder_with(tmp_path / "b", OPENAI))


def test_a_catalogue_entry_stands_in_for_the_file(tmp_path):
    recipe = read_recipe(tmp_path, Preprocessing(32, (0.1, 0.2, 0.3), (1.0, 2.0, 3.0)))
    assert prepare(recipe, photo((90, 60))).shape == (32, 32, 3)
    assert recipe.mean == (0.1, 0.2, 0.3)


def test_the_name_tells_apart_what_gives_other_pixels(tmp_path):
    configs = [
        {},
        {"size": 256},
        {"resample": 2},
        {"crop_size": 200},
        {"image_mean": [0.5, 0.5, 0.5]},
        {"size": {"height": 224, "width": 224}},
    ]
    names = [read_recipe(folder_with(tmp_path, OPENAI | config)).name for config in configs]
    assert len(set(names)) == len(configs)
    assert names[0].startswith("short224-bicubic-crop224x224-norm")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"do_resize": False}, "do_resize"),
        ({"do_rescale": False}, "do_rescale"),
        ({"do_center_crop": False}, "crop"),
        ({"crop_size": 300}, "does not lie inside"),
        ({"size": {"longest_edge": 3}}, "longest_edge|height"),
        ({"resample": 9}, "no filter 9"),
        ({"image_std": [0, 1, 1]}, "image_std"),
        ({"image_mean": [1]}, "image_mean"),
        ({"size": None}, "sizes and numbers"),
    ],
)
def test_steps_that_cannot_be_taken_are_refused_with_the_file(tmp_path, config, says):
    with pytest.raises(ModelError, match=rf"preprocessor_config\.json.*({says})"):
        read_recipe(folder_with(tmp_path, OPENAI | config))


@pytest.mark.parametrize("content", ["[]", "{", ""])
def test_a_file_that_is_no_object_is_refused(tmp_path, content):
    (tmp_path / "preprocessor_config.json").write_text(content)
    with pytest.raises(ModelError, match=r"preprocessor_config\.json"):
        read_recipe(tmp_path)


def test_a_folder_without_the_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"preprocessor_config\.json is missing"):
        read_recipe(tmp_path)
