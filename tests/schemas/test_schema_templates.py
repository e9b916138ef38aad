import pytest
from schema_cases import load

from havengate.errors import SchemaError
from schemas.resolve import resolve
from schemas.rules import check
from schemas.table import PictureSource
from schemas.templates import complete, template
from schemas.vendor import read_schema


@pytest.mark.parametrize("kind", ["base64", "push"])
def test_templates_with_pictures_as_base64(kind):
    vendor = template(kind)
    assert check(vendor) == ()
    assert resolve(vendor).vector_indexes["vector"].source == PictureSource("vector_source_image", "base64")


def test_the_template_with_paths():
    vendor = template("oss", endpoint="file:///srv", bucket="pictures")
    assert check(vendor) == ()
    source = PictureSource("vector_source_image", "oss", "file:///srv", "pictures")
    assert resolve(vendor).vector_indexes["vector"].source == source


def test_a_template_is_the_vendors_sample_but_for_the_model():
    fields = template("base64", model="clip").to_json()["fields"]
    assert fields == load("base64")["fields"]


def test_extra_fields_join_and_take_the_place_of_presets():
    title, key = {"field_name": "title", "field_type": "STRING"}, {"field_name": "id", "field_type": "STRING"}
    table = resolve(template("base64", extra_fields=(title, key)))
    assert list(table.fields) == ["id", "vector_source_image", "cate_id", "vector", "title"]
    assert table.key_type == "STRING"


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("video", {}, "no template 'video' (templates: oss, base64, push)"),
        ("base64", {"bucket": "b"}, "endpoint and bucket belong to the template oss"),
    ],
)
def test_what_a_template_does_not_have_is_refused(kind, options, message):
    with pytest.raises(SchemaError) as caught:
        template(kind, **options)
    assert message in caught.value.message


def test_completing_leaves_the_schema_itself_as_it_came():
    vendor = read_schema('"fields": [{"field_name": "id", "field_type": "INT64"}]')
    assert [index.index_name for index in complete(vendor).indexs] == ["id"]
    assert vendor.to_json() == {"fields": [{"field_name": "id", "field_type": "INT64"}]}
