"""Generations in a cluster: killed changes, several gateways, holds that heal, and swaps that must not happen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest
from engine_samples import CHANGED, compare, keys, make_row, make_schema, make_spec, query
from opensearchpy import OpenSearch

from engines.contract import Generation, RowsQuery
from engines.opensearch.engine import OpenSearchEngine
from havengate.errors import Busy, RequestError, TableExists, UnknownTable
from havengate.settings import EngineSettings
from schemas.table import FieldType

CHILD = Path(__file__).with_name("generation_child.py")


def silent(_done, _of):
    pass


@pytest.fixture
def settings(opensearch_url):
    return EngineSettings(hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60)


@pytest.fixture
def engine(settings):
    with OpenSearchEngine.open(settings) as engine:
        engine.create_table(make_spec())
        engine.upsert("t", [make_row(key, (key, 0), s=str(key), f=0.1) for key in range(5)])
        yield engine
        for name in engine.table_names():
            engine.drop_table(name)


@pytest.fixture
def client(opensearch_url):
    with OpenSearch([opensearch_url]) as client:
        yield client


@pytest.fixture
def kill(settings):
    """Runs a change that is killed at a place."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHILD.parent), str(CHILD.parents[2])])}

    def run(place):
        command = [sys.executable, str(CHILD), place, "opensearch", settings.hosts, settings.index_prefix]
        assert subprocess.run(command, env=environment, check=False, timeout=120).returncode == -signal.SIGKILL

    return run


def indexes(client, settings):
    return set(client.indices.get(index=f"{settings.index_prefix}*"))


BEFORE = [
    "engines.opensearch.holds:Holds.hold",
    "engines.opensearch.holds:Holds.block",
    "progress",
    "engines.opensearch.generations:Generations._take_over",
]
SETTLING = "engines.opensearch.generations:Generations._settle"


@pytest.fixture(params=[*((place, "g1") for place in BEFORE), (SETTLING, "g2")], ids=lambda param: param[0])
def current(request, engine, kill):
    """The generation in use after a change was killed at a place."""
    place, current = request.param
    engine.stats("t")
    kill(place)
    return current


def test_after_a_change_that_was_killed_the_table_is_whole_and_the_next_writer_heals_it(
    current, engine, settings, client, monkeypatch
):
    with OpenSearchEngine.open(settings) as other:
        assert keys(other.pool("t", query((0, 0)))) == ["0", "1", "2", "3", "4"]
        assert [each.name for each in other.generations("t") if each.current] == [current]
        assert other.table("t") == make_spec(schema=CHANGED if current == "g2" else None)
    with pytest.raises(Busy, match="being changed"):
        engine.change_table("t", make_spec(schema=CHANGED), silent)
    monkeypatch.setattr("engines.opensearch.stored.LIFELESS_S", 0)
    engine.upsert("t", [make_row(5, (5, 0), f=0.1)])
    assert keys(engine.rows("t", RowsQuery(compare("f", "=", 0.1)))) == ["0", "1", "2", "3", "4", "5"]
    made = engine.change_table("t", make_spec(schema=CHANGED), silent)
    assert made.rows == 6
    assert indexes(client, settings) == {f"{settings.index_prefix}t-{each.name}" for each in engine.generations("t")}


def test_a_writer_that_waited_too_long_is_told_so(engine, settings):
    refused = []

    def write(_done, _of):
        if not refused:
            with OpenSearchEngine.open(settings.model_copy(update={"timeout_s": 0.5})) as other:
                for call in (
                    lambda: other.upsert("t", [make_row(9, (9, 0))]),
                    lambda: other.delete("t", ["1"]),
                    lambda: other.set_settings("t", make_spec().settings),
                ):
                    with pytest.raises(Busy, match="being changed") as error:
                        call()
                    refused.append(error)

    engine.change_table("t", make_spec(schema=CHANGED), write)
    assert len(refused) == 3
    assert keys(engine.pool("t", query((0, 0)))) == ["0", "1", "2", "3", "4"]


def test_another_gateway_writes_and_reads_by_the_schema_that_it_meets(engine, settings):
    with OpenSearchEngine.open(settings) as other:
        other.upsert("t", [make_row(5, (5, 0), f=0.1, i8=1)])
        engine.change_table("t", make_spec(schema=CHANGED), silent)
        # What it remembers is still the old schema, and the old generation takes no writes.
        other._catalog._known["t"] = (float("inf"), other._catalog.generations("t")[0])
        assert keys(other.pool("t", query((0, 0)))) == ["0", "1", "2", "3", "4", "5"]
        with pytest.raises(RequestError, match="i8"):
            other.upsert("t", [make_row(6, (6, 0), f=0.1, i8=1)])
        other._catalog._known["t"] = (float("inf"), other._catalog.generations("t")[0])
        other.upsert("t", [make_row(6, (6, 0), f=0.1)])
        for each in (engine, other):
            assert keys(each.rows("t", RowsQuery(compare("f", "=", 0.1)))) == ["0", "1", "2", "3", "4", "5", "6"]


def test_a_gateway_that_remembers_a_generation_that_is_gone_looks_again(engine, settings):
    with OpenSearchEngine.open(settings) as other:
        old = other._catalog.opened("t")
        engine.change_table("t", make_spec(schema=CHANGED), silent)
        engine.drop_generation("t", "g1")
        for call in (
            lambda: keys(other.pool("t", query((0, 0), n=1))) == ["0"],
            lambda: other.stats("t").rows == 5,
            lambda: list(other.fetch("t", ["3"])) == ["3"],
            lambda: other.delete("t", ["4"]) == 1,
        ):
            other._catalog._known["t"] = (float("inf"), old)
            assert call()
        assert other.table("t") == make_spec(schema=CHANGED)


def test_a_change_that_was_given_up_by_others_cannot_take_over(engine, settings, monkeypatch):
    def give_up(done, _of):
        if done:
            with OpenSearchEngine.open(settings) as other, monkeypatch.context() as patch:
                patch.setattr("engines.opensearch.stored.LIFELESS_S", 0)
                other.upsert("t", [make_row(9, (9, 0), f=0.1)])

    with pytest.raises(Busy, match="no sign of life"):
        engine.change_table("t", make_spec(schema=CHANGED), give_up)
    assert engine.generations("t") == [Generation("g1", 6, current=True)]
    engine.upsert("t", [make_row(10, (10, 0))])
    assert engine.stats("t").rows == 7


def test_of_two_gateways_one_changes(engine, settings):
    done = []

    def change(other):
        try:
            done.append(other.change_table("t", make_spec(schema=CHANGED), silent).name)
        except Busy as error:
            done.append(type(error).__name__)

    with OpenSearchEngine.open(settings) as other:
        threads = [threading.Thread(target=change, args=(each,)) for each in (engine, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(done) == ["Busy", "g2"]
    assert [each.name for each in engine.generations("t")] == ["g1", "g2"]


def test_a_table_dropped_meanwhile_ends_the_change(engine, settings, client):
    def drop(_done, _of):
        with OpenSearchEngine.open(settings) as other:
            other.drop_table("t")

    with pytest.raises(UnknownTable):
        engine.change_table("t", make_spec(schema=CHANGED), drop)
    assert indexes(client, settings) == set()
    engine.create_table(make_spec())


def test_tables_whose_names_are_alike_are_not_mixed_up(engine):
    # Table tG1 is kept in an index that begins like the generations of t.
    engine.create_table(make_spec("tG1"))
    engine.create_table(make_spec("t_g1"))
    engine.change_table("t", make_spec(schema=CHANGED), silent)
    assert [each.name for each in engine.generations("t")] == ["g1", "g2"]
    assert engine.table_names() == ["t", "tG1", "t_g1"]
    engine.drop_table("t")
    assert engine.table_names() == ["tG1", "t_g1"]
    with pytest.raises(TableExists):
        engine.create_table(make_spec("tG1"))


@pytest.mark.usefixtures("engine")
def test_many_rows_over_several_shards_are_copied_page_by_page(settings, monkeypatch):
    monkeypatch.setattr("engines.opensearch.copying._MOST_ROWS", 70)
    with OpenSearchEngine.open(settings.model_copy(update={"shards": 3})) as sharded:
        schema = make_schema((("s", FieldType.STRING, False),), key=FieldType.STRING)
        sharded.create_table(make_spec("many", schema))
        rows = [make_row(f"行{key}", (key, 0), s="x" * key) for key in range(1000)]
        sharded.upsert("many", rows)
        told = []
        sharded.change_table("many", make_spec("many", schema), lambda done, of: told.append((done, of)))
        assert told == [(min(done, 1000), 1000) for done in range(0, 1051, 70)]
        found = sharded.fetch("many", [row.pk for row in rows], ["vector_field"])
        assert [(row.fields, row.vectors["vector_field"].tolist()) for row in found.values()] == [
            (row.fields, row.vectors["vector_field"].tolist()) for row in rows
        ]
