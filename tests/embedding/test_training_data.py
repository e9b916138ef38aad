"""The data that `builtin` is trained on, stage by stage: a handful of concepts, drawings and photos made here."""

import base64
import hashlib
import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from embedding.builtin.texts import normalise
from embedding.builtin.training import augment, drawings, render, sources, texts
from embedding.builtin.training.clothes import CLASSES, photos
from embedding.builtin.training.features import Sample, extract, picture_of
from embedding.builtin.training.sources import Package
from havengate.errors import ModelError

SQUARE = '<path fill="red" d="M2 2h12v12H2z"/>'


def archive(path, members):
    """An npm archive of JSON files."""
    with tarfile.open(path, "w:gz") as files:
        for name, content in members.items():
            data = json.dumps(content).encode()
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            files.addfile(entry, io.BytesIO(data))
    return path


def emoji(code, label, group, subgroup, tags):
    return {"hexcode": code, "label": label, "group": group, "subgroup": subgroup, "tags": tags}


@pytest.fixture
def labels(tmp_path):
    english = [
        emoji("1F457", "dress", 7, 65, ["clothes", "woman"]),
        emoji("2764-FE0F", "red heart", 8, 14, ["love"]),
        emoji("1F1E8-1F1F3", "flag: China", 9, 98, []),
        emoji("1F3FB", "light skin tone", 2, 32, []),
    ]
    chinese = [row | {"label": label} for row, label in zip(english, ["连衣裙", "红心", "旗", "肤色"], strict=True)]
    groups = {"2": "component", "7": "objects", "8": "symbols", "9": "flags"}
    shortcodes = {f"en/shortcodes/{kind}.json": {"2764-FE0F": "heart"} for kind in ("emojibase", "iamcal", "github")}
    members = {
        "en/data.json": english,
        "zh/data.json": chinese,
        "meta/groups.json": {"groups": groups, "subgroups": {"14": "heart", "65": "clothing"}},
        "en/shortcodes/joypixels.json": {"1F457": ["dress", "gown"]},
        **shortcodes,
    }
    return archive(tmp_path / "labels.tgz", members)


def icons(*names):
    return {"width": 16, "height": 16, "icons": {name: {"body": SQUARE} for name in names}}


@pytest.fixture
def archives(tmp_path):
    def made(name, members):
        return archive(tmp_path / f"{name}.tgz", members)

    chars = {"chars.json": {"1f457": "dress", "2764": "red-heart"}}
    return {
        "noto": made("noto", {"icons.json": icons("dress", "red-heart"), **chars}),
        "noto-v1": made("noto-v1", {"icons.json": icons("dress")}),
        "fxemoji": made("fxemoji", {"icons.json": icons("gown", "somethingelse")}),
        "fluent-emoji": made("fluent-emoji", {"icons.json": icons("red-heart")}),
        "fluent-emoji-flat": made("fluent-emoji-flat", {"icons.json": icons("dress", "red-heart"), **chars}),
    }


def test_an_archive_is_held_to_its_integrity(tmp_path):
    package = Package("@scope/name", "1.0.0", "MIT", "")
    file = archive(tmp_path / "scope-name-1.0.0.tgz", {"a.json": [1]})
    digest = base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
    good = Package(package.name, package.version, package.licence, digest)
    assert sources.read_json(sources.fetch(good, tmp_path), "a.json") == [1]
    with pytest.raises(ModelError, match=r"not that of @scope/name 1\.0\.0"):
        sources.fetch(package, tmp_path)
    with pytest.raises(ModelError, match=r"no file b\.json"):
        sources.read_json(file, "b.json")


def test_every_source_is_pinned_and_training_has_none_that_forbids_it():
    pinned = [*sources.DRAWINGS, sources.LABELS, sources.UNSEEN_DRAWINGS]
    assert all(len(base64.b64decode(package.sha512)) == 64 for package in pinned)
    assert {package.licence for package in (*sources.DRAWINGS, sources.LABELS)} == {"Apache-2.0", "MIT"}


def test_concepts_are_the_emoji_without_flags_and_components(labels):
    dress, heart = drawings.read_concepts(labels)
    assert (dress.code, dress.english.label, dress.chinese.label, dress.clothing) == ("1f457", "dress", "连衣裙", True)
    assert (heart.code, heart.english.tags, heart.clothing) == ("2764", ("love",), False)


def test_drawings_are_found_by_code_point_or_by_name(labels, archives):
    found = drawings.read_drawings(archives, drawings.read_concepts(labels))
    assert [(drawing.package, drawing.code) for drawing in found] == [
        ("noto", "1f457"),
        ("noto", "2764"),
        ("noto-v1", "1f457"),
        ("fxemoji", "1f457"),
        ("fluent-emoji", "2764"),
        ("fluent-emoji-flat", "1f457"),
        ("fluent-emoji-flat", "2764"),
    ]


def test_unseen_drawings_are_those_of_the_concepts_and_of_private_code_points(labels, tmp_path):
    chars = {"1f457": "dress", "e123": "own", "1f1e8-1f1f3": "flag", "1f47a": "other"}
    file = archive(tmp_path / "o.tgz", {"icons.json": icons("dress", "own", "flag", "other"), "chars.json": chars})
    assert [d.code for d in drawings.read_unseen(file, drawings.read_concepts(labels))] == ["1f457", "e123"]


def test_a_drawing_becomes_a_square_with_a_transparent_ground_and_is_drawn_once(tmp_path):
    wide = drawings.Drawing(
        "noto", "1f457", f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 16">{SQUARE}</svg>'
    )
    render.render_all([wide], tmp_path)
    path = render.picture_path(wide, tmp_path)
    with Image.open(path) as picture:
        assert (picture.mode, picture.size) == ("RGBA", (256, 256))
        assert picture.getpixel((56, 128)) == (255, 0, 0, 255)
        assert picture.getpixel((128, 20))[3] == 0
    path.write_bytes(b"kept")
    render.render_all([wide], tmp_path)
    assert path.read_bytes() == b"kept"


@pytest.fixture
def red():
    """A drawing: a red square on nothing."""
    drawing = Image.new("RGBA", (256, 256))
    drawing.paste((255, 0, 0, 255), (64, 64, 192, 192))
    return drawing


@pytest.fixture
def photo():
    return Image.effect_noise((300, 200), 80).convert("RGB")


@pytest.mark.parametrize("kind", ["drawing", "photo", "copy"])
def test_a_seed_and_a_name_give_the_same_picture_and_another_name_another(red, photo, kind):
    def made(name):
        rng = augment.generator(1, name)
        if kind == "drawing":
            return augment.drawing_variant(red, photo, rng)
        return augment.photo_variant(photo, rng) if kind == "photo" else augment.near_copy(photo, rng)

    pictures = [made(name) for name in ("a", "a", "b")]
    assert all(picture.mode == "RGB" for picture in pictures)
    first, again, other = (picture.tobytes() for picture in pictures)
    assert first == again != other


def test_a_clean_drawing_lies_on_white(red):
    picture = augment.clean_drawing(red)
    assert picture.getpixel((128, 128)) == (255, 0, 0)
    assert picture.getpixel((5, 5)) == (255, 255, 255)


def test_features_are_computed_once_and_a_missing_shard_again(tmp_path, red, photo):
    red.save(tmp_path / "red.png")
    photo.save(tmp_path / "photo.png")
    samples = [Sample(tmp_path / "red.png", "red", n, tmp_path / "photo.png") for n in (0, 1)]
    samples.append(Sample(tmp_path / "photo.png", "photo", 1))
    rows = extract(samples, tmp_path / "features", seed=1)
    assert rows.shape == (3, 1280)
    (shard,) = tmp_path.glob("features-*/*")
    np.save(shard, np.ones((3, 1280), np.float16))
    assert (extract(samples, tmp_path / "features", seed=1) == 1).all()
    shard.unlink()
    assert np.array_equal(extract(samples, tmp_path / "features", seed=1), rows)
    assert not np.array_equal(extract(samples, tmp_path / "features", seed=2), rows)


def test_the_picture_itself_is_a_photo_untouched_or_a_drawing_on_white(tmp_path, red, photo):
    red.save(tmp_path / "red.png")
    photo.save(tmp_path / "photo.png")
    assert picture_of(Sample(tmp_path / "photo.png", "photo", 0), 1).tobytes() == photo.tobytes()
    on_white = picture_of(Sample(tmp_path / "red.png", "red", 0, tmp_path / "photo.png"), 1)
    assert on_white.tobytes() == augment.clean_drawing(red).tobytes()


def test_clothing_photos_are_read_by_class_and_a_class_without_any_is_named(tmp_path):
    for kind in CLASSES:
        (tmp_path / "train" / kind).mkdir(parents=True)
        (tmp_path / "train" / kind / "1.jpg").touch()
    assert [kind for kind, _ in photos(tmp_path, "train")] == list(CLASSES)
    (tmp_path / "train" / "hat" / "1.jpg").unlink()
    with pytest.raises(ModelError, match="no photos of hat"):
        photos(tmp_path, "train")


def test_a_concept_lies_at_the_mean_of_its_phrasings_whatever_their_number():
    def embed(phrasings):
        return normalise(np.array([[1, 0, 0] if text.isascii() else [0, 1, 0] for text in phrasings], np.float32))

    concept = drawings.Concept("2764", drawings.Words("heart", ("love",)), drawings.Words("心", ()), False, frozenset())
    found = texts.text_vectors(embed, [concept], np.eye(3, dtype=np.float32))
    assert found.concepts[0] == pytest.approx(np.array([0.5, 0.5, 0]) ** 0.5, abs=1e-6)
    assert len(found.concepts) == 1 + len(CLASSES)


def test_a_label_is_said_with_tags_and_weighs_most():
    words = drawings.Words("dress", ("dress", "a", "b", "c", "d", "e"))
    assert texts.phrasings_of(words) == ["dress", "dress", "dress, a, b, c, d", "a, b, c"]
    assert texts.phrasings_of(drawings.Words("dress", ())) == ["dress", "dress"]


def test_main_axes_are_the_directions_of_most_of_the_energy():
    rows = np.array([[3, 0, 0], [-3, 0, 0], [0, 2, 0], [0, 0, 1]], np.float32)
    assert np.abs(texts.main_axes(rows, 2)) == pytest.approx(np.array([[1, 0], [0, 1], [0, 0]]), abs=1e-6)
