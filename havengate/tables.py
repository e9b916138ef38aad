"""The tables use case: create, look up by the names that clients send, drop."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines.checks import require_table_name
from engines.contract import Engine, TableSpec
from havengate.errors import SchemaError, UnfitTable, UnknownTable
from schemas.resolve import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedding.service import EmbeddingService
    from havengate.blobs import BlobStore
    from havengate.types import Span
    from schemas.settings import TableSettings
    from schemas.table import TableSchema
    from schemas.vendor import VendorSchema

ANY_TABLE = "general"
"""The name that means the default table, or the only one, where no table has it."""


@dataclass(frozen=True, slots=True)
class Tables:
    engine: Engine
    embedding: EmbeddingService
    blobs: BlobStore
    default_table: str | None

    def create(self, name: str, vendor: VendorSchema, settings: TableSettings) -> TableSpec:
        """A new, empty table.

        Raises SchemaError with every broken rule, ModelError for a model that this version does not have,
        TableExists.
        """
        spec = self.specify(name, vendor, settings)
        # What a kill in the middle of a drop left behind must not come back with the name.
        with nullcontext() if name in self.names() else self.blobs.clearing(name):
            self.engine.create_table(spec)
        return spec

    def specify(self, name: str, vendor: VendorSchema, settings: TableSettings) -> TableSpec:
        """The table that a schema stands for, with the fingerprints of the models as they are now; makes nothing.

        Raises SchemaError with every broken rule, ModelError for a model that this version does not have.
        """
        require_table_name(name)
        schema = resolve(vendor)
        self._require_dimensions(schema)
        fingerprints = {
            index.name: self.embedding.fingerprint(index.model)
            for index in schema.vector_indexes.values()
            if index.model is not None
        }
        return TableSpec(name, schema, vendor.to_json(), settings, fingerprints)

    def _require_dimensions(self, schema: TableSchema) -> None:
        for index in schema.vector_indexes.values():
            if index.model is not None and (made := self.embedding.dimension(index.model)) != index.dimension:
                raise SchemaError(
                    f"indexs.{index.name}: model {index.model!r} makes vectors of {made} dimensions, an index over a "
                    f"field with vector_model has {index.dimension} [vector-dimension-512]"
                )

    def drop(self, name: str) -> None:
        """The table, its rows and its pictures are gone for good. Raises UnknownTable."""
        with self.blobs.clearing(name) if name in self.names() else nullcontext():
            self.engine.drop_table(name)

    def names(self) -> list[str]:
        return self.engine.table_names()

    def models(self) -> set[str]:
        """Models that the tables' indexes name. One table that cannot be used must not keep the others waiting."""
        found: set[str] = set()
        for name in self.names():
            with suppress(UnfitTable, UnknownTable):
                indexes = self.engine.table(name).schema.vector_indexes.values()
                found.update(index.model for index in indexes if index.model)
        return found

    def resolve(
        self, cluster: str | None, span: Span | None = None, judge: Callable[[str], None] = lambda _: None
    ) -> TableSpec:
        """The table that a cluster clause means.

        An exact name wins; ``general`` or no name is the default table, else the only one. ``judge`` is told which,
        before it is opened: what is wrong with a table is not for everybody. Raises UnknownTable naming the tables.
        """
        name = self._meant(cluster, span)
        judge(name)
        return self.engine.table(name)

    def _meant(self, cluster: str | None, span: Span | None) -> str:
        names = self.names()
        wanted = cluster or self.default_table or ANY_TABLE
        if wanted in names:
            return wanted
        if wanted == ANY_TABLE:
            if self.default_table in names:
                return self.default_table
            if len(names) == 1:
                return names[0]
        raise UnknownTable(f"no table {wanted!r}; there are: {', '.join(names) or 'none'}", span=span)

    def push_target(self, data_source: str) -> TableSpec:
        """The table of a data source ``{table}`` or ``{instance}_{table}``; the longest matching name wins."""
        names = self.names()
        if data_source in names:
            return self.engine.table(data_source)
        suffixes = [name for name in names if data_source.endswith(f"_{name}")]
        if not suffixes:
            raise UnknownTable(f"no table for data source {data_source!r}; there are: {', '.join(names) or 'none'}")
        return self.engine.table(max(suffixes, key=len))
