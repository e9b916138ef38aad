"""A text means one source or is refused, with what there is."""

import json
import sys

import pytest
from source_samples import opened, table

from havengate.errors import RequestError, SettingsError, UnknownTable
from havengate.setting_groups import SourceSettings
from havengate.settings import Settings


def refused(text, **options):
    with pytest.raises(RequestError) as caught:
        opened(text, **options)
    return caught.value.message


@pytest.mark.parametrize("name", ["rows.jsonl", "ROWS.JSONL", "rows.ndjson", "rows.txt", "rows"])
def test_a_file_of_objects_is_jsonl_by_its_name_or_by_its_first_sign(tmp_path, name):
    (tmp_path / name).write_text('\ufeff{"id": 1}\n')
    assert opened(tmp_path / name).count() == 1


def test_what_is_neither_a_folder_nor_rows_is_one_line(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\0")
    (tmp_path / "a.tsv").write_text("id\ttitle\n")
    for name in ("a.png", "a.tsv"):
        message = refused(tmp_path / name)
        assert f"{name}: neither a folder of pictures nor a JSONL file, nor .csv or .parquet" in message
        assert "\n" not in message


def test_a_path_that_is_not_there_is_refused_with_what_is(tmp_path):
    assert refused(tmp_path / "rows.jsonl").endswith(f"no such file or folder; {tmp_path} is empty")
    for number in range(12):
        (tmp_path / f"{number:02}.csv").touch()
    assert refused(tmp_path / "rows.jsonl").endswith(
        "has: " + ", ".join(f"{n:02}.csv" for n in range(10)) + " and 2 more"
    )
    assert "there is no folder" in refused(tmp_path / "gone" / "rows.jsonl")


@pytest.mark.parametrize("text", ["ftp://host/rows", "http://host/rows.jsonl", "file:///rows.jsonl", "odps://shop/t"])
def test_an_unknown_scheme_is_refused_with_those_there_are(text):
    message = refused(text)
    assert text.partition(":")[0] in message
    assert "oss://, s3://, maxcompute:// or table:NAME" in message


@pytest.mark.parametrize(
    "text", ["", "\0", "table:", "table:t?", "table:t?where=x", "maxcompute://shop", "maxcompute:///t"]
)
def test_half_a_source_is_refused(text):
    refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "oss://id:secret@bucket/prefix",
        "s3://secret@bucket/prefix",
        "maxcompute://id:secret@shop/t",
        "maxcompute://shop/t?access_key=secret",
        "maxcompute://shop/t?partition=ds=1&secret",
        "maxcompute://shop/t?partition=secret",
    ],
)
def test_keys_in_a_text_are_refused_and_not_repeated(text):
    assert "secret" not in refused(text)


def test_maxcompute_names_the_settings_that_are_missing():
    settings = Settings(sources=SourceSettings(maxcompute_endpoint="http://127.0.0.1:1"))
    with pytest.raises(SettingsError) as caught:
        opened("maxcompute://shop/t", settings=settings)
    keys = "HAVENGATE_SOURCES__MAXCOMPUTE_ACCESS_KEY_ID, HAVENGATE_SOURCES__MAXCOMPUTE_ACCESS_KEY_SECRET"
    assert caught.value.message == f"maxcompute:// needs {keys}"


def test_maxcompute_without_its_package_says_how_to_install_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "ingest.sources.maxcompute_tunnel", raising=False)
    monkeypatch.setitem(sys.modules, "odps", None)
    with pytest.raises(SettingsError, match=r"pip install 'havengate\[maxcompute\]'"):
        opened("maxcompute://shop/t")


@pytest.mark.usefixtures("photos")
def test_an_unknown_table_is_refused_with_those_there_are(services):
    with pytest.raises(UnknownTable, match="no table 'photo' to read from; there are: photos"):
        opened("table:photo", table(), engine=services.engine, blobs=services.tables.blobs)


def test_a_source_is_called_what_it_was_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"id": 1}))
    assert opened(path).name == str(path)
    assert opened(tmp_path).name == str(tmp_path)
