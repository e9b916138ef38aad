from embedding.catalogue import load_catalogue
from havengate.setting_groups import EmbeddingSettings
from schemas.field_rules import MODELS


def test_schemas_name_the_models_of_this_version(tmp_path):
    assert tuple(load_catalogue(EmbeddingSettings(models_dir=tmp_path))) == MODELS
