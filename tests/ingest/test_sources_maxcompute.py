"""MaxCompute by pyodps against a local double of the service, which was never asked itself."""

import datetime as dt
import decimal
import itertools

import pytest
from maxcompute_double import KEY_ID, KEY_SECRET, Data, Part, maxcompute
from pydantic import SecretStr
from source_samples import EXTRA, maxcompute_data, maxcompute_settings, opened, records, table

from havengate.errors import RequestError, SourceAway, SourceChanged, SourceError
from ingest.sources import maxcompute_tunnel
from ingest.sources.maxcompute import newest_partition, read_address

T = "maxcompute://shop/t"


@pytest.fixture
def double(monkeypatch):
    monkeypatch.setattr(maxcompute_tunnel, "_PAUSES_S", (0, 0))
    with maxcompute({"t": maxcompute_data()}) as double:
        yield double


@pytest.fixture
def source(double):
    return lambda text=f"{T}?partition=ds=20260101", spec=None, **changes: opened(
        text, spec, maxcompute_settings(double, **changes)
    )


def downs(*answers):
    """Fails the first downloads of rows with these (status, code), None for one that is answered."""
    left = iter(answers)
    return lambda _method, _path, query: next(left, None) if "data" in query else None


class TestPartitions:
    def test_rows_of_all_partitions_that_begin_so(self, source):
        places = [record.place for record in records(source())]
        assert places[0] == "shop.t/ds=20260101,region=cn:1"
        assert places[-1] == "shop.t/ds=20260101,region=us:12"
        assert len(records(source(f"{T}?partition=ds=20260101/region='us'"))) == 12

    def test_the_newest_is_the_last_that_has_rows(self, source, double):
        for word in ("latest", "max", "LATEST"):
            assert {record.place[:18] for record in records(source(f"{T}?partition={word}"))} == {"shop.t/ds=20260102"}
        settings = maxcompute_settings(double).sources
        assert newest_partition(T, settings) == "ds=20260102"
        double.tables["t"].parts["ds=20260103,region=us"] = Part([{"id": 1}])
        assert newest_partition(f"{T}?partition=latest", settings) == "ds=20260103"

    def test_an_ingest_of_the_newest_stays_with_the_one_it_began(self, source, double):
        first = next(iter(source(f"{T}?partition=latest").batches(None, 1)))
        double.tables["t"].parts["ds=20260103,region=us"] = Part([{"id": 1}])
        assert [r.place for r in records(source(f"{T}?partition=latest"), first.after)] == [
            "shop.t/ds=20260102,region=cn:2",
            "shop.t/ds=20260102,region=cn:3",
        ]

    def test_partitions_by_number_are_in_the_order_of_numbers(self, double):
        parts = {f"day={day}": Part([{"id": day}]) for day in (9, 10, 8)}
        double.tables["days"] = Data([("id", "bigint")], [("day", "bigint")], parts)
        assert newest_partition("maxcompute://shop/days", maxcompute_settings(double).sources) == "day=10"

    def test_nothing_is_newest_of_what_has_no_partitions(self, double):
        double.tables["plain"] = Data([("id", "bigint")], [], {None: Part([{"id": 1}])})
        double.tables["empty"] = Data([("id", "bigint")], [("ds", "string")])
        settings = maxcompute_settings(double).sources
        for text in ("maxcompute://shop/plain", "maxcompute://shop/empty", "table:t", "oss://b/p"):
            assert newest_partition(text, settings) is None

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (T, "a partition has to be named by ds, region in this order, or partition=latest"),
            (f"{T}?partition=region=cn", "a partition has to be named by ds, region in this order"),
            (f"{T}?partition=ds=20260109", "no such partition"),
        ],
    )
    def test_a_partition_that_is_missing_or_unknown_is_refused_with_the_newest(self, source, text, reason):
        with pytest.raises(RequestError) as caught:
            source(text)
        assert reason in caught.value.message
        assert "the newest are: ds=20260103,region=cn; ds=20260102,region=cn" in caught.value.message

    def test_a_partition_of_a_table_without_any_is_refused(self, source, double):
        double.tables["plain"] = Data([("id", "bigint")], [], {None: Part([{"id": 1}, {"id": 2}])})
        with pytest.raises(RequestError, match="the table has no partitions"):
            source("maxcompute://shop/plain?partition=ds=1")
        assert [r.fields["id"] for r in records(source("maxcompute://shop/plain"))] == [1, 2]

    def test_a_partition_written_meanwhile_is_not_gone_on_with(self, source, double):
        first = next(iter(source().batches(None, 5)))
        part = double.tables["t"].parts["ds=20260101,region=cn"]
        part.modified += 1
        with pytest.raises(SourceChanged, match=r"shop\.t/ds=20260101,region=cn was written"):
            records(source(), first.after)
        part.modified -= 1
        part.rows.pop()
        with pytest.raises(SourceChanged, match="was written"):
            records(source(), first.after)
        del double.tables["t"].parts["ds=20260101,region=cn"]
        with pytest.raises(SourceChanged, match="'ds=20260101,region=cn' is gone"):
            records(source(), first.after)


class TestColumns:
    def test_values_of_all_types(self, source, double):
        columns = {
            "id": ("bigint", 9007199254740993, 9007199254740993),
            "title": ("datetime", dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "2026-01-02 00:00:00+00:00"),
            "price": ("decimal(10,2)", decimal.Decimal("1.50"), "1.50"),
            "labels": ("array<string>", [b"x", "红".encode()], ["x", "红"]),
            "tags": ("map<string,bigint>", {b"k": 1}, {"k": 1}),
            "cate_id": ("date", dt.date(2026, 1, 2), "2026-01-02"),
            "vector": ("array<float>", [0.5, 1.5], [0.5, 1.5]),
            "vector_source_image": ("binary", b"\xff", "/w=="),
        }
        types = [(name, kind) for name, (kind, _, _) in columns.items()]
        row = {name: value for name, (_, value, _) in columns.items()}
        double.tables["all"] = Data(types, [], {None: Part([row, {"id": 1}])})
        first, second = [record.fields for record in records(source("maxcompute://shop/all"))]
        assert first == {name: value for name, (_, _, value) in columns.items()}
        assert second == {"id": 1}

    def test_names_match_fields_in_any_case_and_a_partitions_keys_can_be_fields(self, source):
        extra = (
            {"field_name": "Title", "field_type": "STRING"},
            *EXTRA[1:],
            {"field_name": "DS", "field_type": "INT64"},
        )
        fields = records(source(spec=table(extra=extra)))[0].fields
        assert fields == {"id": 0, "Title": "t0", "price": 0.0, "DS": "20260101"}

    def test_columns_that_do_not_fit_are_refused_at_once(self, source, double):
        double.tables["t"].columns += [("colour", "string"), ("size", "bigint")]
        with pytest.raises(RequestError, match="the table has no field 'colour', 'size'; its fields are"):
            source()
        double.tables["t"].columns[-2:] = [("labels", "timestamp"), ("tags", "struct<a:bigint>")]
        with pytest.raises(RequestError, match=r"cast them first: labels \(timestamp\), tags \(struct<"):
            source()

    def test_only_the_columns_that_are_wanted_are_read(self, source, double):
        double.tables["t"].columns += [("colour", "string")]
        whole = records(source(f"{T}?columns=title,ID&partition=latest"))
        assert [record.fields for record in whole] == [{"id": n, "title": f"t{n}"} for n in range(3)]
        asked = {query["columns"] for _, _, query in double.asked if "data" in query}
        assert asked == {"id,title"}
        with pytest.raises(RequestError, match="no column 'prize'; there are: id, title, price, colour"):
            source(f"{T}?columns=id,prize&partition=latest")


class TestTrouble:
    @pytest.mark.parametrize("failure", [(503, "ServiceUnavailable"), (429, "FlowExceeded"), (500, "ReadMetaError")])
    def test_a_service_that_fails_for_a_moment_is_asked_again(self, source, double, failure):
        whole = records(source())
        double.fail = downs(failure, failure)
        assert records(source()) == whole

    def test_a_service_that_stays_away_is_a_passing_error(self, source, double):
        opened_before = source()
        double.fail = lambda *_: (503, "ServiceUnavailable")
        for call in (lambda: records(opened_before), source):
            with pytest.raises(SourceAway, match="maxcompute://shop/t: ServiceUnavailable"):
                call()

    def test_half_a_stream_is_read_again_and_never_taken_for_the_end(self, source, double):
        whole = records(source())
        double.cut_streams = 2
        assert records(source()) == whole
        double.cut_streams = 100
        with pytest.raises(SourceAway):
            records(source())

    def test_an_expired_session_is_opened_anew(self, source, double, monkeypatch):
        monkeypatch.setattr(maxcompute_tunnel, "_SLICE_ROWS", 4)
        whole = records(source())
        seen = []
        for record in itertools.chain.from_iterable(b.records for b in source().batches(None, 4)):
            seen.append(record)
            double.live.clear()
        assert seen == whole

    def test_rows_written_while_they_are_read_are_not_mixed(self, source, double, monkeypatch):
        monkeypatch.setattr(maxcompute_tunnel, "_SLICE_ROWS", 4)
        batches = source().batches(None, 4)
        next(batches)
        double.live.clear()
        double.tables["t"].parts["ds=20260101,region=cn"].modified += 1
        with pytest.raises(SourceChanged, match="was written while it was read"):
            next(batches)

    def test_large_rows_are_read_in_small_slices(self, source, double, monkeypatch):
        whole = records(source())
        monkeypatch.setattr(maxcompute_tunnel, "_SLICE_BYTES", 5)
        double.asked.clear()
        assert records(source()) == whole
        assert sum("data" in query for _, _, query in double.asked) > 5

    def test_nobody_listens(self, double):
        settings = maxcompute_settings(double, maxcompute_endpoint="http://127.0.0.1:9/api")
        with pytest.raises(SourceAway, match="does not answer"):
            opened(f"{T}?partition=latest", settings=settings)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [("maxcompute://shop/none", "NoSuchTable"), ("maxcompute://mall/t", "NoSuchProject")],
    )
    def test_an_unknown_table_or_project_is_no_passing_error(self, source, text, reason):
        with pytest.raises(SourceError, match=reason) as caught:
            source(text)
        assert not isinstance(caught.value, SourceAway)

    def test_who_may_not_read_is_told_once(self, source, double):
        double.fail = downs(*[(403, "NoPermission")] * 100)
        with pytest.raises(SourceError, match="NoPermission") as caught:
            records(source())
        assert not isinstance(caught.value, SourceAway)

    def test_keys_stand_in_no_message(self, source, double):
        with pytest.raises(SourceError, match="Authentication failed") as caught:
            source(maxcompute_access_key_secret=SecretStr("another-secret"))
        assert KEY_ID not in caught.value.message
        double.fail = lambda *_: (400, "Odd", f"what are {KEY_ID} and {KEY_SECRET}?")
        with pytest.raises(SourceError, match=r"what are \*+ and \*+\?") as caught:
            source()
        assert caught.value.__cause__ is None
        assert KEY_SECRET not in repr(maxcompute_settings(double))

    def test_an_answer_of_somebody_else_is_one_line(self, source, double):
        double._found = lambda *_: (200, b"<html>please log in", "text/html")
        with pytest.raises(SourceError) as caught:
            source()
        assert "\n" not in caught.value.message


def test_an_address_has_one_spelling():
    address = read_address("MaxCompute://shop/t?partition=DS='20260101'/region=cn&columns=a,%20b")
    assert str(address) == "maxcompute://shop/t?partition=ds=20260101,region=cn&columns=a,b"
    assert read_address(str(address)) == address
