"""Blobs in a bucket: what two gateways do at the same time, in the orders in which a lock would be missed."""

import re

import pytest
from blob_places import BUCKET, BucketPlace
from store_double import Answer, Cut

from havengate.blobs import Since
from havengate.bucket_blobs import GRACE_S, BucketBlobStore, open_blobs, open_bucket_blobs
from havengate.errors import EngineError, Moved, SettingsError
from havengate.images import content_hash
from havengate.settings import Settings

KEY = content_hash(b"picture")


@pytest.fixture
def place(store):
    opened = BucketPlace(store)
    yield opened
    opened.close()


@pytest.fixture
def ours(place):
    return place.open(GRACE_S)


@pytest.fixture
def theirs(place):
    return place.open(GRACE_S)


@pytest.fixture
def no_pauses(monkeypatch):
    """Retries come at once."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


def before(store, method, act):
    """Does ``act`` once, when a request of this method comes in and before the store sees it."""
    done = []

    def fault(asked):
        if asked.method == method and not done:
            done.append(asked)
            act()

    store.fault = fault


def test_what_is_young_is_not_deleted(ours, place):
    ours.put("t", b"picture")
    ours.delete("t", [KEY], Since())
    assert ours.get("t", KEY) == b"picture"
    place.age(GRACE_S + 1)
    ours.delete("t", [KEY], Since())
    with pytest.raises(Moved):
        ours.get("t", KEY)
    assert place.uploads() == []


def test_who_names_a_blob_again_before_it_is_deleted_keeps_it(ours, theirs, place):
    ours.put("t", b"picture")
    place.age(2 * GRACE_S)
    # We have found that no row names it; then they write a row that does.
    theirs.put("t", b"picture")
    ours.delete("t", [KEY], Since())
    assert theirs.get("t", KEY) == b"picture"


def test_who_names_a_blob_again_in_the_middle_of_its_deletion_keeps_it(ours, theirs, place, store):
    ours.put("t", b"picture")
    place.age(2 * GRACE_S)
    # Between the look at what is old and the delete itself.
    before(store, "DELETE", lambda: theirs.put("t", b"picture"))
    ours.delete("t", [KEY], Since())
    assert theirs.get("t", KEY) == b"picture"


def test_who_deletes_in_the_middle_of_an_upload_deletes_the_former_one_only(ours, theirs, place, store):
    ours.put("t", b"picture")
    place.age(2 * GRACE_S)
    before(store, "PUT", lambda: theirs.delete("t", [KEY], Since()))
    ours.put("t", b"picture")
    assert ours.get("t", KEY) == b"picture"


def test_an_upload_removes_old_ones_and_not_young_ones(ours, theirs, place):
    ours.put("t", b"picture")
    theirs.put("t", b"picture")
    assert len(place.uploads()) == 2
    place.age(2 * GRACE_S)
    ours.put("t", b"picture")
    assert len(place.uploads()) == 1
    assert theirs.get("t", KEY) == b"picture"


@pytest.mark.usefixtures("no_pauses")
def test_an_upload_that_fails_removes_nothing(ours, place, store):
    ours.put("t", b"picture")
    place.age(2 * GRACE_S)
    store.fault = lambda asked: Answer(503, "SlowDown") if asked.method == "PUT" else None
    with pytest.raises(EngineError, match=r"the blob store cannot write for table 't'.*SlowDown"):
        ours.put("t", b"picture")
    store.fault = None
    assert ours.get("t", KEY) == b"picture"


def test_who_reads_while_it_is_uploaded_anew_finds_it(ours, theirs, place, store):
    ours.put("t", b"picture")
    place.age(2 * GRACE_S)
    before_get = iter([None])

    def fault(asked):
        # The first read of the object itself, which is gone a moment later.
        if asked.method == "GET" and KEY in asked.path and next(before_get, 1) is None:
            theirs.put("t", b"picture")

    store.fault = fault
    assert ours.get("t", KEY) == b"picture"


def test_a_table_made_again_while_the_former_one_is_dropped_keeps_its_pictures(ours, theirs):
    other = ours.put("t", b"other")
    ours.put("t", b"picture")
    with ours.clearing("t"):
        # The engine has dropped it; they make another one of that name and push to it.
        with theirs.clearing("t"):
            pass
        theirs.put("t", b"picture")
    assert theirs.get("t", KEY) == b"picture"
    with pytest.raises(Moved):
        theirs.get("t", other)


@pytest.mark.parametrize("clock", ["time", "monotonic"])
def test_a_row_that_took_too_long_to_be_written_is_not_acknowledged(ours, monkeypatch, clock):
    # A clock that was set back, or that stands still while the machine sleeps, hides nothing: the other one tells.
    moments = iter([1000.0, 1000.0 + GRACE_S])
    monkeypatch.setattr(f"havengate.blobs.time.{clock}", lambda: next(moments))
    with pytest.raises(EngineError, match="send it again"), ours.writing("t"):
        pass


def test_whoever_stood_still_after_looking_takes_nothing_that_was_uploaded_since(ours, theirs, place, monkeypatch):
    since = Since()
    # Nobody holds it. We stop; they write a row that does; two hours later we go on.
    theirs.put("t", b"picture")
    place.age(2 * GRACE_S)
    monkeypatch.setattr(since, "seconds", lambda: 2 * GRACE_S)
    ours.delete("t", [KEY], since)
    assert theirs.get("t", KEY) == b"picture"
    place.age(GRACE_S)
    ours.delete("t", [KEY], Since())
    assert place.uploads() == []


def test_a_store_that_does_not_tell_the_time_deletes_nothing(ours, place, monkeypatch):
    ours.put("t", b"picture")
    place.age(2 * GRACE_S)
    monkeypatch.setattr("havengate.bucket_blobs._moment", lambda _: None)
    ours.delete("t", [KEY], Since())
    assert ours.get("t", KEY) == b"picture"


def test_bytes_are_checked_when_they_are_read(ours, place):
    ours.put("t", b"picture")
    place.spoil(place.uploads()[0], b"something else")
    with pytest.raises(EngineError, match="damaged") as caught:
        ours.get("t", KEY)
    assert not isinstance(caught.value, Moved)
    ours.put("t", b"picture")
    assert ours.get("t", KEY) == b"picture"


def test_a_body_that_breaks_off_is_asked_for_again(ours, store):
    ours.put("t", b"picture")
    cut = iter([Cut(3)])
    store.fault = lambda asked: next(cut, None) if asked.method == "GET" and KEY in asked.path else None
    assert ours.get("t", KEY) == b"picture"


@pytest.mark.parametrize(
    ("answer", "says"),
    [(Answer(403, "AccessDenied"), "AccessDenied"), (Answer(404, "NoSuchBucket"), "there is no such bucket")],
)
def test_a_store_that_refuses_is_an_engine_error_without_keys(ours, store, answer, says):
    store.fault = lambda _: answer
    for call in (
        lambda: ours.put("t", b"picture"),
        lambda: ours.get("t", KEY),
        lambda: ours.delete("t", [KEY], Since()),
        lambda: ours.keys("t", "00"),
        lambda: ours.drop_table("t"),
        ours.probe,
    ):
        with pytest.raises(EngineError, match=f"the blob store cannot .*{says}") as caught:
            call()
        assert not isinstance(caught.value, Moved)
        assert not re.search("the-(id|secret)", caught.value.message)


def test_more_than_a_page(ours, place):
    place.store.fill(BUCKET, {f"some/where/t/{number:064x}/{0:016x}": b"" for number in range(1001)})
    assert len(ours.keys("t", "00")) == 1001


def test_a_probe_leaves_nothing(ours, place):
    assert ours.probe().startswith(f"bucket '{BUCKET}' at http")
    assert place.uploads() == []


def test_the_settings_say_where(store, tmp_path):
    store.fill(BUCKET, {})
    blobs = {
        "url": f"s3://{BUCKET}/a/b/",
        "endpoint": store.endpoint,
        "access_key_id": "the-id",
        "access_key_secret": "the-secret",
    }
    opened = open_blobs(Settings(data_dir=tmp_path, blobs=blobs))
    assert isinstance(opened, BucketBlobStore)
    opened.put("t", b"picture")
    opened.close()
    assert next(asked.path for asked in store.asked if asked.method == "PUT").startswith(f"/{BUCKET}/a/b/t/{KEY}/")


@pytest.mark.parametrize(
    ("blobs", "says"),
    [
        ({"url": "s3://pictures"}, "HAVENGATE_BLOBS__ENDPOINT: is missing"),
        ({"url": "s3://pictures", "endpoint": "https://a/b"}, "oss_endpoint"),
        ({"url": "s3://pi", "endpoint": "host.test"}, "are the name of a bucket"),
    ],
)
def test_settings_that_name_no_place(blobs, says, tmp_path):
    with pytest.raises(SettingsError, match=says):
        open_bucket_blobs(Settings(data_dir=tmp_path, blobs=blobs))


def test_without_boto3_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "boto3.session", None)
    with pytest.raises(SettingsError, match=r"pip install 'havengate\[s3\]'"):
        open_blobs(Settings(data_dir=tmp_path, blobs={"url": "s3://pictures", "endpoint": "host.test"}))
