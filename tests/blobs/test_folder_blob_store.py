import fcntl
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havengate.blobs import FolderBlobStore
from havengate.errors import EngineError
from havengate.images import content_hash


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


def test_dropping_leaves_nothing_of_a_table(store, root):
    store.put("a", b"picture")
    kept = store.put("b", b"picture")
    store.drop_table("a")
    assert files(root) == [f"b/{kept[:2]}/{kept}"]
    assert [path.name for path in root.iterdir()] == ["b"]


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
