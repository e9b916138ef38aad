"""The fetch_summary clause: rows by primary key, as hits."""

from dataclasses import replace

import pytest
from gateway_fakes import VECTOR, FakeServices

from gateway.ha_fetch import fetch_summary
from havengate.codes import HaCode
from havengate.errors import RequestError, UnknownTable
from havengate.types import Row, Span
from query_parser.clause_nodes import FetchSummary
from query_parser.nodes import Remark, Text
from query_parser.request import Config, HaRequest
from schemas.settings import TableSettings


def fetched(services, *keys, by="rawpk", attributes=(), **config):
    """``keys`` are ``cluster:key``."""
    pairs = [key.partition(":") for key in keys]
    texts = tuple((name, Text(key, Span(place, place + 1))) for place, (name, _, key) in enumerate(pairs))
    clause = FetchSummary(by, texts)
    names = tuple(Text(name, Span(place, place)) for place, name in enumerate(attributes))
    request = HaRequest("", Config(config), fetch_summary=clause, attributes=names)
    return fetch_summary(services, request, clause, services.tables.resolve)


def test_rows_come_as_hits_in_the_order_asked(services):
    services.documents.rows = [Row("9", {"id": 9}), Row("7", {"id": 7})]
    result, wanted = fetched(services, "general:9", "photos:8", "photos:7")
    assert ([hit.pk for hit in result.hits], result.total) == (["9", "7"], 2)
    assert (wanted.table, wanted.attributes, wanted.trace) == ("photos", (), False)
    assert services.documents.fetched == [("photos", ["9", "8", "7"], False, None)]


def test_the_attribute_clause_adds_vectors_to_the_fields(services):
    services.documents.rows = [Row("7", {"id": 7}, {"vector": VECTOR})]
    result, wanted = fetched(services, "photos:7", attributes=("vector",))
    assert (wanted.attributes, list(result.hits[0].vectors)) == (("vector",), ["vector"])
    assert services.documents.fetched[0][3] == ("id", "title", "cate_id", "vector")


def test_an_attribute_that_is_no_field_is_pointed_at(services):
    with pytest.raises(RequestError, match="the table has: id") as raised:
        fetched(services, "photos:7", attributes=("id", "nope"))
    assert (raised.value.code, raised.value.span) == (HaCode.ATTRIBUTE_NOT_EXIST, Span(1, 1))


@pytest.mark.parametrize("allow", ["yes", "no"])
def test_a_missing_row_is_left_out_unless_the_request_forbids_it(services, allow):
    services.documents.rows = [Row("7", {"id": 7})]
    if allow == "yes":
        assert fetched(services, "photos:7", "photos:8", allow_lack_summary=allow)[0].total == 1
        return
    assert fetched(services, "photos:7", "photos:007", allow_lack_summary=allow)[0].total == 1
    with pytest.raises(RequestError, match="'8'") as raised:
        fetched(services, "photos:7", "photos:8", allow_lack_summary=allow)
    assert (raised.value.code, raised.value.span) == (HaCode.QRS_SUMMARY_LACK, Span(1, 2))


def test_gids_are_none_of_ours(services):
    for by in ("docid", "pk"):
        with pytest.raises(RequestError, match="rawpk") as raised:
            fetched(services, "photos:7", by=by)
        assert raised.value.code == HaCode.FETCH_SUMMARY_GID_FORMAT


def test_clusters_are_looked_up_and_there_is_one_table(services):
    with pytest.raises(UnknownTable):
        fetched(services, "photos:7", "elsewhere:8")
    other = replace(services.tables.spec, name="others")
    resolve = services.tables.resolve
    services.tables.resolve = lambda name, *rest: other if name == "others" else resolve(name, *rest)
    with pytest.raises(RequestError, match="photos, others") as raised:
        fetched(services, "photos:7", "others:8")
    assert raised.value.code == HaCode.MULTI_CLUSTERNAME_WITH_DIFFERENT_TABLE


def test_a_strict_table_refuses_what_was_dropped(services):
    dropped = Remark("config has no key 'x'", HaCode.KEY_VALUE_PAIR, Span(0, 1))
    clause = FetchSummary("rawpk", (("photos", Text("7", Span(0, 1))),))
    request = HaRequest("", fetch_summary=clause, remarks=(dropped,))
    assert fetch_summary(services, request, clause, services.tables.resolve)[0].warnings == ("config has no key 'x'",)
    services.tables.spec = replace(services.tables.spec, settings=TableSettings(strict=True))
    with pytest.raises(RequestError, match="strict"):
        fetch_summary(services, request, clause, services.tables.resolve)


def test_too_many_keys_are_refused():
    services = FakeServices(limits={"fetch_ids": 2})
    with pytest.raises(RequestError, match="the most is 2"):
        fetched(services, "photos:1", "photos:2", "photos:3")
    assert services.documents.fetched == []


@pytest.mark.parametrize("by", ["rawpk", "docid"])
def test_commas_alone_ask_for_no_rows(services, by):
    services.documents.rows = []
    result, wanted = fetched(services, by=by)
    assert (result.hits, result.total, wanted.table) == ((), 0, "photos")
