"""Pictures in a bucket into a table, while the store fails in every way that stores do."""

import json
import threading
from collections import Counter

import pytest
from colour_model import ColourModel, picture
from store_double import Answer, Claim, Cut
from support import open_colour_services

from havengate.documents import Command
from havengate.setting_groups import EmbeddingSettings, JobSettings, SourceSettings
from havengate.settings import Settings
from ingest.history_store import open_history
from ingest.ingest_job import job_for
from ingest.jobs.runner import run_job
from ingest.jobs.store import JobStore
from schemas.settings import TableSettings
from schemas.templates import template
from schemas.vendor import read_schema

COLOURS = ("red", "green", "blue", "white", "black", "yellow")
KEY = {"field_name": "id", "field_type": "STRING"}


@pytest.fixture
def services(tmp_path):
    settings = Settings(
        data_dir=tmp_path / "data",
        sources=SourceSettings(timeout_s=5),
        jobs=JobSettings(workers=4),
        embedding=EmbeddingSettings(batch=16),
    )
    opened = open_colour_services(settings, ColourModel())
    yield opened
    opened.close()


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


@pytest.fixture
def shop(store, services):
    """A table of paths in the bucket `shop`, read with keys of its schema."""
    schema = template("oss", endpoint=store.endpoint, bucket="/shop", extra_fields=[KEY]).to_json()
    schema["fields"][1]["user_defined_param"] |= {"oss_access_key": "the-id", "oss_secret": "the-secret"}
    services.tables.create("shop", read_schema(json.dumps(schema)), TableSettings())
    return services.engine.table("shop")


def ingest(services, text):
    """The job as it is when nobody has to wait for it, and (key, reason) of what it rejected."""
    jobs, changes = JobStore(services.settings.data_dir), open_history(services.settings, services.engine)
    try:
        job = job_for(services, changes, jobs, "shop", text, by="cli:test")
        job = run_job(services, changes, jobs, job.id)
        return job, {reject.place: reject.reason for reject in jobs.rejects(job.id, limit=100_000)}
    finally:
        changes.close()
        jobs.close()


TROUBLE = {
    7: (Answer(503, "SlowDown"), 2, ""),
    27: (Cut(20), 1, ""),
    47: (Claim(None), 99, ""),
    67: (Answer(404, "NoSuchKey"), 99, "no such object in the bucket"),
    87: (Cut(20), 99, "broke off after 20 bytes, 3 times"),
    107: (Answer(403, "AccessDenied"), 99, "access is denied"),
    127: (Claim(9_999), 99, "broke off after"),
    147: (Answer(403, "InvalidObjectState"), 99, "archived"),
}
"""By a picture's number modulo 200: what goes wrong with it, how often, and why its row is rejected ("": it is not)."""


def troubled(number):
    return TROUBLE.get(number % 200, (None, 0, ""))


def filled(store, count):
    """Pictures of which every 200th has the same trouble; (place, reason) of those that have to be rejected."""
    store.fill("shop", {f"p/{n:05}.png": picture(COLOURS[n % 6]) for n in range(count)})
    store.fill("shop", {"p/left.txt": b"", "p/text.png": b"no picture"})

    def fault(asked):
        name = asked.path.rpartition("/")[2].removesuffix(".png")
        action, times, _ = troubled(int(name)) if name.isdigit() else (None, 0, "")
        return action if asked.count < times else None

    store.fault = fault
    rejected = {f"oss://shop/p/{n:05}.png": troubled(n)[2] for n in range(count) if troubled(n)[2]}
    return rejected | {"oss://shop/p/text.png": "a text file"}


def check(services, job, rejects, expected, count):
    assert job.state == "done", job.message
    assert rejects.keys() == expected.keys()
    assert all(expected[place] in reason for place, reason in rejects.items())
    good = count + 1 - len(expected)
    assert (job.counts.read, job.counts.written, job.counts.rejected) == (count + 1, good, len(expected))
    assert job.report["left_out"] == 1
    assert services.engine.stats("shop").rows == good
    assert services.engine.stats("shop").vectors == {"vector": good}
    assert not [text for text in (str(job), *rejects.values()) if "the-id" in text or "the-secret" in text]


@pytest.mark.usefixtures("shop", "no_pauses")
def test_trouble_with_objects_costs_their_rows_and_nothing_else(services, store):
    expected = filled(store, 200)
    job, rejects = ingest(services, "oss://shop/p/")
    check(services, job, rejects, expected, 200)
    tries = Counter(asked.path for asked in store.asked)
    assert (tries["/shop/p/00000.png"], tries["/shop/p/00007.png"], tries["/shop/p/00027.png"]) == (1, 3, 2)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("shop", "no_pauses")
def test_ten_thousand_objects_with_trouble_among_them(services, store):
    expected = filled(store, 10_000)
    job, rejects = ingest(services, "oss://shop/p/")
    check(services, job, rejects, expected, 10_000)


@pytest.mark.usefixtures("shop", "no_pauses")
def test_a_store_that_is_away_stops_the_job_which_goes_on_where_it_was(services, store):
    store.fill("shop", {f"{n:03}.png": picture("red") for n in range(64)})
    store.fault = lambda asked: Answer(503, "SlowDown") if asked.path >= "/shop/032" else None
    job, rejects = ingest(services, "oss://shop")
    assert (job.state, rejects) == ("queued", {})
    assert job.counts.written == 32
    store.fault = None
    job, rejects = ingest(services, "oss://shop")
    assert (job.state, job.counts.read, job.counts.written) == ("done", 64, 64)


@pytest.mark.usefixtures("shop", "no_pauses")
def test_a_store_that_goes_away_within_a_batch_costs_no_row(services, store):
    store.fill("shop", {f"{n:03}.png": picture("red") for n in range(60)} | {"001.png": b"no picture"})
    gone = threading.Event()

    def fault(asked):
        if asked.path.endswith("/024.png"):
            gone.set()
        return Answer(503, "SlowDown") if gone.is_set() else None

    store.fault = fault
    job, rejects = ingest(services, "oss://shop")
    assert (job.state, rejects.keys() - {"oss://shop/001.png"}) == ("queued", set())
    store.fault = None
    job, rejects = ingest(services, "oss://shop")
    assert (job.state, job.counts.written, rejects.keys()) == ("done", 59, {"oss://shop/001.png"})


@pytest.mark.usefixtures("shop", "no_pauses")
def test_an_object_that_never_comes_is_rejected_and_stops_nothing(services, store):
    store.fill("shop", {f"{n:03}.png": picture("red") for n in range(40)})
    store.fault = lambda asked: Answer(503, "SlowDown") if asked.path.endswith("/024.png") else None
    job, rejects = ingest(services, "oss://shop")
    assert (job.state, job.counts.written, rejects.keys()) == ("done", 39, {"oss://shop/024.png"})


@pytest.mark.usefixtures("shop")
def test_keys_that_the_store_does_not_know_fail_the_job_and_reject_no_row(services, store):
    store.fill("shop", {"a.png": picture("red"), "rows.jsonl": b'{"id": "1", "vector_source_image": "/a.png"}'})
    store.fault = lambda asked: Answer(403, "InvalidAccessKeyId") if asked.path.endswith(".png") else None
    job, rejects = ingest(services, "oss://shop/rows.jsonl")
    assert (job.state, job.counts.rejected, rejects) == ("failed", 0, {})
    assert "does not know the AccessKey id" in job.message


@pytest.mark.usefixtures("no_pauses")
def test_a_push_reports_what_it_cannot_read_and_writes_the_rest(services, store, shop):
    store.fill("shop", {"Test image/image/10031.png": picture("red"), "b.png": picture("blue")})
    store.fault = lambda asked: Answer(503, "SlowDown") if asked.path.endswith("/b.png") else None
    paths = {"1": "/Test image/image/10031.png", "2": "/none.png", "3": "b.png", "4": "https://example.com/a.png"}
    rows = [Command("add", {"id": key, "vector_source_image": path}) for key, path in paths.items()]
    report = services.documents.push(shop, rows)
    assert report.written == 1
    reasons = [failure.message for failure in report.failures]
    assert [failure.pk for failure in report.failures] == ["2", "3", "4"]
    assert ["no such object" in reasons[0], "does not answer now" in reasons[1], "not fetched" in reasons[2]] == [
        True
    ] * 3
