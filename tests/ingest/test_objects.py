"""Buckets as sources of rows, over the real protocol."""

import base64
import gzip
import json
from dataclasses import replace

import pytest
from colour_model import picture
from source_samples import records, table
from store_double import Answer, Cut

from havengate.errors import RequestError, SourceAway, SourceChanged, SourceError
from havengate.objects import Readers
from havengate.setting_groups import LimitSettings, SourceSettings
from havengate.settings import Settings
from ingest.sources.folder import FolderSource
from ingest.sources.objects import open_objects
from schemas.resolve import resolve
from schemas.vendor import read_schema

SEED = "Test image/image/10031.png"


@pytest.fixture
def opened(store):
    made = []

    def make(text, spec, **limits):
        sources = SourceSettings(
            oss_endpoint=store.endpoint, oss_access_key_id="settings", oss_access_key_secret="s", timeout_s=5
        )
        settings = Settings(sources=sources, limits=LimitSettings(**limits))
        made.append(Readers(sources))
        return open_objects(text, spec, settings=settings, readers=made[-1])

    yield make
    for readers in made:
        readers.close()


@pytest.fixture
def paths(store):
    """A table of paths in the bucket `shop`."""
    return table("oss", endpoint=store.endpoint, bucket="/shop")


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


def keys(source, after=None, size=1000):
    return [record.fields["id"] for record in records(source, after, size)]


def resumed_anywhere(source, size):
    """Record lists as they come when the source is read on from each of its checkpoints."""
    whole = list(source.batches(None, size))
    every = [record for batch in whole for record in batch.records]
    read = 0
    for batch in whole:
        read += len(batch.records)
        assert records(source, json.loads(json.dumps(batch.after))) == every[read:]
    return every


def test_a_prefix_is_one_row_for_each_picture(store, opened, paths):
    store.fill("shop", {f"p/{n:04}.jpg": b"x" for n in range(1200)} | {"p/notes.txt": b"", "p/x/": b"", "q.jpg": b"x"})
    source = opened("oss://shop/p/", paths)
    assert (source.name, source.count()) == ("oss://shop/p/", 1200)
    listings = len(store.asked)
    batches = list(source.batches(None, 100))
    assert [len(batch.records) for batch in batches] == [100] * 12
    first = batches[0].records[0]
    assert first.place == "oss://shop/p/0000.jpg"
    assert first.fields == {"id": "p/0000.jpg", "vector_source_image": "/p/0000.jpg"}
    assert source.left_out() == 2
    # The pictures themselves are left to who writes the rows.
    assert len(store.asked) == listings + 2
    assert set(store.paths()) == {"/shop"}


def test_it_goes_on_behind_any_checkpoint(store, opened, paths):
    store.fill("shop", {f"{n:02}.{'txt' if n % 3 else 'PNG'}": b"x" for n in range(40)})
    source = opened("s3://shop", paths)
    assert [record.place for record in resumed_anywhere(source, 4)] == [
        f"s3://shop/{n:02}.PNG" for n in range(0, 40, 3)
    ]
    first = next(source.batches(None, 5))
    assert len(records(source, first.after)) == 9
    assert source.left_out() == 26


def test_a_bucket_gives_the_keys_that_a_folder_with_the_same_pictures_gives(store, opened, tmp_path):
    names = ["a.jpg", "b/c d.png", "图片.webp", "é.jpg"]
    for name in names:
        (tmp_path / "shop" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shop" / name).write_bytes(picture("red"))
    store.fill("shop", {name: picture("red") for name in names})
    for kind, key_type in (("base64", "STRING"), ("base64", "INT64"), ("oss", "UINT64")):
        place = {"endpoint": tmp_path.as_uri(), "bucket": "shop"} if kind == "oss" else {}
        folder = FolderSource(tmp_path / "shop", table(kind, key_type, **place), 1 << 20)
        place = {"endpoint": store.endpoint, "bucket": "shop"} if kind == "oss" else {}
        bucket = opened("oss://shop/", table(kind, key_type, **place))
        rows = [{record.fields["id"]: record.fields for record in records(source)} for source in (folder, bucket)]
        assert rows[0] == rows[1]
        assert len(rows[0]) == 4


def test_a_base64_table_gets_the_pictures_themselves(store, opened):
    good = {f"{n:02}.png": picture("red") for n in range(30)}
    store.fill("shop", good | {"05.png": b"", "07.png": b"x" * 2000})
    source = opened("oss://shop/", table("base64"), picture_bytes=1024)
    store.fault = lambda asked: Answer(404, "NoSuchKey") if asked.path.endswith("/03.png") else None
    found = resumed_anywhere(source, 4)
    errors = {record.place: record.error for record in found if record.error}
    assert errors == {
        "oss://shop/03.png": "picture '/03.png': no such object in the bucket",
        "oss://shop/05.png": "the picture is empty (0 bytes)",
        "oss://shop/07.png": "picture '/07.png': it has 2000 bytes, more than the limit of 1024",
    }
    assert [record.fields["id"] for record in found if record.fields] == sorted(
        good.keys() - {"03.png", "05.png", "07.png"}
    )
    assert base64.b64decode(found[0].fields["vector_source_image"]) == picture("red")


@pytest.mark.parametrize("text", [f"oss://opensearch/{SEED}", f"oss://opensearch//{SEED}"])
def test_a_single_picture_by_its_path(store, opened, text):
    store.fill("opensearch", {SEED: b"picture", f"{SEED}.txt": b""})
    spec = table("oss", endpoint=store.endpoint, bucket="/opensearch")
    source = opened(text, spec)
    (batch,) = source.batches(None, 10)
    (record,) = batch.records
    assert record.fields == {"id": SEED, "vector_source_image": f"/{SEED}"}
    assert (record.place, source.count()) == (f"oss://opensearch/{SEED}", 1)
    assert list(source.batches(batch.after, 10)) == []


def test_what_is_not_there_is_said_at_once(store, opened, paths):
    store.fill("shop", {"notes.txt": b""})
    for text, says in (
        ("oss://shop/none/", "no object's key begins like that"),
        ("oss://shop/none.jpg", "no such object"),
        ("oss://shop/none.jsonl", "no such object"),
        ("oss://other/", "not in the table's bucket 'shop'"),
        ("oss:///shop/", "oss://BUCKET/PREFIX"),
    ):
        with pytest.raises((SourceError, RequestError), match=says):
            list(opened(text, paths).batches(None, 10))
    assert list(opened("oss://shop/", paths).batches(None, 10)) == []
    with pytest.raises(SourceError, match="there is no such bucket"):
        list(opened("oss://nobody", table("base64")).batches(None, 10))
    with pytest.raises(SourceError, match="oss_bucket"):
        opened("oss://No/", table("base64"))


def test_the_tables_own_bucket_is_read_as_its_schema_says(store, opened):
    store.fill("shop", {"a.jpg": b"x"})
    spec = table("oss", endpoint=store.endpoint, bucket="shop")
    schema = json.loads(json.dumps(spec.vendor_schema))
    schema["fields"][1]["user_defined_param"] |= {"oss_access_key": "schema", "oss_secret": "hush"}
    ours = replace(spec, schema=resolve(read_schema(json.dumps(schema))), vendor_schema=schema)
    for each, signer in ((ours, "schema"), (spec, "settings")):
        source = opened("oss://shop", each)
        assert keys(source) == ["a.jpg"]
        assert f"Credential={signer}/" in store.asked[-1].headers["authorization"]
        assert "hush" not in f"{source.name} {vars(source)}"


@pytest.mark.usefixtures("no_pauses")
def test_a_store_that_goes_away_stops_the_reading_where_it_was(store, opened, paths):
    store.fill("shop", {f"{n:04}.jpg": b"x" for n in range(1010)})
    store.fault = lambda asked: Answer(503, "SlowDown") if "start-after" in asked.query else None
    source = opened("oss://shop/", paths)
    batches = source.batches(None, 500)
    first, second = next(batches), next(batches)
    with pytest.raises(SourceAway):
        next(batches)
    store.fault = None
    assert keys(source, second.after) == [f"{n:04}.jpg" for n in range(1000, 1010)]
    assert len(keys(source, first.after)) == 510


def test_somebody_elses_checkpoint_is_refused(store, opened, paths):
    store.fill("shop", {"a.jpg": b"x"})
    with pytest.raises(SourceChanged):
        opened("oss://shop/", paths).batches({"offset": 3}, 10)


def manifest(rows=50):
    lines = [json.dumps({"id": str(n), "title": f"红 {n}", "vector_source_image": f"/{n}.jpg"}) for n in range(rows)]
    lines[7], lines[9], lines[11] = "", "{broken", '["no object"]'
    return "\n".join(lines).encode()


@pytest.mark.parametrize("name", ["rows.jsonl", "day 1/rows.jsonl.gz"])
def test_a_manifest_is_read_in_parts_and_goes_on_behind_any_line(store, opened, paths, name, monkeypatch):
    monkeypatch.setattr("ingest.sources.manifest._PART", 200)
    data = manifest()
    store.fill("shop", {name: gzip.compress(data) if name.endswith("gz") else data})
    source = opened(f"oss://shop/{name}", paths)
    assert (source.name, source.count(), source.left_out()) == (f"oss://shop/{name}", None, 0)
    found = resumed_anywhere(source, 6)
    assert [record.fields["id"] for record in found if record.fields] == [
        str(n) for n in range(50) if n not in (7, 9, 11)
    ]
    assert {record.place: record.error.partition(":")[0] for record in found if record.error} == {
        f"oss://shop/{name}:10": "not JSON",
        f"oss://shop/{name}:12": "a line is one JSON object",
    }
    ranges = [asked.headers["range"] for asked in store.asked if asked.method == "GET"]
    assert len(set(ranges)) > 1
    # Unpacking asks for more than this small part at once.
    longest = max(int(last) - int(first) for first, last in (part[6:].split("-") for part in ranges))
    assert longest < (200 if name == "rows.jsonl" else len(data))


def test_a_manifest_that_is_written_anew_is_noticed(store, opened, paths, monkeypatch):
    monkeypatch.setattr("ingest.sources.manifest._PART", 200)
    store.fill("shop", {"rows.jsonl": manifest()})
    source = opened("oss://shop/rows.jsonl", paths)
    batches = source.batches(None, 5)
    first = next(batches)
    store.fill("shop", {"rows.jsonl": manifest(60)})
    with pytest.raises(SourceChanged, match="is not what it was"):
        list(batches)
    with pytest.raises(SourceChanged, match="begin again with a new job"):
        list(source.batches(first.after, 5))
    assert len(records(source)) == 59


def test_a_part_of_a_manifest_that_breaks_off_is_read_again(store, opened, paths):
    store.fill("shop", {"rows.jsonl": manifest()})
    store.fault = lambda asked: Cut(30) if asked.method == "GET" and asked.count < 2 else None
    assert len(records(opened("oss://shop/rows.jsonl", paths))) == 49


def test_a_manifest_that_is_packed_badly_is_an_error(store, opened, paths):
    store.fill("shop", {"rows.jsonl.gz": gzip.compress(manifest())[:-20], "plain.jsonl.gz": manifest()})
    for name in ("rows", "plain"):
        with pytest.raises(SourceError, match="cannot be unpacked"):
            records(opened(f"oss://shop/{name}.jsonl.gz", paths))


def test_an_empty_manifest_has_no_rows(store, opened, paths):
    store.fill("shop", {"rows.jsonl": b""})
    assert records(opened("oss://shop/rows.jsonl", paths)) == []


def test_a_line_that_is_too_long_is_no_row(store, opened, paths):
    long = json.dumps({"id": "x" * 5000}).encode()
    store.fill("shop", {"rows.jsonl": b'{"id": "1"}\n' + long + b'\n{"id": "2"}\n'})
    found = records(opened("oss://shop/rows.jsonl", paths, body=1024))
    assert [(record.fields, record.error) for record in found] == [
        ({"id": "1"}, ""),
        (None, "a line of more than 1024 bytes"),
        ({"id": "2"}, ""),
    ]


def test_a_manifest_names_pictures_of_a_base64_table_beside_itself_or_from_the_bucket_down(store, opened):
    places = ["a.png", "sub/b.png", "/top.png", "none.png", "https://example.com/a.png", "../top.png"]
    lines = [json.dumps({"id": str(n), "vector_source_image": place}) for n, place in enumerate(places)]
    store.fill("shop", {"day/rows.jsonl": "\n".join(lines).encode(), "rows.jsonl": lines[2].encode()})
    store.fill("shop", {"day/a.png": b"a", "day/sub/b.png": b"b", "top.png": b"t"})
    found = records(opened("oss://shop/day/rows.jsonl", table("base64")))
    read = [base64.b64decode(record.fields["vector_source_image"]) for record in found if record.fields]
    assert read == [b"a", b"b", b"t"]
    assert ["no such object" in found[3].error, "not fetched" in found[4].error, "'..'" in found[5].error] == [True] * 3
    assert len(records(opened("oss://shop/rows.jsonl", table("base64")))) == 1
