"""Folders as they are found on disks: one odd file is one rejected item, never the end of an ingest."""

import json
import os

import pytest
from colour_model import picture
from support import run_cli

from engines.contract import TableSpec
from havengate.cli.common import printable
from havengate.documents import PushReport
from havengate.errors import Overloaded, RequestError, SchemaError
from havengate.settings import PushSettings
from ingest.files import Item, open_source
from ingest.load import LoadReport, load
from schemas.resolve import resolve
from schemas.settings import TableSettings
from schemas.templates import template

MANY = 1 << 20
RED = picture("red")


def table(kind="base64", key_type="STRING", **source):
    key = {"field_name": "id", "field_type": key_type}
    vendor = template(kind, extra_fields=(key,), **source)
    return TableSpec("t", resolve(vendor), vendor.to_json(), TableSettings(), {})


def read(folder, spec=None):
    """(place under the folder, its row's key or None, error) of each item."""
    source = open_source(folder, spec or table(), MANY)
    items = list(source.items)
    assert source.count == len(items)
    return [(os.path.relpath(i.place, folder), i.fields and i.fields["id"], i.error) for i in items]


def test_a_name_that_is_not_utf8_is_one_rejected_item(tmp_path):
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


def test_a_folder_that_may_not_be_listed_is_one_rejected_item(tmp_path, monkeypatch):
    for name in ("closed", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(RED)
    scan = os.scandir

    def guarded(folder):
        if os.fspath(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied", os.fspath(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    assert read(tmp_path) == [("closed", None, "Permission denied"), ("open/a.png", "open/a.png", "")]


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


def test_what_is_neither_a_folder_nor_rows_is_one_line(tmp_path):
    (tmp_path / "a.png").write_bytes(RED)
    with pytest.raises(RequestError, match=r"a\.png: neither a folder of pictures nor a JSONL file"):
        open_source(tmp_path / "a.png", table(), MANY)


def test_a_picture_that_a_row_names_may_not_be_empty(tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "rows.jsonl").write_text(json.dumps({"id": "1", "vector_source_image": "a.png"}))
    (item,) = open_source(tmp_path / "rows.jsonl", table(), MANY).items
    assert item.error == "the picture is empty (0 bytes)"


def test_a_terminal_sees_no_control_characters():
    assert printable("a\x1b[31m\u202eb\udcff 红.png") == r"a\x1b[31m\u202eb\udcff 红.png"


def test_ingest_survives_odd_names_and_counts_other_files(tmp_path):
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    (tmp_path / "elsewhere.png").write_bytes(RED)
    for name in (b"good.png", b"\x1b[31m\xff.png", b"notes.txt"):
        (bucket / os.fsdecode(name)).write_bytes(RED)
    (bucket / "out.png").symlink_to(tmp_path / "elsewhere.png")
    (tmp_path / "schema.json").write_text(json.dumps(template("oss", endpoint=bucket.as_uri()).to_json()))
    data_dir, small = tmp_path / "data", {"HAVENGATE_PUSH__MAX_PICTURES": "1"}
    run_cli(data_dir, "table", "create", "t", "--schema", str(tmp_path / "schema.json"))
    done = run_cli(data_dir, "ingest", "t", str(bucket), check=False, env=small)
    assert (done.returncode, done.stdout) == (1, "1 rows in, 2 rejected\n")
    assert r"\x1b[31m\udcff.png: the file's name is not UTF-8" in done.stderr
    assert "a link that leads out of the picture folder" in done.stderr
    assert "1 other files left out" in done.stderr


class BusyAtFirst:
    """Documents whose model turns the first pushes away."""

    def __init__(self, times):
        self.times = times

    def push(self, _table, commands):
        self.times -= 1
        if self.times >= 0:
            raise Overloaded("256 are waiting", retry_after_s=0)
        return PushReport(len(commands), 0, ())


def load_into(documents):
    items = [Item(f"line {n}", {"id": n}) for n in range(3)]
    return load(documents, None, items, limits=PushSettings(), reject=print, progress=lambda _: None)


def test_a_load_waits_for_a_busy_model_but_not_for_ever():
    assert load_into(BusyAtFirst(5)) == LoadReport(3, 0)
    with pytest.raises(Overloaded):
        load_into(BusyAtFirst(1000))
