import fcntl
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havengate.blobs import FolderBlobStore
from havengate.errors import EngineError
from havengate.images import content_hash

NO_KEY = "0" * 64


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data" / "blobs"


@pytest.fixture
def store(root):
    return FolderBlobStore(root)


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_what_was_put_comes_back(store, root):
    key = store.put("clothes", b"picture")
    assert key == content_hash(b"picture")
    assert store.get("clothes", key) == b"picture"
    assert files(root) == [f"clothes/{key[:2]}/{key}"]


def test_put_again_does_not_write_again(store, root):
    key = store.put("t", b"picture")
    file = root / "t" / key[:2] / key
    os.utime(file, (1, 1))
    assert store.put("t", b"picture") == key
    assert file.stat().st_mtime == 1


@given(st.lists(st.binary(max_size=20), max_size=12))
def test_many(tmp_path_factory, items):
    store = FolderBlobStore(tmp_path_factory.mktemp("blobs"))
    keys = store.put_many("t", items)
    assert [store.get("t", key) for key in keys] == items


def test_another_store_on_the_folder_sees_it(store, root):
    key = store.put("t", b"a")
    assert FolderBlobStore(root).get("t", key) == b"a"


def test_bytes_are_on_disk_before_the_name_is(store, monkeypatch):
    steps = []
    fsync, rename = os.fsync, Path.rename

    def note_fsync(descriptor):
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def note_rename(self, target):
        steps.append("rename")
        return rename(self, target)

    store.put("t", b"first, so that the folders exist")
    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "rename", note_rename)
    store.put_many("t", [b"a", b"a"])
    written = steps[steps.index("file") :]
    assert written == ["file", "rename", "folder"]


def test_a_write_that_fails_leaves_nothing(store, root, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    store.put("t", b"other")
    before = files(root)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EngineError, match=r"cannot write for table 't'.*No space left"):
        store.put("t", b"picture")
    assert files(root) == before


def test_missing(store):
    with pytest.raises(EngineError, match=f"no {NO_KEY} for table 't'"):
        store.get("t", NO_KEY)


def test_tables_do_not_see_each_others_bytes(store):
    key = store.put("a", b"picture")
    with pytest.raises(EngineError):
        store.get("b", key)


def test_delete(store):
    kept, gone = store.put_many("t", [b"kept", b"gone"])
    store.delete("t", [gone, NO_KEY])
    assert store.get("t", kept) == b"kept"
    with pytest.raises(EngineError):
        store.get("t", gone)


def test_drop_table(store, root):
    store.put("a", b"picture")
    kept = store.put("b", b"picture")
    store.drop_table("a")
    store.drop_table("never-was")
    assert files(root) == [f"b/{kept[:2]}/{kept}"]
    assert [path.name for path in root.iterdir()] == ["b"]


def test_a_dropped_table_starts_empty(store):
    key = store.put("a", b"picture")
    store.drop_table("a")
    store.put("a", b"other")
    with pytest.raises(EngineError):
        store.get("a", key)


@pytest.mark.parametrize("table", ["", ".", "..", "../t", "a/b", "/etc", ".hidden", "a\0b"])
def test_table_names_that_lead_elsewhere(store, table):
    for call in (
        lambda: store.put(table, b"a"),
        lambda: store.get(table, NO_KEY),
        lambda: store.delete(table, [NO_KEY]),
        lambda: store.drop_table(table),
    ):
        with pytest.raises(EngineError, match="takes no table name"):
            call()


@pytest.mark.parametrize("key", ["", "..", "../../x", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n"])
def test_keys_that_are_none(store, key):
    with pytest.raises(EngineError, match="takes no key"):
        store.get("t", key)
    with pytest.raises(EngineError, match="takes no key"):
        store.delete("t", [key])


def test_one_writer_of_a_table_at_a_time_whatever_its_process(root, monkeypatch):
    monkeypatch.setattr(fcntl, "LOCK_EX", fcntl.LOCK_EX | fcntl.LOCK_NB)
    one, other = FolderBlobStore(root), FolderBlobStore(root)
    with one.writing("t"):
        with pytest.raises(BlockingIOError), other.writing("t"):
            pass
        with other.writing("another"):
            pass
    with other.writing("t"):
        pass


def test_threads(store, root):
    items = [bytes([i]) * 50 for i in range(20)]
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda data: store.put("t", data), items * 4))
    assert keys == [content_hash(data) for data in items] * 4
    assert len(files(root)) == 20
