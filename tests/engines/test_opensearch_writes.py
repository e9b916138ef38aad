"""Bulk requests to a cluster that turns some rows away: repeated by row, given up with a count, never twice."""

from __future__ import annotations

import json
import threading
import uuid

import pytest
from engine_samples import make_row, make_spec
from opensearchpy import exceptions

from engines.opensearch.engine import OpenSearchEngine
from engines.opensearch.refresh import Late
from engines.opensearch.writes import Writes
from havengate.errors import EngineError, UnknownTable
from havengate.setting_groups import EngineSettings

BUSY = {"status": 429, "error": {"type": "opensearch_rejected_execution_exception", "reason": "queue is full"}}
DONE = {"status": 201}


class Cluster:
    """Answers the bulk requests with the next of ``rounds``: by _id, an item or a whole refusal."""

    def __init__(self, *rounds):
        self.rounds = list(rounds)
        self.asked, self.refreshed, self.failing = [], [], []
        self.indices = self

    def bulk(self, *, body, index, params):
        assert index == "t"
        actions = [json.loads(line) for line in body.splitlines()]
        ids = [action["delete"]["_id"] for action in actions]
        self.asked.append((ids, params["refresh"]))
        answer = self.rounds.pop(0) if len(self.rounds) > 1 else self.rounds[0]
        if isinstance(answer, Exception):
            raise answer
        return {"items": [{"delete": {"_id": id_, **answer.get(id_, DONE)}} for id_ in ids]}

    def refresh(self, *, index):
        self.refreshed.append(index)
        return {"_shards": {"failed": self.failing.pop() if self.failing else 0}}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr("engines.opensearch.writes.time.sleep", lambda _: None)
    monkeypatch.setattr("engines.opensearch.patience.time.sleep", lambda _: None)


def deletions(*ids):
    return [({"delete": {"_id": id_}}, None) for id_ in ids]


def test_only_rows_that_were_turned_away_are_sent_again():
    cluster = Cluster({"b": BUSY}, {"b": BUSY}, {})
    assert Writes(cluster, 60).run("t", deletions("a", "b", "c")) == {"a": 201, "b": 201, "c": 201}
    assert [ids for ids, _ in cluster.asked] == [["a", "b", "c"], ["b"], ["b"]]


def test_a_request_that_was_turned_away_whole_is_sent_again():
    cluster = Cluster(exceptions.TransportError(429, "circuit_breaking_exception", {}), {})
    assert Writes(cluster, 60).run("t", deletions("a")) == {"a": 201}


def test_patience_ends_with_the_number_of_rows_and_what_to_do():
    with pytest.raises(EngineError, match=r"1 of 2 rows were not written: .*overloaded.*queue is full.*repeated"):
        Writes(Cluster({"b": BUSY}), -1).run("t", deletions("a", "b"))


def test_a_row_that_cannot_be_written_is_named():
    wrong = {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "failed to parse field"}}
    with pytest.raises(EngineError, match=r"row 'b'.*failed to parse field"):
        Writes(Cluster({"b": wrong}), 60).run("t", deletions("a", "b"))


def test_a_table_that_is_gone_is_unknown():
    gone = {"status": 404, "error": {"type": "index_not_found_exception", "reason": "no such index"}}
    with pytest.raises(UnknownTable):
        Writes(Cluster({"a": gone}), 60).run("t", deletions("a"))


def test_conflicts_and_missing_rows_are_told():
    conflict = {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "changed"}}
    cluster = Cluster({"a": conflict, "b": {"status": 404, "result": "not_found"}})
    assert Writes(cluster, 60).run("t", deletions("a", "b")) == {"a": 409, "b": 404}


def test_a_call_in_several_requests_shows_with_one_refresh(monkeypatch):
    monkeypatch.setattr("engines.opensearch.writes._BYTES", 30)
    cluster = Cluster({})
    Writes(cluster, 60).run("t", deletions("a", "b", "c", "d", "e"))
    assert [refresh for _, refresh in cluster.asked] == ["false"] * len(cluster.asked)
    assert (len(cluster.asked) > 1, cluster.refreshed) == (True, ["t"])
    alone = Cluster({})
    Writes(alone, 60).run("t", deletions("a"))
    assert (alone.asked, alone.refreshed) == ([(["a"], "true")], [])


def test_rows_that_a_shard_did_not_show_are_shown_again(monkeypatch):
    monkeypatch.setattr("engines.opensearch.writes._BYTES", 30)
    cluster = Cluster({})
    cluster.failing = [1, 2]
    Writes(cluster, 60).run("t", deletions("a", "b"))
    assert cluster.refreshed == ["t"] * 3


def test_parts_are_bounded_in_bytes_and_a_large_row_goes_alone(monkeypatch):
    monkeypatch.setattr("engines.opensearch.writes._BYTES", 100)
    cluster = Cluster({})
    Writes(cluster, 60).run("t", deletions("a", "图" * 20, "b", "c", "d", "e" * 200))
    assert [ids for ids, _ in cluster.asked] == [["a"], ["图" * 20], ["b", "c", "d"], ["e" * 200]]


def test_rows_of_late_calls_are_shown_by_the_first_read_or_the_end():
    cluster = Cluster({})
    late = Late(cluster, 60)
    writes = Writes(cluster, 60, late)
    for id_ in "abc":
        writes.run("t", deletions(id_))
    assert ([refresh for _, refresh in cluster.asked], cluster.refreshed) == (["false"] * 3, [])
    late.now("other")
    assert cluster.refreshed == []
    for _ in range(2):
        late.now("t")
        assert cluster.refreshed == ["t"]
    writes.run("t", deletions("d"))
    for _ in range(2):
        late.close()
        assert cluster.refreshed == ["t"] * 2


def test_rows_that_are_not_to_be_shown_are_not_shown_later_either():
    cluster = Cluster({})
    late = Late(cluster, 60)
    Writes(cluster, 60, late).run("t", deletions("a"), refresh=False)
    late.close()
    assert ([refresh for _, refresh in cluster.asked], cluster.refreshed) == (["false"], [])


def test_rows_of_late_calls_are_shown_without_a_read(monkeypatch):
    monkeypatch.setattr("engines.opensearch.refresh.LATEST_S", 0.01)
    shown = threading.Event()

    class Shown(Cluster):
        def refresh(self, *, index):
            shown.set()
            return super().refresh(index=index)

    cluster = Shown({})
    cluster.failing = [1]
    Writes(cluster, 60, Late(cluster, -1)).run("t", deletions("a"))
    assert shown.wait(10)
    shown.clear()
    assert shown.wait(10), "a refresh that failed is made again"


def test_an_index_that_cannot_be_shown_keeps_none_of_the_others():
    stuck, going_on = threading.Event(), threading.Event()

    class Sick(Cluster):
        def refresh(self, *, index):
            if index == "sick":
                stuck.set()
                assert going_on.wait(30)
                raise exceptions.TransportError(500, "sick", {})
            return super().refresh(index=index)

    cluster = Sick({})
    late = Late(cluster, 60)
    late.soon("sick")

    def read():
        with pytest.raises(exceptions.TransportError):
            late.now("sick")

    reader = threading.Thread(target=read)
    reader.start()
    assert stuck.wait(30)
    late.soon("t")
    late.now("t")
    assert cluster.refreshed == ["t"]
    late.soon("last")
    going_on.set()
    reader.join()
    with pytest.raises(exceptions.TransportError):
        late.close()
    assert (cluster.refreshed, late._waiting) == (["t", "last"], {})


def test_nothing_to_write_asks_nothing():
    cluster = Cluster({})
    assert Writes(cluster, 60).run("t", []) == {}
    assert cluster.asked == []


def test_a_bulk_loader_sees_its_own_rows_and_others_see_them_at_its_end(opensearch_url, monkeypatch):
    monkeypatch.setattr("engines.opensearch.refresh.LATEST_S", 600)
    settings = EngineSettings(kind="opensearch", hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-")
    with OpenSearchEngine.open(settings) as other:
        other.create_table(make_spec())
        with OpenSearchEngine.open(settings.model_copy(update={"refresh": "none"})) as loader:
            loader.upsert("t", [make_row(1, (0, 0))])
            assert other.fetch("t", ["1"]) == {}
            assert set(loader.fetch("t", ["1"])) == {"1"}
            loader.upsert("t", [make_row(2, (0, 0))])
        assert set(other.fetch("t", ["1", "2"])) == {"1", "2"}
        other.drop_table("t")
