"""An export is what OpenSearch Dashboards takes: known attributes, JSON inside strings, references that lead on."""

import copy
import json

import pytest
from dashboard_samples import EVERY_KIND, GATEWAY, made, spec_of, vendor_of
from dashboards_types import check_export, check_object, fields_of, parse, source_of, state_of

from engines.opensearch.mapping import INTERNAL
from engines.opensearch.published import KINDS
from havengate.dashboards.charts import Chart
from havengate.dashboards.export import gateway_url
from havengate.dashboards.overview import HISTORY_FIELDS, SLOW_FIELDS, Scope
from havengate.dashboards.tables import category_field, columns
from havengate.errors import RequestError
from schemas.templates import template

PLAIN = template("base64", extra_fields=EVERY_KIND)
BUCKET = template("oss", endpoint="oss.example.com", bucket="b")
TWO_PICTURES = vendor_of(
    fields=[
        {"field_name": "key", "field_type": "STRING"},
        {"field_name": "front", "field_type": "STRING"},
        {"field_name": "back", "field_type": "STRING"},
        *(
            {
                "field_name": f"{side}_vector",
                "field_type": "FLOAT",
                "multi_value": True,
                "user_defined_param": {
                    "vector_model": "builtin",
                    "vector_modal": "image",
                    "vector_source_field": side,
                },
            }
            for side in ("front", "back")
        ),
        {"field_name": "picture", "field_type": "TEXT"},
        {"field_name": "_kind", "field_type": "INT8"},
    ],
    indexs=[
        {"index_name": "key", "index_type": "PRIMARYKEY64", "index_fields": "key"},
        *(
            {
                "index_name": side,
                "index_type": "CUSTOMIZED",
                "index_fields": [
                    {"field_name": "key", "boost": 1},
                    {"field_name": f"{side}_vector", "boost": 1},
                ],
            }
            for side in ("front", "back")
        ),
    ],
)
NO_PICTURES = vendor_of(
    fields=[
        {"field_name": "id", "field_type": "INT64"},
        {
            "field_name": "vector",
            "field_type": "FLOAT",
            "multi_value": True,
        },
        {"field_name": "weight", "field_type": "DOUBLE"},
    ],
    indexs=[
        {"index_name": "id", "index_type": "PRIMARYKEY64", "index_fields": "id"},
        {
            "index_name": "vector",
            "index_type": "CUSTOMIZED",
            "index_fields": [{"field_name": "id", "boost": 1}, {"field_name": "vector", "boost": 1}],
            "indexer": "aitheta2_indexer",
            "parameters": {"dimension": "4", "distance_type": "InnerProduct"},
        },
    ],
)


@pytest.fixture(params=["plain", "bucket", "two pictures", "no pictures", "none", "all", "scoped"])
def export(request):
    plain = spec_of("plain", vendor=PLAIN)
    specs = {
        "plain": [plain],
        "bucket": [spec_of("T_2", vendor=BUCKET)],
        "two pictures": [spec_of("two", vendor=TWO_PICTURES)],
        "no pictures": [spec_of("none", vendor=NO_PICTURES)],
        "none": [],
        "all": [plain, spec_of("two", vendor=TWO_PICTURES), spec_of("none", vendor=NO_PICTURES)],
        "scoped": [plain],
    }[request.param]
    return made(*specs, tables=("plain",) if request.param == "scoped" else (), slow=request.param != "bucket")


def test_dashboards_takes_every_object(export):
    kinds = {kind for kind, _ in check_export(export.lines)}
    assert {"index-pattern", "visualization", "dashboard"} <= kinds


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda each: each["attributes"].update(unheardOf=1), "unknown"),
        (lambda each: each.update(version="1"), "unknown"),
        (lambda each: each["attributes"].update(hits="0"), "no integer"),
        (lambda each: each["attributes"].update(title=1), "no text"),
        (lambda each: each["attributes"].pop("title"), "lacks"),
        (lambda each: each["migrationVersion"].update(search="8.0.0"), "8.0.0"),
    ],
)
def test_the_check_finds_what_dashboards_would_not_take(change, complaint):
    each = made(spec_of())["search", "t.rows"]
    check_object(each)
    changed = copy.deepcopy(each)
    change(changed)
    with pytest.raises(AssertionError, match=complaint):
        check_object(changed)


def test_a_reference_that_leads_nowhere_is_found():
    lines = made(spec_of()).lines.splitlines()
    without = [line for line in lines if json.loads(line).get("type") != "search"]
    without[-1] = without[-1].replace(str(len(lines) - 1), str(len(lines) - 2))
    with pytest.raises(KeyError):
        check_export("\n".join(without))


def test_the_picture_is_the_rows_key_in_a_url_of_the_gateway():
    pattern = made(spec_of())["index-pattern", "t"]
    picture = fields_of(pattern)["picture"]
    assert (picture["script"], picture["lang"], picture["type"]) == ("doc['id'].value.toString()", "painless", "string")
    (form,) = json.loads(pattern["attributes"]["fieldFormatMap"]).values()
    assert form["params"]["type"] == "img"
    assert form["params"]["urlTemplate"] == f"{GATEWAY}/images/t/{{{{value}}}}?token=TOKEN&size=160"
    # The alternative text of a picture is its row's key, and not a URL with a token.
    assert form["params"]["labelTemplate"] == "{{value}}"


def test_each_of_several_pictures_has_a_field_whose_name_is_free():
    pattern = made(spec_of("two", vendor=TWO_PICTURES))["index-pattern", "two"]
    forms = json.loads(pattern["attributes"]["fieldFormatMap"])
    urls = {name: form["params"]["urlTemplate"].rpartition("=")[2] for name, form in forms.items()}
    assert urls == {"picture_": "front", "picture_back": "back"}
    assert fields_of(pattern)["picture"]["scripted"] is False


def test_a_table_without_pictures_has_no_picture():
    pattern = made(spec_of("none", vendor=NO_PICTURES))["index-pattern", "none"]
    assert "fieldFormatMap" not in pattern["attributes"]
    assert not any(field["scripted"] for field in fields_of(pattern).values())


def test_what_is_the_engines_own_is_hidden_by_one_pattern():
    pattern = made(spec_of("t", *EVERY_KIND))["index-pattern", "t"]
    assert json.loads(pattern["attributes"]["sourceFilters"]) == [{"value": f"{INTERNAL}*"}]
    assert not [name for name in fields_of(pattern) if name.startswith(INTERNAL)]


def test_fields_are_what_the_mapping_makes_of_them():
    fields = fields_of(made(spec_of("t", *EVERY_KIND))["index-pattern", "t"])
    said = {name: (field["type"], field.get("esTypes"), field["aggregatable"]) for name, field in fields.items()}
    assert said["title"] == ("string", ["keyword"], True)
    assert said["title-words"] == ("string", ["text"], False)
    assert said["price"] == ("number", ["float"], True)
    assert said["big"] == ("number", ["unsigned_long"], True)
    assert said["bigs"] == ("number", ["unsigned_long"], False)
    assert "tags" not in said
    assert "vector" not in said


@pytest.mark.parametrize(
    ("vendor", "first"),
    [
        (PLAIN, ["picture", "title", "maker", "labels", "id", "cate_id", "price", "big"]),
        (TWO_PICTURES, ["picture_", "picture_back", "picture", "key", "field-_kind"]),
        (NO_PICTURES, ["id", "weight"]),
    ],
)
def test_pictures_come_first_then_titles(vendor, first):
    assert columns(spec_of(vendor=vendor).schema) == first


def test_rows_are_counted_by_the_category_else_by_what_may_be_one():
    assert category_field(spec_of(vendor=PLAIN).schema).name == "cate_id"
    assert category_field(spec_of(vendor=TWO_PICTURES).schema).name == "_kind"
    assert category_field(spec_of(vendor=NO_PICTURES).schema) is None
    objects, _ = parse(made(spec_of("none", vendor=NO_PICTURES)).lines)
    assert ("visualization", "havengate-none.categories") not in objects


def test_objects_keep_their_ids_so_that_an_import_replaces_them():
    names = set(parse(made(spec_of("a"), spec_of("b")).lines)[0])
    assert names == set(parse(made(spec_of("b"), spec_of("a", *EVERY_KIND)).lines)[0])
    assert ("index-pattern", "havengate-a") in names


def test_an_export_of_one_table_leaves_the_dashboard_of_all_alone():
    every, _ = parse(made(spec_of("a"), spec_of("b")).lines)
    one, _ = parse(made(spec_of("a"), tables=("a",)).lines)
    same = {name: each for name, each in one.items() if name in every}
    assert same == {name: every[name] for name in same}
    chart = one["visualization", "havengate-change-history.written.a"]
    assert source_of(chart)["query"]["query"] == 'what:(push OR ingest) AND table:("a")'


def test_no_two_scopes_have_the_same_objects():
    many = tuple(f"table_{n}" for n in range(100))
    scopes = [Scope("p-", names) for names in ((), ("a",), ("b",), ("a", "b"), many, many[1:])]
    ids = [scope.id("dashboard") for scope in scopes]
    assert len(set(ids)) == len(ids)
    assert max(map(len, ids)) < 300
    assert Scope("p-", ("b", "a")).id("x") == Scope("p-", ("a", "b")).id("x")


def test_slow_searches_are_shown_where_they_are_kept():
    with_slow, without = made(slow=True), made(slow=False)
    kind: Chart = state_of(with_slow["visualization", "slow-searches.latency"])["type"]
    assert kind == "line"
    assert "slow-searches" not in without.lines


@pytest.mark.parametrize(("kind", "fields"), [("changes", HISTORY_FIELDS), ("slow-searches", SLOW_FIELDS)])
def test_the_fields_of_published_documents_are_those_that_the_engine_maps(kind, fields):
    properties = KINDS[kind].mapping["properties"]
    mapped = {name: mapping["type"] for name, mapping in properties.items() if mapping["type"] != "object"}
    assert {name: type_ for name, type_ in fields.items() if not name.startswith("stages.")} == mapped
    stages = [name for name in fields if name.startswith("stages.")]
    assert not stages or properties["stages"]["dynamic"] == "true"


@pytest.mark.parametrize("url", ["https://host", "http://127.0.0.1:8000/", "https://host/below/"])
def test_a_gateways_url_may_have_a_path(url):
    assert gateway_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "host:8000",
        "ftp://host",
        "https://",
        "https://user:pw@host",
        "https://host/?a=b",
        "https://h/{{x}}",
        "https://h /",
        "https://[h",
        "http://h:99999",
    ],
)
def test_a_gateways_url_that_no_browser_could_use_is_refused(url):
    with pytest.raises(RequestError, match="--gateway") as refused:
        gateway_url(url)
    assert "pw" not in refused.value.message
