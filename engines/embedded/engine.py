"""The engine of one machine: SQLite keeps the rows, memory answers, the search is exact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engines.embedded.explain import explained
from engines.embedded.pool import matching_rows, nearest_rows
from engines.embedded.table import Table
from engines.embedded.tables import OpenTables

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from engines.contract import Explanation, Generation, PoolQuery, Published, RowsQuery, TableSpec, TableStats
    from havengate.types import Pool, Row, Vector
    from schemas.settings import TableSettings


class EmbeddedEngine:
    """Implements engines.contract.Engine over one data folder, which it holds alone until ``close``.

    >>> engine = EmbeddedEngine.open(Path("havengate-data"))  # doctest: +SKIP
    """

    def __init__(self, data_dir: Path, wait_s: float = 0) -> None:
        """Makes the folder if need be and waits for its lock up to ``wait_s`` seconds.

        Raises DataFolderBusy naming the process that holds it.
        """
        self._tables = OpenTables(data_dir, wait_s)

    @classmethod
    def open(cls, data_dir: Path, wait_s: float = 0) -> Self:
        return cls(data_dir, wait_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._tables.close()

    def create_table(self, spec: TableSpec) -> None:
        self._tables.create(spec)

    def drop_table(self, name: str) -> None:
        self._tables.drop(name)

    def table_names(self) -> list[str]:
        return self._tables.names()

    def table(self, name: str) -> TableSpec:
        spec = self._tables.table(name).spec
        return spec if spec.name == name else replace(spec, name=name)

    def set_settings(self, name: str, settings: TableSettings) -> None:
        self._tables.on(name, lambda table: table.set_settings(self._tables.write_spec, settings))

    def upsert(self, name: str, rows: Sequence[Row], *, generation: str | None = None) -> None:
        self._tables.on(name, lambda table: table.upsert(rows, generation))

    def update_fields(self, name: str, patches: Sequence[Row], *, generation: str | None = None) -> list[str]:
        return self._tables.on(name, lambda table: table.update_fields(patches, generation))

    def delete(self, name: str, pks: Iterable[str]) -> int:
        asked = list(dict.fromkeys(pks))
        return self._tables.on(name, lambda table: table.delete(asked))

    def fetch(self, name: str, pks: Sequence[str], vector_fields: Iterable[str] = ()) -> dict[str, Row]:
        fields = list(vector_fields)
        return self._tables.on(name, lambda table: table.fetch(pks, fields))

    def vectors_by_source(self, name: str, field: str, hashes: Iterable[str]) -> dict[str, Vector]:
        asked = list(hashes)
        return self._tables.on(name, lambda table: table.vectors_by_source(field, asked))

    def pool(self, name: str, query: PoolQuery) -> Pool:
        def asked(table: Table) -> Pool:
            table.expect(query.generation)
            return nearest_rows(table.snapshot, table.spec.schema, query)

        return self._tables.on(name, asked)

    def rows(self, name: str, query: RowsQuery) -> Pool:
        def asked(table: Table) -> Pool:
            table.expect(query.generation)
            return matching_rows(table.snapshot, table.spec.schema, query)

        return self._tables.on(name, asked)

    def explain(self, name: str, query: PoolQuery | RowsQuery, *, profile: bool = False) -> Explanation:
        def asked(table: Table) -> Explanation:
            table.expect(query.generation)
            return explained(table.snapshot, table.spec.schema, query, profile=profile)

        return self._tables.on(name, asked)

    def stats(self, name: str) -> TableStats:
        return self._tables.on(name, Table.stats)

    def scan(self, name: str, after: str | None, limit: int) -> list[Row]:
        return self._tables.on(name, lambda table: table.scan(after, limit))

    def mark(self, name: str) -> str:
        return self._tables.on(name, Table.mark)

    def touched(self, name: str, mark: str) -> list[str]:
        return self._tables.on(name, lambda table: table.touched(mark))

    def generations(self, name: str) -> list[Generation]:
        return self._tables.generations(name)

    def build_generation(self, name: str, spec: TableSpec) -> str:
        return self._tables.build(name, spec)

    def use_generation(self, name: str, generation: str, last: Callable[[], None] | None = None) -> None:
        self._tables.use(name, generation, last)

    def hold(self, name: str, call: Callable[[], None]) -> None:
        self._tables.hold(name, call)

    def drop_generation(self, name: str, generation: str) -> None:
        self._tables.drop_generation(name, generation)

    def publish(self, kind: Published, key: str, document: Mapping[str, object]) -> None:
        """Nothing: what is published is in the data folder or in the log already."""
