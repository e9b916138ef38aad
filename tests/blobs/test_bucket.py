"""Buckets over the real protocol: moto's server behind a proxy that breaks what a test wants broken."""

import re
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from store_double import Answer, Claim, Cut, Silence

from havengate.errors import DocumentError, PictureError, SourceAway, SourceChanged, SourceError
from havengate.objects import Readers
from havengate.setting_groups import SourceSettings
from schemas.table import AccessKeys, PictureSource

MANY = 1 << 20
SEED = "Test image/image/10031.png"
KEYS = AccessKeys("the-id", "the-secret")


@pytest.fixture
def readers():
    opened = []

    def make(**settings):
        opened.append(Readers(SourceSettings(**{"timeout_s": 5} | settings)))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def reader(store, readers):
    """Of the bucket `opensearch`, which holds the vendor's picture."""
    store.fill("opensearch", {SEED: b"picture", "a.jpg": b"a"})
    return readers().reader(PictureSource("image", "oss", store.endpoint, "/opensearch", KEYS))


@pytest.fixture
def impatient(store, readers):
    """As ``reader``, but it waits for a moment only."""
    store.fill("opensearch", {SEED: b"picture", "a.jpg": b"a"})
    return readers(timeout_s=0.5).reader(PictureSource("image", "oss", store.endpoint, "/opensearch", KEYS))


@pytest.fixture
def no_pauses(monkeypatch):
    """Retries come at once."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


def only(path, action, times=99):
    return lambda asked: action if asked.path.endswith(path) and asked.count < times else None


def fault(reader, path, kind=DocumentError):
    with pytest.raises(kind) as caught:
        reader.read(path, MANY)
    assert type(caught.value) is kind
    assert not re.search("the-(id|secret)", caught.value.message)
    return caught.value.message


@pytest.mark.parametrize("path", [f"/{SEED}", SEED])
def test_the_vendors_path_names_its_object(reader, store, path):
    assert reader.read(path, MANY) == b"picture"
    assert store.paths() == [f"/opensearch/{SEED}"]


@pytest.mark.parametrize(
    "key",
    [
        "图片/红色 连衣裙.jpg",
        "50%20off.jpg",
        "a+b&c=d?e#f.jpg",
        "a//b.jpg",
        "'quoted' \"twice\".jpg",
        "é\u0301.jpg",
        "a:b;c,d@e!f$.jpg",
        "\N{FULLWIDTH SOLIDUS}~*().jpg",
    ],
)
def test_a_key_is_what_the_row_says_letter_by_letter(reader, store, key):
    store.fill("opensearch", {key: key.encode()})
    assert reader.read(f"/{key}", MANY) == key.encode()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "empty"),
        ("/", "empty"),
        ("../other/a.jpg", "without '.', '..'"),
        ("/a/./b", "without '.', '..'"),
        ("a\0", "NUL"),
        ("\ud800.jpg", "UTF-8"),
        ("x" * 1025, "1024 bytes"),
        ("https://example.com/a.jpg", "not fetched"),
        ("oss://opensearch/a.jpg", "not fetched"),
        ("data:image/png;base64,AA", "not fetched"),
    ],
)
def test_what_is_no_path_is_not_asked_for(reader, store, path, says):
    message = fault(reader, path)
    assert says in message
    assert message.startswith("picture ")
    assert store.asked == []


def test_a_missing_object_is_the_rows_fault(reader):
    assert fault(reader, "/none.jpg") == "picture '/none.jpg': no such object in the bucket"


def test_more_bytes_than_the_limit_are_not_read(reader, store):
    assert reader.read(SEED, 7) == b"picture"
    with pytest.raises(PictureError, match=rf"'{SEED}': it has 7 bytes, more than the limit of 6"):
        reader.read(SEED, 6)
    store.fault = only(SEED, Claim(None))
    assert reader.read(SEED, 7) == b"picture"
    with pytest.raises(PictureError, match="more bytes than the limit of 6"):
        reader.read(SEED, 6)


def test_the_schemas_keys_sign_requests_and_nothing_newer_is_asked_of_the_store(reader, store):
    reader.read(SEED, MANY)
    headers = store.asked[0].headers
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=the-id/")
    assert "/us-east-1/s3/aws4_request" in headers["authorization"]
    assert not [name for name in headers if "checksum" in name]


def test_keys_come_from_the_schema_then_the_settings_then_the_machine(store, readers, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-machine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    store.fill("b-1", {"a.jpg": b"a"})
    ours = {"oss_access_key_id": "of-the-settings", "oss_access_key_secret": "s"}
    for settings, keys in ((ours, KEYS), (ours, None), ({}, None)):
        readers(**settings).reader(PictureSource("image", "oss", store.endpoint, "b-1", keys)).read("a.jpg", MANY)
    signed = [re.search("Credential=(.*?)/", asked.headers["authorization"])[1] for asked in store.asked]
    assert signed == ["the-id", "of-the-settings", "of-the-machine"]


def test_without_any_keys_nothing_is_asked(store, readers):
    reader = readers().reader(PictureSource("image", "oss", store.endpoint, "b-1"))
    assert "HAVENGATE_SOURCES__OSS_ACCESS_KEY_ID" in fault(reader, "a.jpg", SourceError)
    assert store.asked == []


def test_half_of_the_settings_keys_is_an_error(store, readers):
    with pytest.raises(SourceError, match="only one is set"):
        readers(oss_access_key_id="a").reader(PictureSource("image", "oss", store.endpoint, "b-1"))


def test_the_endpoint_of_the_settings_is_taken_where_the_schema_has_none(store, readers):
    store.fill("b-1", {"a.jpg": b"a"})
    assert readers(oss_endpoint=store.endpoint).reader(PictureSource("i", "oss", "", "b-1", KEYS)).read("a.jpg", 9)
    with pytest.raises(SourceError, match="neither the schema's oss_endpoint nor HAVENGATE_SOURCES__OSS_ENDPOINT"):
        readers().reader(PictureSource("image", "oss", "", "b-1"))


def test_folders_are_read_as_ever(readers, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.jpg").write_bytes(b"a")
    source = PictureSource("image", "oss", tmp_path.as_uri(), "/b")
    assert readers().reader(source).read("/a.jpg", MANY) == b"a"
    with pytest.raises(SourceError, match="is a folder"):
        readers().bucket(source)


@pytest.mark.parametrize(("endpoint", "bucket"), [("s3://host", "bucket"), ("host", "No Bucket"), ("host", "")])
def test_a_place_that_is_none_is_no_rows_fault(readers, endpoint, bucket):
    with pytest.raises(SourceError, match="oss_"):
        readers().reader(PictureSource("image", "oss", endpoint, bucket, KEYS))


def test_each_place_is_opened_once_for_all_threads(store, readers):
    store.fill("b-1", {f"{n}.jpg": str(n).encode() for n in range(40)})
    one = readers()
    sources = [PictureSource("image", "oss", store.endpoint, "b-1", AccessKeys(name, "s")) for name in "ab"]

    def read(n):
        reader = one.reader(sources[n % 2])
        return reader, reader.read(f"{n}.jpg", MANY)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, range(40)))
    assert [data for _, data in found] == [str(n).encode() for n in range(40)]
    assert len({id(reader) for reader, _ in found}) == 2


@pytest.mark.usefixtures("names_in_test")
def test_the_bucket_stands_in_the_name_of_a_host_but_in_the_path_of_an_address(store, readers):
    store.fill("opensearch", {SEED: b"picture"})
    hosts = {
        "http://oss-cn-hangzhou.aliyuncs.test": "opensearch.oss-cn-hangzhou.aliyuncs.test",
        "http://127.0.0.1": "127.0.0.1",
        "http://localhost": "localhost",
    }
    for endpoint in hosts:
        reader = readers().reader(PictureSource("image", "oss", f"{endpoint}:{store.port}", "/opensearch", KEYS))
        assert reader.read(f"/{SEED}", MANY) == b"picture"
    assert [asked.host for asked in store.asked] == [f"{host}:{store.port}" for host in hosts.values()]
    assert store.paths() == [f"/{SEED}", f"/opensearch/{SEED}", f"/opensearch/{SEED}"]


@pytest.mark.usefixtures("names_in_test")
@pytest.mark.parametrize(("addressing", "host"), [("virtual", "opensearch.minio.test"), ("path", "minio.test")])
def test_a_setting_says_where_the_buckets_name_goes(store, readers, addressing, host):
    store.fill("opensearch", {SEED: b"picture"})
    source = PictureSource("image", "oss", f"http://minio.test:{store.port}", "opensearch", KEYS)
    assert readers(oss_addressing=addressing).reader(source).read(SEED, MANY) == b"picture"
    assert [asked.host for asked in store.asked] == [f"{host}:{store.port}"]


@pytest.mark.usefixtures("no_pauses")
def test_a_store_that_says_to_come_again_is_asked_again(reader, store):
    store.fault = only(SEED, Answer(503, "SlowDown"), times=3)
    assert reader.read(SEED, MANY) == b"picture"
    assert len(store.asked) == 4


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("answer", [Answer(503, "SlowDown"), Answer(500, "InternalError"), Answer(502), Answer(429)])
def test_a_store_that_goes_on_saying_so_is_away(reader, store, answer):
    store.fault = only(SEED, answer)
    assert "does not answer now" in fault(reader, SEED, SourceAway)
    assert len(store.asked) <= 4


@pytest.mark.usefixtures("no_pauses")
def test_a_store_that_does_not_answer_is_away(impatient, store):
    store.fault = only(SEED, Silence())
    assert "cannot be reached (ReadTimeoutError)" in fault(impatient, SEED, SourceAway)
    assert len(store.asked) == 4


@pytest.mark.usefixtures("no_pauses", "names_in_test")
@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "https://nobody.example"])
def test_a_store_that_is_not_there_is_away(store, readers, endpoint):
    reader = readers(timeout_s=1).reader(PictureSource("image", "oss", endpoint, "opensearch", KEYS))
    assert "EndpointConnectionError" in fault(reader, SEED, SourceAway)
    assert store.asked == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(403, "InvalidAccessKeyId"), "does not know the AccessKey id"),
        (Answer(403, "SignatureDoesNotMatch"), "secret does not belong to the id"),
        (Answer(403, "RequestTimeTooSkewed"), "clocks"),
        (Answer(404, "NoSuchBucket"), "no such bucket"),
        (Answer(403, "SecondLevelDomainForbidden"), "bucket's name has to stand in the host's name"),
        (Answer(400, "Bogus\nCode the-secret"), "refused (unknown, status 400)"),
        (Answer(409), "refused (409, status 409)"),
    ],
)
def test_what_is_wrong_with_the_store_is_no_rows_fault(reader, store, answer, says):
    store.fault = lambda _: answer
    assert says in fault(reader, SEED, SourceError)
    assert len(store.asked) == 1


def test_a_bucket_that_is_not_there_is_no_rows_fault(store, readers):
    reader = readers().reader(PictureSource("image", "oss", store.endpoint, "other", KEYS))
    assert fault(reader, SEED, SourceError) == (
        f"bucket 'other' at {store.endpoint}: there is no such bucket (NoSuchBucket, status 404)"
    )


@pytest.mark.parametrize("code", ["InvalidObjectState", "KeyTooLongError", "InvalidObjectName"])
def test_what_is_wrong_with_one_object_is_its_rows_fault(reader, store, code):
    store.fault = only(SEED, Answer(403, code))
    assert code in fault(reader, SEED)
    assert reader.read("a.jpg", MANY) == b"a"


def test_access_to_one_object_is_denied_where_others_can_be_read(reader, store):
    store.fault = only(SEED, Answer(403, "AccessDenied"))
    assert fault(reader, SEED) == f"picture {SEED!r}: access is denied (AccessDenied)"
    assert store.paths() == [f"/opensearch/{SEED}", "/opensearch"]
    assert fault(reader, SEED).endswith("access is denied (AccessDenied)")
    assert len(store.asked) == 3


def test_access_to_the_bucket_is_denied_where_it_tells_nothing(reader, store):
    store.fault = lambda _: Answer(403, "AccessDenied")
    assert "access is denied (AccessDenied), and the bucket cannot be listed" in fault(reader, SEED, SourceError)
    store.fault = None
    assert reader.read(SEED, MANY) == b"picture"


@pytest.mark.parametrize(
    "action",
    [Cut(3), Cut(0), Claim(9)],
    ids=["a part", "nothing", "too long a length"],
)
def test_a_body_that_breaks_off_is_asked_for_again(reader, store, action):
    store.fault = only(SEED, action, times=2)
    assert reader.read(SEED, MANY) == b"picture"
    store.fault = only(SEED, action)
    assert re.search(r"broke off after \d bytes, 3 times", fault(reader, SEED))
    assert reader.read("a.jpg", MANY) == b"a"


def test_a_body_that_stops_coming_is_the_rows_fault(impatient, store):
    store.fault = only(SEED, Cut(3, stays=True), times=1)
    assert impatient.read(SEED, MANY) == b"picture"
    store.fault = only(SEED, Cut(3, stays=True))
    assert re.search(r"broke off after \d bytes, 3 times", fault(impatient, SEED))


def test_a_body_that_comes_too_slowly_is_the_rows_fault(impatient, monkeypatch):
    minutes = count(step=60)
    monkeypatch.setattr("havengate.buckets.monotonic", lambda: next(minutes))
    assert "came too slowly, 7 bytes in" in fault(impatient, SEED)


@pytest.mark.usefixtures("names_in_test")
@pytest.mark.parametrize(("status", "code"), [(301, "PermanentRedirect"), (307, "TemporaryRedirect"), (302, "")])
def test_nobody_is_sent_elsewhere(reader, store, status, code):
    elsewhere = f"http://elsewhere.test:{store.port}/opensearch/{SEED}"
    region = {"x-amz-bucket-region": "eu-central-1"}
    store.fault = lambda _: Answer(status, code, {"Location": elsewhere} | region)
    fault(reader, SEED, SourceError)
    assert {asked.host for asked in store.asked} == {f"127.0.0.1:{store.port}"}


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_web_server_that_is_no_store_is_no_rows_fault(reader, store, status):
    store.fault = lambda _: Answer(status, headers={"Content-Type": "text/html"})
    fault(reader, SEED, SourceError)


def test_a_missing_object_may_be_told_without_a_code_by_a_store_that_lists(reader, store):
    store.fault = only(SEED, Answer(404))
    assert fault(reader, SEED).endswith("no such object in the bucket")


@pytest.mark.usefixtures("no_pauses")
def test_a_store_that_never_answers_is_not_asked_for_every_picture(store, readers):
    reader = readers(timeout_s=0.1).reader(PictureSource("image", "oss", store.endpoint, "opensearch", KEYS))
    store.fault = lambda _: Silence()
    reasons = [fault(reader, f"{number}.jpg", SourceAway) for number in range(5)]
    assert len({asked.path for asked in store.asked}) == 3
    assert reasons[-1].endswith("could not be reached a moment ago")


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("action", [Answer(503, "SlowDown"), Silence()], ids=["come again", "silence"])
def test_an_object_that_never_comes_keeps_nobody_from_others(store, readers, action):
    store.fill("opensearch", {"a.jpg": b"a"})
    reader = readers(timeout_s=0.5).reader(PictureSource("image", "oss", store.endpoint, "opensearch", KEYS))
    store.fault = only(SEED, action)
    for _ in range(2):
        fault(reader, SEED, SourceAway)
    assert reader.read("a.jpg", MANY) == b"a"


def test_boto3_is_named_where_it_is_missing(readers, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "boto3.session", None)
    with pytest.raises(SourceError, match=r"pip install 'havengate\[s3\]'"):
        readers().reader(PictureSource("image", "oss", "localhost", "opensearch", KEYS))


@pytest.fixture
def bucket(store, readers):
    store.fill("opensearch", {f"p/{n:04}.jpg": b"x" for n in range(1200)} | {"q": b"0123456789"})
    return readers().bucket(PictureSource("image", "oss", store.endpoint, "opensearch", KEYS))


def test_a_listing_goes_on_behind_any_key(bucket, store):
    keys = [f"p/{n:04}.jpg" for n in range(1200)]
    pages = [[found.key for found in page] for page in bucket.objects("p/")]
    assert [len(page) for page in pages] == [1000, 200]
    assert [key for page in pages for key in page] == keys
    assert [found.key for page in bucket.objects("p/", keys[700]) for found in page] == keys[701:]
    assert len(store.asked) == 3
    assert list(bucket.objects("none/")) == []


def test_keys_are_listed_as_they_are(store, bucket):
    odd = ["p/ a.jpg", "p/%20.jpg", "p/图片.jpg", "p/\U0001f600.jpg", "p/\uff0f.jpg"]
    store.fill("opensearch", dict.fromkeys(odd, b"x"))
    listed = [found.key for page in bucket.objects("p/") for found in page]
    assert set(odd) <= set(listed)
    assert listed == sorted(listed)


def test_a_listing_that_begins_again_for_ever_is_noticed(bucket, monkeypatch):
    ask = bucket._client.list_objects_v2
    monkeypatch.setattr(
        bucket._client, "list_objects_v2", lambda **of: ask(**{k: v for k, v in of.items() if k != "StartAfter"})
    )
    pages = bucket.objects("p/")
    next(pages)
    with pytest.raises(SourceError, match="in order"):
        next(pages)


def test_parts_of_an_object_are_those_of_the_object_that_was_looked_at(bucket, store):
    found = bucket.look("q")
    assert (bucket.part(found, 0, 4), bucket.part(found, 4, 99)) == (b"0123", b"456789")
    store.fill("opensearch", {"q": b"another one"})
    with pytest.raises(SourceChanged):
        bucket.part(found, 0, 4)
    store.fault = lambda asked: Cut(2) if asked.method == "GET" else None
    with pytest.raises(SourceAway, match="broke off"):
        bucket.part(bucket.look("q"), 0, 4)
    store.fault = None
    store.drop("opensearch", "q")
    with pytest.raises(SourceChanged):
        bucket.part(found, 0, 4)
    with pytest.raises(SourceError, match="no such object"):
        bucket.look("q")
