"""Sort, distinct and aggregate clauses as the plan has them."""

import pytest
from shop_table import SHOP, shop_plan, shown

from havengate.expr import operand_text
from havengate.types import DEFAULT_SORT, Aggregate


def sort_of(text):
    keys = shop_plan(f"sort={text}").sort
    return [f"{'-' if key.descending else '+'}{'RANK' if key.by is None else operand_text(key.by)}" for key in keys]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price", ["-price"]),
        ("+RANK;-price", ["+RANK", "-price"]),
        ("+price*2+1;stock", ["+((price*2)+1)", "-stock"]),
        ("+distance(lon,lat,1,2);RANK", ["+distance(lon,lat,1,2)", "-RANK"]),
        ("tags.k", ["-tags.k"]),
    ],
)
def test_sort_keys(text, expected):
    assert sort_of(text) == expected


def test_no_sort_is_the_default():
    assert shop_plan("config=hit:1").sort == DEFAULT_SORT


@pytest.mark.parametrize(
    ("text", "code", "marked"),
    [
        ("price=1", "SORT_EXPRESSION_TYPE_BOOL", "price=1"),
        ('in(stock,"1")', "SORT_EXPRESSION_TYPE_BOOL", 'in(stock,"1")'),
        ("price;+RANK;-price", "SORT_SAME_EXPRESSION", "-price"),
        ("RANK;+RANK", "SORT_SAME_EXPRESSION", "+RANK"),
        ("price+1;stock;price + 1", "SORT_SAME_EXPRESSION", "price + 1"),
        ("price;f(price)", "FUNCTION_NOT_DEFINED", "f(price)"),
    ],
)
def test_sort_keys_that_are_refused(error_of, text, code, marked):
    assert error_of(f"query=words:a&&sort={text}", SHOP)[::2] == (code, marked)


def test_two_names_for_one_value_sort_once():
    found = shop_plan("virtual_attribute=cost:price&&sort=cost;stock;+price").sort
    assert [operand_text(key.by) for key in found] == ["price", "stock"]


def test_distinct():
    (found,) = shop_plan(
        "distinct=dist_key:stock+1,dist_count:2,dist_times:3,reserved:false,update_total_hit:true,"
        "dist_filter:price>5,grade:3.0|5.0"
    ).distinct
    assert operand_text(found.key) == "(stock+1)"
    assert (found.count, found.times, found.reserved, found.update_total) == (2, 3, False, True)
    assert shown(found.filter) == "price>5"
    assert found.grades == (3.0, 5.0)


def test_a_grade_given_twice_is_one():
    (found,) = shop_plan("distinct=dist_key:stock,grade:2|1|2.0|1").distinct
    assert found.grades == (1.0, 2.0)


def test_distincts_follow_each_other():
    found = shop_plan("distinct=dist_key:stock;dist_key:name").distinct
    assert [operand_text(each.key) for each in found] == ["stock", "name"]
    found = shop_plan("distinct=none_dist;dist_key:name").distinct
    assert [operand_text(each.key) for each in found] == ["name"]
    assert (found[0].count, found[0].times, found[0].reserved, found[0].update_total) == (1, 1, True, False)


def test_what_distinct_has_no_use_for_is_noted():
    found = shop_plan("distinct=dist_key:stock,max_item_count:5,dbmodule:x")
    assert found.notes == ("distinct max_item_count has no effect here", "distinct dbmodule has no effect here")


@pytest.mark.parametrize(
    ("text", "code", "marked"),
    [
        ('dist_key:in(stock,"1")', "DISTINCT_EXPRESSION_TYPE_BOOL", 'in(stock,"1")'),
        ("dist_key:stock,dist_filter:price", "FILTER_EXPRESSION_NOT_BOOL", "price"),
        ("none_dist", "DISTINCT_DESC_COUNT", ""),
        ("dist_key:stock;dist_key:name;dist_key:price", "DISTINCT_DESC_COUNT", "dist_key:price"),
        ("none_dist;dist_key:stock;dist_key:name", "DISTINCT_DESC_COUNT", "dist_key:name"),
        ("dist_key:f(stock)", "FUNCTION_NOT_DEFINED", "f(stock)"),
    ],
)
def test_distincts_that_are_refused(error_of, text, code, marked):
    assert error_of(f"query=words:a&&distinct={text}", SHOP)[::2] == (code, marked)


def test_aggregates():
    first, second = shop_plan(
        "aggregate=group_key:[stock,name],agg_fun:count()#sum(price*2)#max(stock),agg_filter:price>5,max_group:7;"
        "group_key:price,agg_fun:min(stock)#distinct_count(name),range:1~4.5~10"
    ).aggregates
    assert [operand_text(key) for key in first.keys] == ["stock", "name"]
    assert [(each.name, each.value and operand_text(each.value)) for each in first.functions] == [
        ("count", None),
        ("sum", "(price*2)"),
        ("max", "stock"),
    ]
    assert (shown(first.filter), first.max_group, first.ranges) == ("price>5", 7, ())
    assert [(each.name, operand_text(each.value)) for each in second.functions] == [
        ("min", "stock"),
        ("distinct_count", "name"),
    ]
    assert second.ranges == (1, 4.5, 10)


@pytest.mark.parametrize("given", ["", ",max_group:-1", ",max_group:0"])
def test_groups_have_a_default(given):
    usual = Aggregate((), ())
    (found,) = shop_plan(f"aggregate=group_key:stock,agg_fun:count(){given}").aggregates
    assert found.max_group == usual.max_group


def test_more_groups_than_there_may_be_are_cut_and_noted():
    found = shop_plan("aggregate=group_key:stock,agg_fun:count(),max_group:20000")
    assert found.aggregates[0].max_group == 10_000
    assert found.notes == ("max_group 20000 is more than 10000, which are returned at most",)


def test_samples_are_noted():
    found = shop_plan("aggregate=group_key:stock,agg_fun:count(),agg_sampler_threshold:5,agg_sampler_step:2")
    assert found.notes == ("aggregates look at every row: agg_sampler_* has no effect here",)


@pytest.mark.parametrize(
    ("text", "code", "marked"),
    [
        ("group_key:stock=1,agg_fun:count()", "AGG_FUN_EXPR_RESULT_TYPE", "stock=1"),
        ("group_key:stock,agg_fun:sum(price>1)", "AGG_FUN_EXPR_RESULT_TYPE", "price>1"),
        ("group_key:stock,agg_fun:count(),agg_filter:price", "FILTER_EXPRESSION_NOT_BOOL", "price"),
        ("group_key:f(stock),agg_fun:count()", "FUNCTION_NOT_DEFINED", "f(stock)"),
    ],
)
def test_aggregates_that_are_refused(error_of, text, code, marked):
    assert error_of(f"query=words:a&&aggregate={text}", SHOP)[::2] == (code, marked)
