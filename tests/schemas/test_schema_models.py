from embedding import catalogue
from schemas.field_rules import MODELS, MODELS_HERE


def test_schemas_name_the_models_that_can_be_loaded_and_those_of_later_versions():
    assert MODELS_HERE == catalogue.MODELS
    assert (*MODELS,) == (*catalogue.MODELS, *catalogue.LATER_MODELS)
