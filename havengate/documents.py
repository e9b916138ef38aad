"""The documents use case: commands of a push become rows, their pictures become vectors.

Every document is judged on its own: bad ones are reported, the good ones written. A picture that the table has
already seen (by content hash) keeps its vector, so that repeating a push costs and changes nothing.

A push is prepared (read, decoded, embedded) and then written. What was prepared for a generation that is no longer
the current one is prepared again, so that a table never holds vectors of two models.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from engines.contract import Engine, TableSpec
from havengate.codes import HaCode
from havengate.errors import DocumentError, HavengateError, Moved, RequestError
from havengate.picture_rows import Draft, PictureRows
from havengate.search import output_names, resolve_fields, timed, unmoved
from havengate.types import Row
from havengate.values import canonical_key, coerce, coerce_vector

if TYPE_CHECKING:
    from embedding.service import EmbeddingService
    from havengate.blobs import BlobStore
    from havengate.objects import Readers
    from havengate.settings import Settings

COMMANDS = ("add", "delete", "update_field")


@dataclass(frozen=True, slots=True)
class Command:
    """One document of a push: ``cmd`` is add, delete or update_field, ``fields`` as the client sent them."""

    cmd: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the document at ``index`` was not written; ``error`` where an error said so."""

    index: int
    pk: str | None
    code: HaCode
    message: str
    error: HavengateError | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Commands that only have to be written: drafts with their vectors, and those that nothing can be written of."""

    table: TableSpec
    commands: Sequence[Command]
    drafts: tuple[Draft, ...]
    failures: tuple[Failure, ...]

    def without(self, refused: Iterable[Failure]) -> Prepared:
        """The same, but for documents that the caller refuses, too."""
        failures = (*self.failures, *refused)
        failed = {failure.index for failure in failures}
        return replace(self, drafts=tuple(d for d in self.drafts if d.index not in failed), failures=failures)


@dataclass(frozen=True, slots=True)
class PushReport:
    written: int
    deleted: int
    failures: tuple[Failure, ...]
    timings: Mapping[str, float] = field(default_factory=dict, compare=False)
    """Seconds of ``push`` by stage: embed (pictures read, decoded, embedded), write."""


class Documents:
    """Writes and reads rows by key over one engine."""

    def __init__(
        self, engine: Engine, embedding: EmbeddingService, blobs: BlobStore, readers: Readers, settings: Settings
    ) -> None:
        self._engine = engine
        self._blobs = blobs
        self._push = settings.push
        self._pictures = PictureRows(engine, embedding, blobs, readers, settings)
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def push(self, table: TableSpec, commands: Sequence[Command]) -> PushReport:
        """Writes the good documents and reports the bad ones; all that was written is durable on return.

        Raises RequestError when the push has too many documents or pictures, ModelError, EngineError.
        """
        self._check_size(table, commands)
        specs = self._specs(table)
        timings: dict[str, float] = {}

        def write() -> PushReport:
            with timed(timings, "embed"):
                prepared = self.prepared(next(specs), commands)
            with timed(timings, "write"):
                return self.write(prepared)

        return replace(unmoved(write), timings=timings)

    def prepared(self, table: TableSpec, commands: Sequence[Command]) -> Prepared:
        """All of a push but its writing: any number of commands, in any thread. Raises ModelError, EngineError."""
        drafts, failures = self._drafts(table, commands)
        bad = self._pictures.fill(table, [draft for draft in drafts if draft.cmd != "delete"])
        return Prepared(table, commands, tuple(drafts), tuple(failures)).without(_failure(*each) for each in bad)

    def write(self, prepared: Prepared, *, strict: bool = False) -> PushReport:
        """Writes drafts in their order.

        Trouble that is not a document's own is reported with each document that it costs, or (``strict``) raised;
        what was written before stays. Raises Moved where the drafts were made for another generation than the
        current one by now: prepared again, they can be written all.
        """
        failures, written, deleted = list(prepared.failures), 0, 0
        with self._lock_of(prepared.table.name):
            for cmd, run in groupby(prepared.drafts, key=lambda draft: draft.cmd):
                done, refused = self._write(prepared.table, cmd, list(run), strict=strict)
                failures += refused
                written, deleted = (written, deleted + done) if cmd == "delete" else (written + done, deleted)
        return PushReport(written, deleted, tuple(sorted(failures, key=lambda failure: failure.index)))

    def fetch(
        self, table: TableSpec, ids: Sequence[object], *, include_vector: bool, output_fields: tuple[str, ...] | None
    ) -> list[Row]:
        """Rows by key in the order asked, those that are not there left out.

        Raises RequestError for a key of the wrong type or an unknown output field.
        """
        schema = table.schema
        for name in output_fields or ():
            if name not in schema.fields:
                raise RequestError(f"no field {name!r}", code=HaCode.ATTRIBUTE_NOT_EXIST)
        try:
            keys = [canonical_key(schema, key) for key in ids]
        except DocumentError as error:
            raise RequestError(error.message, code=HaCode.CONST_EXPRESSION_VALUE) from error
        names = output_names(output_fields, table)
        vectors = schema.vector_fields if include_vector else [name for name in names if name in schema.vector_fields]

        def read() -> list[Row]:
            rows = self._engine.fetch(table.name, keys, vectors).values()
            return [Row(row.pk, resolve_fields(row.fields, names, table, self._blobs), row.vectors) for row in rows]

        return unmoved(read)

    def _check_size(self, table: TableSpec, commands: Sequence[Command]) -> None:
        if len(commands) > self._push.max_documents:
            raise RequestError(
                f"{len(commands)} documents, the most is {self._push.max_documents}", code=HaCode.KEY_VALUE_PAIR
            )
        pictures = sum(brings_picture(table, command) for command in commands)
        if pictures > self._push.max_pictures:
            raise RequestError(
                f"{pictures} pictures to embed, the most is {self._push.max_pictures} a push; nothing was written",
                code=HaCode.KEY_VALUE_PAIR,
            )

    def _drafts(self, table: TableSpec, commands: Sequence[Command]) -> tuple[list[Draft], list[Failure]]:
        drafts, failures = [], []
        for index, command in enumerate(commands):
            try:
                drafts.append(_draft(table, index, command))
            except HavengateError as error:
                failures.append(Failure(index, _shown_key(table, command), error.code, error.message, error))
        return drafts, failures

    def _specs(self, table: TableSpec) -> Iterator[TableSpec]:
        """The one that is known, then what the table has become."""
        while True:
            yield table
            table = self._engine.table(table.name)

    def _write(self, table: TableSpec, cmd: str, batch: list[Draft], *, strict: bool) -> tuple[int, list[Failure]]:
        """How many rows of one run were written, and who was refused: a run's trouble costs no other run."""
        try:
            return self._apply(table, cmd, batch)
        except RequestError as error:
            if len(batch) > 1:
                # The engine refuses a whole call for one row that it cannot take.
                parts = [self._write(table, cmd, [draft], strict=strict) for draft in batch]
                return sum(done for done, _ in parts), [failure for _, failures in parts for failure in failures]
            return 0, [_failure(draft, error) for draft in batch]
        except Moved:
            raise
        except HavengateError as error:
            if strict:
                raise
            return 0, [_failure(draft, error) for draft in batch]

    def _apply(self, table: TableSpec, cmd: str, batch: list[Draft]) -> tuple[int, list[Failure]]:
        keys = [draft.pk for draft in batch]
        with self._pictures.forgetting(table, keys) as keep:
            if cmd == "delete":
                return self._engine.delete(table.name, keys), []
            rows = keep(batch)
            if cmd == "add":
                self._engine.upsert(table.name, rows, generation=table.expects)
                return len(rows), []
            gone = self._engine.update_fields(table.name, rows, generation=table.expects)
            missing = _not_there(batch, set(gone))
            return len(rows) - len(missing), missing

    def _lock_of(self, table: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(table, threading.Lock())


def _failure(draft: Draft, error: HavengateError) -> Failure:
    return Failure(draft.index, draft.pk, error.code, error.message, error)


def brings_picture(table: TableSpec, command: Command) -> bool:
    """Whether a document has a picture that needs a model, that is: a source and no vector of its own."""
    return command.cmd != "delete" and any(
        index.source is not None and command.fields.get(index.source.field) and not command.fields.get(index.field)
        for index in table.schema.vector_indexes.values()
    )


def _draft(table: TableSpec, index: int, command: Command) -> Draft:
    if command.cmd not in COMMANDS:
        raise DocumentError(f"cmd {command.cmd!r} is none of {', '.join(COMMANDS)}", code=HaCode.UNKNOWN_KEY)
    schema = table.schema
    pk = canonical_key(schema, command.fields.get(schema.primary_key))
    draft = Draft(index, command.cmd, pk)
    if command.cmd == "delete":
        return draft
    for name, value in command.fields.items():
        if name not in schema.fields:
            raise DocumentError(
                f"no field {name!r}; the table has: {', '.join(schema.fields)}", code=HaCode.ATTRIBUTE_NOT_EXIST
            )
        empty = value is None or (value in ("", []) and (name in schema.vector_fields or name in schema.base64_fields))
        if empty and command.cmd == "update_field":
            raise DocumentError(f"field {name!r}: update_field changes fields, it cannot empty them")
        if empty:
            continue
        if name in schema.vector_fields:
            draft.vectors[name] = coerce_vector(schema.vector_fields[name], value)
        else:
            draft.fields[name] = coerce(schema.fields[name], value)
    return draft


def _shown_key(table: TableSpec, command: Command) -> str | None:
    key = command.fields.get(table.schema.primary_key)
    return None if key is None else str(key)[:100]


def _not_there(batch: list[Draft], keys: set[str]) -> list[Failure]:
    return [
        Failure(draft.index, draft.pk, HaCode.CONST_EXPRESSION_VALUE, f"no row {draft.pk!r} to update")
        for draft in batch
        if draft.pk in keys
    ]
