"""Folders as they are found on disks: one odd file is one rejected record, never the end of an ingest."""

import os

import pytest
from colour_model import picture
from source_samples import opened, records, table

from havengate.errors import RequestError, SchemaError, SourceError

RED = picture("red")


def read(folder, spec=None):
    """(place under the folder, its row's key or None, error) of each record."""
    source = opened(os.fspath(folder), spec)
    found = records(source)
    assert source.count() == len(found)
    return [(os.path.relpath(r.place, folder), r.fields and r.fields["id"], r.error) for r in found]


def test_a_name_that_is_not_utf8_is_one_rejected_record(tmp_path):
    (tmp_path / "a.png").write_bytes(RED)
    (tmp_path / os.fsdecode(b"b\xff.png")).write_bytes(RED)
    for key_type in ("STRING", "INT64"):
        good, bad = read(tmp_path, table(key_type=key_type))
        assert good[2] == ""
        assert bad == ("b\udcff.png", None, "the file's name is not UTF-8")


def test_a_folder_whose_own_name_is_not_utf8_is_read(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9 50%20")
    folder.mkdir()
    (folder / "a.png").write_bytes(RED)
    assert read(folder) == [("a.png", "a.png", "")]


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "good.JPE").write_bytes(RED)
    (tmp_path / "linked").symlink_to("sub")
    (tmp_path / "empty.jfif").touch()
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert read(tmp_path) == [
        ("empty.jfif", None, "the picture is empty (0 bytes)"),
        ("gone.jpg", None, "No such file or directory"),
        ("loop.jpg", None, "Too many levels of symbolic links"),
        ("pipe.jpg", None, "not a regular file"),
        ("sub/good.JPE", "sub/good.JPE", ""),
    ]


@pytest.fixture
def closed(monkeypatch):
    """Makes folders of this name refuse to be listed, as for somebody who is not root."""
    scan = os.scandir

    def close(name):
        def guarded(folder):
            if os.fspath(folder).endswith(name):
                raise PermissionError(13, "Permission denied", os.fspath(folder))
            return scan(folder)

        monkeypatch.setattr(os, "scandir", guarded)

    return close


def test_a_folder_that_may_not_be_listed_is_one_rejected_record(tmp_path, closed):
    for name in ("a", "closed", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(RED)
    closed("closed")
    found = [("a/a.png", "a/a.png", ""), ("closed", None, "Permission denied"), ("open/a.png", "open/a.png", "")]
    assert read(tmp_path) == found
    checkpoints = [batch.after for batch in opened(tmp_path).batches(None, 1)]
    assert [len(records(opened(tmp_path), after)) for after in checkpoints] == [2, 1, 0]


def test_the_folder_itself_has_to_be_readable(tmp_path, closed):
    (tmp_path / "closed").mkdir()
    source = opened(tmp_path / "closed")
    closed("closed")
    with pytest.raises(SourceError, match="closed cannot be read: Permission denied"):
        records(source)


def test_a_folder_of_more_files_than_a_page_is_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.sources.folder._PAGE", 3)
    names = [f"{number:02}.png" for number in range(10)]
    for name in names:
        (tmp_path / name).write_bytes(RED)
    assert [key for _, key, _ in read(tmp_path)] == names


@pytest.fixture
def deep(tmp_path):
    """A picture further down than Python calls functions; nobody else would get it removed again."""
    folder = tmp_path
    for _ in range(1100):
        folder /= "d"
        folder.mkdir()
    (folder / "a.png").write_bytes(RED)
    yield tmp_path
    (folder / "a.png").unlink()
    while folder != tmp_path:
        folder.rmdir()
        folder = folder.parent


def test_folders_in_folders_in_folders(deep):
    assert [error for _, _, error in read(deep)] == [""]


def test_keys_are_paths_from_the_bucket_down(tmp_path):
    bucket = tmp_path / "my photos"
    for sub in ("x", "y"):
        (bucket / sub).mkdir(parents=True)
        (bucket / sub / "1.png").write_bytes(RED)
    (bucket / "out.png").symlink_to(tmp_path / "elsewhere.png")
    (tmp_path / "elsewhere.png").write_bytes(RED)
    spec = table("oss", endpoint=tmp_path.as_uri(), bucket="my photos")
    assert [key for _, key, _ in read(bucket, spec)] == ["out.png", "x/1.png", "y/1.png"]
    assert read(bucket / "y", spec) == [("1.png", "y/1.png", "")]
    with pytest.raises(RequestError, match="not inside the table's bucket"):
        read(tmp_path, spec)


def test_an_endpoint_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(SchemaError, match="oss_endpoint"):
        read(tmp_path, table("oss", endpoint="https://example.com"))


def test_a_table_whose_key_is_no_path_is_refused(tmp_path):
    with pytest.raises(RequestError, match="STRING, INT64 or UINT64 key, not INT32"):
        read(tmp_path, table(key_type="INT32"))
