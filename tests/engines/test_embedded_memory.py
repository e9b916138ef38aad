"""Row versions that no one can see any more are dropped from memory, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from engine_samples import keys, make_row, make_schema, make_spec, query

from engines.contract import RowsQuery
from engines.embedded.engine import EmbeddedEngine
from havengate.types import SCORE, Row

ROWS = 300


@pytest.fixture
def engine(tmp_path):
    """A table with two indexes; after the first version every third row lacks a vector."""
    schema = make_schema(indexes=(("vector", 2, "SquaredEuclidean"), ("other", 2, "SquaredEuclidean")))
    with EmbeddedEngine.open(tmp_path) as engine:
        engine.create_table(make_spec(schema=schema))
        engine.pool("t", query((0, 0)))  # in memory from now on
        yield engine


def rewrite(engine, version):
    rows = [make_row(key, (key, version) if key % 3 or not version else None, i64=version) for key in range(ROWS)]
    engine.upsert("t", rows)


def until_compacted(engine):
    """The last version written before and while memory shrank, and what a reader held until then."""
    for version in range(30):
        snapshot = engine._tables.table("t").snapshot
        rewrite(engine, version)
        if engine._tables.table("t").snapshot.slots < snapshot.slots:
            return version, snapshot
    pytest.fail(f"{snapshot.slots} slots for {ROWS} rows")


def test_rows_keep_their_vectors_and_their_lack_of_one(engine):
    version, _ = until_compacted(engine)
    assert engine._tables.table("t").snapshot.slots == ROWS
    pool = engine.pool("t", query((0, version), n=ROWS))
    with_vector = [key for key in range(ROWS) if key % 3]
    assert keys(pool) == [str(key) for key in with_vector]
    assert pool.frame[SCORE].to_list() == [key**2 for key in with_vector]
    assert engine.stats("t").vectors == {"vector": len(with_vector), "other": 0}
    assert engine.rows("t", RowsQuery(None, ("i64",))).frame["i64"].to_list() == [version] * ROWS


def test_rows_are_still_found_by_their_keys(engine):
    version, _ = until_compacted(engine)
    engine.update_fields("t", [Row("7", {"i64": -1}), make_row(9, (-1, version))])
    engine.delete("t", ["1", "2", "3"])
    pool = engine.pool("t", query((0, version), n=4, columns=("i64",)))
    assert keys(pool) == ["9", "4", "5", "7"]
    assert pool.frame["i64"].to_list() == [version, version, version, -1]


def test_a_readers_snapshot_stays_what_it_was(engine):
    version, held = until_compacted(engine)
    shown = np.flatnonzero(held.alive & held.vectors["vector_field"].present)
    assert held.vectors["vector_field"].matrix[shown].tolist() == [[key, version - 1] for key in range(ROWS) if key % 3]


def test_rows_replaced_for_ever_take_bounded_memory(engine):
    most = 0
    for version in range(40):
        rewrite(engine, version)
        column = engine._tables.table("t").snapshot.vectors["vector_field"]
        most = max(most, len(column.matrix), len(column.matrix.base))
    assert most < 20 * ROWS


def test_deleted_rows_leave_memory(engine):
    engine.upsert("t", [make_row(key, (key, 0)) for key in range(2000)])
    engine.delete("t", [str(key) for key in range(1900)])
    assert engine._tables.table("t").snapshot.slots == 100
    assert keys(engine.pool("t", query((0, 0), n=2))) == ["1900", "1901"]
