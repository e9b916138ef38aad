"""/metrics: what is counted, how few values labels take, and that nothing makes a scrape wait."""

import re
import threading
from pathlib import Path

import pytest
from gateway_fakes import FakeServices, client_of
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from support import open_colour_services, photo_row
from werkzeug.test import EnvironBuilder

from gateway.app import create_app
from gateway.gauges import Look, Watch
from gateway.metrics import Metrics
from gateway.parts import Parts
from gateway.slots import Slots
from havengate.documents import Command
from havengate.errors import EngineError
from ingest.table_administration import open_administration
from schemas.settings import TableSettings
from schemas.templates import template

DOCUMENT = Path(__file__).parents[2] / "docs" / "observability.md"
SEARCH_STAGES = {"parse", "embed", "engine", "pool", "fetch", "format"}


def samples(client):
    """{(name, (label value, ...)): value} in the order of the labels' names."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in read_text(answer.text)
        for sample in family.samples
    }


@pytest.fixture
def administration(settings, model):
    """Over the table photos with a red row."""
    services = open_colour_services(settings, model)
    services.tables.create("photos", template("base64"), TableSettings())
    services.documents.push(services.engine.table("photos"), [Command("add", photo_row(1, "red"))])
    opened = open_administration(services, "server")
    yield opened
    opened.close()
    services.close()


@pytest.fixture
def site(administration):
    return create_app(administration.services, Parts(administration, "token")).test_client()


def test_a_request_is_counted_by_dialect_method_and_status(client):
    client.get("/query?query=query=vector:'a'%26%26config=format:json")
    client.post("/v1/tables/photos/search", json={"query": {}})
    client.get("/no/such/route")
    client.open("/query", method="BREW")
    found = samples(client)
    assert found["havengate_requests_total", ("ha", "GET", "200")] == 1
    assert found["havengate_requests_total", ("plan_api", "POST", "400")] == 1
    assert found["havengate_requests_total", ("none", "GET", "404")] == 1
    assert found["havengate_requests_total", ("none", "other", "405")] == 1
    assert found["havengate_request_seconds_count", ("ha",)] == 1


def test_an_error_in_an_answer_with_status_200_is_counted_by_its_name(client):
    client.get("/query?query=query=")
    assert samples(client)["havengate_errors_total", ("ha", "QUERY_CLAUSE")] == 1


def test_paths_of_strangers_make_no_labels(client):
    for number in range(20):
        client.get(f"/stranger-{number}")
    labels = {labels for name, labels in samples(client) if name == "havengate_requests_total"}
    assert labels == {("none", "GET", "404")}


def query(client, clauses):
    return client.get("/query", query_string={"query": clauses})


SEARCHES = {
    "ha": [
        lambda client: query(client, "query=vector:'red&modal=text&n=2'"),
        lambda client: query(client, "query=vector:'red&modal=text&n=2'&&config=format:json"),
        lambda client: client.post("/query", json={"assemblyQuery": "query=vector:'red&modal=text&n=2'"}),
    ],
    "rest_dsl": [lambda client: client.post("/photos/search", json={"query": "vector:'red&modal=text&n=2'"})],
    "plan_api": [
        lambda client: client.post(
            "/v1/tables/photos/search", json={"query": {"vector": {"index": "vector", "text": "red", "n": 2}}}
        )
    ],
}


@pytest.mark.parametrize("dialect", SEARCHES)
def test_a_search_has_every_stage_in_every_dialect(site, dialect):
    for search in SEARCHES[dialect]:
        answer = search(site)
        assert answer.status_code == 200
    found = samples(site)
    for stage in SEARCH_STAGES:
        assert found["havengate_stage_seconds_count", (dialect, stage)] == len(SEARCHES[dialect])


def test_fetches_and_pushes_have_their_own_stages(site):
    query(site, "config=fetch_summary_type:rawpk&&fetch_summary=photos:1")
    site.post("/vector-service/fetch", json={"tableName": "photos", "ids": [1]})
    site.post("/update/photos/actions/bulk", json=[{"cmd": "add", "fields": photo_row(7, "red")}])
    found = samples(site)
    stages = {labels for name, labels in found if name == "havengate_stage_seconds_count"}
    assert {("ha", stage) for stage in ("parse", "fetch", "format")} <= stages
    assert {("fetch", stage) for stage in ("read", "parse", "fetch", "format")} <= stages
    assert {("push", stage) for stage in ("read", "parse", "embed", "write")} <= stages


def test_what_is_read_at_a_scrape(site):
    for _ in range(3):
        query(site, "query=vector:'red&modal=text&n=2'")
    found = samples(site)
    assert found["havengate_engine_up", ()] == 1
    assert found["havengate_tables", ()] == 1
    assert found["havengate_text_cache_hits_total", ()] == 2
    assert found["havengate_text_cache_misses_total", ()] == 1
    assert found["havengate_embedding_waiting", ("pictures", "builtin")] == 0
    assert found["process_resident_memory_bytes", ()] > 0
    assert ("havengate_build_info", ("0.1.0",)) in found


def test_jobs_are_counted_by_kind_and_state(site, administration):
    administration.store.add("ingest", "photos", {}, "me")
    administration.store.add("ingest", "photos", {}, "me")
    assert samples(site)["havengate_jobs", ("ingest", "queued")] == 2


def test_an_engine_that_does_not_answer_is_down(services):
    def away():
        raise EngineError("away")

    services.tables.names = away
    found = samples(client_of(services))
    assert found["havengate_engine_up", ()] == 0
    assert ("havengate_tables", ()) not in found


def test_an_engine_that_hangs_keeps_no_scrape_waiting():
    go, begun = threading.Event(), threading.Semaphore(0)

    def look():
        begun.release()
        go.wait()
        return Look(frozenset({"photos"}))

    watch = Watch(look, patience_s=0.01, hung_s=0)
    assert watch.now().tables is None
    assert watch.now().tables is None
    assert begun.acquire()
    # One look at a time, however long it takes.
    assert not begun.acquire(blocking=False)
    go.set()
    while watch.now().tables is None:
        pass
    assert watch.now().tables == {"photos"}


def test_a_short_delay_is_no_reason_to_call_an_engine_down():
    answers = iter([Look(frozenset({"photos"}))])
    go = threading.Event()

    def look():
        found = next(answers, None)
        if found is None:
            go.wait()
        return found or Look()

    watch = Watch(look, patience_s=30, hung_s=30)
    assert watch.now().tables == {"photos"}
    watch = Watch(look, patience_s=0, hung_s=30)
    watch._known = Look(frozenset({"photos"}))
    assert watch.now().tables == {"photos"}
    go.set()


def test_labels_of_tables_go_with_the_table(services):
    metrics = Metrics()
    metrics.recall("photos", "vector", 10, 0.9)
    metrics.recall("gone", "vector", 10, 0.5)
    client = create_app(services, Parts(metrics=metrics)).test_client()
    samples(client)
    found = samples(client)
    assert found["havengate_recall_count", ("vector", "photos")] == 1
    assert found["havengate_recall_sum", ("vector", "photos")] == pytest.approx(0.9)
    assert ("havengate_recall_count", ("vector", "gone")) not in found


def test_what_other_rooms_count(services):
    metrics = Metrics()
    metrics.limited("alice")
    metrics.thumbnail(kept=True)
    metrics.thumbnail(kept=False)
    metrics.dropped("slow_search")
    found = samples(create_app(services, Parts(metrics=metrics)).test_client())
    assert found["havengate_rate_limited_total", ("alice",)] == 1
    assert found["havengate_thumbnails_total", ("hit",)] == found["havengate_thumbnails_total", ("miss",)] == 1
    assert found["havengate_dropped_total", ("slow_search",)] == 1


def called(application, path):
    """The text of a WSGI application's answer."""
    environ = EnvironBuilder(path, query_string={"query": "query=vector:'a&modal=text&n=2'"}).get_environ()
    return b"".join(application(environ, lambda *_: None)).decode()


def test_a_busy_gateway_says_so(services):
    services.searcher = Busy(services.searcher)
    slots = Slots(create_app(services), 1)
    threads = [threading.Thread(target=called, args=(slots, "/query")) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert services.searcher.begun.acquire()
    while "havengate_slots_waiting 1.0" not in (text := called(slots, "/metrics")):
        pass
    assert "havengate_slots 1.0" in text
    assert "havengate_slots_busy 1.0" in text
    services.searcher.go.set()
    for thread in threads:
        thread.join()
    text = called(slots, "/metrics")
    assert "havengate_slots_busy 0.0" in text
    assert "havengate_slots_waiting 0.0" in text
    assert 'havengate_stage_seconds_count{dialect="ha",stage="wait"} 2.0' in text


class Busy:
    def __init__(self, searcher):
        self._searcher = searcher
        self.begun, self.go = threading.Semaphore(0), threading.Event()

    def search(self, plan):
        self.begun.release()
        self.go.wait()
        return self._searcher.search(plan)


def test_openmetrics_for_who_asks_for_it(client):
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.content_type.startswith("application/openmetrics-text")
    assert "havengate_requests" in {family.name for family in read_openmetrics(answer.text)}
    assert client.get("/metrics").content_type.startswith("text/plain")


def test_every_metric_is_documented_and_no_other(site):
    query(site, "query=vector:'red&modal=text&n=2'")
    text = "".join(site.get("/metrics").text)
    given = {f"{family.name}{'_total' if family.type == 'counter' else ''}" for family in read_text(text)}
    told = set(re.findall(r"^\| `((?:havengate|process)_\w+)", DOCUMENT.read_text("utf-8"), re.MULTILINE))
    assert given == told


def test_each_application_counts_for_itself():
    first, second = client_of(FakeServices()), client_of(FakeServices())
    first.get("/healthz")
    assert ("havengate_requests_total", ("health", "GET", "200")) in samples(first)
    assert ("havengate_requests_total", ("health", "GET", "200")) not in samples(second)
