"""The tables use case: create, look up by the names that clients send, change, drop."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines.checks import require_table_name
from engines.contract import Engine, TableSpec
from havengate.errors import SchemaError, UnfitTable, UnknownGeneration, UnknownTable
from schemas.changes import require_copying
from schemas.resolve import resolve

if TYPE_CHECKING:
    from embedding.service import EmbeddingService
    from engines.contract import Generation, Progress
    from havengate.blobs import BlobStore
    from havengate.types import Fingerprint, Span
    from schemas.settings import TableSettings
    from schemas.table import TableSchema
    from schemas.vendor import VendorSchema

_ANY_TABLE = "general"


@dataclass(frozen=True, slots=True)
class Tables:
    engine: Engine
    embedding: EmbeddingService
    blobs: BlobStore
    default_table: str | None
    keep_generations: int = 1

    def create(self, name: str, vendor: VendorSchema, settings: TableSettings) -> TableSpec:
        """A new, empty table.

        Raises SchemaError with every broken rule, ModelError for a model that this version does not have,
        TableExists.
        """
        require_table_name(name)
        schema = resolve(vendor)
        spec = TableSpec(name, schema, vendor.to_json(), settings, self._fingerprints(schema))
        if name not in self.names():
            # What a kill in the middle of a drop left behind must not come back with the name.
            self.blobs.drop_table(name)
        self.engine.create_table(spec)
        return spec

    def changed(
        self, name: str, vendor: VendorSchema, settings: TableSettings | None = None
    ) -> tuple[TableSpec, tuple[str, ...]]:
        """What a table would be under another schema (and settings), and what that changes, in sentences.

        Raises SchemaError with every broken rule, or with every reason why its rows cannot be copied, UnknownTable,
        ModelError.
        """
        old = self.engine.table(name)
        schema, settings = resolve(vendor), settings or old.settings
        sentences = require_copying(old.schema, schema)
        before, after = old.settings.model_dump(), settings.model_dump()
        sentences += tuple(
            f"setting {key}: {before[key]} becomes {after[key]}" for key in after if before[key] != after[key]
        )
        return TableSpec(name, schema, vendor.to_json(), settings, self._fingerprints(schema, old)), sentences

    def change(self, spec: TableSpec, progress: Progress) -> Generation:
        """Copies the rows into a new generation of that specification (of ``changed``), which takes the table's place.

        Of older generations ``keep_generations`` stay. Raises Busy, EngineError; then nothing has changed.
        """
        former = self._current(spec.name)
        made = self.engine.change_table(spec.name, spec, progress)
        older = [each.name for each in reversed(self.engine.generations(spec.name)) if not each.current]
        # What was in use until now is what a rollback is for, whatever its number.
        older.sort(key=lambda generation: generation != former)
        for generation in older[self.keep_generations :]:
            self.engine.drop_generation(spec.name, generation)
        return made

    def rollback(self, name: str, generation: str | None = None) -> str:
        """Makes a kept generation the current one, by default the one before it; returns its name.

        Raises UnknownGeneration, UnknownTable, Busy.
        """
        generation = generation or self.previous(name)
        self.engine.use_generation(name, generation)
        return generation

    def previous(self, name: str) -> str:
        """The newest generation that is older than the current one. Raises UnknownGeneration."""
        names = [each.name for each in self.engine.generations(name)]
        older = names[: names.index(self._current(name))]
        if not older:
            raise UnknownGeneration(
                f"table {name!r} has no generation before {names[0]}; there are: {', '.join(names)}"
            )
        return older[-1]

    def _current(self, name: str) -> str:
        return next(each.name for each in self.engine.generations(name) if each.current)

    def _fingerprints(self, schema: TableSchema, old: TableSpec | None = None) -> dict[str, Fingerprint]:
        """By index; copied vectors keep what made them."""
        self._require_dimensions(schema)
        former = (
            {} if old is None else {i.field: old.fingerprints.get(i.name) for i in old.schema.vector_indexes.values()}
        )
        return {
            index.name: former.get(index.field) or self.embedding.fingerprint(index.model)
            for index in schema.vector_indexes.values()
            if index.model is not None
        }

    def _require_dimensions(self, schema: TableSchema) -> None:
        for index in schema.vector_indexes.values():
            if index.model is not None and (made := self.embedding.dimension(index.model)) != index.dimension:
                raise SchemaError(
                    f"indexs.{index.name}: model {index.model!r} makes vectors of {made} dimensions, an index over a "
                    f"field with vector_model has {index.dimension} [vector-dimension-512]"
                )

    def drop(self, name: str) -> None:
        """The table, its rows and its pictures are gone for good. Raises UnknownTable."""
        self.engine.drop_table(name)
        self.blobs.drop_table(name)

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

    def resolve(self, cluster: str | None, span: Span | None = None) -> TableSpec:
        """The table that a cluster clause means.

        An exact name wins; ``general`` or no name is the default table, else the only one. Raises UnknownTable
        naming the tables.
        """
        names = self.names()
        wanted = cluster or self.default_table or _ANY_TABLE
        if wanted in names:
            return self.engine.table(wanted)
        if wanted == _ANY_TABLE:
            if self.default_table in names:
                return self.engine.table(self.default_table)
            if len(names) == 1:
                return self.engine.table(names[0])
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
