"""What every blob store does, in a folder and in a bucket."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from blob_places import BucketPlace, FolderPlace

from havengate.blobs import Since
from havengate.errors import EngineError, Moved
from havengate.images import content_hash

NO_KEY = "0" * 64


@pytest.fixture(params=["folder", "bucket"])
def place(request, tmp_path):
    if request.param == "folder":
        yield FolderPlace(tmp_path / "data" / "blobs")
        return
    opened = BucketPlace(request.getfixturevalue("store"))
    yield opened
    opened.close()


@pytest.fixture
def blobs(place):
    return place.open()


def test_what_was_put_comes_back(blobs, place):
    key = blobs.put("clothes", b"picture")
    assert key == content_hash(b"picture")
    assert blobs.get("clothes", key) == b"picture"
    assert place.keys() == {f"clothes/{key}"}


@pytest.mark.parametrize("items", [[], [b""], [b"a", b"b", b"a"], [bytes([number]) * 9 for number in range(20)]])
def test_many(blobs, items):
    keys = blobs.put_many("t", items)
    assert [blobs.get("t", key) for key in keys] == items


def test_put_again_is_the_same_key(blobs, place):
    assert blobs.put("t", b"picture") == blobs.put("t", b"picture")
    assert len(place.keys()) == 1


def test_another_store_on_the_place_sees_it(blobs, place):
    key = blobs.put("t", b"a")
    assert place.open().get("t", key) == b"a"


def test_missing(blobs):
    with pytest.raises(Moved, match=f"no {NO_KEY} for table 't'"):
        blobs.get("t", NO_KEY)


def test_tables_do_not_see_each_others_bytes(blobs):
    key = blobs.put("ab", b"picture")
    with pytest.raises(EngineError):
        blobs.get("a", key)
    assert blobs.keys("a", key[:2]) == []


def test_delete(blobs):
    kept, gone = blobs.put_many("t", [b"kept", b"gone"])
    blobs.delete("t", [gone, NO_KEY], Since())
    assert blobs.get("t", kept) == b"kept"
    with pytest.raises(EngineError):
        blobs.get("t", gone)


def test_the_keys_of_a_table_by_their_beginning(blobs):
    keys = blobs.put_many("t", [bytes([number]) for number in range(40)])
    assert [key for shard in range(256) for key in blobs.keys("t", f"{shard:02x}")] == sorted(keys)
    assert blobs.keys("none", "00") == []


def test_drop_table(blobs, place):
    blobs.put("a", b"picture")
    kept = blobs.put("b", b"picture")
    blobs.drop_table("a")
    blobs.drop_table("never-was")
    assert place.keys() == {f"b/{kept}"}


def test_a_dropped_table_starts_empty(blobs):
    key = blobs.put("a", b"picture")
    blobs.drop_table("a")
    blobs.put("a", b"other")
    with pytest.raises(EngineError):
        blobs.get("a", key)


def test_a_table_that_is_not_dropped_after_all_keeps_its_bytes(blobs):
    key = blobs.put("a", b"picture")
    with pytest.raises(ZeroDivisionError), blobs.clearing("a"):
        raise ZeroDivisionError
    assert blobs.get("a", key) == b"picture"
    with blobs.clearing("a"):
        assert blobs.get("a", key) == b"picture"
    with pytest.raises(Moved):
        blobs.get("a", key)


@pytest.mark.parametrize("table", ["", ".", "..", "../t", "a/b", "/etc", ".hidden", "a\0b"])
def test_table_names_that_lead_elsewhere(blobs, table):
    for call in (
        lambda: blobs.put(table, b"a"),
        lambda: blobs.get(table, NO_KEY),
        lambda: blobs.delete(table, [NO_KEY], Since()),
        lambda: blobs.keys(table, "00"),
        lambda: blobs.drop_table(table),
        lambda: blobs.writing(table).__enter__(),
    ):
        with pytest.raises(EngineError, match="takes no table name"):
            call()


@pytest.mark.parametrize("key", ["", "..", "../../x", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n"])
def test_keys_that_are_none(blobs, key):
    with pytest.raises(EngineError, match="takes no key"):
        blobs.get("t", key)
    with pytest.raises(EngineError, match="takes no key"):
        blobs.delete("t", [key], Since())


def test_threads(blobs, place):
    items = [bytes([i]) * 50 for i in range(10)]
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda data: blobs.put("t", data), items * 2))
    assert keys == [content_hash(data) for data in items] * 2
    assert len(place.keys()) == 10
