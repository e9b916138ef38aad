import json
import re

import pytest
from schema_cases import load, patched

from havengate.errors import SchemaError
from schemas.findings import LEVELS
from schemas.resolve import resolve
from schemas.table import AccessKeys, FieldSpec, FieldType, PictureSource, TermIndex, VectorIndex
from schemas.vendor import read_schema

BASES = load("bases")
SWAPPED = AccessKeys(
    "The AccessKey secret of the account that you use to access OSS",
    "The AccessKey ID of the account that you use to access OSS",
)


def resolved(schema, *changes):
    return resolve(read_schema(json.dumps(patched(schema, changes))))


def test_pictures_as_base64():
    table = resolved(BASES["base64"])
    assert list(table.fields.values()) == [
        FieldSpec("id", FieldType.INT64),
        FieldSpec("photo", FieldType.STRING),
        FieldSpec("cate_id", FieldType.INT64),
        FieldSpec("title", FieldType.STRING),
        FieldSpec("vector", FieldType.FLOAT, multi_value=True),
    ]
    assert table.primary_key == "id"
    source = PictureSource("photo", "base64")
    assert table.vector_indexes == {
        "vector": VectorIndex("vector", "vector", 512, "SquaredEuclidean", None, "builtin", source, ",")
    }
    assert table.base64_fields == {"photo"}


def test_pictures_in_a_bucket():
    table = resolved(BASES["oss"])
    assert table.primary_key == "sku"
    source = PictureSource("path", "oss", "file:///srv/pictures", "shop")
    assert table.vector_indexes["vector"] == VectorIndex(
        "vector", "vector", 512, "InnerProduct", None, "builtin", source
    )


@pytest.mark.parametrize("order", [["id", "kind", "point"], ["point", "kind", "id"], ["kind", "id", "point"]])
def test_pushed_vectors_with_a_category_in_any_order(order):
    fields = [{"field_name": name} for name in order]
    table = resolved(BASES["pushed"], {"op": "replace", "path": "/indexs/1/index_fields", "value": fields})
    assert table.fields["id"].type is FieldType.UINT32
    assert table.vector_indexes == {
        "points": VectorIndex("points", "point", 3, "InnerProduct", "kind", None, None, " ")
    }


@pytest.mark.parametrize(("alias", "kind"), [("INTEGER", FieldType.INT32), ("Long", FieldType.INT64)])
def test_the_engines_aliases_are_the_types_they_stand_for(alias, kind):
    table = resolved(BASES["base64"], {"op": "replace", "path": "/fields/2/field_type", "value": alias})
    assert table.fields["cate_id"].type is kind


@pytest.mark.parametrize(
    ("sample", "source"),
    [
        ("base64", PictureSource("vector_source_image", "base64")),
        ("oss_path_keys", PictureSource("vector_source_image", "oss", "", "The name of the OSS bucket", SWAPPED)),
        ("oss_path_slr", PictureSource("source_image", "oss", "oss-cn-hangzhou-internal.aliyuncs.com", "/opensearch")),
    ],
)
def test_the_vendors_samples_get_the_templates_indexes(sample, source):
    table = resolved(load(sample))
    assert table.primary_key == "id"
    assert table.vector_indexes == {
        "vector": VectorIndex("vector", "vector", 512, "SquaredEuclidean", None, "clip", source)
    }


def test_the_vendors_indexes_give_what_the_template_gives():
    assert resolved(load("base64") | load("indexs")) == resolved(load("base64"))


def test_the_template_takes_the_only_field_that_can_be_a_key():
    table = resolved(BASES["oss"], {"op": "remove", "path": "/indexs"})
    assert (table.primary_key, list(table.vector_indexes)) == ("sku", ["vector"])


def test_a_table_without_vectors_is_a_table():
    schema = {"fields": [{"field_name": "id", "field_type": "INT64"}, {"field_name": "t", "field_type": "TEXT"}]}
    assert resolved(schema).vector_indexes == {}


def test_inverted_indexes_are_of_words_texts_or_numbers():
    fields = [{"field_name": "body", "field_type": "TEXT"}, {"field_name": "note", "field_type": "text"}]
    both = [{"field_name": "note", "boost": 1}, {"field_name": "body", "boost": 1}, {"field_name": "note", "boost": 1}]
    indexes = {
        "words": ("TEXT", "body"),
        "all": ("pack", both),
        "name": ("STRING", "title"),
        "cate": ("NUMBER", "cate_id"),
    }
    table = resolved(
        BASES["base64"],
        *({"op": "add", "path": "/fields/-", "value": field} for field in fields),
        *(
            {"op": "add", "path": "/indexs/-", "value": {"index_name": n, "index_type": kind, "index_fields": over}}
            for n, (kind, over) in (indexes | {"later": ("EXPACK", both), "shown": ("STRING", "photo")}).items()
        ),
    )
    assert table.term_indexes == {
        "key": TermIndex("key", "NUMBER", ("id",)),
        "words": TermIndex("words", "TEXT", ("body",)),
        "all": TermIndex("all", "TEXT", ("note", "body")),
        "name": TermIndex("name", "STRING", ("title",)),
        "cate": TermIndex("cate", "NUMBER", ("cate_id",)),
    }
    assert list(table.vector_indexes) == ["vector"]


@pytest.mark.parametrize(("base", "kind", "field"), [("base64", "NUMBER", "id"), ("oss", "STRING", "sku")])
def test_the_primary_key_has_an_index_of_its_type(base, kind, field):
    schema = BASES[base]
    name = schema["indexs"][0]["index_name"]
    assert resolved(schema).term_indexes == {name: TermIndex(name, kind, (field,))}


def test_every_error_stands_in_the_message_and_no_warning():
    with pytest.raises(SchemaError) as caught:
        resolved(
            BASES["base64"],
            {"op": "replace", "path": "/indexs/1/parameters/dimension", "value": 3},
            {"op": "replace", "path": "/indexs/1/parameters/distance_type", "value": "Hamming"},
            {"op": "add", "path": "/attributes", "value": []},
        )
    dimension, distance = caught.value.message.splitlines()
    assert dimension.startswith("indexs.vector.parameters.dimension: ")
    assert dimension.endswith("[vector-dimension-512]")
    assert distance.startswith("indexs.vector.parameters.distance_type: ")


@pytest.mark.parametrize("case", load("rules"), ids=lambda case: case["about"])
def test_a_schema_becomes_a_table_exactly_when_it_has_no_errors(case):
    errors = [rule for rule, _ in case["findings"] if LEVELS[rule] == "error"]
    try:
        table = resolved(BASES[case["base"]], *case["changes"])
    except SchemaError as error:
        refused = re.findall(r"\[([\w-]+)\]$", error.message, re.MULTILINE)
    else:
        refused = []
        assert table.primary_key in table.fields
    assert sorted(refused) == sorted(errors)


def with_params(**params):
    schema = load("oss_path_slr")
    schema["fields"][1]["user_defined_param"] = {"content_type": "oss", "oss_bucket": "b", "oss_endpoint": "h"} | params
    return resolve(read_schema(json.dumps(schema))).vector_indexes["vector"].source


@pytest.mark.parametrize(
    ("params", "keys"),
    [
        ({}, None),
        ({"oss_access_key": "", "oss_secret": ""}, None),
        ({"uid": "1234"}, None),
        ({"oss_access_key": "id", "oss_secret": "secret"}, AccessKeys("id", "secret")),
        ({"oss_access_key": "id", "oss_secret": "secret", "uid": 1234}, AccessKeys("id", "secret")),
        ({"oss_access_key": "id", "oss_secret": "secret", "oss_use_slr": "false"}, AccessKeys("id", "secret")),
        ({"oss_access_key": "id", "oss_secret": "secret", "oss_use_slr": "true"}, None),
        ({"oss_access_key": "id", "oss_secret": "secret", "oss_use_slr": True}, None),
    ],
)
def test_keys_count_unless_a_role_is_asked_for(params, keys):
    source = with_params(**params)
    assert source == PictureSource("source_image", "oss", "h", "b", keys)
    assert "secret" not in repr(source)


def test_half_a_pair_of_keys_is_an_error_that_shows_neither():
    with pytest.raises(SchemaError, match="oss_access_key is given without oss_secret") as caught:
        with_params(oss_access_key="hush")
    assert "hush" not in caught.value.message
