"""Rows of JSONL, CSV and Parquet files as fields of a push."""

import base64
import datetime as dt
import gzip
import json

import polars as pl
import pyarrow as pa
import pytest
from colour_model import picture
from pyarrow import parquet
from source_samples import opened, read, records, table

from havengate.errors import DocumentError, RequestError, SourceError
from havengate.setting_groups import LimitSettings
from havengate.settings import Settings
from havengate.values import coerce, coerce_vector
from ingest.sources import parquet as parquet_source

RED = picture("red")
PICTURE = "vector_source_image"


def pushed(spec, fields):
    """Fields as rows keep them."""
    schema = spec.schema
    return {
        name: coerce_vector(schema.vector_fields[name], value).tolist()
        if name in schema.vector_fields
        else coerce(schema.fields[name], value)
        for name, value in fields.items()
    }


@pytest.fixture
def small():
    """A table with vectors of two numbers that clients bring."""
    from dataclasses import replace

    spec = table()
    vector = replace(spec.schema.vector_indexes["vector"], dimension=2)
    return replace(spec, schema=replace(spec.schema, vector_indexes={"vector": vector}))


def csv_rows(tmp_path, text, spec=None):
    path = tmp_path / "rows.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path, spec)


def parquet_rows(tmp_path, frame, spec=None):
    frame.write_parquet(tmp_path / "rows.parquet")
    return read(tmp_path / "rows.parquet", spec)


class TestJsonl:
    def test_broken_lines_are_told_with_their_number(self, tmp_path):
        path = tmp_path / "rows.jsonl"
        path.write_bytes(b'{"id": 1}\n\n[1]\n{"id": \xff}\nnot\n' + b"[" * 100_000 + b'\n{"id": 2}')
        found = {record.place.rpartition(":")[2]: record.error for record in records(opened(path))}
        assert {number: error.partition(":")[0] for number, error in found.items()} == {
            "1": "",
            "3": "a line is one JSON object",
            "4": "not JSON",
            "5": "not JSON",
            "6": "not JSON",
            "7": "",
        }

    def test_a_picture_that_a_row_names_may_not_be_empty(self, tmp_path):
        (tmp_path / "a.png").touch()
        (tmp_path / "rows.jsonl").write_text(json.dumps({"id": "1", PICTURE: "a.png"}))
        assert read(tmp_path / "rows.jsonl") == [(None, "the picture is empty (0 bytes)")]

    def test_a_line_without_an_end_is_one_error(self, tmp_path):
        path = tmp_path / "rows.jsonl"
        path.write_text('{"id": 1}\n{"id": "' + "x" * 9999 + '"}\n{"id": 2}\n')
        settings = Settings(limits=LimitSettings(body=1024))
        assert [error for _, error in read(path, settings=settings)] == ["", "a line of more than 1024 bytes", ""]

    @pytest.mark.parametrize("cut", [5, 40])
    def test_half_a_gzip_file_is_the_sources_error_after_what_it_holds(self, tmp_path, cut):
        path = tmp_path / "rows.jsonl.gz"
        path.write_bytes(gzip.compress(b'{"id": 1}\n' * 1000)[:cut])
        with pytest.raises(SourceError, match=r"rows\.jsonl\.gz cannot be read"):
            records(opened(path))


class TestCsv:
    def test_values_are_read_in_the_fields_types(self, tmp_path, small):
        text = 'id,title,price,labels,tags,vector\n7,"a, ""b""\nc",1.5,"[""x"", ""y""]","{""k"": [1]}","1,0.5"\n'
        text += '8,,,one\x1dtwo,,"[2, 3]"\n'
        assert [pushed(small, fields) for fields, _ in csv_rows(tmp_path, text, small)] == [
            {
                "id": "7",
                "title": 'a, "b"\nc',
                "price": 1.5,
                "labels": ["x", "y"],
                "tags": {"k": [1]},
                "vector": [1, 0.5],
            },
            {"id": "8", "labels": ["one", "two"], "vector": [2, 3]},
        ]

    def test_a_broken_record_costs_itself_only(self, tmp_path):
        text = 'id,title,labels,tags\n1,a,,\n2,b\n3,"x" y,,\n4,a,[1,\n5,c,,[1]\n6,d,"[1,2",\n7,e,,\n'
        found = csv_rows(tmp_path, text)
        assert [fields and fields["id"] for fields, _ in found] == ["1", None, None, None, None, None, "7"]
        assert [error.partition(":")[0] for _, error in found] == [
            "",
            "2 cells, the header has 4",
            "not CSV",
            "field 'labels'",
            "field 'tags'",
            "field 'labels'",
            "",
        ]

    def test_a_text_that_is_not_utf8_is_refused_by_its_row(self, tmp_path):
        (bad, _), (good, _) = csv_rows(tmp_path, "id,title\n1,红\n".encode("gbk") + "2,红\n".encode())
        with pytest.raises(DocumentError, match="'title': text is not valid Unicode"):
            pushed(table(), bad)
        assert good == {"id": "2", "title": "红"}

    @pytest.mark.parametrize(
        ("header", "reason"),
        [
            ("id,titel,prize\n", "the table has no field 'titel', 'prize'; its fields are: id, "),
            ("title\n", "no column 'id', which is the table's key"),
            ("id,title,id\n", "more than one column 'id'"),
            ("id;title\n", "no field 'id;title'"),
            ("", "no header line"),
            ("\n1\n", "no header line"),
            (b"\xff\xfei\0d\0", "no header of a CSV file in UTF-8"),
            ('id,"tit', "no header of a CSV file"),
        ],
    )
    def test_a_header_that_does_not_fit_is_refused_at_once(self, tmp_path, header, reason):
        with pytest.raises(RequestError) as caught:
            csv_rows(tmp_path, header)
        assert reason in caught.value.message
        assert "rows.csv" in caught.value.message

    def test_pictures_stand_in_cells_or_beside_the_file(self, tmp_path):
        (tmp_path / "red.png").write_bytes(RED)
        long = base64.b64encode(b"x" * 200_000).decode()
        found = csv_rows(tmp_path, f"id,{PICTURE}\n1,red.png\n2,{long}\n3,gone.png\n")
        assert [fields and fields[PICTURE] for fields, _ in found] == [base64.b64encode(RED).decode(), long, None]
        assert "no such file" in found[2][1]

    def test_places_are_lines_where_records_begin(self, tmp_path):
        (tmp_path / "rows.csv").write_text('id,title\n\n1,"a\nb\nc"\n2,d\n')
        assert [record.place[-2:] for record in records(opened(tmp_path / "rows.csv"))] == [":3", ":6"]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_row_whose_picture_is_missing_is_told_with_its_key(tmp_path, kind):
    path = tmp_path / f"rows.{kind}"
    frame = pl.DataFrame({"id": ["7"], PICTURE: ["none.png"]})
    {"jsonl": frame.write_ndjson, "csv": frame.write_csv, "parquet": frame.write_parquet}[kind](path)
    (found,) = records(opened(path))
    assert (found.fields, found.key) == (None, "7")


class TestParquet:
    def test_values_of_all_types(self, tmp_path, small):
        frame = pl.DataFrame(
            {
                "id": [1, 2],
                "vector": pl.Series([[1.0, 2.0], [3.0, 4.0]], dtype=pl.Array(pl.Float32, 2)),
                "labels": [["x", "y"], None],
                "title": [dt.datetime(2026, 1, 2, 3, 4, 5), None],  # noqa: DTZ001  as files have them
                "price": pl.Series(["1.25", "2"]).cast(pl.Decimal(10, 2)),
                "tags": [{"k": ["v"]}, None],
                PICTURE: [RED, None],
            }
        )
        first, second = [pushed(small, fields) for fields, _ in parquet_rows(tmp_path, frame, small)]
        assert first == {
            "id": "1",
            "vector": [1, 2],
            "labels": ["x", "y"],
            "title": "2026-01-02 03:04:05",
            "price": 1.25,
            "tags": {"k": ["v"]},
            PICTURE: base64.b64encode(RED).decode(),
        }
        assert second == {"id": "2", "vector": [3, 4], "price": 2.0}

    def test_columns_that_do_not_fit_are_refused_at_once(self, tmp_path):
        with pytest.raises(RequestError, match="the table has no field 'colour'"):
            parquet_rows(tmp_path, pl.DataFrame({"id": [1], "colour": ["red"]}))
        with pytest.raises(RequestError, match=r"cast them first: price \(bool\), title \(large_binary\)"):
            parquet_rows(tmp_path, pl.DataFrame({"id": [1], "price": [True], "title": [b"x"]}))

    def test_what_is_no_parquet_file_is_one_line(self, tmp_path):
        (tmp_path / "rows.parquet").write_text("id,title\n")
        with pytest.raises(SourceError) as caught:
            read(tmp_path / "rows.parquet")
        assert "rows.parquet is no Parquet file that can be read" in caught.value.message
        assert "\n" not in caught.value.message

    def test_half_a_file_is_the_sources_error(self, tmp_path):
        path = tmp_path / "rows.parquet"
        pl.DataFrame({"id": range(3)}).write_parquet(path)
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(SourceError, match="no Parquet file that can be read"):
            read(path)

    def test_a_file_that_breaks_in_the_middle_is_the_sources_error(self, tmp_path):
        path = tmp_path / "rows.parquet"
        frame = pl.DataFrame({"id": range(4000), "title": [f"{number * 7919:x}" for number in range(4000)]})
        parquet.write_table(frame.to_arrow(), path, row_group_size=1000, write_page_checksum=True)
        source = opened(path)
        data = bytearray(path.read_bytes())
        half = len(data) // 2
        data[half : half + 200] = b"\xff" * 200
        path.write_bytes(data)
        with pytest.raises(SourceError, match="could not verify page integrity"):
            records(source)

    def test_memory_holds_a_part_of_a_row_group(self, tmp_path, monkeypatch):
        monkeypatch.setattr(parquet_source, "MAX_TEXT", 1 << 20)
        path = tmp_path / "rows.parquet"
        rows = [{"id": str(number), "title": f"{number:065536}"} for number in range(256)]
        table = pa.Table.from_pylist(rows)
        parquet.write_table(table, path, compression="none", use_dictionary=False, write_batch_size=1)
        size = path.stat().st_size
        del rows, table
        before = pa.total_allocated_bytes()
        batches = opened(path).batches(None, 1)
        next(batches)
        assert pa.total_allocated_bytes() - before < size / 4
        batches.close()

    def test_a_name_with_wildcards_is_that_file(self, tmp_path):
        pl.DataFrame({"id": [1]}).write_parquet(tmp_path / "rows.parquet")
        pl.DataFrame({"id": [1, 2]}).write_parquet(tmp_path / "ro[w]s.parquet")
        assert len(read(tmp_path / "ro[w]s.parquet")) == 2

    def test_no_rows_are_no_records(self, tmp_path):
        assert parquet_rows(tmp_path, pl.DataFrame({"id": pl.Series([], dtype=pl.Int64)})) == []
