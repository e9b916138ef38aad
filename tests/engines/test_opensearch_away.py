"""A cluster that is away, too old, of another product, or closed to the user."""

from __future__ import annotations

import socket
import threading
import uuid

import pytest
from engine_samples import keys, make_row, make_spec, query
from opensearch_server.proxy import Proxy

from engines.contract import RowsQuery
from engines.opensearch.engine import OpenSearchEngine
from havengate.errors import EngineError, TimedOut
from havengate.setting_groups import EngineSettings

INFO = {"version": {"distribution": "opensearch", "number": "2.19.6"}}


@pytest.fixture
def settings(opensearch_url):
    return EngineSettings(hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60)


@pytest.fixture
def alone():
    """A server that gives the answers of its ``trouble``."""
    with Proxy() as proxy:
        yield proxy


def test_a_cluster_that_is_away_is_named_and_found_again(settings, opensearch_url):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with (
            OpenSearchEngine.open(settings.model_copy(update={"hosts": away})) as engine,
            pytest.raises(EngineError, match="cannot be reached") as caught,
        ):
            engine.table_names()
        # Clients are told this, too.
        assert "refused" in caught.value.message
        assert "127.0.0.1" not in caught.value.message
        both = settings.model_copy(update={"hosts": f"{away}, {opensearch_url}"})
        with OpenSearchEngine.open(both) as engine:
            assert [engine.table_names() for _ in range(4)] == [[]] * 4


@pytest.mark.parametrize(
    ("info", "knn", "told"),
    [
        ({"version": {"number": "8.15.0"}}, 200, "not OpenSearch; HAVENGATE_ENGINE__HOSTS names another product"),
        ({"tagline": "hello"}, 200, "not OpenSearch"),
        ("<html>It works!</html>", 200, "not OpenSearch"),
        ({"version": {"distribution": "opensearch", "number": "2.11.1"}}, 200, "2.11.1 is too old; 2.19"),
        ({"version": {"distribution": "opensearch"}}, 200, "None is too old"),
        (INFO, 400, "no k-NN plugin; install opensearch-knn"),
    ],
)
def test_a_server_that_cannot_serve_says_why_at_the_first_request(alone, info, knn, told):
    alone.trouble = lambda path: (knn, {"error": "no handler found"}) if "_knn" in path else (200, info)
    with OpenSearchEngine.open(EngineSettings(hosts=alone.url)) as engine:
        for ask in (engine.examine, engine.table_names):
            with pytest.raises(EngineError, match=told):
                ask()


def test_a_password_goes_as_utf_8(alone):
    alone.trouble = lambda path: (200, INFO if path == "/" else {})
    with OpenSearchEngine.open(EngineSettings(hosts=alone.url, user="ю", password="é图")) as engine:
        assert engine.table_names() == []
    assert {headers["authorization"] for _, headers in alone.seen} == {"Basic 0Y46w6nlm74="}


def test_a_user_that_the_cluster_does_not_know(alone):
    alone.trouble = lambda _: (401, "Unauthorized")
    settings = EngineSettings(hosts=alone.url, user="me", password="quite secret")
    with (
        OpenSearchEngine.open(settings) as engine,
        pytest.raises(EngineError, match="HAVENGATE_ENGINE__USER") as caught,
    ):
        engine.table_names()
    assert "secret" not in str(caught.value)


def test_a_search_with_a_deadline_waits_for_a_cluster_that_hangs_no_longer(settings, opensearch_url):
    answering = threading.Event()
    with (
        Proxy(opensearch_url) as proxy,
        OpenSearchEngine.open(settings.model_copy(update={"hosts": proxy.url})) as engine,
    ):
        engine.create_table(make_spec())
        engine.upsert("t", [make_row(1, (0, 0))])
        proxy.trouble = lambda path: "drop" if "search" in path and not answering.wait(30) else None
        for deadline_s in (0.2, -1.0):
            with pytest.raises(TimedOut):
                engine.pool("t", query((0, 0), deadline_s=deadline_s))
            with pytest.raises(TimedOut):
                engine.rows("t", RowsQuery(deadline_s=deadline_s))
        answering.set()
        assert keys(engine.rows("t", RowsQuery(deadline_s=60.0))) == ["1"]
        engine.drop_table("t")
