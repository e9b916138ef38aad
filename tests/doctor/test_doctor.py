"""The doctor over each thing that a run needs: what it finds, and what it says to do."""

import json
import subprocess

import pytest
from blob_places import BUCKET
from store_double import Answer
from support import run_cli

from havengate.doctor import examine
from havengate.services import services as opened_services
from havengate.settings import Settings
from ingest.jobs.store import JobStore
from ingest.table_administration import open_administration
from schemas.settings import TableSettings
from schemas.templates import template


@pytest.fixture
def find(tmp_path, monkeypatch):
    """The finding of that name, with these settings."""
    # Loading a model is tests/embedding's.
    monkeypatch.setattr("havengate.doctor.places.builtin", lambda _: "loads")

    def of(what, served=None, **settings):
        (found,) = [
            each
            for each in examine(Settings(data_dir=tmp_path / "data", **settings), served)
            if each.what.startswith(what)
        ]
        return found

    return of


def pair(folder, days):
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run(
        [*command, "-days", str(days), "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )
    return {"tls_cert": cert, "tls_key": key}


@pytest.mark.usefixtures("find")
def test_an_empty_machine_is_well_and_stays_empty(tmp_path):
    findings = list(examine(Settings(data_dir=tmp_path / "data")))
    assert [each.what for each in findings if not each.ok] == []
    assert list(tmp_path.iterdir()) == []


def test_settings_that_do_not_fit(find):
    found = find("settings", embedding={"user": "gate"}, blobs={"access_key_id": "id"})
    assert not found.ok
    assert "HAVENGATE_EMBEDDING__PASSWORD" in found.detail
    assert "HAVENGATE_BLOBS__ACCESS_KEY_SECRET" in found.detail


def test_certificates(find, tmp_path):
    assert find("certificate").detail == "none: http is served"
    found = find("certificate", server=pair(tmp_path, 90))
    assert (found.ok, "for 90 days" in found.detail or "for 89 days" in found.detail) == (True, True)
    found = find("certificate", server=pair(tmp_path, 3))
    assert (found.ok, "renew it" in found.detail) == (False, True)
    (tmp_path / "key.pem").write_text("no key")
    found = find("certificate", server={"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"})
    assert (found.ok, "key.pem" in found.detail) == (False, True)


def test_users_in_a_file_that_others_read(find, tmp_path):
    (tmp_path / "users.json").write_text('{"users": []}')
    (tmp_path / "users.json").chmod(0o644)
    found = find("users", auth={"file": tmp_path / "users.json"})
    assert (found.ok, "chmod 600" in found.detail) == (False, True)


def test_a_secret_in_the_data_folder_that_others_read(find, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images.key").touch(0o644)
    (tmp_path / "data" / "images.key").chmod(0o644)
    found = find("data folder")
    assert (found.ok, "images.key; chmod 600" in found.detail) == (False, True)


@pytest.fixture
def blobs(store):
    return {"url": f"s3://{BUCKET}/p", "endpoint": store.endpoint, "access_key_id": "i", "access_key_secret": "hush"}


def test_the_bucket_of_blobs_is_written_read_and_deleted(find, store, blobs):
    store.fill(BUCKET, {})
    assert find("blobs", blobs=blobs).ok
    assert {asked.method for asked in store.asked} == {"PUT", "GET", "DELETE"}


def test_a_bucket_of_blobs_that_is_not_there(find, store, blobs):
    store.fill("another", {})
    found = find("blobs", blobs=blobs)
    assert (found.ok, "there is no such bucket" in found.detail, "hush" in found.detail) == (False, True, False)


def oss_table(tmp_path, endpoint):
    with opened_services(Settings(data_dir=tmp_path / "data")) as services:
        services.tables.create("shop", template("oss", endpoint=endpoint, bucket="opensearch"), TableSettings())


def test_a_tables_folder_of_pictures(find, tmp_path):
    oss_table(tmp_path, f"file://{tmp_path}/pictures")
    found = find("pictures of shop")
    assert (found.ok, "does not exist" in found.detail) == (False, True)
    (tmp_path / "pictures" / "opensearch").mkdir(parents=True)
    assert find("pictures of shop").ok


def test_a_tables_bucket_of_pictures(find, tmp_path, store):
    store.fill("opensearch", {"a.jpg": b"a"})
    oss_table(tmp_path, store.endpoint)
    found = find("pictures of shop")
    assert (found.ok, "no credentials" in found.detail) == (False, True)
    keys = {"oss_access_key_id": "the-id", "oss_access_key_secret": "the-secret"}
    assert find("pictures of shop", sources=keys).ok
    assert len(store.asked) == 1
    store.fault = lambda _: Answer(404, "NoSuchBucket")
    found = find("pictures of shop", sources=keys)
    assert (found.ok, "there is no such bucket" in found.detail) == (False, True)


def test_jobs_that_need_somebody(find, tmp_path):
    past = JobStore(tmp_path / "data", now=lambda: 1000.0)
    failed = past.add("ingest", "photos", {}, "test")
    past.finish(failed.id, "failed", "the disk is full")
    waiting = past.add("ingest", "photos", {}, "test")
    past.close()
    found = find("jobs")
    assert not found.ok
    assert f"job {failed.id} (ingest of photos) failed: the disk is full; `havengate job retry" in found.detail
    assert f"job {waiting.id} (ingest of photos) waits for somebody who runs jobs" in found.detail


def test_as_json(tmp_path):
    done = run_cli(tmp_path / "data", "doctor", "--json", env={"HAVENGATE_AUTH__FILE": "/none"}, check=False)
    findings = {each["what"]: each for each in json.loads(done.stdout)}
    assert done.returncode == 1
    assert findings["python"]["ok"]
    assert not findings["users"]["ok"]


def test_a_server_is_asked_for_the_tables_that_it_holds(find, services):
    services.tables.create("photos", template("base64"), TableSettings())
    administration = open_administration(services, "server")
    try:
        assert find("tables").detail.startswith("not looked at")
        assert find("tables", administration).detail == "photos (0 rows)"
    finally:
        administration.close()
