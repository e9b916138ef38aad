"""What becomes of a pool in a search: totals, aggregates, distinct and sorting, over the embedded engine."""

from dataclasses import replace

import pytest
from support import photo_row

from havengate.codes import HaCode
from havengate.documents import Command
from havengate.errors import RequestError
from havengate.types import (
    Aggregate,
    AggregateFunction,
    Arith,
    Compare,
    Contains,
    Distinct,
    Field,
    Group,
    Literal,
    SearchPlan,
    SortKey,
    TextPayload,
    Variable,
    VectorTerm,
)

BY_ID = (SortKey(Field("id"), descending=False),)
BY_CATEGORY = Distinct(Field("cate_id"))


@pytest.fixture(autouse=True)
def _six_photos(services, photos):
    """Keys 1 to 6: categories 1, 1, 2, 2, 2 and none."""
    more = [photo_row(4, "red", cate_id=2, price=4.0), photo_row(5, "red", cate_id=2), photo_row(6, "red")]
    assert services.documents.push(photos, [Command("add", row) for row in more]).failures == ()


def found(services, query=None, **plan):
    result = services.searcher.search(SearchPlan("photos", query, **({"sort": BY_ID} | plan)))
    return [hit.pk for hit in result.hits], result


def test_rounds_come_before_pages(services):
    assert found(services, distinct=(BY_CATEGORY,))[0] == ["1", "3", "6", "2", "4", "5"]
    assert found(services, distinct=(BY_CATEGORY,), offset=2, limit=2)[0] == ["6", "2"]


def test_dropped_rows_leave_the_total_only_where_that_is_asked(services):
    for update_total, total in ((False, 6), (True, 3)):
        spec = Distinct(Field("cate_id"), reserved=False, update_total=update_total)
        keys, result = found(services, distinct=(spec,))
        assert (keys, result.total) == (["1", "3", "6"], total)


def test_a_distinct_goes_over_what_the_one_before_it_left(services):
    one_each = Distinct(Field("cate_id"), reserved=False)
    odd_and_even = Distinct(Arith("&", Field("id"), Literal(1)), reserved=False)
    for totals, total in (((False, False), 6), ((True, False), 3), ((False, True), 5), ((True, True), 2)):
        both = tuple(
            replace(spec, update_total=flag) for spec, flag in zip((one_each, odd_and_even), totals, strict=True)
        )
        keys, result = found(services, distinct=both)
        assert (keys, result.total) == (["1", "6"], total)


def test_groups_are_those_of_the_whole_pool(services):
    by_category = Aggregate(
        (Field("cate_id"),), (AggregateFunction("count"), AggregateFunction("sum", Field("price"))), max_group=1
    )
    spec = Distinct(Field("cate_id"), reserved=False, update_total=True)
    _, result = found(services, distinct=(spec,), aggregates=(by_category,), limit=1)
    (answer,) = result.aggregations
    assert (answer.aggregate, answer.groups, answer.total) == (by_category, (Group((2,), (3, 4.0)),), 2)


def test_the_pool_of_a_vector_term_is_what_is_grouped(services):
    by_category = Aggregate((Field("cate_id"),), (AggregateFunction("count"),))
    nearest = VectorTerm("vector", TextPayload("red"), n=3)
    _, result = found(services, nearest, aggregates=(by_category,))
    assert result.aggregations[0].groups == (Group((2,), (2,)), Group((1,), (1,)))
    assert result.total == 3


def test_rounds_and_groups_are_made_of_a_pool_that_comes_in_the_order_asked_for(services):
    nearest, best_first = VectorTerm("vector", TextPayload("red"), n=6), (SortKey(None, descending=True),)
    one_each = Distinct(Field("cate_id"), reserved=False)
    keys, result = found(services, nearest, sort=best_first, distinct=(one_each,))
    assert [sorted(keys), result.total] == [["1", "4", "6"], 6]
    by_category = Aggregate((Field("cate_id"),), (AggregateFunction("count"),))
    _, result = found(services, nearest, sort=best_first, aggregates=(by_category,))
    assert result.aggregations[0].groups == (Group((2,), (3,)), Group((1,), (2,)))


def test_a_page_of_all_rows_has_the_total_of_all(services):
    keys, result = found(services, filter=Compare(">", Field("id"), Literal(1)), offset=1, limit=2)
    assert (keys, result.total) == (["3", "4"], 5)


def test_rows_sort_by_arithmetic(services):
    rest = Arith("-", Literal(10), Arith("*", Field("price"), Literal(2)))
    keys, result = found(services, sort=(SortKey(rest, descending=False),), limit=4)
    assert keys == ["4", "2", "1", "3"]
    assert [hit.sort_values for hit in result.hits] == [(2.0,), (5.0,), (7.0,), (None,)]


EVERY = (
    Variable("double", Arith("*", Field("price"), Literal(2))),
    Variable("hot", Contains(Field("labels"), Literal("hot"))),
    Variable("flat", Compare("=", Field("title"), Literal("leaf"))),
    Variable("all", Field("labels")),
    Variable("colour", Field("tags", "colour")),
    Variable("one", Literal(1)),
    Variable("name", Field("title")),
)


@pytest.mark.parametrize(
    "way",
    [
        {"sort": BY_ID},
        {"sort": (SortKey(Arith("-", Field("id"), Literal(1)), descending=False),)},
        {"query": VectorTerm("vector", TextPayload("red")), "sort": (SortKey(None, descending=True),)},
        {"query": VectorTerm("vector", TextPayload("red")), "sort": BY_ID},
        {"sort": BY_ID, "distinct": (BY_CATEGORY,)},
    ],
    ids=["paged by the engine", "sorted here", "as found", "a sorted pool", "distinct"],
)
def test_variables_are_computed_for_the_hits_of_the_page(services, way):
    _, result = found(services, variables=EVERY, **way)
    values = {hit.pk: hit.variables for hit in result.hits}
    assert values["1"] == {
        "double": 3.0,
        "hot": 1,
        "flat": 0,
        "all": ["hot", "round"],
        "colour": "red",
        "one": 1,
        "name": "tomato",
    }
    assert values["2"] == {"double": 5.0, "hot": 0, "flat": 1, "all": ["flat"], "one": 1, "name": "leaf"}
    assert values["6"] == {"hot": 0, "flat": 0, "one": 1}
    assert [hit.pk for hit in found(services, variables=EVERY, **way | {"offset": 1, "limit": 2})[1].hits] == [
        hit.pk for hit in result.hits[1:3]
    ]


def test_more_rows_than_the_gateway_sorts_itself_are_refused(with_settings):
    limited = with_settings(limits={"rows": 5})
    assert found(limited)[1].total == 6
    with pytest.raises(RequestError) as caught:
        found(limited, distinct=(BY_CATEGORY,))
    assert caught.value.code is HaCode.OVER_RETURN_HITS_LIMIT
    assert found(limited, distinct=(BY_CATEGORY,), filter=Compare(">", Field("id"), Literal(1)))[1].total == 5
