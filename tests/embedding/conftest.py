import pytest


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    """A small CLIP as openai publishes it: vocab.json and merges.txt, an end token that config.json does not know."""
    from clip_folders import save_clip

    return save_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def clip_json_folder(tmp_path_factory):
    """A small CLIP as transformers saves it now."""
    from clip_folders import save_clip

    return save_clip(tmp_path_factory.mktemp("clip-json"), seed=3, legacy_end=False, tokenizer_json=True)


@pytest.fixture(scope="session")
def multilingual_folder(tmp_path_factory):
    from clip_folders import save_multilingual

    return save_multilingual(tmp_path_factory.mktemp("multilingual"))
