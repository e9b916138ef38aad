"""What was touched since a mark: numbers of shards, deletions that are under way, and what belongs to whom."""

from __future__ import annotations

import uuid

import pytest
from engine_rebuild import rebuild
from engine_samples import CHANGED, make_row, make_spec
from opensearchpy import OpenSearch, exceptions

from engines.opensearch.engine import OpenSearchEngine
from havengate.errors import RequestError
from havengate.setting_groups import EngineSettings
from havengate.types import Row


@pytest.fixture
def settings(opensearch_url):
    return EngineSettings(hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60, shards=2)


@pytest.fixture
def engine(settings):
    with OpenSearchEngine.open(settings) as engine:
        engine.create_table(make_spec())
        engine.upsert("t", [make_row(key, (key, 0)) for key in range(5)])
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


def indexes(client, settings):
    return {name.removeprefix(settings.index_prefix) for name in client.indices.get(index=f"{settings.index_prefix}*")}


def at_the_write(engine, monkeypatch, call):
    """``call`` happens when a call's own request is about to go to the rows."""
    write = engine._writes.run

    def late(alias, actions, **rest):
        if "index" in rest:
            call()
        return write(alias, actions, **rest)

    monkeypatch.setattr(engine._writes, "run", late)


class Killed(BaseException):
    pass


def die():
    raise Killed


@pytest.mark.parametrize("ends", [True, False], ids=["told", "killed before it could be told"])
def test_a_deletion_that_is_under_way_at_the_mark_is_after_it(engine, other, monkeypatch, ends):
    marks = []
    engine.delete("t", ["1"])
    at_the_write(engine, monkeypatch, lambda: marks.append(other.mark("t")))
    if not ends:
        monkeypatch.setattr(engine._deletions, "end", lambda *_: die())
        with pytest.raises(Killed):
            engine.delete("t", ["2"])
    else:
        engine.delete("t", ["2"])
    assert "2" not in other.fetch("t", ["2"])
    assert other.touched("t", marks[0]) == ["2"]


def test_a_deletion_that_was_never_made_costs_a_look_at_its_rows(engine, other, monkeypatch):
    mark = engine.mark("t")
    at_the_write(engine, monkeypatch, die)
    with pytest.raises(Killed):
        engine.delete("t", ["2", "3"])
    assert set(other.touched("t", mark)) == {"2", "3"}
    assert set(other.fetch("t", ["2", "3"])) == {"2", "3"}
    # For good: nobody knows that it will not happen.
    assert set(other.touched("t", other.mark("t"))) == {"2", "3"}


def test_a_row_that_comes_and_goes_between_two_looks_of_a_deletion_is_touched(engine, other, monkeypatch):
    mark = engine.mark("t")
    # The deletion has looked by then which rows are there.
    at_the_write(engine, monkeypatch, lambda: other.upsert("t", [make_row(77, (0, 0))]))
    engine.delete("t", ["77"])
    assert other.fetch("t", ["77"]) == {}
    assert other.touched("t", mark) == ["77"]


def test_a_deletion_that_cannot_be_told_is_made_all_the_same(engine, monkeypatch):
    mark = engine.mark("t")
    end = engine._deletions.end

    def fail(*arguments):
        with monkeypatch.context() as patch:
            patch.setattr(engine._writes, "run", gone)
            end(*arguments)

    def gone(*_, **__):
        raise exceptions.TransportError(503, "no node", {})

    monkeypatch.setattr(engine._deletions, "end", fail)
    assert engine.delete("t", ["2"]) == 1
    assert engine.touched("t", mark) == ["2"]


def test_deleted_again_and_written_again(engine):
    engine.delete("t", ["1"])
    mark = engine.mark("t")
    engine.upsert("t", [make_row(1, (1, 0))])
    assert engine.touched("t", mark) == ["1"]
    engine.delete("t", ["1"])
    assert engine.touched("t", mark) == ["1"]
    assert engine.touched("t", engine.mark("t")) == []


def test_a_patch_of_no_row_touches_nothing(engine):
    mark = engine.mark("t")
    assert engine.update_fields("t", [Row("99", {"s": "x"})]) == ["99"]
    assert engine.touched("t", mark) == []


def test_more_keys_than_an_entry_holds(engine, monkeypatch):
    monkeypatch.setattr("engines.opensearch.deletions._KEYS_PER_ENTRY", 3)
    marks = [engine.mark("t")]
    at_the_write(engine, monkeypatch, lambda: marks.append(engine.mark("t")))
    asked = [str(key) for key in range(8)]
    engine.delete("t", asked)
    monkeypatch.undo()
    for mark in marks:
        assert sorted(engine.touched("t", mark)) == asked
    assert engine.touched("t", engine.mark("t")) == []


def test_rows_that_are_not_shown_yet_are_touched_and_read(settings, engine, monkeypatch):
    monkeypatch.setattr("engines.opensearch.refresh.LATEST_S", 600)
    mark = engine.mark("t")
    with OpenSearchEngine.open(settings.model_copy(update={"refresh": "none"})) as loader:
        loader.upsert("t", [make_row(8, (0, 0))])
        assert engine.touched("t", mark) == ["8"]
        loader.upsert("t", [make_row(9, (0, 0))])
        assert [row.pk for row in engine.scan("t", "4", 10)] == ["8", "9"]


def test_a_mark_of_another_generation_is_refused(engine, other):
    mark, before = engine.mark("t"), engine.mark("t@g1")
    rebuild(engine, make_spec(schema=CHANGED))
    assert engine.touched("t@g1", before) == []
    for wrong in (mark, "", "17", "{}", '{"rows": {}, "deletions": {}}', "null", "[]"):
        with pytest.raises(RequestError, match="mark"):
            other.touched("t", wrong)
    other.drop_table("t")
    other.create_table(make_spec())
    with pytest.raises(RequestError, match="not made for generation 'g1'"):
        engine.touched("t", mark)


def test_what_says_that_rows_were_deleted_comes_with_the_first_and_goes_with_its_generation(engine, client, settings):
    assert indexes(client, settings) == {"t-g1"}
    assert engine.delete("t", ["1", "no such row"]) == 1
    assert indexes(client, settings) == {"t-g1", "t-g1-deleted"}
    assert engine.table_names() == ["t"]
    assert len(engine.generations("t")) == 1
    rebuild(engine, make_spec(schema=CHANGED))
    engine.delete("t", ["2"])
    assert indexes(client, settings) == {"t-g1", "t-g1-deleted", "t-g2", "t-g2-deleted"}
    engine.drop_generation("t", "g1")
    assert indexes(client, settings) == {"t-g2", "t-g2-deleted"}
    assert "green" in engine.examine()
    engine.drop_table("t")
    assert indexes(client, settings) == set()


def test_deletions_of_a_table_that_is_dropped_meanwhile_make_nothing(engine, other, client, settings, monkeypatch):
    begin = engine._deletions.begin

    def late(*arguments):
        if "t" in other.table_names():
            other.drop_table("t")
        begin(*arguments)

    monkeypatch.setattr(engine._deletions, "begin", late)
    with pytest.raises(RequestError, match="no table 't'"):
        engine.delete("t", ["1"])
    assert indexes(client, settings) == set()


def test_of_two_first_deletions_at_once_both_are_told(engine, other, monkeypatch):
    mark = engine.mark("t")
    create = engine._deletions._create

    def late(stored):
        other.delete("t", ["1"])
        create(stored)

    monkeypatch.setattr(engine._deletions, "_create", late)
    assert engine.delete("t", ["2"]) == 1
    assert set(engine.touched("t", mark)) == {"1", "2"}
