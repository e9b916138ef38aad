"""Visualizations: bars and lines over aggregations. Pure."""

from __future__ import annotations

from typing import Literal

from havengate.dashboards.objects import Json, SavedObject, of_index, search_source, text

Chart = Literal["histogram", "horizontal_bar", "line"]
_SPLIT = "3"


def chart(
    id: str,
    title: str,
    kind: Chart,
    pattern: SavedObject,
    aggregations: list[Json],
    *,
    query: str = "",
    description: str = "",
) -> SavedObject:
    """``aggregations`` as ``metric``, ``over_time``, ``by_terms`` make them; the first one is the metric."""
    state = {"title": title, "type": kind, "params": _params(kind, _label(aggregations)), "aggs": aggregations}
    attributes = {
        "title": title,
        "visState": text(state),
        "uiStateJSON": "{}",
        "description": description,
        "version": 1,
        "kibanaSavedObjectMeta": search_source(query),
    }
    return SavedObject("visualization", id, attributes, of_index(pattern))


def rows(label: str) -> Json:
    return _aggregation("1", "count", "metric", {"customLabel": label})


def total(field: str, label: str) -> Json:
    return _aggregation("1", "sum", "metric", {"field": field, "customLabel": label})


def percentiles(field: str, percents: tuple[int, ...], label: str) -> Json:
    return _aggregation("1", "percentiles", "metric", {"field": field, "percents": [*percents], "customLabel": label})


def over_time(field: str, interval: str) -> Json:
    params = {
        "field": field,
        "useNormalizedOpenSearchInterval": True,
        "scaleMetricValues": False,
        "interval": interval,
        "drop_partials": False,
        "min_doc_count": 1,
        "extended_bounds": {},
    }
    return _aggregation("2", "date_histogram", "segment", params)


def by_terms(field: str, size: int, label: str, *, split: bool = False) -> Json:
    """The ``size`` terms with the largest metric: an axis, or with ``split`` a colour each."""
    params = {
        "field": field,
        "orderBy": "1",
        "order": "desc",
        "size": size,
        "otherBucket": False,
        "otherBucketLabel": "Other",
        "missingBucket": False,
        "missingBucketLabel": "Missing",
        "customLabel": label,
    }
    return _aggregation(_SPLIT if split else "2", "terms", "group" if split else "segment", params)


def _aggregation(id: str, kind: str, schema: str, params: Json) -> Json:
    return {"id": id, "enabled": True, "type": kind, "schema": schema, "params": params}


def _label(aggregations: list[Json]) -> str:
    return str(aggregations[0]["params"]["customLabel"])


def _params(kind: Chart, label: str) -> Json:
    lying = kind == "horizontal_bar"
    return {
        "type": "line" if kind == "line" else "histogram",
        "grid": {"categoryLines": False},
        "categoryAxes": [_category_axis("left" if lying else "bottom")],
        "valueAxes": [_value_axis("bottom" if lying else "left", label)],
        "seriesParams": [_series(kind, label)],
        "addTooltip": True,
        "addLegend": not lying,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "labels": {"show": False},
        "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
    }


def _category_axis(position: str) -> Json:
    return {
        "id": "CategoryAxis-1",
        "type": "category",
        "position": position,
        "show": True,
        "style": {},
        "scale": {"type": "linear"},
        "labels": {"show": True, "filter": position == "bottom", "truncate": 100},
        "title": {},
    }


def _value_axis(position: str, label: str) -> Json:
    return {
        "id": "ValueAxis-1",
        "name": "BottomAxis-1" if position == "bottom" else "LeftAxis-1",
        "type": "value",
        "position": position,
        "show": True,
        "style": {},
        "scale": {"type": "linear", "mode": "normal"},
        "labels": {"show": True, "rotate": 0, "filter": False, "truncate": 100},
        "title": {"text": label},
    }


def _series(kind: Chart, label: str) -> Json:
    line = kind == "line"
    return {
        "show": True,
        "type": "line" if line else "histogram",
        "mode": "normal" if line else "stacked",
        "data": {"label": label, "id": "1"},
        "valueAxis": "ValueAxis-1",
        "drawLinesBetweenPoints": True,
        "lineWidth": 2,
        "showCircles": True,
    }
