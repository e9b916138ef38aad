"""Functions where rows are sorted, grouped, taken in turns and shown, over the embedded engine."""

import pytest
from support import photo_row

from havengate.documents import Command
from havengate.types import (
    Aggregate,
    AggregateFunction,
    Arith,
    Call,
    Compare,
    Distinct,
    Field,
    Group,
    InPolygon,
    Literal,
    SearchPlan,
    SortKey,
    Variable,
)

BY_ID = (SortKey(Field("id"), descending=False),)
ROOT = Call("pow", (Field("price"), Literal(0.5)))
LAST_DIGIT = Call("to_string", (Arith("&", Field("id"), Literal(1)),))
SQUARE = tuple(map(Literal, (0, 0, 3, 0, 3, 3, 0, 3)))


@pytest.fixture(autouse=True)
def _five_photos(services, photos):
    prices = {4: 4.0, 5: 9.0, 6: -1.0}
    rows = [photo_row(key, "red", cate_id=key % 2, price=price) for key, price in prices.items()]
    assert services.documents.push(photos, [Command("add", row) for row in rows]).failures == ()


def found(services, **plan):
    filter_ = Compare(">", Field("id"), Literal(3))
    result = services.searcher.search(SearchPlan("photos", **({"sort": BY_ID, "filter": filter_} | plan)))
    return [hit.pk for hit in result.hits], result


def test_rows_without_a_root_come_last(services):
    keys, result = found(services, sort=(SortKey(ROOT, descending=True),))
    assert keys == ["5", "4", "6"]
    assert [hit.sort_values for hit in result.hits] == [(3.0,), (2.0,), (None,)]


def test_a_float_is_shown_as_it_was_pushed_not_as_the_double_nearby(services, photos):
    services.documents.push(photos, [Command("add", photo_row(4, "red", price=0.1))])
    extremes = tuple(AggregateFunction(name, Field("price")) for name in ("min", "max"))
    sort = (SortKey(Field("price"), descending=False), SortKey(ROOT, descending=False))
    (key, *_), result = found(
        services,
        filter=Compare("=", Field("id"), Literal(4)),
        sort=sort,
        aggregates=(Aggregate((Field("price"),), extremes),),
        variables=(Variable("root", ROOT),),
    )
    assert (key, result.hits[0].sort_values) == ("4", (0.1, 0.31622776))
    assert result.hits[0].variables == {"root": 0.31622776}
    assert result.aggregations[0].groups == (Group((0.1,), (0.1, 0.1)),)


def test_rows_sort_by_text_in_the_order_of_code_points(services):
    by_text = SortKey(
        Call("string_replace", (Call("to_string", (Field("id"),)), Literal("5"), Literal("z"))), descending=True
    )
    keys, result = found(services, sort=(by_text,))
    assert keys == ["5", "6", "4"]
    assert [hit.sort_values for hit in result.hits] == [("z",), ("6",), ("4",)]


def test_a_function_is_a_key_of_turns_and_groups(services):
    assert found(services, distinct=(Distinct(LAST_DIGIT),))[0] == ["4", "5", "6"]
    spec = Aggregate(
        (LAST_DIGIT,),
        (AggregateFunction("count"), AggregateFunction("sum", ROOT), AggregateFunction("max", LAST_DIGIT)),
    )
    (answer,) = found(services, aggregates=(spec,))[1].aggregations
    assert answer.groups == (Group(("0",), (2, 2.0, "0")), Group(("1",), (1, 3.0, "1")))


def test_a_root_is_grouped_by_ranges(services):
    spec = Aggregate((ROOT,), (AggregateFunction("count"),), ranges=(2, 3))
    (answer,) = found(services, aggregates=(spec,))[1].aggregations
    assert {group.keys: group.values for group in answer.groups}[("2~3",)] == (1,)


def test_variables_are_functions_and_truths(services):
    inside = InPolygon(Field("cate_id"), ROOT, SQUARE, edge=True)
    variables = (
        Variable("root", ROOT),
        Variable("power", Call("pow", (Literal(2), Literal(3)))),
        Variable("inside", inside),
        Variable("most", Literal(2**64 - 1)),
    )
    _, result = found(services, variables=variables)
    assert [dict(hit.variables) for hit in result.hits] == [
        {"root": 2.0, "power": 8.0, "inside": 1, "most": 2**64 - 1},
        {"root": 3.0, "power": 8.0, "inside": 1, "most": 2**64 - 1},
        {"power": 8.0, "inside": 0, "most": 2**64 - 1},
    ]


def test_explain_tells_of_functions(services):
    (told,) = services.searcher.explain(SearchPlan("photos", filter=Compare("=", ROOT, Literal(2))))
    assert "price" in str(told)
