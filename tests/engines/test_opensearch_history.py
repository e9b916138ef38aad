"""Entries of the change history in the cluster: for Dashboards, as far as the cluster takes them."""

from __future__ import annotations

import uuid

import pytest
from engine_samples import make_spec
from opensearch_server.proxy import Proxy
from opensearchpy import OpenSearch

from engines.opensearch.engine import OpenSearchEngine
from havengate.errors import EngineError
from havengate.setting_groups import EngineSettings

ENTRY = {
    "id": 7,
    "what": "rebuild",
    "table": "t",
    "by": "cli:me",
    "at": 1_000_000_000.25,
    "ended": None,
    "state": "running",
    "progress": 0.5,
    "read": 10,
    "detail": {"sentences": ["a", 1], "x": {"y": 1}},
}


@pytest.fixture
def settings(opensearch_url):
    return EngineSettings(hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60)


@pytest.fixture
def client(opensearch_url, settings):
    with OpenSearch([opensearch_url]) as client:
        yield client
        client.indices.delete(index=f"{settings.index_prefix}change-history", params={"ignore_unavailable": "true"})


@pytest.fixture
def engine(settings, client):  # noqa: ARG001  removes what is left
    with OpenSearchEngine.open(settings) as engine:
        yield engine


def found(client, settings, **query):
    index = f"{settings.index_prefix}change-history"
    client.indices.refresh(index=index)
    return [hit["_source"] for hit in client.search(index=index, body=query)["hits"]["hits"]]


def test_an_entry_is_found_by_its_date_and_its_words(engine, client, settings):
    engine.publish_change("7", ENTRY)
    (entry,) = found(client, settings, query={"range": {"at": {"gte": "2001-09-09", "lt": "2001-09-10"}}})
    assert entry == {**ENTRY, "at": "2001-09-09T01:46:40.250+00:00"}
    for query in ({"term": {"what": "rebuild"}}, {"range": {"progress": {"gt": 0.4}}}, {"term": {"read": 10}}):
        assert found(client, settings, query=query) == [entry]


def test_an_entry_that_goes_on_replaces_itself_whatever_its_detail_becomes(engine, client, settings):
    engine.publish_change("7", ENTRY)
    engine.publish_change("7", {**ENTRY, "state": "done", "detail": {"x": "text", "sentences": {}}, "newer": 1})
    engine.publish_change("host:8 ü", {**ENTRY, "id": 8})
    entries = found(client, settings, sort=[{"id": "asc"}])
    assert [(each["id"], each["state"]) for each in entries] == [(7, "done"), (8, "running")]


def test_the_history_is_no_table_and_stays_when_tables_go(engine, client, settings):
    engine.publish_change("7", ENTRY)
    for name in ("changes", "change_history", "changeHistory"):
        engine.create_table(make_spec(name))
    assert engine.table_names() == ["changeHistory", "change_history", "changes"]
    assert "green" in engine.examine()
    for name in engine.table_names():
        engine.drop_table(name)
    assert len(found(client, settings)) == 1


def test_of_two_gateways_with_the_first_entry_both_are_heard(engine, client, settings, monkeypatch):
    create = engine._history._create

    def late():
        with OpenSearchEngine.open(settings) as other:
            other.publish_change("8", {**ENTRY, "id": 8})
        create()

    monkeypatch.setattr(engine._history, "_create", late)
    engine.publish_change("7", ENTRY)
    assert len(found(client, settings)) == 2


def test_an_index_that_people_removed_is_made_again_with_its_dates(engine, client, settings):
    engine.publish_change("7", ENTRY)
    client.indices.delete(index=f"{settings.index_prefix}change-history")
    engine.publish_change("8", ENTRY)
    assert len(found(client, settings, query={"range": {"at": {"lt": "2002-01-01"}}})) == 1


def test_a_cluster_that_takes_no_entry_says_so_and_no_password(settings, opensearch_url, caplog):
    known = {"index_prefix": settings.index_prefix, "user": "u", "password": "s3cret"}
    with Proxy(opensearch_url) as proxy, OpenSearchEngine.open(EngineSettings(hosts=proxy.url, **known)) as engine:
        for what in ("drop", (500, {}), (200, "<html>"), (403, {"error": {"type": "security_exception"}})):
            proxy.trouble = lambda _, what=what: what
            with pytest.raises(EngineError, match="publishing the change history") as refused:
                engine.publish_change("7", ENTRY)
            assert "s3cret" not in refused.value.message
    assert "s3cret" not in caplog.text
