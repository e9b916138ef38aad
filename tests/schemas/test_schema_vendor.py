import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_cases import DATA, VENDOR_SAMPLES, load

from havengate.errors import SchemaError
from schemas.rules import check
from schemas.vendor import MAX_DEPTH, read_schema, schema_public

FRAGMENTS = ("base64", "oss_path_keys", "oss_path_slr", "indexs")


def without_braces(name):
    return (DATA / f"{name}.json").read_text("utf-8").strip()[1:-1]


def same(left, right):
    """Equal as JSON: unlike ==, tells true from 1."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_fragment_without_braces_comes_back_as_the_object_it_stands_for(name):
    assert same(read_schema(without_braces(name)).to_json(), load(name))


@pytest.mark.parametrize("name", FRAGMENTS)
def test_an_object_comes_back_equal(name):
    assert same(read_schema((DATA / f"{name}.json").read_bytes()).to_json(), load(name))


def test_fields_and_indexs_may_come_as_one_fragment():
    text = f"{without_braces('base64')},\n{without_braces('indexs')}"
    assert same(read_schema(text).to_json(), load("base64") | load("indexs"))


def test_a_byte_order_mark_is_skipped():
    text = (DATA / "base64.json").read_text("utf-8")
    assert same(read_schema("\ufeff" + text).to_json(), load("base64"))
    assert same(read_schema(text.encode("utf-8-sig")).to_json(), load("base64"))


KEYS = st.text(max_size=8) | st.sampled_from(
    ["type", "model", "to_json", "model_fields", "copy", "fields", "__class__"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
FLAGS = st.sampled_from([True, False, "true", "false"])
NAMES = st.text(max_size=6)


def open_objects(required, optional):
    known = st.fixed_dictionaries(required, optional=optional)
    unknown = st.dictionaries(KEYS.filter(lambda key: key not in {*required, *optional}), JSON, max_size=2)
    return st.builds(lambda extra, model: extra | model, unknown, known)


PARAMS = open_objects(
    {},
    dict.fromkeys(
        (
            *("vector_model", "vector_modal", "vector_source_field", "content_type"),
            *("oss_endpoint", "oss_bucket", "oss_access_key", "oss_secret"),
        ),
        st.none() | NAMES | st.sampled_from(["builtin", "oss", "vector"]),
    ),
)
FIELDS = open_objects(
    {"field_name": NAMES, "field_type": NAMES | st.sampled_from(["INT64", "STRING", "FLOAT", "MAP", "long"])},
    {"multi_value": FLAGS, "user_defined_param": st.none() | PARAMS},
)
PARAMETERS = open_objects(
    {},
    {
        "dimension": st.none() | st.integers() | NAMES,
        "distance_type": st.none() | NAMES,
        "embedding_delimiter": st.none() | NAMES,
    },
)
INDEXES = open_objects(
    {
        "index_name": NAMES,
        "index_type": NAMES | st.sampled_from(["PRIMARYKEY64", "CUSTOMIZED", "TEXT"]),
        "index_fields": NAMES | st.lists(open_objects({"field_name": NAMES}, {}), max_size=4),
    },
    {"parameters": st.none() | PARAMETERS},
)
SCHEMAS = open_objects({}, {"fields": st.lists(FIELDS, max_size=4), "indexs": st.lists(INDEXES, max_size=3)})


@settings(deadline=None)
@given(SCHEMAS)
def test_whatever_is_read_comes_back_equal_and_can_be_judged(schema):
    vendor = read_schema(json.dumps(schema))
    assert same(vendor.to_json(), schema)
    check(vendor)
    assert same(vendor.to_json(), schema)


@settings(deadline=None)
@given(st.text() | st.binary() | JSON.map(json.dumps))
def test_what_is_not_refused_comes_back_equal(text):
    try:
        vendor = read_schema(text)
    except SchemaError:
        return
    assert same(vendor.to_json(), json.loads(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1 column 1: Expecting value"),
        ("[]", "line 1 column 1: a table schema is a JSON object"),
        ('{"fields": [\n  1,}', "line 2 column 5: Expecting value"),
        ('"fields": [\n]\n "indexs": []', "line 3 column 2: Expecting ',' delimiter"),
        ('"fields": nil', "line 1 column 11: Expecting value"),
        ('"fields": [', "line 1 column 12: Expecting value"),
        (b'{"fields": "\xff"}', "byte 12: a table schema is UTF-8 text"),
        ('{"x": NaN}', "NaN is not a JSON number"),
        ('{"x": 1e999}', "1e999 is not a JSON number"),
        ('{"x": ' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", f"nested deeper than {MAX_DEPTH} levels"),
        ("[" * 100_000, "not usable as JSON"),
        ('{"fields": {}}', "fields: Input should be a valid list"),
        ('{"fields": [{"field_type": "INT8"}]}', "fields[0].field_name: Field required"),
        (
            '{"fields": [{"field_name": 1, "field_type": "INT8"}]}',
            "fields[0].field_name: Input should be a valid string",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_error_says_where(text, message):
    with pytest.raises(SchemaError) as caught:
        read_schema(text)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"index_fields": 5}, "indexs[0].index_fields: Input should be a valid string"),
        ({"index_fields": ["id"]}, "indexs[0].index_fields[0]: Input should be a valid dictionary"),
        ({"index_fields": [{"boost": 1}]}, "indexs[0].index_fields[0].field_name: Field required"),
        ({"parameters": {"dimension": 1.5}}, "indexs[0].parameters.dimension: should be a whole number"),
        ({"parameters": {"dimension": True}}, "indexs[0].parameters.dimension: should be a whole number"),
        ({"parameters": "{}"}, "indexs[0].parameters: Input should be a valid dictionary"),
    ],
    ids=str,
)
def test_an_error_in_an_index_says_where(index, message):
    schema = {"indexs": [{"index_name": "v", "index_type": "CUSTOMIZED", "index_fields": "id", **index}]}
    with pytest.raises(SchemaError) as caught:
        read_schema(json.dumps(schema))
    assert message in caught.value.message


def test_all_wrong_types_are_named_at_once():
    fields = [{"field_name": "a", "field_type": "INT8", "multi_value": 1}, {"field_name": "b", "field_type": None}]
    with pytest.raises(SchemaError) as caught:
        read_schema(json.dumps({"fields": fields}))
    assert [line.split(":")[0] for line in caught.value.message.splitlines()] == [
        "fields[0].multi_value",
        "fields[1].field_type",
    ]


def test_secrets_are_masked_at_any_depth_and_kept_in_the_schema():
    schema = load("oss_path_keys") | {"source": [{"accessKeySecret": {"a": 1}, "Password": "p", "access-key-id": "k"}]}
    vendor = read_schema(json.dumps(schema))
    public = schema_public(vendor)
    param = public["fields"][1]["user_defined_param"]
    assert param["oss_secret"] == param["oss_access_key"] == "******"
    assert set(public["source"][0].values()) == {"******"}
    param |= {key: schema["fields"][1]["user_defined_param"][key] for key in ("oss_secret", "oss_access_key")}
    assert same(public | {"source": schema["source"]}, schema)
    assert same(vendor.to_json(), schema)


def test_neither_the_representation_nor_an_error_repeats_a_secret():
    schema = load("oss_path_keys")
    schema["fields"][1]["user_defined_param"]["oss_secret"] = "s3cret"
    assert "s3cret" not in repr(read_schema(json.dumps(schema)))
    schema["fields"][1]["user_defined_param"]["oss_bucket"] = {"oss_secret": "s3cret"}
    with pytest.raises(SchemaError) as caught:
        read_schema(json.dumps(schema))
    assert "s3cret" not in f"{caught.value} {caught.value.__cause__}"


def test_nothing_is_masked_where_there_is_no_secret():
    for name in set(VENDOR_SAMPLES) - {"oss_path_keys"}:
        assert same(schema_public(read_schema(json.dumps(load(name)))), load(name))
