"""Exports of small tables, without a server."""

import json
from dataclasses import dataclass

from engines.contract import TableSpec
from havengate.dashboards.objects import ndjson
from havengate.dashboards.overview import Scope, dashboard, history_objects, slow_objects
from havengate.dashboards.tables import Table, picture_url, table_objects
from havengate.setting_groups import EngineSettings
from schemas.resolve import resolve
from schemas.settings import TableSettings
from schemas.templates import template
from schemas.vendor import read_schema

GATEWAY = "https://pictures.example"
EVERY_KIND = (
    {"field_name": "title", "field_type": "TEXT"},
    {"field_name": "maker", "field_type": "STRING"},
    {"field_name": "labels", "field_type": "STRING", "multi_value": True},
    {"field_name": "price", "field_type": "FLOAT"},
    {"field_name": "big", "field_type": "UINT64"},
    {"field_name": "bigs", "field_type": "UINT64", "multi_value": True},
    {"field_name": "tags", "field_type": "MAP"},
)


def spec_of(name="t", *extra, vendor=None):
    vendor = vendor or template("base64", extra_fields=extra)
    return TableSpec(name, resolve(vendor), vendor.to_json(), TableSettings(), {})


def vendor_of(**schema):
    return read_schema(json.dumps(schema))


def shown(spec, prefix):
    return Table(spec, f"{prefix}{spec.table}", picture_url(GATEWAY, spec.table), "TOKEN")


@dataclass
class Made:
    lines: str
    prefix: str

    def __getitem__(self, name):
        kind, rest = name
        every = (json.loads(line) for line in self.lines.splitlines())
        return next(each for each in every if each.get("type") == kind and each["id"] == f"{self.prefix}{rest}")


def made(*specs, tables=(), slow=True, prefix="havengate-"):
    """An export of these tables."""
    scope = Scope(prefix, tables)
    shared = (*history_objects(scope), *(slow_objects(scope) if slow else ()))
    parts = [table_objects(shown(spec, prefix), EngineSettings(index_prefix=prefix)) for spec in specs]
    every = (*shared, *(each for part in parts for each in part), dashboard(scope, shared, parts))
    return Made(ndjson(every), prefix)
