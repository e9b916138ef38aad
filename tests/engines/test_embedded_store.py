"""The rows' file: synced to the disk, and read at one moment."""

from __future__ import annotations

import pytest
from engine_samples import make_row

from engines.embedded.store import RowStore


@pytest.fixture
def store(tmp_path):
    RowStore.create(tmp_path / "rows.sqlite")
    store = RowStore(tmp_path / "rows.sqlite")
    yield store
    store.close()


def test_commits_go_to_a_write_ahead_log_that_is_synced_each_time(store):
    full = 2
    assert store._writer.execute("PRAGMA synchronous").fetchone() == (full,)
    assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_fields_and_vectors_are_of_one_moment(store):
    """A write that comes between the reading of the rows and of their vectors shows in neither."""
    versions = {version: make_row(1, (version, 0), f"h{version}", i64=version) for version in (1, 2)}
    store.upsert([versions[1]])
    with store._reader() as connection:
        connection.set_trace_callback(lambda text: text.startswith("SELECT pk, field,") and store.upsert([versions[2]]))
    before = store.fetch(["1"], ["vector_field"])["1"]
    with store._reader() as connection:
        connection.set_trace_callback(None)
    after = store.fetch(["1"], ["vector_field"])["1"]
    for version, row in ((1, before), (2, after)):
        assert row.fields["i64"] == version
        assert row.vectors["vector_field"].tolist() == [version, 0]
        assert row.sources == {"vector_field": f"h{version}"}
