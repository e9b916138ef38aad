"""Several threads at once: readers see whole calls, writers lose nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from engine_samples import compare, keys, make_row, make_spec, query

from engines.contract import RowsQuery
from havengate.errors import UnknownTable
from havengate.types import SCORE, Row

ROWS = 40
VERSIONS = 60


def test_readers_see_only_whole_calls(engine):
    engine.create_table(make_spec())

    def write_all(version):
        engine.upsert("t", [make_row(key, (version, 0), f"h{version}", i64=version) for key in range(ROWS)])

    write_all(0)
    done = threading.Event()

    def read():
        seen = []
        while not done.is_set():
            asked = [str(key) for key in range(ROWS)]
            listed = engine.rows("t", RowsQuery(None, ("i64",))).frame["i64"].to_list()
            pool = engine.pool("t", query((0, 0), n=ROWS, columns=("i64",)))
            pooled, scores = pool.frame["i64"].to_list(), pool.frame[SCORE].to_list()
            fetched = [row.fields["i64"] for row in engine.fetch("t", asked, ["vector_field"]).values()]
            for versions in (listed, pooled, fetched):
                assert len(versions) == ROWS
                assert len(set(versions)) == 1
            assert scores == [version**2 for version in pooled]
            assert pool.matched == ROWS
            seen.append((listed[0], pooled[0], fetched[0]))
        return seen

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for version in range(1, VERSIONS + 1):
                write_all(version)
        finally:
            done.set()
        for reader in readers:
            for versions in zip(*reader.result(), strict=True):
                assert list(versions) == sorted(versions), "time ran backwards"
    assert engine.rows("t", RowsQuery(compare("i64", "=", VERSIONS))).matched == ROWS


def test_writers_of_one_table_lose_nothing(engine):
    engine.create_table(make_spec())
    engine.upsert("t", [make_row(key, (key, 0)) for key in range(8)])

    def work(writer):
        for step in range(15):
            engine.upsert("t", [make_row(1000 + writer * 100 + step, (writer, step))])
            engine.update_fields("t", [Row(str(writer), {"i64": step})])
        return engine.delete("t", [str(1000 + writer * 100)])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [1] * 4
    assert engine.stats("t").rows == 8 + 4 * 14
    assert keys(engine.rows("t", RowsQuery(compare("i64", "=", 14)))) == ["0", "1", "2", "3"]
    assert engine.pool("t", query((0, 0))).matched == 8 + 4 * 14


def test_a_table_dropped_under_its_users_is_unknown_to_them(engine):
    def use():
        calls = 0
        try:
            while True:
                engine.upsert("t", [make_row(calls, (0, 0))])
                engine.fetch("t", ["1"])
                engine.pool("t", query((0, 0)))
                calls += 1
        except UnknownTable:
            return calls

    engine.create_table(make_spec())
    with ThreadPoolExecutor(3) as pool:
        users = [pool.submit(use) for _ in range(3)]
        while engine.stats("t").rows < 5:
            pass
        engine.drop_table("t")
        assert sum(user.result(timeout=60) for user in users) >= 5
    assert engine.table_names() == []
