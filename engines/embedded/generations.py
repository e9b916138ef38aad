"""Builds a table's next generation beside the current one, and goes back to a kept one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.contract import Generation
from engines.embedded.catalog import age
from engines.embedded.store import RowStore
from engines.embedded.table import ROWS_FILE, Table
from engines.values import known_part
from havengate.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engines.contract import Progress, TableSpec
    from engines.embedded.catalog import Catalog
    from havengate.types import Row

_ROWS_PER_COPY = 2_000


def listed(catalog: Catalog, name: str) -> list[Generation]:
    current, *_ = names = catalog.generations(name)
    return [describe(catalog, name, each, current=each == current) for each in sorted(names, key=age)]


def describe(catalog: Catalog, name: str, generation: str, *, current: bool) -> Generation:
    store = RowStore(catalog.folder(name, generation) / ROWS_FILE)
    try:
        return Generation(generation, store.count(), current)
    finally:
        store.close()


def change(table: Table, catalog: Catalog, spec: TableSpec, progress: Progress) -> str:
    """Copies the rows into a new generation of that specification and makes it the current one."""
    with table.held():
        with catalog.building(spec) as (generation, built, finished):
            RowStore.create(built / ROWS_FILE, _copied(table, spec, progress))
        _switch(table, catalog, spec, generation, finished)
        return generation


def use(table: Table, catalog: Catalog, generation: str) -> None:
    """Raises UnknownGeneration."""
    name = table.spec.name
    with table.held():
        folder = catalog.folder(name, generation)
        if generation != catalog.generations(name)[0]:
            _switch(table, catalog, catalog.read_spec(name, generation), generation, folder)


def drop(table: Table, catalog: Catalog, generation: str) -> None:
    """Raises UnknownGeneration, RequestError for the current one."""
    name = table.spec.name
    with table.held():
        catalog.folder(name, generation)
        if generation == catalog.generations(name)[0]:
            raise RequestError(f"generation {generation!r} of table {name!r} is in use; only others can be dropped")
        catalog.drop_generation(name, generation)


def _copied(table: Table, spec: TableSpec, progress: Progress) -> Iterator[list[Row]]:
    pks = table.store.keys()
    progress(0, len(pks))
    for start in range(0, len(pks), _ROWS_PER_COPY):
        table.require_open()
        rows = table.store.fetch(pks[start : start + _ROWS_PER_COPY], list(table.spec.schema.vector_fields))
        yield [known_part(spec.schema, row) for row in rows.values()]
        progress(start + len(rows), len(pks))


def _switch(table: Table, catalog: Catalog, spec: TableSpec, generation: str, folder: Path) -> None:
    fresh = Table(spec, folder)
    try:
        # Loaded now: searches go on in the old one meanwhile.
        _ = fresh.snapshot
        catalog.use(spec.name, generation)
    except BaseException:
        fresh.close()
        raise
    table.retire(fresh)
