import json

import pytest

from embedding.catalogue import find_card, find_entry, load_catalogue
from embedding.entry import Part, Preprocessing
from havengate.errors import ModelError
from havengate.setting_groups import EmbeddingSettings


@pytest.fixture
def settings(tmp_path):
    def make(*models, **others):
        if models:
            file = tmp_path / "mine.json"
            file.write_text(json.dumps({"models": list(models)}))
            others["catalogue"] = file
        return EmbeddingSettings(models_dir=tmp_path / "models", **others)

    return make


OWN = {"name": "mine", "family": "clip", "dimension": 512, "picture": {"repository": "me/tower"}}


def test_the_vendors_models_are_known_before_their_files_are_here(settings):
    entry = find_entry("clip", settings())
    assert entry.picture == Part("openai/clip-vit-base-patch32", "main", "clip")
    assert entry.texts[entry.text].repository == "sentence-transformers/clip-ViT-B-32-multilingual-v1"
    assert find_card("clip", settings()).dimension == 512
    assert find_entry("clip_ecom", settings()).parts == {"picture": Part("patrickjohncyh/fashion-clip")}


def test_an_unknown_name_is_told_the_known_ones(settings):
    with pytest.raises(ModelError, match=r"unknown model 'resnet'; the catalogue has: builtin, clip, clip_ecom$"):
        find_card("resnet", settings())


def test_a_users_entry_is_found_and_a_picture_repository_alone_has_its_own_texts(settings):
    given = {**OWN, "preprocessing": {"size": 64, "mean": [0.5, 0.5, 0.5], "std": [1, 1, 1]}}
    entry = find_entry("mine", settings(given))
    assert entry.texts == {"own": Part("me/tower")}
    assert entry.text_folder == "picture"
    assert entry.preprocessing == Preprocessing(64, (0.5, 0.5, 0.5), (1, 1, 1))


def test_a_users_entry_takes_the_place_of_a_bundled_one(settings):
    assert find_entry("clip", settings({**OWN, "name": "clip"})).picture.repository == "me/tower"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dimension": 0}, "models.0.dimension"),
        ({"dimensions": 512}, "models.0.dimensions"),
        ({"name": "../up"}, "models.0.name"),
        ({"family": "resnet"}, "models.0.family"),
        ({"picture": None}, "models.0: a model of the family clip has a picture"),
        ({"picture": {"repository": "no-owner"}}, "models.0.picture.repository"),
        ({"picture": {"repository": "a/b", "revision": "../x"}}, "models.0.picture.revision"),
        ({"texts": {"t": {"repository": "a/b", "kind": "bert"}}}, "models.0.texts.t.kind"),
        ({"text": "other"}, "text 'other' is none of texts: own"),
        ({"preprocessing": {"size": 64, "mean": [0, 0, 0], "std": [1, 0, 1]}}, "models.0.preprocessing: std"),
        ({"name": "builtin"}, "builtin comes with the packages"),
    ],
)
def test_a_wrong_entry_is_named_by_file_and_key(settings, change, says):
    with pytest.raises(ModelError) as caught:
        load_catalogue(settings({**OWN, **change}))
    assert says in caught.value.message
    assert "mine.json" in caught.value.message


def test_several_texts_need_a_choice(settings):
    texts = {key: {"repository": f"a/{key}", "kind": "clip"} for key in ("en", "zh")}
    with pytest.raises(ModelError, match="which of texts is in use: en, zh"):
        load_catalogue(settings({**OWN, "texts": texts}))
    assert find_entry("mine", settings({**OWN, "texts": texts, "text": "zh"})).text_folder == "text-zh"


def test_a_name_stands_once_in_a_file(settings):
    with pytest.raises(ModelError, match="mine is there twice"):
        load_catalogue(settings(OWN, OWN))


def test_a_file_that_is_not_there_names_the_setting(settings, tmp_path):
    with pytest.raises(ModelError, match=r"HAVENGATE_EMBEDDING__CATALOGUE: .*absent"):
        load_catalogue(settings(catalogue=tmp_path / "absent"))


def test_settings_choose_text_tower_and_revision(settings):
    given = settings(text_towers="clip=original", revisions="openai/clip-vit-base-patch32=refs/pr/7")
    entry = find_entry("clip", given)
    assert entry.parts == {"picture": Part("openai/clip-vit-base-patch32", "refs/pr/7")}
    with pytest.raises(ModelError, match="no text tower 'french'; it has: multilingual, original"):
        find_entry("clip", settings(text_towers="clip=french"))


def test_without_weights_the_error_says_the_command(settings):
    card = find_card("clip", settings())
    for ask in (card.fingerprint, lambda: card.load(settings())):
        with pytest.raises(ModelError, match=r"`havengate models pull clip`"):
            ask()
