"""What the cluster is told of who asks: its slow logs and lists of tasks name the gateway's request."""

from __future__ import annotations

import threading
import uuid
from contextvars import copy_context

import pytest
from engine_samples import make_row, make_spec, query
from opensearch_server.proxy import Proxy

from engines.opensearch import holds
from engines.opensearch.engine import OpenSearchEngine
from havengate.request_id import REQUEST_ID
from havengate.setting_groups import EngineSettings


@pytest.fixture
def proxy(opensearch_url):
    with Proxy(opensearch_url) as proxy:
        yield proxy


@pytest.fixture
def engine(proxy):
    settings = EngineSettings(hosts=proxy.url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60)
    with OpenSearchEngine.open(settings) as engine:
        engine.create_table(make_spec())
        yield engine
        engine.drop_table("t")


def run_as(request_id, work):
    REQUEST_ID.set(request_id)
    work()


def told(proxy, request_id, *calls):
    """The ids that the cluster was told while the calls were made for a request."""
    proxy.seen.clear()
    for call in calls:
        copy_context().run(run_as, request_id, call)
    return ids(proxy)


def ids(proxy):
    return {headers.get("x-opaque-id") for _, headers in proxy.seen}


def test_every_kind_of_call_names_its_request(engine, proxy):
    calls = [
        lambda: engine.upsert("t", [make_row(1, (1, 0))]),
        lambda: engine.update_fields("t", [make_row(1, i8=1)]),
        lambda: engine.pool("t", query((0, 0))),
        lambda: engine.fetch("t", ["1"]),
        lambda: engine.scan("t", None, 1),
        lambda: engine.touched("t", engine.mark("t")),
        lambda: engine.delete("t", ["1"]),
        lambda: engine.stats("t"),
        engine.table_names,
        engine.examine,
    ]
    assert told(proxy, "r-1", *calls) == {"r-1"}
    assert len(proxy.seen) > len(calls)


def test_what_nobody_asked_for_has_no_name(engine, proxy):
    proxy.seen.clear()
    engine.pool("t", query((0, 0)))
    assert ids(proxy) == {None}


def test_requests_that_are_made_at_once_keep_their_own_names(engine, proxy):
    proxy.seen.clear()
    both = threading.Barrier(2)

    def work():
        both.wait(30)
        for _ in range(5):
            engine.pool("t", query((0, 0)))

    threads = [threading.Thread(target=copy_context().run, args=(run_as, name, work)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = [headers.get("x-opaque-id") for _, headers in proxy.seen]
    assert set(seen) == {"a", "b"}
    assert min(seen.count("a"), seen.count("b")) >= 5


def test_signs_of_life_of_a_hold_name_the_request_that_holds(engine, proxy, monkeypatch):
    monkeypatch.setattr(holds, "_BEAT_S", 0.01)
    beaten = threading.Event()
    engine._catalog.opened("t")

    def wait():
        proxy.trouble = lambda path: beaten.set() if path.startswith("/_aliases") else None
        assert beaten.wait(30)

    assert told(proxy, "r-2", lambda: engine.hold("t", wait)) == {"r-2"}
