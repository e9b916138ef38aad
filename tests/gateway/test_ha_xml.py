"""The engine's XML: its shape, and that it can be read whatever rows and requests hold."""

from dataclasses import replace
from urllib.parse import urlencode

import pytest
from gateway_fakes import HIT, RESULT, VECTOR
from hypothesis import example, given
from hypothesis import strategies as st
from xml_answers import read_xml

from gateway.ha_xml import answer_xml, cdata, error_xml
from gateway.wanted import Wanted
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Aggregate, AggregateFunction, Aggregation, Field, Group, SearchResult, SortKey, Span

QUERY = "query=vector:'cat&modal=text&n=10'"
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
"""Control characters and lone surrogates, too."""


def ask(client, text):
    answer = client.get("/query?" + urlencode({"query": text}))
    assert (answer.status_code, answer.content_type) == (200, "text/xml; charset=utf-8")
    return read_xml(answer.data)


def written(result, **wanted):
    return read_xml(answer_xml(result, Wanted(**wanted), seconds=0.0034).encode())


def texts(element):
    return {child.tag: child.text for child in element}


@pytest.mark.parametrize(
    "config", ["", "&&config=start:0", "&&config=format:xml", "&&config=format:json&&config=hit:1"]
)
def test_xml_is_the_default(client, config):
    root = ask(client, QUERY + config)
    assert [child.tag for child in root] == [
        "TotalTime",
        "SortExprMeta",
        "hits",
        "AggregateResults",
        "Error",
        "certificate",
    ]
    assert root.findtext("SortExprMeta") == "-RANK"
    assert root.find("hits").attrib == {"numhits": "1", "totalhits": "3", "coveredPercent": "100.00"}
    assert texts(root.find("Error")) == {"ErrorCode": "0", "ErrorDescription": None}


def test_a_hit_has_the_engines_parts_in_its_order(client):
    (hit,) = ask(client, QUERY).find("hits")
    assert hit.attrib == {"cluster_name": "photos", "hash_id": "0", "docid": "0"}
    assert [child.tag for child in hit] == ["fields", "property", "sortExprValues", "raw_pk"]
    assert texts(hit.find("fields")) == {
        "id": "7",
        "title": "摩托车",
        "price": "0.1",
        "tags": "a\tb",
        "extra": '{"color": "red"}',
    }
    assert (hit.findtext("sortExprValues"), hit.findtext("raw_pk")) == ("0.25; 0", "7")


def test_attributes_and_variables_stand_in_blocks_of_their_own():
    hit = replace(HIT, vectors={"vector": VECTOR}, variables={"double": 0.2, "names": ["<a>", "b"]})
    (found,) = written(replace(RESULT, hits=(hit,)), attributes=("id", "tags", "vector", "double")).find("hits")
    assert texts(found.find("attribute")) == {"id": "7", "tags": "a\tb", "vector": "0.1 -2.5", "double": "0.2"}
    assert texts(found.find("variableValue")) == {"double": "0.2", "names": "<a>\tb"}
    assert found.find("fields/vector").text == "0.1,-2.5"


def test_no_summary_leaves_the_fields_out():
    (found,) = written(RESULT, summary=False, attributes=("id",)).find("hits")
    assert (list(found.find("fields")), found.findtext("attribute/id")) == ([], "7")


def test_groups_have_a_value_for_each_function():
    functions = (
        AggregateFunction("count"),
        AggregateFunction("max", Field("price")),
        AggregateFunction("max", Field("id")),
    )
    groups = (Group(("a'\n<",), (2, 1.5, 7)), Group(("b",), (1, None, 3)))
    result = SearchResult((), 3, aggregations=(Aggregation(Aggregate((Field("title"),), functions), groups, 2),))
    (found,) = written(result).find("AggregateResults")
    assert found.attrib == {"key": "title"}
    assert [group.attrib["value"] for group in found] == ["a'\n<", "b"]
    assert [[(child.tag, child.text) for child in group] for group in found] == [
        [("count", "2"), ("max", "1.5"), ("max", "7")],
        [("count", "1"), ("max", None), ("max", "3")],
    ]


def test_the_sort_is_told_as_the_engine_tells_it():
    sort = (SortKey(None, descending=False), SortKey(Field("id"), descending=True))
    assert written(RESULT, sort=sort).findtext("SortExprMeta") == "+RANK;-id"


def test_the_trace_certificates_and_warnings_come_last():
    root = written(replace(RESULT, warnings=("odd ]]> <key>",)), trace=True, notes=("rank_size",))
    assert [child.tag for child in root][-3:] == ["Request_Trace", "certificate", "warning"]
    assert root.findtext("Request_Trace/trace_info").splitlines() == [
        "embed: 500.000 ms",
        "index vector: 10 asked for, 3 match, 3 returned (exact)",
        "no effect: rank_size",
        "warning: odd ]]> <key>",
    ]
    assert root.find("certificate").attrib == {
        "index": "vector",
        "requested": "10",
        "matched": "3",
        "returned": "3",
        "strategy": "exact",
    }
    assert root.findtext("warning") == "odd ]]> <key>"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 1050),
        ("vector:'cat&modal=text'", 1056),
        ("query=vector:", 1051),
        ("query=vector:'cat&modal=text'&&cluster=elsewhere", 1001),
        ("query=vector:'cat&modal=text'&&config=format:protobuf", 1007),
        ("query=vector:'cat&modal=text'&&config=format:fb_summary", 1007),
        ("query=vector:'cat&modal=text'&&config=format:JSON", 1007),
    ],
)
def test_errors_stand_inside_the_general_error(client, text, code):
    root = ask(client, text)
    outer = root.find("Error")
    assert (outer.findtext("ErrorCode"), outer.findtext("ErrorDescription")) == ("2", "general error.")
    (inner,) = outer.findall("Error")
    assert [child.tag for child in inner] == ["PartitionID", "HostName", "ErrorCode", "ErrorDescription"]
    assert (inner.findtext("ErrorCode"), inner.findtext("HostName")) == (str(code), "")
    assert inner.findtext("ErrorDescription")
    assert root.find("hits").attrib["numhits"] == "0"


@given(ANY_TEXT)
@example("]]>")
@example("]]]]>>\r\n]]")
@example("\x00\x0b\x1d\ud800\uffff")
def test_a_text_reads_back_but_for_what_xml_forbids(text):
    read = read_xml(f"<a>{cdata(text)}</a>".encode()).text or ""
    assert len(read) == len(text)
    assert all(before == after or after in "\t\ufffd" for before, after in zip(text, read, strict=True))
    assert all(before == after for before, after in zip(text, read, strict=True) if before in "]>\r\n\t&<")


@given(st.from_regex("[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True), ANY_TEXT, st.lists(ANY_TEXT, max_size=2))
def test_any_row_gives_xml_that_can_be_read(name, value, values):
    hit = replace(
        HIT,
        pk=value,
        fields={"title": value, name: values, "extra": {value: value}},
        sort_values=(value, None, 1e999),
        variables={name: value, "far": 1e999},
    )
    functions = (AggregateFunction("min", Field("title")),)
    aggregation = Aggregation(Aggregate((Field(name),), functions), (Group((value, 1), (value,)),), 1)
    result = replace(RESULT, hits=(hit,), aggregations=(aggregation,), warnings=(value,))
    root = written(result, attributes=("title", name, "extra"), trace=True, notes=(value,))
    assert len(root.find("hits/hit/fields")) == len(hit.fields)


@given(ANY_TEXT)
def test_any_error_gives_xml_that_can_be_read(text):
    error = RequestError(text, code=HaCode.QUERY_CLAUSE, span=Span(0, len(text)))
    description = read_xml(error_xml(error, text, seconds=0).encode()).findtext("Error/Error/ErrorDescription")
    assert description.startswith("Query clause error.")
