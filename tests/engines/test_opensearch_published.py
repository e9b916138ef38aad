"""The change history and slow searches in the cluster: for Dashboards, as far as the cluster takes them."""

from __future__ import annotations

import time
import uuid

import pytest
from engine_samples import make_spec
from opensearch_server.proxy import Proxy
from opensearchpy import OpenSearch

from engines.opensearch.engine import OpenSearchEngine
from engines.opensearch.names import Names
from engines.opensearch.published import Publications
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
        left = ",".join(f"{settings.index_prefix}{name}" for name in ("change-history", "slow-searches"))
        client.indices.delete(index=left, params={"ignore_unavailable": "true"})


@pytest.fixture
def engine(settings, client):  # noqa: ARG001  removes what is left
    with OpenSearchEngine.open(settings) as engine:
        yield engine


def found(client, settings, name="change-history", **query):
    index = f"{settings.index_prefix}{name}"
    client.indices.refresh(index=index)
    return [hit["_source"] for hit in client.search(index=index, body=query)["hits"]["hits"]]


def test_an_entry_is_found_by_its_date_and_its_words(engine, client, settings):
    engine.publish("changes", "7", ENTRY)
    (entry,) = found(client, settings, query={"range": {"at": {"gte": "2001-09-09", "lt": "2001-09-10"}}})
    assert entry == {**ENTRY, "at": "2001-09-09T01:46:40.250+00:00"}
    for query in ({"term": {"what": "rebuild"}}, {"range": {"progress": {"gt": 0.4}}}, {"term": {"read": 10}}):
        assert found(client, settings, query=query) == [entry]


def test_an_entry_that_goes_on_replaces_itself_whatever_its_detail_becomes(engine, client, settings):
    engine.publish("changes", "7", ENTRY)
    engine.publish("changes", "7", {**ENTRY, "state": "done", "detail": {"x": "text", "sentences": {}}, "newer": 1})
    engine.publish("changes", "host:8 ü", {**ENTRY, "id": 8})
    entries = found(client, settings, sort=[{"id": "asc"}])
    assert [(each["id"], each["state"]) for each in entries] == [(7, "done"), (8, "running")]


def test_the_history_is_no_table_and_stays_when_tables_go(engine, client, settings):
    engine.publish("changes", "7", ENTRY)
    for name in ("changes", "change_history", "changeHistory"):
        engine.create_table(make_spec(name))
    assert engine.table_names() == ["changeHistory", "change_history", "changes"]
    assert "green" in engine.examine()
    for name in engine.table_names():
        engine.drop_table(name)
    assert len(found(client, settings)) == 1


def test_of_two_gateways_with_the_first_entry_both_are_heard(engine, client, settings, monkeypatch):
    create = engine._publications._create

    def late(kind):
        with OpenSearchEngine.open(settings) as other:
            other.publish("changes", "8", {**ENTRY, "id": 8})
        create(kind)

    monkeypatch.setattr(engine._publications, "_create", late)
    engine.publish("changes", "7", ENTRY)
    assert len(found(client, settings)) == 2


def test_an_index_that_people_removed_is_made_again_with_its_dates(engine, client, settings):
    engine.publish("changes", "7", ENTRY)
    client.indices.delete(index=f"{settings.index_prefix}change-history")
    engine.publish("changes", "8", ENTRY)
    assert len(found(client, settings, query={"range": {"at": {"lt": "2002-01-01"}}})) == 1


def test_a_cluster_that_takes_no_entry_says_so_and_no_password(settings, opensearch_url, caplog):
    known = {"index_prefix": settings.index_prefix, "user": "u", "password": "s3cret"}
    with Proxy(opensearch_url) as proxy, OpenSearchEngine.open(EngineSettings(hosts=proxy.url, **known)) as engine:
        for what in ("drop", (500, {}), (200, "<html>"), (403, {"error": {"type": "security_exception"}})):
            proxy.trouble = lambda _, what=what: what
            with pytest.raises(EngineError, match="publishing changes") as refused:
                engine.publish("changes", "7", ENTRY)
            assert "s3cret" not in refused.value.message
    assert "s3cret" not in caplog.text


def slow(at=1_000_000_000.25, **rest):
    return {
        "at": at,
        "table": "t",
        "dialect": "ha",
        "request_id": "r1",
        "took_ms": 1500,
        "stages": {"embed": 2, "engine": 1400.5},
        "total": 12,
        "hits": 10,
        "plan": {"table": "t", "query": {"text": "helmet"}},
        **rest,
    }


def test_a_slow_search_is_found_by_what_it_took_and_its_plan_is_only_shown(engine, client, settings):
    engine.publish("slow-searches", "1", slow())
    engine.publish("slow-searches", "2", slow(took_ms=1600.5, stages={"embed": 3.5, "later": 1}, plan={"table": {}}))
    (kept,) = found(client, settings, "slow-searches", query={"range": {"stages.embed": {"lt": 3}}})
    assert kept == slow(at="2001-09-09T01:46:40.250+00:00")
    for query in ({"term": {"dialect": "ha"}}, {"range": {"took_ms": {"gt": 1400}}}, {"term": {"hits": 10}}):
        assert len(found(client, settings, "slow-searches", query=query)) == 2
    assert found(client, settings, "slow-searches", query={"match": {"plan.query.text": "helmet"}}) == []
    (told,) = client.indices.get_mapping(index=f"{settings.index_prefix}slow-searches").values()
    stages = told["mappings"]["properties"]["stages"]["properties"]
    assert stages == {key: {"type": "double"} for key in ("embed", "engine", "later")}


def test_slow_searches_are_kept_for_some_days_and_looked_at_once_a_day(client, settings):
    now = [0.0]
    kept = Publications(client, Names(settings.index_prefix), settings, keep_days=5, clock=lambda: now[0])
    today, index = time.time(), f"{settings.index_prefix}slow-searches"

    def keys():
        client.indices.refresh(index=index)
        return {hit["_id"] for hit in client.search(index=index)["hits"]["hits"]}

    for key, days in (("new", 4), ("old", 6), ("older", 60)):
        kept.publish("slow-searches", key, slow(at=today - days * 86_400))
    assert keys() == {"new", "old", "older"}
    now[0] = 86_399
    kept.publish("slow-searches", "another", slow(at=today))
    assert keys() == {"new", "old", "older", "another"}
    now[0] = 86_400
    kept.publish("slow-searches", "last", slow(at=today))
    assert keys() == {"new", "another", "last"}


def test_changes_stay_until_people_remove_them(client, settings):
    kept = Publications(client, Names(settings.index_prefix), settings, keep_days=1)
    for key in ("7", "8"):
        kept.publish("changes", key, ENTRY)
        assert ENTRY["at"] < time.time() - 86_400
        assert found(client, settings)
    assert len(found(client, settings)) == 2


def test_old_documents_that_cannot_be_removed_do_not_keep_new_ones_away(opensearch_url, settings, client, caplog):
    with Proxy(opensearch_url) as proxy, OpenSearch([proxy.url], max_retries=0) as through:
        proxy.trouble = lambda path: (403, {"error": {"type": "security_exception"}}) if "by_query" in path else None
        Publications(through, Names(settings.index_prefix), settings, keep_days=1).publish("slow-searches", "1", slow())
    assert "old documents of slow-searches stay for another day" in caplog.text
    assert len(found(client, settings, "slow-searches")) == 1
