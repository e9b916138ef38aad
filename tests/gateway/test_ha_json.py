"""The JSON of answers: facets, variables, what a trace tells, and rows without their fields."""

import json
from dataclasses import replace

import pytest
from gateway_fakes import HIT, RESULT

from gateway.ha_format import answer_body, error_body
from gateway.wanted import Wanted, format_of, traced
from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Aggregate, AggregateFunction, Aggregation, Arith, Field, Group, Literal, Span
from query_parser.request import Config

COUNT, TITLE, PRICE = AggregateFunction("count"), Field("title"), Field("price")


def body_of(result, **wanted):
    body = answer_body(result, Wanted(**wanted), request_id="r", seconds=0.5)
    return json.loads(json.dumps(body, allow_nan=False))


def facets(*aggregations):
    return body_of(replace(RESULT, aggregations=aggregations))["result"]["facet"]


def test_a_facet_has_a_key_and_items_of_texts():
    functions = (AggregateFunction("sum", PRICE), COUNT)
    groups = (Group(("red",), (4444, 123)), Group((5,), (0.5, 1)), Group(("none",), (None, 2)))
    assert facets(Aggregation(Aggregate((TITLE,), functions), groups, 3)) == [
        {
            "key": "title",
            "items": [
                {"value": "red", "sum": "4444", "count": "123"},
                {"value": "5", "sum": "0.5", "count": "1"},
                {"value": "none", "count": "2"},
            ],
        }
    ]


def test_the_second_function_of_a_kind_has_its_whole_name():
    doubled = Arith("*", PRICE, Literal(2))
    functions = tuple(AggregateFunction("max", value) for value in (PRICE, doubled, Field("id")))
    (facet,) = facets(Aggregation(Aggregate((TITLE,), functions), (Group(("a",), (1, 2, 3)),), 1))
    assert facet["items"] == [{"value": "a", "max": "1", "max((price*2))": "2", "max(id)": "3"}]


def test_several_keys_stand_in_brackets_and_every_aggregate_is_a_facet():
    first = Aggregation(Aggregate((TITLE, PRICE), (COUNT,)), (Group(("a", 1.5), (2,)),), 1)
    second = Aggregation(Aggregate((PRICE,), (COUNT,), ranges=(1, 4)), (Group(("1~4",), (2,)),), 1)
    assert facets(first, second) == [
        {"key": "[title, price]", "items": [{"value": "a, 1.5", "count": "2"}]},
        {"key": "price", "items": [{"value": "1~4", "count": "2"}]},
    ]


def test_variables_stand_in_typed_lists_and_among_attributes_that_name_them():
    hit = replace(HIT, variables={"double": 0.2, "tags2": ["x"], "far": float("inf"), "yes": 1})
    (item,) = body_of(replace(RESULT, hits=(hit,)), attributes=("id", "double"))["result"]["items"]
    assert item["variableValue"] == {"double": [0.2], "tags2": ["x"], "far": [None], "yes": [1]}
    assert item["attribute"] == {"id": [7], "double": [0.2]}


def test_a_map_is_one_value_of_an_attribute():
    (item,) = body_of(RESULT, attributes=("extra",))["result"]["items"]
    assert item["attribute"] == {"extra": [{"color": "red"}]}


def test_no_summary_leaves_the_fields_out_and_the_rest_in():
    (item,) = body_of(RESULT, attributes=("id",), summary=False)["result"]["items"]
    assert item["fields"] == {}
    assert (item["attribute"], item["sortExprValues"]) == ({"id": [7]}, ["0.25", "0"])


def test_an_infinite_distance_is_no_trouble():
    hit = replace(HIT, score=float("inf"), sort_values=(float("inf"),))
    (item,) = body_of(replace(RESULT, hits=(hit,)))["result"]["items"]
    assert (item["score"], float(item["sortExprValues"][0])) == (None, float("inf"))


def test_a_trace_tells_what_has_no_effect_and_what_cut_the_pool():
    cut = replace(RESULT.certificates[0], cut_by="sf", returned=2)
    lines = body_of(replace(RESULT, certificates=(cut,), warnings=("odd",)), trace=True, notes=("rank_size", "layer"))[
        "tracer"
    ].splitlines()
    assert lines == [
        "embed: 500.000 ms",
        "index vector: 10 asked for, 3 match, 2 returned (exact), cut by sf",
        "no effect: rank_size",
        "no effect: layer",
        "warning: odd",
    ]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({}, False),
        ({"trace": "INFO"}, True),
        ({"trace": "TRACE3"}, True),
        ({"trace": "debug"}, True),
        ({"trace": "NONE"}, False),
        ({"trace": "ERROR"}, False),
        ({"trace": "fatal"}, False),
    ],
)
def test_levels_below_warnings_are_traced(values, shown):
    assert traced(Config(values)) is shown


def test_a_format_that_nobody_writes_is_refused_where_it_stands():
    config = Config({"format": "protobuf"}, {"format": Span(3, 11)})
    with pytest.raises(RequestError) as raised:
        format_of(config, "json")
    assert (raised.value.code, raised.value.span) == (HaCode.UNSUPPORT_RESULT_FORMAT, Span(3, 11))


def test_an_error_has_code_name_message_and_place():
    error = RequestError("no", code=HaCode.SORT_CLAUSE, span=Span(0, 4))
    (entry,) = error_body(error, "sort=((", request_id="r", seconds=0)["errors"]
    assert entry == {
        "code": 1054,
        "name": "SORT_CLAUSE",
        "message": "Sort clause error. no\n  sort=((\n  ^^^^",
        "span": [0, 4],
    }
