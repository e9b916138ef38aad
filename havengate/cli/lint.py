"""Judging requests and clauses, by syntax alone or against tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from havengate.errors import SettingsError, UnknownTable
from havengate.types import Span

if TYPE_CHECKING:
    from engines.contract import TableSpec
    from havengate.settings import Settings
    from query_parser.judge import Judged
    from query_parser.nodes import Query
    from query_parser.plan import Table
    from query_parser.request import HaRequest
    from schemas.table import TableSchema

_ANY_TABLE = "general"


@dataclass(frozen=True, slots=True)
class Linter:
    """``tables`` by name, the first is the default one; without any, only the syntax is judged."""

    tables: Mapping[str, Table]
    index_aliases: frozenset[str] = frozenset()
    window: int = 0

    def judge(self, clause: str, text: str) -> Judged:
        """As query_parser.judge, and with tables everything that a search would check. Raises RequestError."""
        from query_parser.judge import judge

        judged = judge(clause, text)
        if not self.tables:
            return judged
        return replace(judged, warnings=self._checked(clause, text))

    def _checked(self, clause: str, text: str) -> tuple[str, ...]:
        from query_parser.parse import parse_clauses, parse_request

        if clause == "request":
            return self._planned(parse_request(text))
        request = parse_clauses({clause: text})
        if clause not in ("query", "fetch_summary"):
            table = self._resolve(None, None) if clause == "cluster" else self._table(request)
            request = replace(request, layers=(_some_query(table.schema, Span(0, len(text))),))
        return self._planned(request)

    def _planned(self, request: HaRequest) -> tuple[str, ...]:
        from havengate.bind import bind
        from query_parser.plan import plan_request

        if request.fetch_summary is not None:
            self._table(request)
            return request.warnings
        check = partial(bind, window=self.window)
        plan = plan_request(request, self._resolve, index_aliases=self.index_aliases, window=self.window, check=check)
        check(plan, self.tables[plan.table].schema)
        return plan.warnings

    def _table(self, request: HaRequest) -> Table:
        first = request.clusters[0] if request.clusters else None
        return self._resolve(None, None) if first is None else self._resolve(first.text, first.span)

    def _resolve(self, cluster: str | None, span: Span | None) -> Table:
        if cluster is not None and cluster in self.tables:
            return self.tables[cluster]
        if cluster is None or cluster == _ANY_TABLE:
            return next(iter(self.tables.values()))
        raise UnknownTable(f"no table {cluster!r} among: {', '.join(self.tables)}", span=span)


def linter(names: Sequence[str]) -> Linter:
    """Over tables of the data folder (``NAME``) and schema files (``NAME=FILE``).

    Reads no rows and needs no lock: a server may hold the folder. Raises UnknownTable, SchemaError, SettingsError.
    """
    if not names:
        return Linter({})
    from havengate.settings import load_settings

    settings = load_settings()
    tables: dict[str, Table] = {}
    for name, equals, file in (each.partition("=") for each in names):
        tables[name] = _of_file(name, Path(file)) if equals else _stored(name, settings)
    return Linter(tables, settings.alias_set, settings.limits.window)


def _of_file(name: str, file: Path) -> TableSpec:
    from engines.contract import TableSpec
    from schemas.resolve import resolve
    from schemas.settings import TableSettings
    from schemas.vendor import read_schema

    if not file.is_file():
        raise SettingsError(f"--table {name}={file}: there is no such file")
    vendor = read_schema(file.read_bytes())
    return TableSpec(name, resolve(vendor), vendor.to_json(), TableSettings(), {})


def _stored(name: str, settings: Settings) -> TableSpec:
    if settings.engine.kind == "embedded":
        from engines.embedded.catalog import Catalog

        catalog = Catalog(settings.data_dir, read_only=True)
        if name not in catalog:
            raise UnknownTable(f"no table {name!r}; there are: {', '.join(catalog.names()) or 'none'}")
        return catalog.read_spec(name)
    from havengate.services import services

    with services(settings) as opened:
        return opened.engine.table(name)


def _some_query(schema: TableSchema, span: Span) -> Query:
    """A query that fits the table, for clauses that are judged alone."""
    from query_parser.nodes import IndexTerm, Word

    if schema.vector_indexes:
        index = next(iter(schema.vector_indexes.values()))
        word = Word(index.delimiter.join(["0"] * index.dimension), span)
        return IndexTerm(index.name, word, span, span)
    return IndexTerm(next(iter(schema.term_indexes)), Word("0", span), span, span)
