"""A schema that came masked out of `table show` may come back."""

import json

import pytest

from havengate.errors import SchemaError
from schemas.masking import unmasked
from schemas.templates import template
from schemas.vendor import MASK, read_schema, schema_public


def with_secrets(*secrets):
    vendor = template("oss", endpoint="file:///pictures").to_json()
    (picture,) = [field for field in vendor["fields"] if field["field_name"] == "vector_source_image"]
    picture["user_defined_param"] |= dict(zip(("oss_access_key", "oss_secret"), secrets, strict=True))
    return read_schema(json.dumps(vendor))


def test_masked_secrets_are_those_that_the_table_has():
    old = with_secrets("id-1", "secret-1")
    assert unmasked(read_schema(json.dumps(schema_public(old))), old.to_json()) == old


def test_a_secret_that_is_given_is_taken():
    old, new = with_secrets("id-1", "secret-1"), with_secrets(MASK, "secret-2")
    assert unmasked(new, old.to_json()) == with_secrets("id-1", "secret-2")


def test_fields_are_found_by_name_wherever_they_stand():
    old = with_secrets("id-1", "secret-1")
    shuffled = schema_public(old)
    shuffled["fields"].reverse()
    restored = unmasked(read_schema(json.dumps(shuffled)), old.to_json()).to_json()
    assert sorted(map(str, restored["fields"])) == sorted(map(str, old.to_json()["fields"]))


def test_a_masked_secret_that_the_table_lacks_is_refused():
    with pytest.raises(SchemaError, match=r"fields\[1\].user_defined_param.oss_access_key: is masked") as refused:
        unmasked(with_secrets(MASK, MASK), template("oss", endpoint="file:///pictures").to_json())
    assert "secret-1" not in refused.value.message
