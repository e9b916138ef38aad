"""Slow searches: which ones, what is told of them, and that nobody waits for whom they are handed to."""

import logging
import threading

import pytest
from gateway_fakes import FakeServices

from gateway.app import create_app
from gateway.parts import Parts
from gateway.slow import SlowSearches
from havengate.errors import EngineError, TimedOut
from havengate.setting_groups import LogSettings

PICTURE = "QUJD" * 500


class Cluster:
    """Keeps what is published, once it may."""

    def __init__(self):
        self.kept = []
        self.go = threading.Event()
        self.go.set()
        self.trouble = None

    def publish(self, kind, key, document):
        self.go.wait()
        if self.trouble:
            raise self.trouble
        self.kept.append((kind, key, document))


class Site:
    def __init__(self, cluster, **settings):
        self.services = FakeServices()
        self.dropped = []
        settings = {"slow_ms": 0.0001, "slow_index": True} | settings
        self.slow = SlowSearches(LogSettings(**settings), cluster.publish, lambda: self.dropped.append(1))
        self.client = create_app(self.services, Parts(slow=self.slow)).test_client()

    def search(self, request_id="mine"):
        return self.client.post(
            "/query",
            json={"assemblyQuery": "query=vector:'a&modal=text'&&cluster=photos&&config=format:json"},
            headers={"X-Opensearch-Request-ID": request_id},
        )


@pytest.fixture
def cluster():
    cluster = Cluster()
    yield cluster
    cluster.go.set()


def test_a_slow_search_is_told_with_its_plan(cluster, caplog):
    site = Site(cluster)
    site.search()
    site.slow.close()
    ((kind, key, document),) = cluster.kept
    assert kind == "slow-searches"
    assert key.startswith("mine-")
    assert document["at"] > 0
    expected = {"table": "photos", "dialect": "ha", "request_id": "mine", "total": 3, "hits": 1}
    assert expected.items() <= document.items()
    # The searcher says half a second, which is in the stages as it is.
    assert document["stages"]["embed"] == 500
    assert document["plan"]["query"]["vector"]["text"] == "a"
    (record,) = [record for record in caplog.records if record.name == "havengate.slow"]
    assert record.levelno == logging.WARNING
    assert (record.plan, record.total, record.took_ms) == (document["plan"], 3, document["took_ms"])
    assert 'havengate_slow_searches_total{dialect="ha"} 1.0' in site.client.get("/metrics").text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"vectors": [[0.125] * 512]}, {"vectors": [[0.125] * 4 + ["… 512 in all"]]}),
        ({"picture": PICTURE}, {"picture": f"{PICTURE[:40]}… (2000 characters)"}),
        ({"text": "x" * 500}, {"text": "… 500 characters"}),
    ],
)
def test_what_was_searched_by_is_cut(cluster, given, shown):
    site = Site(cluster)
    site.client.post("/v1/tables/photos/search", json={"query": {"vector": {"index": "vector", "n": 2, **given}}})
    site.slow.close()
    ((_, _, document),) = cluster.kept
    assert shown.items() <= document["plan"]["query"]["vector"].items()


def test_a_search_that_failed_is_told_with_its_error(cluster):
    site = Site(cluster)
    site.services.searcher.result = TimedOut("it took too long")
    site.search()
    site.slow.close()
    ((_, _, document),) = cluster.kept
    assert document["error"] == "QRS_PROCESS_TIMEOUT"
    assert not {"total", "hits"} & document.keys()


@pytest.mark.parametrize("slow_ms", [0, 60_000])
def test_a_fast_search_is_not_told_and_none_where_that_is_off(cluster, caplog, slow_ms):
    site = Site(cluster, slow_ms=slow_ms)
    site.search()
    site.slow.close()
    assert cluster.kept == []
    assert "havengate.slow" not in {record.name for record in caplog.records}


def test_waiting_for_a_slot_and_for_the_client_is_not_the_searchs(cluster):
    slow = Site(cluster, slow_ms=1000).slow
    assert not slow.note("ha", None, 2.5, {"wait": 1.0, "read": 1.0, "embed": 0.1})


def test_without_an_index_nothing_is_published(cluster, caplog):
    site = Site(cluster, slow_index=False)
    site.search()
    site.slow.close()
    assert cluster.kept == []
    assert "havengate.slow" in {record.name for record in caplog.records}


def test_a_cluster_that_hangs_costs_no_search_its_time(cluster):
    site = Site(cluster)
    cluster.go.clear()
    for number in range(300):
        assert site.search(request_id=f"r{number}").status_code == 200
    # One is being handed over at most, and as many wait as may.
    assert 300 - 257 <= len(site.dropped) <= 300 - 256
    cluster.go.set()
    site.slow.close()
    assert len(cluster.kept) + len(site.dropped) == 300


def test_what_the_cluster_refuses_is_counted_and_told_once(cluster, caplog):
    site = Site(cluster)
    cluster.trouble = EngineError("away")
    site.search()
    site.search()
    site.slow.close()
    assert len(site.dropped) == 2
    assert caplog.text.count("slow searches are not published: away") == 1
