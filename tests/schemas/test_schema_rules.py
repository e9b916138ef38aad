import json
from collections import Counter

import pytest
from schema_cases import load, patched

from schemas.findings import LEVELS
from schemas.rules import check
from schemas.vendor import read_schema

BASES, CASES = load("bases"), load("rules")


def found(schema):
    return check(read_schema(json.dumps(schema)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_a_schema_gets_the_findings_of_the_rules_it_breaks_and_no_others(case):
    findings = found(patched(BASES[case["base"]], case["changes"]))
    assert Counter((f.rule, f.where) for f in findings) == Counter(map(tuple, case["findings"]))
    assert all(f.level == LEVELS[f.rule] for f in findings)


def test_every_rule_has_a_case_that_breaks_it_beside_schemas_that_break_none():
    assert {rule for case in CASES for rule, _ in case["findings"]} == set(LEVELS)
    assert not any(found(schema) for schema in BASES.values())


def test_errors_come_before_warnings():
    schema = patched(BASES["oss"], [{"op": "add", "path": "/attributes", "value": []}])
    schema["indexs"][1]["parameters"]["dimension"] = 3
    assert [f.level for f in found(schema)] == ["error", "warning"]


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"path": "/fields/3/field_type", "value": "VARCHAR"}, ["'VARCHAR'", "STRING", "MAP", "LONG"]),
        ({"path": "/fields/4/user_defined_param/vector_source_field", "value": "image"}, ["'image'", "photo, title"]),
        ({"path": "/indexs/1/parameters/distance_type", "value": "Cosine"}, ["'Cosine'", "SquaredEuclidean"]),
        ({"path": "/indexs/1/parameters/dimension", "value": "256"}, ["512", "'256'"]),
        ({"path": "/indexs/1/parameters/dimension", "value": "9" * 9999}, ["512", "'99999999999999999999'"]),
        ({"path": "/indexs/1/index_fields/0/field_name", "value": "sku"}, ["'sku'", "id, photo, cate_id"]),
    ],
    ids=lambda value: value["path"] if isinstance(value, dict) else "",
)
def test_a_message_names_what_was_given_and_what_is_known(change, parts):
    (finding,) = found(patched(BASES["base64"], [{"op": "replace", **change}]))
    assert all(part in finding.message for part in parts), finding.message
    assert str(finding) == f"error: {finding.where}: {finding.message} [{finding.rule}]"


def test_a_model_of_the_users_own_is_a_warning_that_names_the_command():
    change = {"op": "replace", "path": "/fields/4/user_defined_param/vector_model", "value": "resnet"}
    (finding,) = found(patched(BASES["base64"], [change]))
    assert finding.level == "warning"
    assert all(part in finding.message for part in ("'resnet'", "builtin", "clip_ecom", "`havengate models add`"))


def test_a_finding_is_one_line_whatever_the_names():
    schema = patched(BASES["base64"], [{"op": "replace", "path": "/fields/3/field_name", "value": "a\n\u2028b"}])
    (finding,) = found(schema)
    assert len(str(finding).splitlines()) == 1


def test_a_schema_inside_an_object_is_pointed_out():
    messages = {f.rule: f.message for f in found({"schema": BASES["base64"]})}
    assert messages["fields-missing"].endswith('(take what stands inside "schema")')


def test_no_finding_repeats_a_secret():
    schema = load("oss_path_keys")
    keys = {"oss_secret": "LTAIs3cret-1", "oss_access_key": "s3cret-2", "oss_endpoint": "https://me:s3cret@host"}
    schema["fields"][1]["user_defined_param"] |= keys
    findings = found(schema)
    assert {"secret-in-schema", "oss-keys-swapped", "oss-endpoint"} <= {f.rule for f in findings}
    assert not any("s3cret" in str(f) for f in findings)


def test_the_vendors_samples_have_warnings_only():
    rules = {name: [f.rule for f in found(load(name))] for name in ("base64", "oss_path_keys", "oss_path_slr")}
    assert rules == {
        "base64": ["indexs-from-template"],
        "oss_path_keys": ["oss-endpoint-setting", "oss-bucket", "indexs-from-template", "secret-in-schema"],
        "oss_path_slr": [
            "vector-source-resolved",
            "indexs-from-template",
            "crop",
            "oss-role",
        ],
    }
