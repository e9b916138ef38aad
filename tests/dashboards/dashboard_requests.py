"""What Dashboards asks OpenSearch for an object, as src/plugins/data/common/search builds it."""

import json

from dashboards_types import source_of, state_of

_INTERVALS = {"h": {"calendar_interval": "1h"}, "auto": {"fixed_interval": "3h"}}


def discover_request(pattern, search):
    """The rows of a saved search: Discover asks for the scripted fields and leaves out what source filters name."""
    fields = json.loads(pattern["attributes"]["fields"])
    scripts = {
        field["name"]: {"script": {"source": field["script"], "lang": field["lang"]}}
        for field in fields
        if field["scripted"]
    }
    hidden = [each["value"] for each in json.loads(pattern["attributes"].get("sourceFilters", "[]"))]
    return {
        "size": 500,
        "version": True,
        "sort": [{name: {"order": way, "unmapped_type": "boolean"}} for name, way in search["attributes"]["sort"]],
        "_source": {"excludes": hidden},
        "stored_fields": ["*"],
        "script_fields": scripts,
        "docvalue_fields": [{"field": f["name"], "format": "date_time"} for f in fields if f["type"] == "date"],
        "query": query_of(search),
    }


def chart_request(chart):
    metric, *buckets = state_of(chart)["aggs"]
    inner = {} if metric["type"] == "count" else {metric["id"]: _metric(metric)}
    aggregations = inner
    for bucket in reversed(buckets):
        aggregations = {bucket["id"]: _bucket(bucket, metric) | ({"aggs": aggregations} if aggregations else {})}
    return {"size": 0, "query": query_of(chart), "aggs": aggregations}


def query_of(each):
    said = source_of(each)["query"]
    if not said["query"]:
        return {"match_all": {}}
    assert said["language"] == "lucene"
    # The setting query:queryString:options of Dashboards.
    return {"query_string": {"query": said["query"], "analyze_wildcard": True}}


def _metric(metric):
    params = {name: value for name, value in metric["params"].items() if name in ("field", "percents")}
    return {metric["type"]: params}


def _bucket(bucket, metric):
    params = bucket["params"]
    if bucket["type"] == "date_histogram":
        return {"date_histogram": {"field": params["field"], "min_doc_count": 1, **_INTERVALS[params["interval"]]}}
    assert params["orderBy"] == metric["id"]
    by = "_count" if metric["type"] == "count" else params["orderBy"]
    return {"terms": {"field": params["field"], "size": params["size"], "order": {by: params["order"]}}}
