"""What every source keeps: the same records in the same order, from any checkpoint on."""

import json
import os
import subprocess
import sys

import pytest
import source_samples as samples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from maxcompute_double import maxcompute
from source_samples import ROWS, opened, records, table

from havengate.errors import SourceChanged

KINDS = ("folder", "jsonl", "packed", "delimited", "parquet", "table", "maxcompute")


@pytest.fixture(params=KINDS)
def reopen(request, tmp_path):
    """Opens the source of one kind anew each time."""
    if request.param == "maxcompute":
        with maxcompute({"t": samples.maxcompute_data()}) as double:
            settings = samples.maxcompute_settings(double)
            yield lambda: opened("maxcompute://shop/t?partition=ds=20260101", table(), settings)
    elif request.param == "table":
        services = request.getfixturevalue("services")
        request.getfixturevalue("photos")
        target = table(extra=(*samples.EXTRA, {"field_name": "cate_id", "field_type": "INT64"}))
        yield lambda: opened("table:photos", target, engine=services.engine, blobs=services.tables.blobs)
    else:
        path = getattr(samples, request.param)(tmp_path)
        yield lambda: opened(path)


def test_batches_of_any_size_hold_the_same_records_in_the_same_order(reopen):
    whole = records(reopen())
    assert len(whole) >= 3
    assert len({record.place for record in whole}) == len(whole)
    assert reopen().count() == len(whole)
    for size in (1, 7, 1000):
        batches = list(reopen().batches(None, size))
        assert all(0 < len(batch.records) <= size for batch in batches)
        assert [record for batch in batches for record in batch.records] == whole


def test_a_source_goes_on_from_the_checkpoint_after_any_batch(reopen):
    whole = records(reopen())
    for size in (1, 7):
        read = []
        for batch in reopen().batches(None, size):
            read += batch.records
            # As it is kept meanwhile.
            after = json.loads(json.dumps(batch.after))
            assert read + records(reopen(), after, 5) == whole


def test_what_is_left_out_counts_across_checkpoints(tmp_path):
    path = samples.folder(tmp_path)
    whole = opened(path)
    first = next(iter(whole.batches(None, 5)))
    rest = opened(path)
    records(rest, first.after)
    assert rest.left_out() == ROWS
    assert records(whole)
    assert whole.left_out() == ROWS


def test_another_process_reads_the_same_order(tmp_path):
    path = samples.folder(tmp_path)
    code = "import sys, source_samples as s; print('\\n'.join(r.place for r in s.records(s.opened(sys.argv[1]))))"
    done = subprocess.run(
        [sys.executable, "-c", code, path],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.splitlines() == [record.place for record in records(opened(path))]


@pytest.mark.parametrize("kind", ["jsonl", "packed", "delimited", "parquet"])
def test_a_file_that_changed_is_not_gone_on_with(tmp_path, kind):
    path = getattr(samples, kind)(tmp_path)
    first = next(iter(opened(path).batches(None, 5)))
    if kind == "parquet":
        samples.parquet(tmp_path)
    else:
        path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(SourceChanged, match="is not what it was"):
        records(opened(path), first.after)


@pytest.mark.parametrize("kind", ["jsonl", "packed", "delimited", "parquet"])
def test_a_file_that_changes_while_it_is_read_is_not_all_in(tmp_path, kind):
    path = getattr(samples, kind)(tmp_path)
    batches = opened(path).batches(None, 5)
    next(batches)
    os.utime(path, ns=(0, 0))
    with pytest.raises(SourceChanged, match="is not what it was"):
        list(batches)


_SNIPPETS = (
    b"id,title\n",
    b'{"id": 1}',
    b"\n",
    b"\r\n",
    b"\r",
    b'"',
    b",",
    b"1",
    b"\xff",
    b"\0",
    "红".encode(),
    b"[",
    b"{",
    b" ",
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.lists(st.sampled_from(_SNIPPETS), max_size=12).map(b"".join), kind=st.sampled_from(["csv", "jsonl"]))
def test_any_bytes_are_records_that_can_be_read_from_any_checkpoint(tmp_path, content, kind):
    path = tmp_path / f"rows.{kind}"
    path.write_bytes(b"id,title\n" + content if kind == "csv" else content)
    whole = records(opened(path))
    assert opened(path).count() == len(whole)
    read = []
    for batch in opened(path).batches(None, 1):
        read += batch.records
        assert read + records(opened(path), batch.after) == whole
