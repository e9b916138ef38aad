"""The saved objects of a data folder's tables, as its administration knows them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engines.contract import TableSpec
from engines.opensearch.names import Names
from havengate.dashboards.objects import SavedObject
from havengate.dashboards.overview import Scope, dashboard, history_objects, slow_objects
from havengate.dashboards.tables import Table, picture_url, table_objects
from havengate.errors import RequestError, UnknownTable
from schemas.resolve import resolve
from schemas.settings import TableSettings
from schemas.vendor import read_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from havengate.setting_groups import EngineSettings
    from ingest.administration import Administration, Json


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export: ``gateway`` is the URL that browsers reach, ``days`` how long pictures' tokens hold.

    tables  those alone; none means all
    slow    slow searches, too
    """

    gateway: str
    days: int
    tables: tuple[str, ...] = ()
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """``skipped`` tables cannot be used at the moment, and why; ``expires`` is when the first token ends."""

    objects: tuple[SavedObject, ...]
    tables: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    expires: float | None = None


def export(desk: Administration, settings: EngineSettings, wanted: Wanted) -> Export:
    """Raises UnknownTable for a table that is not there, RequestError, and what the administration raises."""
    gateway = gateway_url(wanted.gateway)
    usable, skipped = _chosen(desk.tables(), wanted.tables)
    tokens = [desk.image_token(name, wanted.days) for name in usable]
    tables = [
        Table(_spec(desk.table(name)), Names(settings.index_prefix).alias(name), picture_url(gateway, name), token)
        for name, token in zip(usable, (each["token"] for each in tokens), strict=True)
    ]
    scope = Scope(settings.index_prefix, tuple(dict.fromkeys(wanted.tables)))
    shared = (*history_objects(scope), *(slow_objects(scope) if wanted.slow else ()))
    each = [table_objects(table, settings) for table in tables]
    objects = (*shared, *(part for parts in each for part in parts), dashboard(scope, shared, each))
    return Export(objects, tuple(usable), tuple(skipped), min((token["expires"] for token in tokens), default=None))


def gateway_url(text: str) -> str:
    """Without a slash at the end. Raises RequestError for what no browser could put a path behind."""
    try:
        url = urlsplit(text)
        right = url.scheme in ("http", "https") and url.hostname and url.port != 0
        plain = right and not (url.query or url.fragment or "@" in url.netloc)
    except ValueError:
        plain = False
    if not plain or not text.isprintable() or set(text) & set(" {}"):
        # Unquoted: it may hold a password.
        raise RequestError("--gateway is a URL like https://pictures.example, without a password or a query")
    return text.rstrip("/")


def _chosen(tables: Sequence[Json], wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names to export, and reasons for those that cannot be."""
    there = {each["table"]: each for each in tables}
    if missing := [name for name in wanted if name not in there]:
        raise UnknownTable(f"no table {missing[0]!r}; there are: {', '.join(there) or 'none'}")
    mine = [there[name] for name in there if name in wanted or not wanted]
    skipped = [f"table {each['table']}: {each['error']}" for each in mine if "error" in each]
    return [each["table"] for each in mine if "error" not in each], skipped


def _spec(table: Json) -> TableSpec:
    """What the mapping is made of; secrets are masked here, and no mapping has any."""
    vendor = read_schema(json.dumps(table["schema"]))
    settings = TableSettings.model_validate(table["settings"])
    return TableSpec(table["table"], resolve(vendor), vendor.to_json(), settings, {})
