"""The vendor's portfolios with MaxCompute: rows by a job, with pictures as Base64 or as paths in a bucket."""

import base64

import pytest
from colour_model import ColourModel, picture
from maxcompute_double import KEY_SECRET, Data, Part, maxcompute
from source_samples import maxcompute_settings
from support import open_colour_services

from ingest.history_store import open_history
from ingest.ingest_job import job_for
from ingest.jobs.runner import run_job
from ingest.jobs.store import JobStore
from ingest.sources import maxcompute_tunnel
from schemas.settings import TableSettings
from schemas.templates import template

COLUMNS = [("id", "bigint"), ("cate_id", "bigint"), ("vector_source_image", "string")]
SOURCE = "maxcompute://shop/photos?partition=latest"
COUNT = 40


def photos(picture_of):
    """A table whose newest partition has the pictures; the last one is none."""
    rows = [{"id": n, "cate_id": n % 2, "vector_source_image": picture_of(n)} for n in range(COUNT)]
    rows.append({"id": COUNT, "vector_source_image": b"no.png"})
    parts = {"ds=20260101": Part(rows[:1]), "ds=20260102": Part(rows)}
    return {"photos": Data(COLUMNS, [("ds", "string")], parts)}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the job for the table `photos` of this template until it stops; returns it and what it rejected."""
    monkeypatch.setattr(maxcompute_tunnel, "_PAUSES_S", ())
    opened = {}

    def run(double, kind="base64", **place):
        if not opened:
            settings = maxcompute_settings(double).model_copy(update={"data_dir": tmp_path / "data"})
            opened["services"] = services = open_colour_services(settings, ColourModel())
            opened["jobs"] = JobStore(settings.data_dir)
            opened["changes"] = open_history(settings, services.engine)
            services.tables.create("photos", template(kind, **place), TableSettings())
        services, jobs, changes = opened["services"], opened["jobs"], opened["changes"]
        job = run_job(services, changes, jobs, job_for(services, changes, jobs, "photos", SOURCE, by="cli:test").id)
        return job, [(reject.place, reject.pk) for reject in jobs.rejects(job.id)], services.engine.stats("photos")

    yield run
    for each in reversed(opened.values()):
        each.close()


def check(job, rejects, stats):
    assert (job.state, job.counts.written, job.total) == ("done", COUNT, COUNT + 1)
    assert rejects == [(f"shop.photos/ds=20260102:{COUNT + 1}", str(COUNT))]
    assert (stats.rows, stats.vectors) == (COUNT, {"vector": COUNT})
    assert KEY_SECRET not in repr(job)


def test_pictures_as_base64_in_maxcompute(run):
    red = base64.b64encode(picture("red"))
    with maxcompute(photos(lambda _: red)) as double:
        check(*run(double))


def test_paths_in_maxcompute_of_pictures_in_a_bucket(run, tmp_path):
    bucket = tmp_path / "opensearch" / "Test image"
    bucket.mkdir(parents=True)
    for number in range(COUNT):
        (bucket / f"{number}.png").write_bytes(picture("red"))
    with maxcompute(photos(lambda n: f"/Test image/{n}.png".encode())) as double:
        check(*run(double, "oss", endpoint=tmp_path.as_uri(), bucket="/opensearch"))


def test_a_service_that_goes_away_in_the_middle_costs_no_row(run, monkeypatch):
    monkeypatch.setattr(maxcompute_tunnel, "_SLICE_ROWS", 16)
    red = base64.b64encode(picture("red"))
    with maxcompute(photos(lambda _: red)) as double:
        away = iter([None, None, *[(503, "ServiceUnavailable")] * 2])
        double.fail = lambda _method, _path, query: next(away, None) if "data" in query else None
        job, _, stats = run(double)
        assert job.state == "queued"
        assert 0 < stats.rows < COUNT
        asked = len(double.asked)
        check(*run(double))
        ranges = [query["rowrange"] for _, _, query in double.asked[asked:] if "data" in query]
        assert ranges[0] == f"({stats.rows},{min(16, COUNT + 1 - stats.rows)})"
