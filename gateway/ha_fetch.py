"""The fetch_summary clause: rows by primary key in the order asked, answered as hits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gateway.wanted import Wanted, traced
from havengate.codes import HaCode
from havengate.errors import RequestError, excerpt
from havengate.search import output_names
from havengate.types import Hit, SearchResult
from havengate.values import canonical_key
from query_parser.plan import warnings_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines.contract import TableSpec
    from havengate.services import Services
    from havengate.types import Row, Span
    from query_parser.clause_nodes import FetchSummary
    from query_parser.nodes import Text
    from query_parser.request import HaRequest

    Resolve = Callable[[str | None, Span | None], TableSpec]


def fetch_summary(
    services: Services, request: HaRequest, clause: FetchSummary, resolve: Resolve
) -> tuple[SearchResult, Wanted]:
    """The rows that are there; a row asked for twice comes once.

    Raises what ``resolve`` does, RequestError 2081 for anything but raw primary keys, 1004 for a second table, 2000 for
    an attribute that is no field, 10010 for a missing row under allow_lack_summary:no, 1002 for too many keys, and what
    Documents.fetch raises.
    """
    keys = [key for _, key in clause.keys]
    if keys and clause.by != "rawpk":
        message = "this gateway gives out no gids: config=fetch_summary_type:rawpk and fetch_summary=table:key,key"
        raise RequestError(message, code=HaCode.FETCH_SUMMARY_GID_FORMAT, span=keys[0].span)
    most = services.settings.limits.fetch_ids
    if len(keys) > most:
        raise RequestError(f"{len(keys)} keys, the most is {most}", code=HaCode.KEY_VALUE_PAIR)
    table = _table(clause, resolve)
    warnings = warnings_of(request.remarks, table.settings)
    names = _attributes(request, table)
    started = time.perf_counter()
    rows = _rows(services, table, keys, names)
    if not request.config.flag("allow_lack_summary", default=True):
        _require_all(table, keys, rows)
    result = SearchResult(
        tuple(Hit(row.pk, row.fields, score=None, sort_values=(), vectors=row.vectors) for row in rows),
        len(rows),
        timings={"fetch": time.perf_counter() - started},
        warnings=warnings,
    )
    return result, Wanted(table=table.name, attributes=names, trace=traced(request.config))


def _table(clause: FetchSummary, resolve: Resolve) -> TableSpec:
    if not clause.keys:  # commas alone: the engine finds nothing wrong with them, and no rows
        return resolve(None, None)
    tables = {name: resolve(name, key.span) for name, key in clause.keys}
    names = list(dict.fromkeys(table.name for table in tables.values()))
    if len(names) > 1:
        message = f"one fetch has one table, not {excerpt(', '.join(names))}"
        raise RequestError(message, code=HaCode.MULTI_CLUSTERNAME_WITH_DIFFERENT_TABLE)
    return next(iter(tables.values()))


def _attributes(request: HaRequest, table: TableSpec) -> tuple[str, ...]:
    """Virtual attributes are computed by searches alone."""
    fields = table.schema.fields
    for name in request.attributes:
        if name.text not in fields:
            message = f"no field {excerpt(name.text)!r}; the table has: {', '.join(fields)}"
            raise RequestError(message, code=HaCode.ATTRIBUTE_NOT_EXIST, span=name.span)
    return tuple(name.text for name in request.attributes)


def _rows(services: Services, table: TableSpec, keys: list[Text], attributes: tuple[str, ...]) -> list[Row]:
    """The attribute clause adds to the fields that always come, as in a search."""
    names = tuple(dict.fromkeys([*output_names(None, table), *attributes])) if attributes else None
    return services.documents.fetch(table, [key.text for key in keys], include_vector=False, output_fields=names)


def _require_all(table: TableSpec, keys: list[Text], rows: list[Row]) -> None:
    found = {row.pk for row in rows}
    for key in keys:
        if canonical_key(table.schema, key.text) not in found:
            raise RequestError(f"no row {excerpt(repr(key.text))}", code=HaCode.QRS_SUMMARY_LACK, span=key.span)
