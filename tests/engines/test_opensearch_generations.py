"""Generations in a cluster: several gateways, late requests, killed swaps, and what older versions left."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest
from engine_rebuild import finish, rebuild
from engine_samples import CHANGED, compare, keys, make_row, make_schema, make_spec, query
from opensearchpy import OpenSearch

from engines.contract import Generation, RowsQuery
from engines.opensearch.engine import OpenSearchEngine
from havengate.errors import Busy, Moved, RequestError, TableExists, UnknownGeneration, UnknownTable
from havengate.setting_groups import EngineSettings
from schemas.table import FieldType

CHILD = Path(__file__).with_name("generation_child.py")
NEW = make_spec(schema=CHANGED)


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
def other(settings):
    with OpenSearchEngine.open(settings) as other:
        yield other


@pytest.fixture
def client(opensearch_url):
    with OpenSearch([opensearch_url]) as client:
        yield client


@pytest.fixture
def kill(settings):
    """Runs a rebuild that is killed at a place."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHILD.parent), str(CHILD.parents[2])])}

    def run(place):
        command = [sys.executable, str(CHILD), place, "opensearch", settings.hosts, settings.index_prefix]
        assert subprocess.run(command, env=environment, check=False, timeout=120).returncode == -signal.SIGKILL

    return run


def indexes(client, settings):
    return set(client.indices.get(index=f"{settings.index_prefix}*"))


def remembers(engine, stored):
    """As an engine that read that a moment ago, however long ago it was."""
    engine._catalog._known["t"] = (float("inf"), stored)


@pytest.mark.parametrize(
    "place",
    ["engines.opensearch.holds:Holds._block", "last", "engines.opensearch.generations:Generations._swap"],
)
def test_after_a_swap_that_was_killed_the_table_is_whole_and_the_next_writer_heals_it(
    place, engine, kill, other, monkeypatch
):
    kill(place)
    assert keys(other.pool("t", query((0, 0)))) == ["0", "1", "2", "3", "4"]
    assert engine.generations("t") == [Generation("g1", 5, current=True), Generation("g2", 5, False, building=True)]
    for call in (
        lambda: engine.use_generation("t", "g2"),
        lambda: engine.drop_generation("t", "g2"),
        lambda: engine.set_settings("t", make_spec().settings),
    ):
        with pytest.raises(Busy, match="being changed"):
            call()
    with monkeypatch.context() as patch:
        patch.setattr("engines.opensearch.stored.LIFELESS_S", 0)
        engine.upsert("t", [make_row(5, (5, 0), f=0.1)])
    assert keys(engine.rows("t", RowsQuery(compare("f", "=", 0.1)))) == ["0", "1", "2", "3", "4", "5"]
    engine.drop_generation("t", "g2")
    assert rebuild(engine, NEW).rows == 6


def test_a_writer_that_waited_too_long_is_told_so(engine, settings):
    engine.build_generation("t", NEW)
    refused = []

    def write():
        with OpenSearchEngine.open(settings.model_copy(update={"timeout_s": 0.5})) as hasty:
            for call in (
                lambda: hasty.upsert("t", [make_row(9, (9, 0))]),
                lambda: hasty.upsert("t@g1", [make_row(9, (9, 0))]),
                lambda: hasty.delete("t", ["1"]),
                lambda: hasty.set_settings("t", make_spec().settings),
            ):
                with pytest.raises(Busy, match="being changed"):
                    call()
                refused.append(call)

    engine.hold("t", write)
    assert len(refused) == 4
    assert keys(engine.pool("t", query((0, 0)))) == ["0", "1", "2", "3", "4"]


def test_another_gateway_writes_and_reads_by_the_schema_that_it_meets(engine, other):
    other.upsert("t", [make_row(5, (5, 0), f=0.1, i8=1)])
    old = other._catalog.opened("t")
    rebuild(engine, NEW)
    for call in (
        lambda: keys(other.pool("t", query((0, 0)))) == ["0", "1", "2", "3", "4", "5"],
        lambda: keys(other.rows("t", RowsQuery(compare("f", "=", 0.1)))) == ["0", "1", "2", "3", "4", "5"],
        lambda: list(other.fetch("t", ["5"])) == ["5"],
        lambda: other.stats("t").rows == 6,
        lambda: len(other.scan("t", None, 100)) == 6,
        lambda: other.delete("t", ["5"]) == 1,
    ):
        remembers(other, old)
        assert call()
    remembers(other, old)
    with pytest.raises(RequestError, match="i8"):
        other.upsert("t", [make_row(6, (6, 0), f=0.1, i8=1)])
    remembers(other, old)
    other.upsert("t", [make_row(6, (6, 0), f=0.1)])
    for each in (engine, other):
        assert keys(each.rows("t", RowsQuery(compare("f", "=", 0.1)))) == ["0", "1", "2", "3", "4", "6"]
    assert "6" not in engine.fetch("t@g1", ["6"])


def test_what_was_made_for_another_generation_is_refused_by_a_gateway_that_knows_no_other(engine, other):
    old = other._catalog.opened("t")
    rebuild(engine, NEW)
    for call in (
        lambda: other.upsert("t", [make_row(6, (6, 0))], generation="g1"),
        lambda: other.update_fields("t", [make_row(1, (6, 0))], generation="g1"),
        lambda: other.pool("t", query((0, 0), generation="g1")),
        lambda: other.rows("t", RowsQuery(generation="g1")),
    ):
        remembers(other, old)
        with pytest.raises(Moved, match="g2"):
            call()
    remembers(other, old)
    other.upsert("t", [make_row(6, (6, 0))], generation="g2")
    for address in ("t", "t@g1"):
        rows = engine.fetch(address, ["1", "6"], ["vector_field"])
        assert rows["1"].vectors["vector_field"].tolist() == [1, 0]
        assert ("6" in rows) == (address == "t")


def test_a_request_that_slept_through_a_swap_and_back_is_taken_by_the_generation_that_is_current(engine, other):
    """The generation that it was meant for takes writes again by then, but has another address."""
    asleep = other._catalog.opened("t")
    rebuild(engine, NEW)
    engine.upsert("t@g1", [make_row(7, (7, 0))])
    assert not engine._catalog.read("t@g1").blocked
    remembers(other, asleep)
    other.upsert("t", [make_row(8, (8, 0))])
    assert set(engine.fetch("t", ["7", "8"])) == {"8"}
    assert set(engine.fetch("t@g1", ["7", "8"])) == {"7"}


def test_the_generation_that_was_left_takes_no_writes_but_by_its_own_name(engine, client):
    rebuild(engine, NEW)
    left = engine._catalog.read("t@g1")
    answer = client.bulk(body=[{"index": {"_id": "9"}}, {"id": 9}], index=left.address)
    assert [item["index"]["status"] for item in answer["items"]] == [403]
    engine.delete("t@g1", ["1"])
    assert engine.stats("t@g1").rows == 4
    engine.use_generation("t", "g1")
    engine.upsert("t", [make_row(1, (1, 0))])
    assert engine.stats("t").rows == 5


def test_a_gateway_that_remembers_a_generation_that_is_gone_looks_again(engine, other):
    old = other._catalog.opened("t")
    rebuild(engine, NEW)
    engine.drop_generation("t", "g1")
    for call in (
        lambda: keys(other.pool("t", query((0, 0), n=1))) == ["0"],
        lambda: other.stats("t").rows == 5,
        lambda: list(other.fetch("t", ["3"])) == ["3"],
        lambda: other.delete("t", ["4"]) == 1,
    ):
        remembers(other, old)
        assert call()
    assert other.table("t").schema == CHANGED


def writing(gateway, first, there, stop, errors):
    """A thread that writes and deletes thirty rows until it is told to stop; ``there`` is what was acknowledged."""

    def write(turn):
        key = str(first + turn % 30)
        try:
            if turn % 5:
                gateway.upsert("t", [make_row(int(key), (1, 0), s=str(turn))])
                there[key] = str(turn)
            else:
                gateway.delete("t", [key])
                there.pop(key, None)
        except Busy:
            # Refused as a whole: it is as it was.
            return

    def run():
        try:
            for turn in itertools.takewhile(lambda _: not stop.is_set(), itertools.count()):
                write(turn)
        except Exception as error:  # noqa: BLE001  whatever it is fails the test
            errors.append(error)

    return threading.Thread(target=run)


def test_two_gateways_write_through_rebuilds_and_rollbacks_and_lose_nothing(engine, other):
    stop, errors, there = threading.Event(), [], {}
    marks = []
    threads = [writing(*each, there, stop, errors) for each in ((engine, 100), (other, 200))]
    for thread in threads:
        thread.start()
    try:
        rebuild(engine, NEW, last=lambda: marks.append(engine.mark("t@g2")))
        for left, used in (("g2", "g1"), ("g1", "g2"), ("g2", "g1")):
            # What a generation gets between its mark and its swap comes from the other, and may go back there.
            finish(engine, f"t@{left}", used, marks[-1], lambda used=used: marks.append(engine.mark(f"t@{used}")))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert there
    for gateway in (engine, other):
        found = {row.pk: row.fields["s"] for row in gateway.scan("t", None, 1000) if int(row.pk) >= 100}
        assert found == there


def test_of_two_gateways_one_builds_and_one_swaps(engine, other):
    def both(call):
        told = []

        def run(gateway):
            try:
                told.append(call(gateway))
            except Busy:
                told.append("Busy")

        threads = [threading.Thread(target=run, args=(each,)) for each in (engine, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return told

    assert sorted(both(lambda gateway: gateway.build_generation("t", NEW))) == ["Busy", "g2"]
    calls = []
    assert None in both(lambda gateway: gateway.use_generation("t", "g2", lambda: calls.append(gateway)))
    assert len(calls) == 1
    assert [(each.name, each.current) for each in engine.generations("t")] == [("g1", False), ("g2", True)]
    engine.upsert("t", [make_row(1, (1, 0))])


def test_a_generation_dropped_by_others_cannot_be_used(engine, other, monkeypatch):
    engine.build_generation("t", NEW)
    # They looked before the hold began, and act now.
    monkeypatch.setattr(other._holds, "require_free", lambda _: None)
    with pytest.raises(UnknownGeneration):
        engine.use_generation("t", "g2", lambda: other.drop_generation("t", "g2"))
    assert [each.name for each in engine.generations("t")] == ["g1"]
    engine.upsert("t", [make_row(9, (9, 0))])
    assert engine.stats("t").rows == 6


def test_a_generation_that_others_made_current_is_not_dropped(engine, other, monkeypatch):
    engine.build_generation("t", NEW)
    exchange = engine._holds.exchange

    def late(*arguments):
        other.use_generation("t", "g2")
        exchange(*arguments)

    monkeypatch.setattr(engine._holds, "exchange", late)
    with pytest.raises(Busy, match="being changed"):
        engine.drop_generation("t", "g2")
    assert [(each.name, each.current) for each in engine.generations("t")] == [("g1", False), ("g2", True)]


def test_a_table_dropped_meanwhile_ends_the_swap_and_leaves_nothing(engine, other, client, settings):
    engine.build_generation("t", NEW)
    engine.delete("t", ["1"])
    with pytest.raises(UnknownTable):
        engine.use_generation("t", "g2", lambda: other.drop_table("t"))
    assert indexes(client, settings) == set()
    engine.create_table(make_spec())
    assert engine.generations("t") == [Generation("g1", 0, current=True)]


def test_a_generation_built_for_a_table_that_is_dropped_meanwhile_goes_with_it(
    engine, other, client, settings, monkeypatch
):
    make = engine._catalog.make_generation

    def late(*arguments):
        other.drop_table("t")
        return make(*arguments)

    monkeypatch.setattr(engine._catalog, "make_generation", late)
    with pytest.raises(UnknownTable):
        engine.build_generation("t", NEW)
    assert indexes(client, settings) == set()


def test_tables_whose_names_are_alike_are_not_mixed_up(engine):
    # Table tG1 is kept in an index that begins like the generations of t, tG1Deleted like what was deleted from one.
    for name in ("tG1", "t_g1", "tG1Deleted"):
        engine.create_table(make_spec(name))
    engine.delete("t", ["1"])
    engine.delete("tG1", ["1"])
    rebuild(engine, NEW)
    assert [each.name for each in engine.generations("t")] == ["g1", "g2"]
    assert engine.table_names() == ["t", "tG1", "tG1Deleted", "t_g1"]
    engine.drop_table("t")
    assert engine.table_names() == ["tG1", "tG1Deleted", "t_g1"]
    for name in engine.table_names():
        with pytest.raises(TableExists):
            engine.create_table(make_spec(name))


def test_what_an_older_version_left_is_used_or_removed(engine, client, settings):
    """A table whose second generation is in use, changed again by somebody who was killed."""
    prefix, name = settings.index_prefix, f"{settings.index_prefix}t"
    rebuild(engine, NEW)
    current, left = engine._catalog.read("t"), f"{prefix}t-g3"
    body = client.indices.get(index=current.index)[current.index]
    client.indices.create(
        index=left,
        body={"mappings": body["mappings"], "settings": {"index.knn": True}, "aliases": {f"{name}.new-1": {}}},
    )
    actions = [{"remove": {"index": current.index, "alias": current.address}}]
    actions += [{"add": {"index": current.index, "alias": f"{name}.{each}"}} for each in ("g2", "held")]
    client.indices.update_aliases(body={"actions": actions})
    client.indices.add_block(index=current.index, block="write")
    engine._catalog.forget("t")
    assert [each.name for each in engine.generations("t")] == ["g1", "g2"]
    with pytest.raises(UnknownGeneration):
        engine.fetch("t@g3", ["1"])
    engine.upsert("t", [make_row(9, (9, 0))])
    assert engine.stats("t").rows == 6
    assert engine.build_generation("t", NEW) == "g4"
    assert left not in indexes(client, settings)


@pytest.fixture
def sharded(settings, engine):  # noqa: ARG001  drops its tables
    with OpenSearchEngine.open(settings.model_copy(update={"shards": 3})) as sharded:
        yield sharded


TEXT_KEY = make_schema((("s", FieldType.STRING, False),), key=FieldType.STRING)


def paged(engine, name, limit):
    after = None
    while page := engine.scan(name, after, limit):
        assert len(page) <= limit
        yield from page
        after = page[-1].pk


def test_many_rows_over_several_shards_are_read_page_by_page(sharded, monkeypatch):
    monkeypatch.setattr("engines.opensearch.bodies._MOST_ROWS", 70)
    monkeypatch.setattr("engines.opensearch.journal._PAGE", 30)
    sharded.create_table(make_spec("many", TEXT_KEY))
    mark = sharded.mark("many")
    rows = [make_row(f"行{key}", (key, 0), "hash", s="x" * key) for key in range(1000)]
    sharded.upsert("many", rows)
    found = list(paged(sharded, "many", 333))
    assert [row.pk for row in found] == sorted(row.pk for row in rows)
    found.sort(key=lambda row: int(row.pk[1:]))
    assert [(row.fields, row.sources, row.vectors["vector_field"].tolist()) for row in found] == [
        (row.fields, row.sources, row.vectors["vector_field"].tolist()) for row in rows
    ]
    every = {row.pk for row in rows}
    assert set(sharded.touched("many", mark)) == every
    sharded.delete("many", [row.pk for row in rows[::2]])
    assert set(sharded.touched("many", mark)) == every
    assert len(list(paged(sharded, "many", 7))) == 500


def test_keys_longer_than_a_term_are_read_on_from(sharded):
    sharded.create_table(make_spec("many", TEXT_KEY))
    keys_ = ["长" * 11_000 + end for end in "ab"]
    sharded.upsert("many", [make_row(key, (0, 0)) for key in ["a", *keys_]])
    (_, second) = (row.pk for row in sharded.scan("many", "a", 10))
    mark = sharded.mark("many")
    assert sharded.scan("many", second, 10) == []
    sharded.delete("many", [second])
    assert sharded.touched("many", mark) == [second]


def test_what_is_no_key_of_the_table_is_no_place_to_read_on_from(engine):
    with pytest.raises(RequestError, match="no key"):
        engine.scan("t", "x", 10)
