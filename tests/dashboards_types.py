"""Saved objects held against dashboards/saved_object_types.json: what the types of OpenSearch Dashboards take.

That file says in our words what opensearch-project/OpenSearch-Dashboards publishes in the mappings and migrations of
src/plugins/{data,discover,visualizations,dashboard}/server/saved_objects, the field types of
src/plugins/data/common/osd_field_types and the aggregations of src/plugins/data/common/search/aggs.
"""

import json
from pathlib import Path

PUBLISHED = json.loads((Path(__file__).parent / "dashboards" / "saved_object_types.json").read_text())
TYPES = PUBLISHED["types"]
INDEX = "kibanaSavedObjectMeta.searchSourceJSON.index"
WIDTH = 48

_KINDS = {
    "text": lambda value: isinstance(value, str),
    "keyword": lambda value: isinstance(value, str),
    "json": lambda value: isinstance(value, str) and json.loads(value) is not None,
    "integer": lambda value: type(value) is int,
    "boolean": lambda value: type(value) is bool,
    "object": lambda value: isinstance(value, dict),
    "nested": lambda value: isinstance(value, list) and all(isinstance(each, dict) for each in value),
    "keywords": lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
    "pairs": lambda value: all(isinstance(name, str) and way in ("asc", "desc") for name, way in value),
}


def parse(lines):
    """The objects of an export by type and id, and its last line."""
    *objects, details = [json.loads(line) for line in lines.splitlines()]
    by_name = {(each["type"], each["id"]): each for each in objects}
    assert len(by_name) == len(objects), "two objects of one type and id"
    return by_name, details


def check_export(lines):
    """Raises AssertionError naming what Dashboards would not take; gives the objects by type and id."""
    objects, details = parse(lines)
    assert details == {"exportedCount": len(objects), "missingRefCount": 0, "missingReferences": []}
    for each in objects.values():
        check_object(each)
        check_meaning(each, objects)
    return objects


def check_object(each):
    fit(each, PUBLISHED["root"], "")
    known = TYPES[each["type"]]
    fit(each["attributes"], known["attributes"], each["type"])
    missing = set(known["required"]) - set(each["attributes"])
    assert not missing, f"{each['type']} lacks {missing}"
    version = each["migrationVersion"]
    assert version == {each["type"]: known["migration"]}, version


def fit(value, mapping, where):
    """The mappings are strict: what they do not name is refused."""
    for name, held in value.items():
        assert name in mapping, f"{where}.{name} is unknown"
        if isinstance(mapping[name], dict):
            fit(held, mapping[name], f"{where}.{name}")
        else:
            assert _KINDS[mapping[name]](held), f"{where}.{name}: {held!r} is no {mapping[name]}"


def check_meaning(each, objects):
    references = {one["name"]: objects[one["type"], one["id"]] for one in each["references"]}
    assert len(references) == len(each["references"])
    used = _MEANING[each["type"]](each["attributes"], references)
    assert used == set(references), f"{each['id']}: {used} are meant, {set(references)} are given"


def fields_of(pattern):
    return {field["name"]: field for field in json.loads(pattern["attributes"]["fields"])}


def state_of(chart):
    return json.loads(chart["attributes"]["visState"])


def source_of(each):
    return json.loads(each["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])


def _source(attributes, known):
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    assert set(source) == known | {"query", "filter"}
    assert source["filter"] == []
    assert set(source["query"]) == {"query", "language"}
    assert source["query"]["language"] in ("kuery", "lucene")
    return source


def _pattern(attributes, _):
    fields = json.loads(attributes["fields"])
    for field in fields:
        fit(field, PUBLISHED["field"], "fields")
        assert field["type"] in PUBLISHED["field_types"]
        assert ("script" in field) == field["scripted"] == ("lang" in field)
    names = [field["name"] for field in fields]
    assert len(names) == len(set(names))
    assert attributes.get("timeFieldName", names[0]) in names
    for name, form in json.loads(attributes.get("fieldFormatMap", "{}")).items():
        assert name in names
        assert form["id"] == "url"
        assert set(form["params"]) == {"type", "urlTemplate", "labelTemplate", "width", "height"}
        assert form["params"]["urlTemplate"].startswith(("http://", "https://"))
    for hidden in json.loads(attributes.get("sourceFilters", "[]")):
        assert set(hidden) == {"value"}
    return set()


def _search(attributes, references):
    source = _source(attributes, {"indexRefName"})
    fields = fields_of(references[INDEX])
    assert attributes["columns"]
    assert set(attributes["columns"]) <= set(fields)
    for name, _ in attributes["sort"]:
        assert fields[name]["readFromDocValues"]
    return {source["indexRefName"]}


def _chart(attributes, references):
    source = _source(attributes, {"indexRefName"})
    state = json.loads(attributes["visState"])
    assert set(state) == {"title", "type", "params", "aggs"}
    assert state["title"] == attributes["title"]
    assert state["params"]["type"] == PUBLISHED["visualizations"][state["type"]]
    ids = [each["id"] for each in state["aggs"]]
    assert len(ids) == len(set(ids))
    for each in state["aggs"]:
        _aggregation(each, ids, fields_of(references[INDEX]))
    axes = {axis["id"] for axis in state["params"]["valueAxes"]}
    for series in state["params"]["seriesParams"]:
        assert series["valueAxis"] in axes
        assert series["data"]["id"] in ids
    return {source["indexRefName"]}


def _aggregation(each, ids, fields):
    known = PUBLISHED["aggregations"][each["type"]]
    assert set(each) == {"id", "enabled", "type", "schema", "params"}
    assert each["schema"] in known["schemas"]
    assert set(each["params"]) == set(known["params"])
    assert each["params"].get("orderBy", ids[0]) in ids
    if "field" in each["params"]:
        field = fields[each["params"]["field"]]
        assert field["aggregatable"]
        assert field["type"] in known["fields"]


def _dashboard(attributes, references):
    _source(attributes, set())
    assert set(json.loads(attributes["optionsJSON"])) == {"hidePanelTitles", "useMargins"}
    panels = json.loads(attributes["panelsJSON"])
    taken = set()
    for panel in panels:
        assert set(panel) == {"version", "gridData", "panelIndex", "embeddableConfig", "panelRefName"}
        assert references[panel["panelRefName"]]["type"] in ("search", "visualization")
        grid = panel["gridData"]
        assert set(grid) == {"x", "y", "w", "h", "i"}
        assert grid["i"] == panel["panelIndex"]
        cells = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert cells
        assert all(0 <= x < WIDTH for x, _ in cells)
        assert not cells & taken, "panels lie over each other"
        taken |= cells
    return {panel["panelRefName"] for panel in panels}


_MEANING = {"index-pattern": _pattern, "search": _search, "visualization": _chart, "dashboard": _dashboard}
